// The items that travel in envelopes, as values. PROTOCOL.md says who may send which to whom.
//
// Thread safety: values.

#ifndef FREEHOLD_SRC_CORE_ITEM_H_
#define FREEHOLD_SRC_CORE_ITEM_H_

#include <cstdint>
#include <string>

#include "freehold/ids.h"
#include "freehold/location.h"

namespace freehold::core {

// Of an object's ownership: +1 at each transfer.
inline constexpr uint32_t kFirstTerm = 1;

// owner → node agent: delete your copy of this generation.
struct FreeItem {
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
};

enum class FreeResult : uint8_t {
  kDeleted = 0,  // the copy is physically gone
  kUnknown = 1,  // no copy of that generation here
  kDoomed = 2,   // has readers or is being fetched; Deleted follows
  kFailed = 3,   // the store failed; retried, Deleted follows
};
inline constexpr uint8_t kFreeResultMax = 3;

// node agent → owner.
struct FreeResultItem {
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
  FreeResult result = FreeResult::kDeleted;
  std::string why;  // of kFailed; at most kWhyBytesMax
};
inline constexpr uint32_t kWhyBytesMax = 256;

enum class LocationChange : uint8_t {
  kAdded = 0,    // in memory at the node (a restore as well)
  kRemoved = 1,  // wholly gone, by the store's own choice
  kSpilled = 2,  // in a file at `url`; in memory too if `in_memory`
};
inline constexpr uint8_t kLocationChangeMax = 2;

// node agent → owner.
struct LocationItem {
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
  LocationChange change = LocationChange::kAdded;
  CopyRole role = CopyRole::kSecondary;
  bool in_memory = true;
  uint64_t size = 0;
  std::string url;  // of kSpilled; at most kSpilledUrlBytesMax
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_ITEM_H_
