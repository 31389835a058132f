#include "src/base/hash.h"

#include "src/base/little_endian.h"

namespace freehold::internal {

namespace {

inline uint64_t Mix(const uint8_t* bytes16, uint64_t secret, uint64_t state) {
  return MultiplyFold(LoadLittle64(bytes16) ^ secret, LoadLittle64(bytes16 + 8) ^ state);
}

}  // namespace

// The shape is wyhash's: each multiplication takes in 16 bytes. Four lanes, because one would wait
// for the latency of its multiplication at every step.
uint64_t HashBytes(const void* data, size_t size, uint64_t seed) {
  const uint8_t* bytes = static_cast<const uint8_t*>(data);
  size_t left = size;
  uint64_t state = MultiplyFold(seed ^ kHashSecret[0], kHashSecret[1]);
  if (left >= 64) {
    uint64_t lanes[4] = {state, state, state, state};
    for (; left >= 64; left -= 64, bytes += 64) {
      lanes[0] = Mix(bytes, kHashSecret[0], lanes[0]);
      lanes[1] = Mix(bytes + 16, kHashSecret[1], lanes[1]);
      lanes[2] = Mix(bytes + 32, kHashSecret[2], lanes[2]);
      lanes[3] = Mix(bytes + 48, kHashSecret[3], lanes[3]);
    }
    state = lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3];
  }
  for (; left >= 16; left -= 16, bytes += 16) state = Mix(bytes, kHashSecret[1], state);
  uint64_t first = 0;
  uint64_t last = 0;
  if (left >= 8) {
    first = LoadLittle64(bytes);
    last = LoadLittle64(bytes + left - 8);
  } else if (left >= 4) {
    first = LoadLittle<uint32_t>(bytes);
    last = LoadLittle<uint32_t>(bytes + left - 4);
  } else if (left > 0) {
    first = static_cast<uint64_t>(bytes[0]) << 16 | static_cast<uint64_t>(bytes[left / 2]) << 8 |
            bytes[left - 1];
  }
  return MultiplyFold(static_cast<uint64_t>(size) ^ kHashSecret[2],
                      MultiplyFold(first ^ kHashSecret[3], last ^ state));
}

}  // namespace freehold::internal
