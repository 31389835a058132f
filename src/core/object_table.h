// The table of objects, one per shard: counts, locations, frees and callbacks of each owned object;
// counts and registration of each borrowed one.
//
// Step(event) answers a verdict and appends effects. The table is a value that is changed by steps
// and by nothing else: no lock, no thread, no clock, no randomness, no callback. Its parts are the
// records (RecordSlabs), the way to them (IdIndex), their copies (CopyArena), the lists per node
// (NodeIndex), what few objects have (RarePool) and references that cross processes (Sharing).
//
// Thread safety: thread-compatible; the runtime keeps one lock per table.
// Costs: each step O(1) and what it changes; a node's exclusion in pieces. No recursion: contained
// objects to let go of are an effect.
// Memory: nothing is allocated in steady state for an object without a Rare.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/core/codec.h"
#include "src/core/effect.h"
#include "src/core/event.h"
#include "src/core/id_index.h"
#include "src/core/location_set.h"
#include "src/core/node_index.h"
#include "src/core/object_table_config.h"
#include "src/core/rare.h"
#include "src/core/record_slabs.h"
#include "src/core/scope_members.h"
#include "src/core/sharing.h"
#include "src/core/value_pins.h"

namespace freehold::core {

class ObjectTable {
 public:
  using Config = ObjectTableConfig;
  using Counters = ObjectTableCounters;

  explicit ObjectTable(const Config& config);
  ObjectTable(const ObjectTable&) = delete;
  ObjectTable& operator=(const ObjectTable&) = delete;

  // --- Steps: existence and references (object_table.cc) --------------------------------------

  // kAlreadyExists, kNodeExcluded, kTableFull, kScopeEnded. `*record` has one handle. No effects.
  Verdict Step(const event::Declare& e, ObjectRecord** record);
  Verdict Step(const event::Declare& e, Effects*, ObjectRecord** record) { return Step(e, record); }
  // kNotFound, kNotOwner, kOutOfScope, kWrongState (it has a value or awaits one), kTableFull.
  Verdict Step(const event::Recreate& e, Effects* effects);
  // kNotFound, kNotOwner, kUnchanged (freed, out of scope or marked to be evicted already).
  Verdict Step(const event::FreeExplicitly& e, Effects* effects);
  // kNotFound, kOutOfScope. The caller adds the handle before it unlocks.
  Verdict Step(const event::AddHandle& e, ObjectRecord** record);
  Verdict Step(const event::DropLastHandle& e, Effects* effects);
  // kNotFound, kOutOfScope, kCountFull, all three.
  Verdict Step(const event::AddById& e);
  Verdict Step(const event::AddTask& e, ObjectRecord** record);
  Verdict Step(const event::AddNestedHold& e, RecordIndex* record);
  // kNotFound, kNotHeld.
  Verdict Step(const event::RemoveById& e, Effects* effects);
  Verdict Step(const event::DropTask& e, Effects* effects);
  Verdict Step(const event::DropNestedHold& e, Effects* effects);
  // kNotFound, kNotOwner, kOutOfScope, kTableFull; kWrongState: it has an heir.
  Verdict Step(const event::AddInners& e);

  // --- Quiet steps (object_table_quiet.h) -----------------------------------------------------

  bool AddByIdQuietly(const Key& key, uint32_t count);
  bool RemoveByIdQuietly(const Key& key, uint32_t count);
  // The record, or null. `home` is where the key belongs.
  ObjectRecord* AddTaskQuietly(const Key& key, IdIndex::Home home);
  // REQUIRES: it has a task.
  bool DropTaskQuietly(ObjectRecord* record);
  // The last handle of such an object may go by EndQuietly; `ready` is that of an Effects.
  bool EndsQuietly(const ObjectRecord& record) const;
  void EndQuietly(ObjectRecord* record, Effects::Nodes* ready);
  // A secondary copy in memory. `reported`: its node says so itself.
  bool AddCopyQuietly(const Key& key, PeerIndex node, uint32_t generation, uint64_t size,
                      bool reported = false);
  // Of one object on several nodes, in order; how many, the next one being for the whole step.
  size_t AddCopiesQuietly(const Key& key, absl::Span<const PeerIndex> nodes, uint32_t generation,
                          uint64_t size);
  static constexpr size_t kCopiesAtOnce = 64;  // at most

  // --- Steps: locations and frees (object_table_locations.cc) ---------------------------------

