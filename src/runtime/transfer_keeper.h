// TransferKeeper: ownership that moves (transfer.h), between the calls, the tables and the wire.
//
// What a host wants to give away waits here until few enough are on their way: a snapshot of each
// that is under way is kept, and a million at once would be a million of them.
//
// Thread safety: thread-safe, but for Take, OnMoved and Work, which are the pump role's. No shard's
// lock is taken, and nothing of the host's is called or destroyed, with the lock here held.
// Ownership: part of its CounterImpl.

#ifndef FREEHOLD_SRC_RUNTIME_TRANSFER_KEEPER_H_
#define FREEHOLD_SRC_RUNTIME_TRANSFER_KEEPER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/object_ref.h"
#include "freehold/stats.h"
#include "freehold/transfer.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"
#include "src/core/lineage_event.h"
#include "src/core/object_table_transfer.h"
#include "src/core/owned_snapshot.h"
#include "src/core/peer.h"
#include "src/core/transfer_item.h"
#include "src/runtime/contained_keeper.h"
#include "src/runtime/heir_keeper.h"
#include "src/runtime/refused_transfers.h"

namespace freehold::runtime {

class CounterImpl;

class TransferKeeper {
 public:
  explicit TransferKeeper(CounterImpl* counter)
      : counter_(counter), contained_(counter), heirs_(counter) {}

  absl::Status Begin(absl::Span<const ObjectId> objects, const ProcessId& next_owner,
                     TransferOptions options);
  // The two halves of it, for whoever asks for no answer: the errors, and the rest.
  absl::StatusOr<core::PeerIndex> CheckNextOwner(const ProcessId& next_owner) const;
  absl::Status Give(std::vector<ObjectRef> objects, core::PeerIndex next_owner);
  uint64_t waiting() const {  // to be begun
    internal::MutexLock lock(&mutex_);
    return waiting_ + following_.size();
  }
  // Calls `visit(object, next_owner)` for those, until it answers false. REQUIRES: it takes no
  // lock.
  void ForEachWaiting(absl::FunctionRef<bool(const ObjectId&, core::PeerIndex)> visit) const;
  uint64_t pending() const { return waiting() + UnderWay(); }
  absl::Status Wait(Duration timeout);
  // Every callable is destroyed; answers for how many objects.
  uint64_t Close();

  // Records that the tasks of others need, each to go to one of them; of which some may not.
  void Follow(const std::vector<core::LineageEffects::Following>& records);

  // Steps what waits, in pieces. True: more could be done at once.
  bool Work();
  // What became of what was given away.
  void OnNotices(const std::vector<core::TransferNotice>& notices);
  // Another process hands an object over.
  void Take(core::PeerIndex from, const core::TransferItem& item);
  // False: its sender may not say so.
  bool OnMoved(core::PeerIndex from, const core::MovedItem& item);
  // This process is excluded: nothing is given away any more.
  void OnSelfExcluded();
  ContainedKeeper& contained() { return contained_; }
  HeirKeeper& heirs() { return heirs_; }
  RefusedTransfers& refused() { return refused_; }
  // What `from` has written, as the core keeps it.
  static core::OwnedSnapshot SnapshotOf(CounterImpl* counter, core::PeerIndex from,
                                        const core::TransferItem& item);

 private:
  // The host's callable, for each object of one call.
  struct Answer {
    explicit Answer(TransferCallback call) : callback(std::move(call)) {}
    TransferCallback callback;
  };
  class AnswerBody;
  // All are held until the last one has been begun: what is made of another one is still on its way
  // when that has come, and would find nothing left of it.
  struct Batch {
    std::vector<ObjectRef> objects;
    size_t next = 0;
    core::PeerIndex next_owner = core::kNoPeer;
    std::shared_ptr<Answer> answer;  // null: nobody asks
  };
  struct One {
    ObjectRef object;
    core::PeerIndex next_owner = core::kNoPeer;
    std::shared_ptr<Answer> answer;
    ContainedKeeper::Handing handing;
  };
  struct FixedHash {
    size_t operator()(const ObjectId& id) const { return static_cast<size_t>(id.Hash()); }
  };
  // Of those that are not answered.
  using Answers = absl::flat_hash_map<ObjectId, std::shared_ptr<Answer>, FixedHash>;
  // So many are under way at most.
  static constexpr uint64_t kUnderWayMax = 32 * 1024;

  absl::Status Add(Batch batch);
  bool TakeNext(uint64_t under_way, One* one);
  void TakeFinished(std::vector<ObjectRef>* finished) FREEHOLD_REQUIRES(mutex_);
  bool HasFinished() const {
    internal::MutexLock lock(&mutex_);
    return !finished_.empty();
  }
  // Costs `*left`, at least one; what is not done then waits to be gone on with.
  void Step(One one, uint64_t* left);
  core::Verdict StepTransfer(One* one, uint64_t* left, core::Immovable* why);
  bool StepFollowing(const core::LineageEffects::Following& record);
  bool WorkFollowing(uint64_t under_way, uint64_t* left);
  bool GoOnLater(One* one);
  void TakeAll(std::deque<Batch>* batches, Answers* answers);
  // For whoever drains: what became of a step, and of what was sent.
  void NoteRefused(core::Verdict verdict, core::Immovable why, const One& one);
  void NoteAnswered(const core::TransferNotice& notice);
  void Tell(const std::shared_ptr<Answer>& answer, const ObjectId& object, absl::Status status);
  // `what`: how its next owner is called.
  static absl::Status Explain(core::TransferOutcome outcome, const std::string& what);
  uint64_t UnderWay() const;
  bool IsRefused(core::event::TakeOver* event);
  void KeepAskingHere(core::PeerIndex from, const ObjectId& object);
  void Inherit(const core::TransferNotice& notice);

  CounterImpl* const counter_;
  ContainedKeeper contained_;
  HeirKeeper heirs_;
  RefusedTransfers refused_;
  mutable internal::Mutex mutex_;
  std::deque<Batch> batches_ FREEHOLD_GUARDED_BY(mutex_);
  std::vector<std::vector<ObjectRef>> finished_ FREEHOLD_GUARDED_BY(mutex_);  // batches
  uint64_t waiting_ FREEHOLD_GUARDED_BY(mutex_) = 0;                          // objects in them
  bool closed_ FREEHOLD_GUARDED_BY(mutex_) = false;  // nothing is given away any more
  Answers answers_ FREEHOLD_GUARDED_BY(mutex_);
  std::optional<One> begun_ FREEHOLD_GUARDED_BY(mutex_);  // one of those that are waiting
  std::deque<core::LineageEffects::Following> following_ FREEHOLD_GUARDED_BY(mutex_);
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_TRANSFER_KEEPER_H_
