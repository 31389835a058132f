// The items of a transfer of ownership (PROTOCOL, step 11), as values. Its answers are
// SharingItems.
//
// Thread safety: values.

#ifndef FREEHOLD_SRC_CORE_TRANSFER_ITEM_H_
#define FREEHOLD_SRC_CORE_TRANSFER_ITEM_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "freehold/pin.h"
#include "src/core/item.h"
#include "src/core/task_record.h"

namespace freehold::core {

// No owner has a later term: whoever counts up from one that is as late as can be has room to.
inline constexpr uint32_t kTermMax = 1u << 30;

// The next owner's answer. All but kTaken leave the object with its owner.
enum class TransferAnswer : uint8_t {
  kTaken = 0,
  kExists = 1,    // the next owner has that id already, as its own
  kRefused = 2,   // it takes no objects from others
  kDraining = 3,  // it is about to leave
  kFull = 4,      // it has no room
};
inline constexpr uint8_t kTransferAnswerMax = 4;

// The value of an object that is transferred, as its owner knows it.
enum class TransferState : uint8_t {
  kPending = 0,
  kAvailable = 1,
  kFreed = 2,
  kLost = 3,
  kRecord = 4,  // out of scope, and without a copy: the record is kept for its lineage alone
};
inline constexpr uint8_t kTransferStateMax = 3;  // of a value

// No pin is older on the wire: what it is subtracted from is a clock of the reader's.
inline constexpr Duration kPinAgeMax = std::chrono::hours(100 * 8766);  // 100 years

// owner → next owner: the object is yours, if you take it. None of its ids is nil.
struct TransferItem {
  struct At {
    NodeId node;
    // None of the first three: it has no copy, but asks about the object.
    bool in_memory = false;
    bool spilled = false;
    bool prospective = false;
    bool primary = false;  // only of one in memory or spilled
    bool shared = false;   // only with a url
    std::string url;       // of a spilled one only; at most kSpilledUrlBytesMax
  };
  struct Pin {
    std::string by;      // not empty, at most kPinnedByBytesMax
    uint32_t count = 1;  // at least one
    Duration age{};      // of the first of these; at most kPinAgeMax
  };
  // What scope the object is in. That of a process's root, whose owner is nil, stands for that of
  // the next owner: a label goes along with the object, and so does the root's hold.
  struct Scope {
    ProcessId owner;    // nil: the sender
    uint64_t id = 0;    // there; not 0
    bool hold = false;  // of the scope, as in its tokens; the root has none of the two
    bool no_cleanup = false;
    bool held = false;    // it holds the object
    bool forced = false;  // its end by force has freed the value, and does not again; not held
    std::string label;    // of the object; that or a hold is what the root has to say
  };
  ObjectId object;
  uint32_t term = kFirstTerm + 1;  // that of the next owner, at least kFirstTerm + 1
  uint32_t generation = 0;
  uint64_t size = 0;  // bytes; 0 while unknown
  TransferState state = TransferState::kPending;
  bool evict_first = false;
  std::vector<At> nodes;
  std::vector<ProcessId> processes;  // that hold it or ask about it; the sender is not among them
  std::vector<ProcessId> formers;    // owners before the sender, which still answer for it
  std::vector<Pin> pins;             // by names that differ; at most kPinHoldersMax
  bool free_waits = false;           // for the last of those
  FreeMode free_mode = FreeMode::kNow;  // how; only of one that waits
  std::optional<Scope> scope;           // never what an heir is told
  std::optional<TaskRecord> task;       // that made it, likewise; at most kTaskArgumentsMax
  // Who is to be its heir after the one that is told, in order; told to an heir alone. They differ,
  // and there are at most kNextHeirsMax.
  std::vector<ProcessId> heirs;
};
inline constexpr size_t kNextHeirsMax = 8;
// All lists, the scope and the task together take at most so much on the wire, so that any
// item fits any envelope.
inline constexpr uint32_t kTransferListBytesMax = 7 * 1024;
// On the wire, of an element of the lists: a process, and a node without the bytes of its URL.
inline constexpr uint32_t kTransferProcessBytes = 28;
inline constexpr uint32_t kTransferNodeBytes = 31;
// Of the pins, if there are any, and of one without the bytes of its name.
inline constexpr uint32_t kTransferPinsBytes = 3;
inline constexpr uint32_t kTransferPinBytes = 14;
// Of the scope, if there is one, without the bytes of the label.
inline constexpr uint32_t kTransferScopeBytes = 39;
// Of the next heirs, if there are any, without themselves.
inline constexpr uint32_t kTransferHeirsBytes = 1;
// Of the task, if there is one, and of each argument.
inline constexpr uint32_t kTransferTaskBytes = 42;
inline constexpr uint32_t kTransferArgumentBytes = 28;
inline size_t TransferTaskBytes(const TaskRecord& task) {
  return kTransferTaskBytes + kTransferArgumentBytes * task.arguments.size();
}
// What the lists, the scope and the task take of kTransferListBytesMax.
inline size_t TransferListBytes(const TransferItem& item) {
  size_t bytes = kTransferNodeBytes * item.nodes.size() +
                 kTransferProcessBytes * (item.processes.size() + item.formers.size());
  for (const TransferItem::At& at : item.nodes) bytes += at.url.size();
  if (!item.pins.empty()) bytes += kTransferPinsBytes;
  for (const TransferItem::Pin& pin : item.pins) bytes += kTransferPinBytes + pin.by.size();
  if (item.scope.has_value()) bytes += kTransferScopeBytes + item.scope->label.size();
  if (item.task.has_value()) bytes += TransferTaskBytes(*item.task);
  if (!item.heirs.empty()) bytes += kTransferHeirsBytes + kTransferProcessBytes * item.heirs.size();
  return bytes;
}

// owner → next owner, before the transfer of `outer`: objects that it contains. Each is passed on
// as a handoff of the sender's, as if it were exported. Neither of the ids is nil, but for the
// owner's.
struct ContainedItem {
  struct Inner {
    ObjectId object;
    uint64_t number = 0;         // of the handoff
    uint32_t term = kFirstTerm;  // of the inner object's owner
    ProcessId owner;             // nil: the sender
  };
  ObjectId outer;
  uint32_t term = kFirstTerm + 1;  // of the next owner of `outer`
  std::vector<Inner> inners;       // not empty
};
// So many that any item fits any envelope.
inline constexpr uint32_t kContainedMax = 100;
// On the wire, of an inner object.
inline constexpr uint32_t kContainedBytes = 68;

// owner → heir (PROTOCOL, step 15): what the heir is to install when the owner dies.
// `snapshot.term` is the one in which it would own the object.
struct ShadowItem {
  uint64_t version = 0;  // the owner's own, one more for each change; the answer echoes it
  TransferItem snapshot;
};
// The heir's answer. All but kKept: it is not the heir.
enum class ShadowAnswer : uint8_t {
  kKept = 0,
  kExists = 1,    // it owns that id, or knows of a later owner
  kRefused = 2,   // it takes no objects from others
  kDraining = 3,  // it is about to leave
  kFull = 4,      // it has no room
  kEnded = 5,     // the owner has said so
};
inline constexpr uint8_t kShadowAnswerMax = 5;

// owner, former owner, or who passed a reference on → who holds the object or asks about it.
struct MovedItem {
  ObjectId object;
  uint32_t term = kFirstTerm + 1;  // of the owner
  ProcessId owner;                 // nil: the sender is
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_TRANSFER_ITEM_H_
