// TransferSteps: ownership that moves from one process to another (PROTOCOL, step 11).
//
// The owner hands over what it knows, and from then on is a borrower like any other, which answers
// for the object: whoever asks it hears who the next owner is. What it handed over it keeps until
// the next owner has told everybody; if the next owner refuses, or dies before, it takes the object
// back, as if it were given one. So there is one step that makes an owner out of a snapshot,
// Install, and whoever is listed in it is told, one by one, and answers what it holds: the snapshot
// may be older than the truth, the answers are not.
//
// Of a scope that the object is in, the owner goes on counting it until the next owner has told
// everybody: the scope is not over while the object is on its way, or may come back.
//
// Terms rise by one with each owner. Of two words about an object's owner the later term counts.
//
// Thread safety: as the table's, whose inner works these steps are.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_TRANSFER_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_TRANSFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/core/object_table.h"
#include "src/core/object_table_scopes.h"
#include "src/core/owned_snapshot.h"
#include "src/core/transfers.h"

namespace freehold::core {

namespace event {

// The host gives an object away.
struct Transfer {
  Key key;
  PeerIndex to;
  const NodeNames* names;  // which of those that ask are nodes
  // Of what it contains, the first `looked_at` were passed on to `to`, as far as they are of use;
  // `*handed` is taken if the step is.
  size_t looked_at = 0;
  std::vector<HandedInner>* handed = nullptr;
  // What a look at its scope has found; likewise taken. Null: it was in none.
  std::unique_ptr<const Membership>* membership = nullptr;
  // The task that made it, as its LineageTable has lent it; likewise taken. Null: nobody has looked
  // for one; pointing at null: none is kept.
  std::unique_ptr<const TaskRecord>* task = nullptr;
};
// Of an object that is out of scope the record is left, for what was made of it: that goes where
// the tasks are that need it.
struct TransferRecord {
  Key key;
  PeerIndex to;
  std::unique_ptr<const TaskRecord>* task;  // as above
};
// `from` hands over an object. `refusal` is not kTaken if this process takes none. `keep`: the
// runtime will add a handle to the record that the step answers.
struct TakeOver {
  Key key;
  PeerIndex from;
  uint32_t term;
  const OwnedSnapshot& snapshot;
  TransferAnswer refusal = TransferAnswer::kTaken;
  bool keep = false;
  const Admission* scope = nullptr;  // which counts it already; null: it comes in none
};
struct TransferAnswered {
  Key key;
  PeerIndex from;
  uint32_t term;
  TransferAnswer answer;
};
// The next owner has told everybody, or a later one has, and has heard that nobody takes the object
// back; the owner before takes nothing back any more; nobody needs to ask for the object any more.
struct Settled {
  Key key;
  PeerIndex from;
  uint32_t term;
};
struct SettledAcked {
  Key key;
  PeerIndex from;
  uint32_t term;
};
struct MovedEnded {
  Key key;
  PeerIndex from;
  uint32_t term;
};
// `to` is whom to ask for the outer object, out of which ids were read here.
struct OuterMoved {
  InnerRef outer;
  PeerIndex to;
};
// Who told of the object's owner; kNoPeer as the owner: this process.
struct Moved {
  Key key;
  PeerIndex from;
  PeerIndex owner;
  uint32_t term;
};
// Whoever was told has answered. `holds`: it does.
struct MovedAcked {
  Key key;
  PeerIndex from;
  uint32_t term;
  bool holds;
  bool by_node;
};

}  // namespace event

// Why an object cannot be given away as it is.
enum class Immovable : uint8_t {
  kNo,
  kContains,    // it contains other objects, which were not passed on
  kInScope,     // it belongs to another scope than was looked at
  kLineage,     // a recorded task made it, which was not lent; or its value is to be persisted
  kTaskBusy,    // ... is being recorded, or made again, at this moment
  kSubscribed,  // the host subscribes to its locations
  kSharedFile,  // it has a file that no node is needed for
  kDeleting,    // copies of it are being deleted
  kTooMany,     // its processes, nodes, URLs and pins are more than one message names
  kMoving,      // it has come lately, and not everybody knows
  kTooOften,    // its term is as late as can be
  kHasHeir,     // somebody else would own it in the same term
};
const char* ImmovableName(Immovable why);

class TransferSteps {
 public:
  explicit TransferSteps(ObjectTable* table) : table_(*table) {}

