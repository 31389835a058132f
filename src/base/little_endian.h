// Integers as little-endian bytes, at any alignment, whatever the machine's own order.
//
// Thread safety: pure functions.

#ifndef FREEHOLD_SRC_BASE_LITTLE_ENDIAN_H_
#define FREEHOLD_SRC_BASE_LITTLE_ENDIAN_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace freehold::internal {

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
inline constexpr bool kBigEndian = true;
#else
inline constexpr bool kBigEndian = false;
#endif

// REQUIRES: sizeof(T) bytes at `bytes`.
template <typename T>
T LoadLittle(const void* bytes) {
  static_assert(std::is_unsigned_v<T>);
  uint8_t raw[sizeof(T)];
  std::memcpy(raw, bytes, sizeof(T));
  if constexpr (kBigEndian) std::reverse(raw, raw + sizeof(T));
  T value;
  std::memcpy(&value, raw, sizeof(T));
  return value;
}

// REQUIRES: room for sizeof(T) bytes at `bytes`.
template <typename T>
void StoreLittle(T value, void* bytes) {
  static_assert(std::is_unsigned_v<T>);
  uint8_t raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  if constexpr (kBigEndian) std::reverse(raw, raw + sizeof(T));
  std::memcpy(bytes, raw, sizeof(T));
}

template <typename T>
void AppendLittle(T value, std::string* out) {
  char raw[sizeof(T)];
  StoreLittle(value, raw);
  out->append(raw, sizeof(T));
}

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_LITTLE_ENDIAN_H_