  // kNotFound and kToBeFreed: not wanted, the node is asked to delete it. kUnchanged, kNotOwner,
  // kNodeExcluded, kUnknownGeneration, kTableFull.
  Verdict Step(const event::SetLocation& e, Effects* effects);
  // kNotFound, kNotOwner, kUnknownGeneration, kUnchanged (not known, or a free settles it).
  Verdict Step(const event::RemoveLocation& e, Effects* effects);
  // kNotFound and kUnchanged for an answer that comes twice or to nothing.
  Verdict Step(const event::FreeAnswered& e, Effects* effects);
  // Moves what waits for `node` into the writer, at most `records_max`. True: more may wait.
  bool PullFrees(PeerIndex node, uint32_t records_max, PayloadWriter* writer);
  // Takes up to `records_max` copies of an excluded node out of the table. True: more are left.
  bool ExcludeNode(PeerIndex node, uint32_t records_max, Effects* effects);
  // Primary moves (object_table_moves.cc). kUnchanged: another one is the primary. kNodeExcluded:
  // not answered. Refused: kNotFound, kNotOwner, kOutOfScope, kUnknownGeneration, kToBeFreed
  // (freed, or an older value), kWrongState (no copy is known there).
  Verdict Step(const event::MovePrimary& e, Effects* effects);
  // Like PullFrees, which may not go on while more is left: a free would overtake the news before.
  bool PullMoves(PeerIndex node, uint32_t items_max, const NodeNames& names, PayloadWriter* writer);

  // --- Steps: references that cross processes (object_table_sharing.cc) ------------------------

  // kNotFound, kOutOfScope, kGone, kOwnerDied, kPeerExcluded, kTableFull.
  Verdict Step(const event::Export& e, Exported* exported);
  // kNotFound: the handoff has ended, or there never was one.
  Verdict Step(const event::CancelHandoff& e, Effects* effects);
  // The caller adds the handle before it unlocks, as for AddHandle. kPeerExcluded (its sender is),
  // kAlreadyRedeemed, kRefused, kOtherOwner, kTableFull; kGone and kOwnerDied end the handoff.
  Verdict Step(const event::Import& e, Effects* effects, ObjectRecord** record);
  // The same without a token. The hold on the outer object is given back as an effect when it is
  // not needed any more; after anything but kOk it is still the caller's.
  Verdict Step(const event::ImportNested& e, Effects* effects, ObjectRecord** record);

  // From the wire. kNotFound: answered with Gone. kTableFull: not answered before there is room.
  Verdict Step(const event::BorrowerRegistered& e, Effects* effects);
  Verdict Step(const event::BorrowerReleased& e, Effects* effects);  // kNotFound: not listed
  // kNotOwner: it did not come from the owner. kUnchanged: it answers no outstanding Register.
  Verdict Step(const event::RegisterAnswered& e, Effects* effects);
  Verdict Step(const event::HandoffEnded& e, Effects* effects);  // kNotFound: no such handoff
  // kUnchanged: the token came before, and its acknowledgement is to follow.
  Verdict Step(const event::HandoffCancelled& e, Effects* effects);
  // object_table_askers.cc. kNotFound: answered with Gone. kWrongState: nobody gives that number.
  Verdict Step(const event::AskLocations& e, Effects* effects);
  Verdict Step(const event::StopAsking& e);  // kNotFound: it has ended
  // Like PullFrees: registrations, releases and answers for a peer.
  bool PullSharing(PeerIndex peer, uint32_t items_max, const NodeNames& names, Time now,
                   PayloadWriter* writer);
  // A view excludes the process (PROTOCOL, step 7). True: call again for the rest.
  bool FenceProcess(PeerIndex process, uint32_t items_max, Effects* effects);
  // The barrier of that view has come. True: call again for the rest.
  bool CloseProcess(PeerIndex process, uint32_t items_max, Effects* effects);
  // This process is excluded: all that it borrows fails. `*owner` begins at 0. True: as above.
  bool FailBorrows(uint32_t items_max, PeerIndex* owner, Effects* effects);
  // Gives up for lost the tokens whose time has passed. True: more are due.
  bool ExpireTokens(Time now, uint32_t items_max, Effects* effects);
  // Borrows whose registration must be answered before this process has dealt with the latest view.
  uint64_t flush_waiting() const;
  Time NextTokenEnd() const;  // when ExpireTokens has something to do next
  const Sharing* sharing() const { return sharing_.get(); }  // null: no reference has crossed
  // REQUIRES: the record is borrowed.
  const Borrow& BorrowOf(const ObjectRecord& record) const;

  // --- Steps: callbacks (object_table_callbacks.cc) --------------------------------------------

