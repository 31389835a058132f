// Where an object's bytes are: the values that the owner and the node agents exchange.
//
// Thread safety: values.

#ifndef FREEHOLD_LOCATION_H_
#define FREEHOLD_LOCATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "freehold/ids.h"

namespace freehold {

// What a copy is to its object. At most one copy is the primary: the one that its node must not
// evict. When the primary goes while others remain, the owner makes one of those the primary: one
// in memory before one in a file, and tells its node.
enum class CopyRole : uint8_t { kPrimary = 0, kSecondary = 1 };

// Who can read and delete a file that a copy was written to.
enum class FileReach : uint8_t {
  kNode = 0,  // its node alone: the file goes with the node
  // Every node: object storage, a shared disk. The file outlives its node, and whichever agent the
  // owner asks has its store delete it. Its URL is never used for anything else.
  kShared = 1,
};

// One node's part in an object, as its owner knows it.
struct Location {
  // Nil: none. A file is there that any node can read, and the node that wrote it is gone, or was
  // never known.
  NodeId node;
  CopyRole role = CopyRole::kSecondary;  // meaningful while in_memory or spilled
  bool in_memory = false;                // the bytes are in the node's store
  bool spilled = false;                  // the bytes are in a file at spilled_url
  bool prospective = false;              // the node asked for the bytes; a copy may appear
  bool shared = false;                   // the file is FileReach::kShared
  std::string spilled_url;

  friend bool operator==(const Location& a, const Location& b) {
    return a.node == b.node && a.role == b.role && a.in_memory == b.in_memory &&
           a.spilled == b.spilled && a.prospective == b.prospective && a.shared == b.shared &&
           a.spilled_url == b.spilled_url;
  }
};

// The life of an object at its owner, in the order in which it passes; kFreed and kLost lead back
// to kPending when the host recreates the value. At a borrower it is kBorrowed, or kFailed.
enum class ObjectState : uint8_t {
  kPending,     // declared; no value yet
  kAvailable,   // at least one copy
  kFreed,       // freed explicitly while references remain; the value is gone for good
  kLost,        // every copy went with its node; to be recovered by the host
  kOutOfScope,  // no reference left; its copies are being deleted
  kBorrowed,    // owned by another process
  kFailed,      // borrowed, and of no use any more: gone, or its owner died
};
inline constexpr int kObjectStates = 7;
const char* ObjectStateName(ObjectState state);

// What the owner knows about one object.
struct ObjectLocations {
  ObjectState state = ObjectState::kPending;
  uint32_t generation = 0;          // of the value: +1 at each Recreate
  uint64_t size = 0;                // bytes; 0 while unknown
  std::vector<Location> locations;  // sorted by node id
};

struct NodeBytes {
  NodeId node;
  uint64_t bytes = 0;
};

// When the value of an object that is freed explicitly goes.
enum class FreeMode : uint8_t {
  kNow = 0,
  // The stores of its nodes are told that its copies may be evicted before all others
  // (ObjectStore::EvictFirst). Until the last one has gone, the value can be read and fetched like
  // any other; then the object is as if it had been freed at that moment.
  kEvictFirst = 1,
};

// How the free of one copy ended, or stands.
enum class [[nodiscard]] FreeOutcome : uint8_t{
    kSettled,       // deleted, or the node never had it
    kNodeExcluded,  // the node was excluded, and the copy with it
    kStoreFailed,   // the node's store failed to delete it; the node retries. Not final
    kShutDown,      // this process shut down before the node had answered
};
const char* FreeOutcomeName(FreeOutcome outcome);

}  // namespace freehold

#endif  // FREEHOLD_LOCATION_H_
