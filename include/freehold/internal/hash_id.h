// HashId: the fixed hash of a 28-byte id, inline because every look-up by id begins with it; and
// SameId, with which it ends.
//
// Not for hosts. Thread safety: pure functions.

#ifndef FREEHOLD_INTERNAL_HASH_ID_H_
#define FREEHOLD_INTERNAL_HASH_ID_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace freehold::internal {

// The constants of Wang Yi's wyhash (public domain): odd, with as many ones as zeros. They must
// never change: checksums on the wire are made with them.
inline constexpr uint64_t kHashSecret[4] = {0xa0761d6478bd642full, 0xe7037ed1a0b428dbull,
                                            0x8ebc6af09c88c6e3ull, 0x589965cc75374cc3ull};

inline uint64_t LoadLittle64(const uint8_t* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

// The upper and the lower half of the 128-bit product, folded together.
inline uint64_t MultiplyFold(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
  __extension__ typedef unsigned __int128 Uint128;  // NOLINT(modernize-use-using): no `using` form
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#else
  const uint64_t a_low = a & 0xffffffffu, a_high = a >> 32;
  const uint64_t b_low = b & 0xffffffffu, b_high = b >> 32;
  const uint64_t low = a_low * b_low;
  const uint64_t middle = a_high * b_low + (low >> 32);
  const uint64_t middle_low = (middle & 0xffffffffu) + a_low * b_high;
  const uint64_t high = a_high * b_high + (middle >> 32) + (middle_low >> 32);
  return ((middle_low << 32) | (low & 0xffffffffu)) ^ high;
#endif
}

// A fixed 64-bit hash of 28 bytes: the same in every process and build, so that nothing that
// depends on it differs from run to run. Every input byte reaches every output bit through
// 64x64->128 multiplications (the mixing step of Wang Yi's wyhash), because hosts make ids that
// share 24 of their bytes. It is not a defence against chosen ids.
inline uint64_t HashId(const uint8_t* bytes28) {
  // The third word overlaps the second, not the fourth: so the last eight bytes, in which most
  // hosts count, enter one multiplication alone.
  uint64_t front = MultiplyFold(LoadLittle64(bytes28) ^ kHashSecret[0],
                                LoadLittle64(bytes28 + 8) ^ kHashSecret[1]);
#if defined(__GNUC__)
  // Folded before the next product: gcc would keep the halves of both, and spill what is in its
  // way.
  __asm__("" : "+r"(front));
#endif
  const uint64_t back = MultiplyFold(LoadLittle64(bytes28 + 12) ^ kHashSecret[2],
                                     LoadLittle64(bytes28 + 20) ^ kHashSecret[3]);
  // Front and back are independent, so they run side by side; the third mixes across them.
  return MultiplyFold(front ^ kHashSecret[2], back ^ kHashSecret[0]);
}

// Four overlapping words: a look-up by id ends here, and this is a third of a memcmp.
inline bool SameId(const uint8_t* a, const uint8_t* b) {
  const auto differ = [&](size_t at) {
    uint64_t x, y;
    std::memcpy(&x, a + at, sizeof(x));
    std::memcpy(&y, b + at, sizeof(y));
    return x ^ y;
  };
  return (differ(0) | differ(8) | differ(16) | differ(20)) == 0;
}

}  // namespace freehold::internal

#endif  // FREEHOLD_INTERNAL_HASH_ID_H_
