// What an owner knows of an object that it hands over (PROTOCOL, step 11), as the core keeps it.
//
// Thread safety: a value.

#ifndef FREEHOLD_SRC_CORE_OWNED_SNAPSHOT_H_
#define FREEHOLD_SRC_CORE_OWNED_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/core/inner_list.h"
#include "src/core/peer.h"
#include "src/core/scope_change.h"
#include "src/core/scope_event.h"
#include "src/core/task_record.h"
#include "src/core/transfer_item.h"
#include "src/core/value_pins.h"

namespace freehold::core {

// A contained object that was passed on to the next owner of the outer one.
struct HandedInner {
  ObjectId object;
  uint64_t number = 0;         // of the handoff
  uint32_t term = kFirstTerm;  // of its owner
  PeerIndex owner = kNoPeer;   // kNoPeer: this process
};

// Those of one outer object, in the order in which they are sent, before it.
struct HandedInners {
  std::vector<HandedInner> all;  // empty once all were sent
  size_t sent = 0;               // of those
};

// What an object contains that is given away: this process holds it, too, until everybody knows the
// next owner. Or that this process is the heir of: it holds it as long as it is.
struct Contained {
  InnerList inners;
  HandedInners handed;
};

// The scope of an object that is given away: what its next owner is told of it, and what this
// process goes on counting as one of the scope's objects until everybody knows the next owner.
struct Membership {
  WhoseObject whose;  // as of the look
  LabelIndex label = kNoLabel;
  MemberList list = MemberList::kLoose;
  ScopeExport joining;  // the root's: there is none to join
  std::string label_text;

  // Nothing has moved between the two looks.
  bool IsLike(const Membership& other) const {
    return whose.scope == other.whose.scope && whose.move == other.whose.move && list == other.list;
  }
  // One whose owner has died ends everywhere, and holds nothing at the next owner.
  bool holds_there() const {
    return list == MemberList::kHeld && joining.scope.IsRoot() == (whose.scope == kRootScope);
  }
  // Its value was freed with the end of the scope, which the next owner joins.
  bool forced_there() const { return list == MemberList::kForced && !joining.scope.IsRoot(); }
  // The next owner need not hear of what is in no scope there.
  bool is_told() const { return !joining.scope.IsRoot() || holds_there() || !label_text.empty(); }
  size_t list_bytes() const { return is_told() ? kTransferScopeBytes + label_text.size() : 0; }
};

struct OwnedSnapshot {
  struct At {
    PeerIndex node = kNoPeer;
    // None of the first three: it has no copy, but asks about the object.
    bool in_memory = false;
    bool spilled = false;
    bool prospective = false;
    bool primary = false;
    bool shared = false;
    std::string url;

    bool has_copy() const { return in_memory || spilled || prospective; }
  };
  uint32_t generation = 0;
  uint64_t size = 0;
  TransferState state = TransferState::kPending;
  bool evict_first = false;
  std::vector<At> nodes;
  std::vector<PeerIndex> processes;               // that hold it, or ask about it
  std::vector<PeerIndex> formers;                 // owners before
  std::unique_ptr<Contained> contained;           // null: nothing
  std::unique_ptr<const ValuePins::Pinned> pins;  // null: none; since when, by the clock here
  std::unique_ptr<const Membership> membership;   // null: it was in no scope
  std::unique_ptr<const TaskRecord> task;         // that made it; null: none that is kept
  std::vector<PeerIndex> heirs;                   // after the one that has the snapshot, in order

  // One more that asks about it, unless it is known.
  void Add(PeerIndex peer, bool is_node) {
    if (is_node) {
      for (const At& at : nodes) {
        if (at.node == peer) return;
      }
      nodes.emplace_back().node = peer;
    } else {
      for (const PeerIndex process : processes) {
        if (process == peer) return;
      }
      processes.push_back(peer);
    }
  }
  // Of the lists, on the wire; the membership is not one.
  size_t list_bytes() const {
    size_t bytes = (processes.size() + formers.size()) * kTransferProcessBytes;
    for (const At& at : nodes) bytes += kTransferNodeBytes + at.url.size();
    if (!heirs.empty()) bytes += kTransferHeirsBytes + kTransferProcessBytes * heirs.size();
    if (pins == nullptr) return bytes;
    bytes += kTransferPinsBytes;
    for (const PinHolder& holder : pins->holders) bytes += kTransferPinBytes + holder.by.size();
    return bytes;
  }
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OWNED_SNAPSHOT_H_