  // kNotFound, kMomentPassed, kNotOwner, kNotBorrowed.
  Verdict Step(const event::Register& e);
  // kNotFound when it has fired, was cancelled, or is unknown. `*token` is the caller's again.
  Verdict Step(const event::Cancel& e, Token* token);
  // kNotFound, kNotOwner, kOutOfScope. The snapshot is an effect.
  Verdict Step(const event::Subscribe& e, Effects* effects);
  std::vector<Token> TakeAllTokens();  // every one, for the end of the world

  // --- Queries (object_table_queries.cc) -------------------------------------------------------

  const ObjectRecord* Find(const Key& key) const;  // null when unknown; until the next step
  // The entry of an id, without the lock if need be; what an object's end will look at.
  IdIndex::Home Foresee(uint64_t hash) const { return index_.Foresee(hash); }
  void ForeseeEnd(const ObjectRecord& record) const;
  CopyFacts Facts(const ObjectRecord& record, const Copy& copy) const;
  // All copies, in storage order; those to be freed included.
  std::vector<CopyFacts> AllFacts(const ObjectRecord& record) const;
  template <typename Visitor>
  void ForEachCopy(const ObjectRecord& record, Visitor visit) const {
    for (uint32_t i = 0; i < record.copies; ++i) visit(copies_.At(record, i));
  }
  const Rare* FindRare(const ObjectRecord& record) const { return rares_.Find(record); }
  const ObjectRecord& At(RecordIndex index) const { return slabs_.At(index); }
  // See RecordSlabs::Visit. Ghosts are visited too.
  template <typename Visitor>
  RecordIndex Visit(RecordIndex from, size_t slots_max, Visitor visit) const {
    return slabs_.Visit(from, slots_max, visit);
  }
  bool HasWorkFor(PeerIndex node) const;
  uint64_t AnswersFor(PeerIndex peer) const;  // that wait to be sent, and that it has caused
  const NodeIndex& nodes() const { return nodes_; }
  const Counters& counters() const { return counters_; }
  // Frees that are not settled, those not yet sent and answers to late reports included.
  uint64_t unsettled_frees() const;
  // Frees that no node has answered: waiting, sent, late. Doomed ones have been answered.
  uint64_t unanswered_frees() const;
  size_t bytes() const;
  void CheckInvariants() const;
  const ScopeMembers* scopes() const { return scopes_.get(); }  // null: nothing is in one

 private:
  friend class TableDigest;
  friend class ScopeSteps;     // object_table_scopes.h
  friend class PinSteps;       // object_table_pins.h
  friend class EvictSteps;     // object_table_evict.h
  friend class LineageSteps;   // object_table_lineage.h
  friend class WatchSteps;     // object_table_watches.h
  friend class DeclareSteps;   // object_table_declare.h
  friend class FileSteps;      // object_table_files.h
  friend class TransferSteps;  // object_table_transfer.h
  friend class HeirSteps;      // object_table_heirs.h
  RecordIndex FindInline(const Key& key) const;
  ObjectRecord* FindMutable(const Key& key);
  IdIndex::Found FindAgain(const Key& key);
  ObjectRecord* FindGeneration(ObjectRecord* record, uint32_t generation);
  // Of an object in scope; otherwise null and the verdict.
  ObjectRecord* InScope(const Key& key, Verdict* verdict);
  RecordIndex IndexOf(const ObjectRecord& record) const { return RecordSlabs::IndexOf(record); }
  uint64_t HashOf(RecordIndex index) const { return slabs_.At(index).id().Hash(); }

