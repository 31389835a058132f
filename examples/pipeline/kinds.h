// The kinds of objects that this job makes, and how an id says which kind its object is.
//
// An ObjectId is 28 bytes that the host chooses; this one puts the kind into the first and a
// running number into the last eight, so that a store can tell what a file is without asking
// anybody.
//
// Thread safety: pure functions.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_KINDS_H_
#define FREEHOLD_EXAMPLES_PIPELINE_KINDS_H_

#include <cstddef>
#include <cstdint>

#include "freehold/ids.h"

namespace pipeline {

enum class Kind : uint8_t {
  kSplit,    // a piece of the input text
  kPart,     // one map's counts for one reducer
  kTotal,    // one reducer's counts so far
  kCatalog,  // names the final totals, and holds them by containing them
};
inline constexpr size_t kKinds = 4;

inline const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kSplit:
      return "split";
    case Kind::kPart:
      return "part";
    case Kind::kTotal:
      return "total";
    case Kind::kCatalog:
      return "catalog";
  }
  return "?";
}

// The first byte of an id is its kind + 1: no id is nil.
inline freehold::ObjectId MakeObjectId(Kind kind, uint64_t number) {
  freehold::ObjectId id = freehold::ObjectId::FromNumber(number);
  id.mutable_data()[0] = static_cast<uint8_t>(static_cast<uint8_t>(kind) + 1);
  return id;
}

// REQUIRES: made by MakeObjectId.
inline Kind KindOf(const freehold::ObjectId& id) { return static_cast<Kind>(id.data()[0] - 1); }

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_KINDS_H_
