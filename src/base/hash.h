// HashBytes: a fixed, fast 64-bit hash of any bytes, for checksums and fingerprints.
//
// The same in every process, build and byte order; its values go over the wire. It finds accidents,
// not attacks. The hash of ids is HashId in freehold/internal/hash_id.h.
//
// Thread safety: a pure function.

#ifndef FREEHOLD_SRC_BASE_HASH_H_
#define FREEHOLD_SRC_BASE_HASH_H_

#include <cstddef>
#include <cstdint>

#include "freehold/internal/hash_id.h"

namespace freehold::internal {

uint64_t HashBytes(const void* data, size_t size, uint64_t seed);

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_HASH_H_
