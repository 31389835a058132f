// All copies on one node: who owns them, who reads them, and how they end.
//
// A copy's key is (object, generation); several generations of an object may be here at once, and
// an event for one never touches another. A copy ends by a Free from its recorded owner, by the
// store's own choice (DropCopy), or at the barrier after its owner's exclusion. A freed copy that
// is being read or fetched is doomed and deleted when that ends. The store deletes in batches; what
// fails is tried again, with exponential backoff, until it succeeds.
//
// What an owner has to be told is not queued: it is written on the record, which is on the owner's
// list of waiting reports until the session pulls it. A later fact supersedes an earlier one that
// never left (a Free withdraws the location report before it), so an unreachable owner costs
// nothing beyond the records. The exception is the answer to a Free of something that is not here:
// it has no record and waits in a queue per owner, which the caller bounds by taking no more frees
// from an owner that takes no answers (replies_waiting).
//
// Rules of reporting:
//   - A result is owed to every Free that was taken; duplicates of one Free share it.
//   - Doomed is told at once and is not final; Deleted follows.
//   - Failed is told at the first failure and whenever the reason changes, not at each retry.
//   - Unknown answers a Free of what is not here, and of what the store had dropped by itself.
//   - An excluded owner is told nothing any more, from the view on.
//
// A move of the primary to a copy here holds it against the store's own choice until the owner has
// answered, or its barrier has come (copy_table_moves.cc). A Free takes it all the same.
//
// An object can move to another owner (copy_table_transfer.cc). Its copies go along, but those that
// were freed: they end for the owner that freed them, which waits for the result.
//
// Thread safety: thread-compatible; the runtime holds its lock around every call.
// Pure: time and randomness come in as arguments; nothing is called back but the sink and the
// visitors given to a call. Nothing is emitted in hash order.
// Costs: each step O(1), plus the generations of that object that are here; times of retries and
// the order of owners are kept in trees, O(log copies that failed), O(log owners). A view or
// barrier marks the owners that it excludes, O(their number); Sweep goes through their copies in
// pieces.

#ifndef FREEHOLD_SRC_CORE_COPY_TABLE_H_
#define FREEHOLD_SRC_CORE_COPY_TABLE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "src/core/copy_event.h"
#include "src/core/copy_owner.h"
#include "src/core/copy_record.h"
#include "src/core/digest.h"
#include "src/core/peer.h"

namespace freehold::core {

class CopyTable {
 public:
  struct Options {
    // Before a failed deletion is tried again; doubles up to the maximum, each plus up to half of
    // itself at random. 0 < min <= max.
    Duration retry_delay_min = std::chrono::milliseconds(100);
    Duration retry_delay_max = std::chrono::seconds(10);
    // False: nobody is ever told anything, and records of gone copies go at once.
    bool reports = true;
    uint32_t copies_max = kNoCopy - 1;
  };
  struct Stats {
    uint64_t copies = 0;           // gauge: all but those gone
    uint64_t bytes = 0;            // gauge: of copies whose bytes are here
    uint64_t readers = 0;          // gauge
    uint64_t doomed = 0;           // gauge: wait for readers or a fetch
    uint64_t deletes_pending = 0;  // gauge: to be handed to the store, or there
    uint64_t reports_waiting = 0;  // gauge
    uint64_t moves = 0;            // gauge: not answered
    uint64_t copies_added = 0;
    uint64_t frees_received = 0;
    uint64_t frees_unknown = 0;
    uint64_t frees_refused = 0;
    uint64_t copies_deleted = 0;
    uint64_t orphans_deleted = 0;
    uint64_t store_failures = 0;
  };

  explicit CopyTable(const Options& options) : options_(options) {}

  CopyVerdict Step(const copy_event::AddCopy& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::BeginFetch& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::AbortFetch& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::MarkSpilled& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::MarkRestored& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::DropCopy& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::BeginRead& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::EndRead& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::MovePrimary& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::Free& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::MoveAnswered& event, CopyEffects* effects);
  // kOk, kNoChange (nothing of it is here under an earlier term), kRefused.
  CopyVerdict Step(const copy_event::Moved& event, CopyEffects* effects);
  // kOk, kNoChange (something about it is going to be told anyway), kNotHere, kRefused.
  CopyVerdict Step(const copy_event::ReportAgain& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::Deleted& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::DeleteFailed& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::View& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::Barrier& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::SelfExcluded& event, CopyEffects* effects);
  CopyVerdict Step(const copy_event::Sweep& event, CopyEffects* effects);