  RecordIndex Make(const Key& key, ObjectState state);
  IdIndex::Found MakeInline(const Key& key, ObjectState state, bool handle, IdIndex::Place place);
  void Unmake(ObjectRecord* record);  // takes it out of the table, and nothing else
  void CountState(ObjectRecord* record, ObjectState state);
  void SetState(ObjectRecord* record, ObjectState state, Effects* effects);
  void EndIfNotHeld(ObjectRecord* record, Effects* effects);
  void GoOutOfScope(ObjectRecord* record, Effects* effects);
  void BeginFree(ObjectRecord* record, Effects* effects);
  void FreeCopies(ObjectRecord* record, Effects::Nodes* ready);
  void AfterCopiesGone(ObjectRecord* record, Effects* effects);
  void EraseGhost(ObjectRecord* ghost, Effects* effects);
  void Erase(ObjectRecord* record, Effects* effects);
  bool SplitOffGhost(ObjectRecord* record);
  void WaitForFree(const ObjectRecord& record, Copy* copy, Effects* effects);
  void RemoveCopy(ObjectRecord* record, Copy* copy);
  void SetSize(ObjectRecord* record, uint64_t size, Effects* effects) const;
  void CountInScope(const ObjectRecord& of, int32_t copies, int64_t bytes, Effects* effects) const;
  void RemoveHeldCopy(ObjectRecord* record, Copy* copy, Effects* effects);
  void Settle(ObjectRecord* record, Copy* copy, FreeOutcome outcome, Effects* effects);
  bool IsElsewhere(const event::SetLocation& e, Effects* effects);
  void AnswerWithFree(const event::SetLocation& e, Effects* effects);
  Verdict ApplyLocation(const event::SetLocation& e, ObjectRecord* record, Effects* effects);
  bool HasRealCopy(const ObjectRecord& record) const;
  bool HasPrimaryElsewhere(const ObjectRecord& record, PeerIndex node) const;
  Verdict Move(const event::MovePrimary& e, PeerIndex* primary, Effects* effects);
  Copy* PrimaryOf(ObjectRecord* record);
  void LetGo(ObjectRecord* record, Copy* copy, Effects* effects);
  void Promote(ObjectRecord* record, Effects* effects);
  void MoveCopiesToGo(ObjectRecord* record, ObjectRecord* ghost);
  void Tell(PeerIndex node, const Sharing::MoveNews& news, Effects* effects);
  void SetUrl(ObjectRecord* record, PeerIndex node, std::string_view url);

  Sharing& Share();
  void ForgetEndedTokens();
  Verdict ImportAgain(const event::Import& e, ObjectRecord** record);
  Verdict AdmitOwned(const Key& key, uint32_t term, Effects* effects, ObjectRecord** record);
  Verdict AdmitBorrowed(const Key& key, PeerIndex owner, uint32_t term, Effects* effects,
                        ObjectRecord** record);
  ObjectRecord* BeginBorrow(const Key& key, PeerIndex owner, uint32_t term, Effects* effects);
  void Answer(PeerIndex to, SharingKind kind, const ObjectId& object, uint64_t number,
              uint8_t answer, Effects* effects);
  void AnswerHandoff(PeerIndex to, const ObjectId& object, uint64_t number, HandoffAnswer answer,
                     Effects* effects);
  void EndOwed(const ObjectRecord& record, HandoffAnswer answer, Effects* effects);
  void SetStage(uint32_t borrow, BorrowStage stage, Effects* effects);
  void Confirm(ObjectRecord* record, Effects* effects);
  void FailBorrow(ObjectRecord* record, BorrowStage stage, Effects* effects);
  void LetGoOfBorrow(ObjectRecord* record, Effects* effects);
  void EraseBorrowed(ObjectRecord* record);
  bool ListBorrower(ObjectRecord* record, PeerIndex borrower);
  void ListNextBorrower(Effects* effects);
  bool RemoveHolder(HolderIndex* holders, const HolderIndex::Holder& holder, Effects* effects);
  // object_table_askers.cc. The first: something changed that askers are told.
  void AnswerAskers(const ObjectRecord& record, Effects* effects);
  void AnswerAsFreed(RecordIndex index);
  void EndAskers(ObjectRecord* record, Effects* effects);
  bool ForgetAsker(PeerIndex peer, uint32_t* items_max);  // true: more are left than it allowed
  void RefreshAskers(RecordIndex index);
  void PullAnswers(PeerIndex peer, uint32_t* items_max, const NodeNames& names,
                   PayloadWriter* writer);
  LocationAnswerItem AnswerFor(const ObjectRecord& record, uint64_t watch,
                               const NodeNames& names) const;
  void CheckHolders(const ObjectRecord& record) const;
  void CheckSharing() const;
  void DropCallbacks(ObjectRecord* record, Effects* effects);
  void Fire(ObjectRecord* record, Moment moment, EndReason reason, Effects* effects);
  // REQUIRES, all three: the record has a Rare; subscribers are in it.
  void NotifyState(const ObjectRecord& record, LocationUpdate::Kind kind, Effects* effects);
  void NotifyRemoved(const ObjectRecord& record, PeerIndex node, Effects* effects);
  void NotifyCopy(const ObjectRecord& record, const CopyFacts& facts, LocationUpdate::Kind kind,
                  Effects* effects);
  void CheckRecord(const ObjectRecord& record) const;

  const Config config_;
  RecordSlabs slabs_;
  IdIndex index_;
  CopyArena copies_;
  NodeIndex nodes_;
  RarePool rares_;
  Fences fences_;
  std::unique_ptr<Sharing> sharing_;
  std::unique_ptr<ScopeMembers> scopes_;
  std::unique_ptr<ValuePins> pins_;
  Counters counters_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_H_
