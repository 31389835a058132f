// ContainedKeeper: what an object contains, when the object is given away or gets an heir
// (PROTOCOL, steps 11 and 15).
//
// Its owner passes each inner object on to the next owner, or the heir, before the object itself or
// the first snapshot of it. There they are kept, held like those that an object contains, until
// that comes, which may be never.
//
// Thread safety: OnOuterMoved, OnRead and CancelAll are thread-safe, the others the pump role's. No
// shard's lock is taken with the lock here held. Ownership: part of its TransferKeeper.

#ifndef FREEHOLD_SRC_RUNTIME_CONTAINED_KEEPER_H_
#define FREEHOLD_SRC_RUNTIME_CONTAINED_KEEPER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "freehold/ids.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"
#include "src/core/event.h"
#include "src/core/object_table_transfer.h"
#include "src/core/owned_snapshot.h"
#include "src/core/peer.h"
#include "src/core/transfer_item.h"

namespace freehold::runtime {

class CounterImpl;

class ContainedKeeper {
 public:
  // What was passed on of one object.
  struct Handing {
    size_t looked_at = 0;  // of what it contains, in order
    std::vector<core::HandedInner> handed;
  };
  // What has come of one object.
  struct Staged {
    uint32_t term = 0;
    bool failed = false;  // something of it could not be held
    std::vector<core::InnerRef> inners;
  };

  explicit ContainedKeeper(CounterImpl* counter) : counter_(counter) {}

  // Does `step`, which gives the object to `to`, once all that it contains is passed on; more of
  // that may be added meanwhile. Costs `*left`, at least one, and is to be called again if that is
  // used up and `*why` is kContains. What is of no use any more, because its owner died, is left
  // out. Answers the step's verdict, or why something cannot be passed on; if that is not kOk,
  // nothing of it is to go: see CancelAll.
  core::Verdict StepWith(const core::Key& outer, core::PeerIndex to, uint64_t* left,
                         Handing* handing, core::Immovable* why,
                         absl::FunctionRef<core::Verdict()> step);
  // What was passed on, and no item has told `to`, does not go.
  void CancelAll(core::PeerIndex to, const std::vector<core::HandedInner>& handed);

  // False: its sender may not say so.
  bool OnContained(core::PeerIndex from, const core::ContainedItem& item);
  // What has come of that object, which has come too. It is the caller's to release.
  Staged Take(core::PeerIndex from, const ObjectId& outer, uint32_t term);
  // The object will not come.
  void Drop(core::PeerIndex from, const ObjectId& outer);
  // Nothing more comes from that process.
  void OnFenced(core::PeerIndex process);

  // Another one answers for an outer object that is borrowed here. Before that one hears that this
  // is known.
  void OnOuterMoved(const core::InnerRef& outer);
  // An id was read out of an outer object when that one's owner was `owner`.
  void OnRead(const core::Key& outer, const core::InnerRef& record, core::PeerIndex owner);

 private:
  // From whom, and of which outer object.
  using From = std::pair<core::PeerIndex, ObjectId>;
  core::Verdict PassOn(const core::Key& outer, core::PeerIndex to, size_t items_max,
                       Handing* handing);
  core::Verdict Hold(core::PeerIndex from, const core::ContainedItem::Inner& inner,
                     core::InnerRef* held);
  void Refuse(core::PeerIndex from, const core::ContainedItem::Inner& inner);
  Staged TakeAny(core::PeerIndex from, const ObjectId& outer);

  CounterImpl* const counter_;
  internal::Mutex mutex_;
  std::map<From, Staged> staged_ FREEHOLD_GUARDED_BY(mutex_);
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_CONTAINED_KEEPER_H_