  // Hands up to `copies_max` copies over for deletion, those whose retry is due at `now` included:
  // calls visitor(const CopyRecord&) for each, in order. Each must be answered by Deleted or
  // DeleteFailed. Answers their number.
  template <typename Visitor>
  uint32_t TakeDeletes(Time now, uint32_t copies_max, Visitor&& visitor) {
    QueueDueRetries(now, copies_max);
    uint32_t taken = 0;
    for (; taken < copies_max && !to_delete_.empty(); ++taken) visitor(TakeOneDelete());
    return taken;
  }
  // When Sweep or TakeDeletes has something to do; kInfinitePast: now.
  Time NextWork() const;
  bool sweeping() const { return !sweep_.empty(); }

  // Moves up to `items_max` of what waits for the owner `peer` into the sink, in order.
  PullVerdict PullReports(PeerIndex peer, uint32_t items_max, ReportSink* sink);
  // Answers without a record that wait for the owner `peer`, those to Moved included.
  size_t replies_waiting(PeerIndex peer) const;

  // What the owner has been told is here, by what was pulled for it (digest.h). Nothing once it or
  // this node is excluded.
  DigestSum Told(PeerIndex peer) const;
  // Adds it, looking at up to `records_max` records from `from`; answers where to go on, kNoCopy at
  // the end. It changes by PullReports and Moved only, so pieces between which neither comes fit.
  uint32_t VisitTold(PeerIndex peer, uint32_t from, uint32_t records_max, DigestTally* tally) const;

  // Null when that key is not here. Valid until the next step.
  const CopyRecord* Find(const ObjectId& object, uint32_t generation) const;
  // visitor(const CopyRecord&) for each generation here, newest first.
  template <typename Visitor>
  void ForEachGeneration(const ObjectId& object, Visitor&& visitor) const {
    for (uint32_t i = Newest(object); i != kNoCopy; i = copies_[i].older) {
      if (copies_[i].state != CopyState::kGone) visitor(copies_[i]);
    }
  }
  // ... for each copy among up to `records_max` records from `from`; answers where to go on,
  // kNoCopy at the end. What is here from the first piece to the last is visited once, whatever
  // owner it comes to meanwhile.
  template <typename Visitor>
  uint32_t VisitCopies(uint32_t from, uint32_t records_max, Visitor&& visitor) const {
    const uint32_t end = copies_.end() - from > records_max ? from + records_max : copies_.end();
    for (; from < end; ++from) {
      if (copies_[from].state != CopyState::kGone) visitor(copies_[from]);
    }
    return from < copies_.end() ? from : kNoCopy;
  }
  // visitor(owner, copies, bytes) for each owner with copies here, in order of their first.
  template <typename Visitor>
  void ForEachOwner(Visitor&& visitor) const {
    for (const auto& [since, peer] : owners_here_) {
      const Owner* o = FindOwner(peer);
      visitor(peer, uint64_t{o->copies.size()}, o->bytes);
    }
  }
  // The freed copies that are not gone, in order of their frees. O(records): for the end only.
  std::vector<const CopyRecord*> Freed() const;
  bool AnyFreed() const { return stats_.doomed + stats_.deletes_pending > 0; }

  const Stats& stats() const { return stats_; }
  // Aborts on a violation. O(records); for tests.
  void CheckInvariants() const;

 private:
  using OwnerList = CopyOwner::List;
  using ReportList = CopyOwner::ReportList;
  using DeleteList = CopyChain<&CopyRecord::by_delete>;
  using OwnerPhase = CopyOwnerPhase;
  using Owner = CopyOwner;
  using Move = CopyMove;
  struct FixedHash {
    size_t operator()(const ObjectId& id) const { return static_cast<size_t>(id.Hash()); }
  };
  // What AddCopy (kHeld) and BeginFetch (kFetching) have in common.
  struct Arrival {
    ObjectId object;
    uint32_t generation;
    PeerIndex owner;
    CopyRole role;
    uint64_t size;
    CopyState state;
    uint32_t term = kFirstTerm;
  };

  // Looking up.
  uint32_t Newest(const ObjectId& object) const;
  uint32_t Lookup(const ObjectId& object, uint32_t generation) const;
  const Owner* FindOwner(PeerIndex peer) const;
  Owner& OwnerOf(PeerIndex peer);

  // Records.
  CopyVerdict Arrive(Arrival arrival, CopyEffects* effects);
  CopyVerdict ArriveOnRecord(uint32_t index, const Arrival& arrival, CopyEffects* effects);
  uint32_t Insert(const ObjectId& object, uint32_t generation);
  void Erase(uint32_t index);
  void EnterOwner(uint32_t index);
  void LeaveOwner(uint32_t index);