  // kNotFound, kOutOfScope, kNotOwner, kPeerExcluded, kTableFull; kWrongState: `*why`.
  Verdict Step(const event::Transfer& e, Effects* effects, Immovable* why);
  // kNotFound, kPeerExcluded, kTableFull; kWrongState: it is in scope, not only a record, or waited
  // for by somebody.
  Verdict Step(const event::TransferRecord& e, Effects* effects);
  // kUnchanged: it answers nothing that is asked.
  Verdict Step(const event::TransferAnswered& e, Effects* effects);
  // kUnchanged: it does not come from the present owner, or was known; what is lent is noted each
  // time. Answered in any case.
  Verdict Step(const event::Settled& e, Effects* effects);
  Verdict Step(const event::MovedEnded& e, Effects* effects);  // kUnchanged, likewise
  // What an object that is owned here contains, from the `first`-th on, at most `max`.
  std::vector<InnerRef> InnersOf(const Key& key, size_t first, size_t max) const;

  // What the step after that will answer, unless there is no room for a record.
  TransferAnswer AnswerTo(const event::TakeOver& e) const;
  // Answered but for kPeerExcluded. kAlreadyExists, kRefused, kTableFull. `*record`: if it was
  // taken.
  Verdict Step(const event::TakeOver& e, Effects* effects, ObjectRecord** record);
  Verdict Step(const event::SettledAcked& e, Effects* effects);  // kUnchanged: nobody waits for it
  Verdict Step(const event::MovedAcked& e, Effects* effects);    // kUnchanged, likewise

  // kUnchanged: it is no news, or not of one who is asked, or passed the reference on. kOtherOwner:
  // it is owned here. Answered if it comes from that owner.
  Verdict Step(const event::Moved& e, Effects* effects);

  // Of the ids that were read out of that outer object, looks at so many, in turn. It costs so
  // many.
  void Step(const event::OuterMoved& e, uint32_t items_max, Effects* effects);
  uint32_t ReadingsOf(const InnerRef& outer) const {
    return table_.sharing_ == nullptr ? 0 : table_.sharing_->readings.CountOfPeer(outer.record);
  }

  // Objects that were given away and not answered for; and those besides of which not everybody has
  // been told.
  uint64_t unanswered() const { return Any(table_) ? transfers()->formers.unanswered() : 0; }
  uint64_t unsettled() const { return Any(table_) ? transfers()->formers.unsettled() : 0; }

  // --- For the table's own steps -------------------------------------------------------------

  static bool Any(const ObjectTable& table) {
    return table.sharing_ != nullptr && table.sharing_->transfers != nullptr;
  }
  // The term of an object that is owned here.
  uint32_t TermOf(const ObjectRecord& record) const;
  // Everybody knows who its owner is, and nobody may take it back.
  bool IsSettled(RecordIndex index) const;
  // Its owner before has died, and may have begun more than its heir has heard.
  bool IsInherited(RecordIndex index) const;
  // Who has given it to this process may take it back.
  bool MayGoBack(const ObjectRecord& record) const;
  bool HasTenure(RecordIndex index) const {
    return Any(table_) && transfers()->tenures.contains(index);
  }
  // Whom to ask for an object that was owned here; null: nobody knows better.
  const Former* FindFormer(const ObjectId& object) const {
    return Any(table_) ? table_.sharing_->transfers->formers.Find(object) : nullptr;
  }
  // `from` asks here for what is not owned here. True: it was owned here, and `from` hears, now or
  // when that is known, who owns it.
  bool Redirect(const Key& key, PeerIndex from, bool by_node, Effects* effects);
  // An id was read out of an outer object; it is confirmed, or has failed.
  HolderIndex::Added Owe(RecordIndex inner, PeerIndex sender, const InnerRef& outer);
  void EndReading(RecordIndex inner, uint64_t owed);
  // Nobody asks for it here any more, and it is not taken back.
  void Forget(Former* former, Effects* effects);
  // A node has reported a copy. False: to the owner of an earlier term, and it is being told of
  // this one, from when on it will count that report no more, and report the copy again.
  bool CountsReport(const Key& key, PeerIndex node, uint32_t term) const;
  // A node asks the owner of an earlier term. True: it hears of this one, and asks again.
  bool AsksAnother(const event::MovePrimary& e, Effects* effects);
  // For a mutant: the next owner hears of a release that came here.
  void Forward(const ObjectId& object, PeerIndex borrower, Effects* effects);
  // `peer` registers. Of what was taken back from one that died it may have heard from that one
  // since, in an earlier term: it is told, and answers before the barrier.
  void TellIfTakenBack(RecordIndex index, PeerIndex peer, Effects* effects);
  // `peer` is told of this owner, and has not answered what it holds.
  bool IsTelling(RecordIndex index, PeerIndex peer) const;
  // The answer to a registration that was given up for one with another owner.
  Verdict HearListed(const event::RegisterAnswered& e, Effects* effects);
  void Answer(PeerIndex to, SharingKind kind, const ObjectId& object, uint32_t term, uint8_t answer,
              Effects* effects, uint64_t number = 0);
  // A reference comes that names `owner` in `term`, other than what is known here of its borrow.
  // False: the two contradict each other.
  bool Follow(ObjectRecord* record, PeerIndex owner, uint32_t term, Effects* effects);
  // The record goes.
  void End(const ObjectRecord& record, Effects* effects);
  // The view that excludes `peer`. True: call again for the rest.
  bool Fence(PeerIndex peer, uint32_t* items_max, Effects* effects);
  // The barrier of a process. True: call again for the rest.
  bool Close(PeerIndex process, uint32_t* items_max, Effects* effects);
  // Who is to be told of an owner; what is given away. False: more waits.
  bool PullMoved(PeerIndex peer, uint32_t* items_max, const NodeNames& names,
                 PayloadWriter* writer);
  bool PullTransfers(PeerIndex peer, uint32_t* items_max, const NodeNames& names, Time now,
                     PayloadWriter* writer);
  void CheckRecord(const ObjectRecord& record) const;
  void CheckInvariants() const;