  // Changes of state. Every one goes through SetState, which keeps gauges and lists.
  void SetState(uint32_t index, CopyState state);
  void Count(const CopyRecord& copy, bool up);
  void Doom(uint32_t index, FreeCause cause, CopyEffects* effects);
  void DoomIfPastBarrier(uint32_t index, CopyEffects* effects);
  void End(uint32_t index, CopyReport report, CopyEffects* effects);
  void MoreToDelete(uint32_t index);

  // Reports.
  bool Reports(const Owner& owner) const;
  void SetReport(uint32_t index, CopyReport first, CopyReport report, CopyEffects* effects);
  void Report(uint32_t index, CopyReport report, CopyEffects* effects);
  bool PullRecord(const CopyRecord& copy, CopyReport report, ReportSink* sink) const;
  bool PullReply(Owner* owner, ReportSink* sink);
  void Answer(const CopyReply& reply, Owner* owner, CopyEffects* effects);
  // The report has become the last word about the copy.
  static void Tell(Owner* owner, CopyRecord* copy, CopyReport report);

  // Transfers of ownership.
  static bool IsUnfreed(const CopyRecord& copy);
  static CopyVerdict RefuseStranger(const CopyRecord& copy);
  static bool MayConcernAnother(const CopyRecord& copy, const copy_event::Free& event);
  CopyVerdict CheckMoved(const copy_event::Moved& event) const;
  void ChangeOwner(uint32_t index, Owner* owner, uint32_t term, CopyEffects* effects);
  void AskMovesAgain(const copy_event::Moved& event, CopyEffects* effects);
  void AskMoveAgain(uint64_t number, Owner* owner, uint32_t term, CopyEffects* effects);
  void FollowOtherGenerations(Arrival* arrival) const;
  bool OwesMovedAck(const Owner& owner) const;
  void RaiseToMovedAck(Owner* owner);
  bool PullMovedAck(Owner* owner, ReportSink* sink);

  // Moves of the primary.
  void SendMove(uint64_t number, Owner* owner, CopyEffects* effects);
  PullVerdict PullMoves(Owner* owner, uint32_t items_max, ReportSink* sink);
  CopyVerdict Promote(const copy_event::MoveAnswered& event, CopyEffects* effects);
  CopyVerdict EvictFirst(const copy_event::MoveAnswered& event, CopyEffects* effects);
  // Those asked of owners that are past their barrier; all, if this node is excluded. One pass over
  // what is moving, however many owners went.
  void EndMoves(MoveOutcome outcome, CopyEffects* effects);
  void Unpin(const Move& move, uint64_t number, bool is_primary);

  // The store.
  void QueueDueRetries(Time now, uint32_t copies_max);
  const CopyRecord& TakeOneDelete();

  // Exclusion.
  void PassBarrier(Owner* owner);
  void AddToSweep(Owner* owner);
  void WithdrawReplies(Owner* owner);
  bool WithdrawReports(Owner* owner, uint32_t* budget);
  bool DoomOrphans(Owner* owner, uint32_t* budget, CopyEffects* effects);

  // For CheckInvariants.
  void CheckRecord(uint32_t index) const;
  void CheckOwner(const Owner& owner) const;
  void CheckIndex() const;
  void CheckMoves() const;
  DigestSum SumTold(PeerIndex peer) const;

  Options options_;
  Stats stats_;
  CopySlab copies_;
  // The newest generation of each object; older ones hang off it.
  absl::flat_hash_map<ObjectId, uint32_t, FixedHash> newest_;
  std::vector<std::unique_ptr<Owner>> owners_;  // by PeerIndex; null: never seen here
  absl::btree_map<uint64_t, PeerIndex> owners_here_;
  DeleteList to_delete_;
  absl::btree_set<std::pair<Time, uint32_t>> retries_;
  absl::btree_map<uint64_t, Move> moves_;  // by number; not answered
  absl::btree_set<std::pair<ObjectId, uint64_t>> moves_by_object_;
  bool moves_asked_again_ = false;  // one of them, ever: of an owner to which its object had moved
  std::deque<PeerIndex> sweep_;
  std::vector<std::pair<uint64_t, PeerIndex>> before_barrier_;  // (view, owner) excluded there
  uint64_t latest_barrier_ = 0;
  uint64_t arrivals_ = 0;
  uint64_t frees_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_COPY_TABLE_H_