 private:
  friend class HeirSteps;  // object_table_heirs.h
  using Tenure = Transfers::Tenure;
  Transfers& Share();
  Transfers* transfers() const {
    return table_.sharing_ == nullptr ? nullptr : table_.sharing_->transfers.get();
  }
  Immovable WhyNot(const ObjectRecord& record, const event::Transfer& e) const;
  // Its scope is as `seen`, which may be null, says.
  bool IsSeen(const ObjectRecord& record, const Membership* seen) const;
  Immovable WhyNotYet(const ObjectRecord& record) const;
  // Both will be in it; null: none will.
  bool TakeSnapshot(const ObjectRecord& record, const NodeNames& names,
                    const Membership* membership, const TaskRecord* task, OwnedSnapshot* to) const;
  bool IsOnlyRecord(const ObjectRecord& record) const;
  // Nobody can take it back any more: a record may go on to where its task has gone meanwhile.
  void GoOnFollowing(RecordIndex index, Effects* effects) const;
  // ... its files may be carried, and what its task needs may come from owners before, which hear
  // so.
  void TellSettled(RecordIndex index, Effects* effects);
  void Strip(ObjectRecord* record);
  // As `to` is told it, which is not told of itself.
  static TransferItem ItemOf(const ObjectId& object, uint32_t term, const OwnedSnapshot& snapshot,
                             PeerIndex to, const NodeNames& names, Time now);
  // `snapshot` may be null, of all three. The object is taken back no more.
  void LetGoOfHandedOver(OwnedSnapshot* snapshot, Effects* effects);
  static void NoteSettled(const Former& former, Effects* effects);
  void LetGoOfMembership(OwnedSnapshot* snapshot, Effects* effects);
  static void LetGoOfContained(OwnedSnapshot* snapshot, Effects* effects);
  // Sends what was passed on of `outer`, whose next owner, or heir, has that term. False: more
  // waits.
  static bool PullContained(const ObjectId& outer, uint32_t term, HandedInners* handed,
                            uint32_t* items_max, const NodeNames& names, PayloadWriter* writer);
  void NoteOuter(const ObjectRecord& record, PeerIndex from, PeerIndex to, Effects* effects) const;
  void TakeBack(Former* former, bool next_died, Effects* effects);
  void Install(ObjectRecord* record, const OwnedSnapshot& snapshot, const Tenure& tenure,
               Effects* effects);
  void Enter(ObjectRecord* record, const OwnedSnapshot::At& at);
  void EnterFile(ObjectRecord* record, const OwnedSnapshot::At& at, Effects* effects);
  void ListAndTell(ObjectRecord* record, PeerIndex process, Effects* effects);
  bool Refresh(PeerIndex peer, bool by_node, Transfers::MovedNews* news);
  void ToTell(RecordIndex index, PeerIndex peer, Effects* effects);
  void ForgetUntold(HolderIndex* told, RecordIndex index, PeerIndex peer);
  void SettleIfTold(RecordIndex index, Effects* effects);
  bool IsTold(RecordIndex index) const;
  bool Settles(const Tenure& tenure) const;
  void SendNews(PeerIndex to, const Transfers::MovedNews& news, Effects* effects);
  bool HearFromOwner(ObjectRecord* record, const event::Moved& e, Effects* effects);
  Verdict HearFromOther(ObjectRecord* record, const event::Moved& e, Effects* effects);
  void PassOn(const ObjectRecord& record, Effects* effects);

  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_TRANSFER_H_
