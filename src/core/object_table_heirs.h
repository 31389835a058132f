// HeirSteps: who takes an object over when its owner dies (PROTOCOL, step 15).
//
// An heir is in the position of a former owner whose next owner has not told everybody yet: it
// keeps a snapshot, sends whoever asks to the owner, and at the view that excludes the owner takes
// the object, in the term after, as an owner takes back what it gave to one who died. So what is
// here is how the snapshot stays true enough. Each change makes the owner send it anew, at most one
// at a time. Three things wait for the heir's answer, and nothing else does: a borrower hears that
// it is listed when the heir knows of it, a primary moves when the heir knows of the copy that is
// to be it, and a file that outlives its node goes when the heir knows that it is to (FileSteps).
//
// An object has one heir at a time, and is not given away while it has: its next owner and its heir
// would own it in the same term. Who is to come after it, if several were named, waits in a list
// that the heir has as well; whoever owns the object names the next one when it has none, which
// takes the runtime, since it passes on what the object contains. So the core says when.
//
// Thread safety: as the table's, whose inner works these steps are.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_HEIRS_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_HEIRS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "src/core/heirs.h"
#include "src/core/object_table.h"
#include "src/core/object_table_transfer.h"
#include "src/core/owned_snapshot.h"

namespace freehold::core {

namespace event {

// The host names the heir of an object of its own.
struct NameHeir {
  Key key;
  PeerIndex heir;
  const NodeNames* names;  // which of those that ask are nodes
  // As in event::Transfer.
  size_t looked_at = 0;
  std::vector<HandedInner>* handed = nullptr;
  const Membership* membership = nullptr;
  absl::Span<const PeerIndex> then = {};  // who comes after it, in order; they differ
  // The runtime does, as a notice has said: `heir` is the next one of the list.
  bool goes_on = false;
};
// The next one of the list is excluded, or was found to be by another table.
struct PassOver {
  Key key;
  PeerIndex heir;
};
// The host wants it to have none, nor a next one. So does the runtime if it can have none as it is.
struct DismissHeir {
  Key key;
};
// `from` makes this process the heir of an object, or tells what has changed. What has come of what
// the object contains is in the snapshot. `refusal` is not kKept if this process takes no more.
struct Shadow {
  Key key;
  PeerIndex from;
  uint32_t term;  // in which this process would own it
  uint64_t version;
  std::unique_ptr<OwnedSnapshot> snapshot;
  ShadowAnswer refusal = ShadowAnswer::kKept;
};
struct ShadowAcked {
  Key key;
  PeerIndex from;
  uint32_t term;
  uint64_t version;
  ShadowAnswer answer;
};
struct ShadowEnded {
  Key key;
  PeerIndex from;
  uint32_t term;
};
// A pin was added, by a step that has no effects.
struct Exported {
  Key key;
};

}  // namespace event

class HeirSteps {
 public:
  explicit HeirSteps(ObjectTable* table) : table_(*table) {}

  // kNotFound, kOutOfScope, kNotOwner, kPeerExcluded, kTableFull, kAlreadyExists (it has one, or a
  // next one); kWrongState: `*why`. Going on: kUnchanged, that is not the next one any more; after
  // kMoving a notice comes when it may be named.
  Verdict Step(const event::NameHeir& e, Effects* effects, Immovable* why);
  // A notice says who is next, or that nobody is. kUnchanged: that is not the next one.
  Verdict Step(const event::PassOver& e, Effects* effects);
  // kUnchanged: it has none. kOk: it ends, or does so already, and so does the list.
  Verdict Step(const event::DismissHeir& e, Effects* effects);
  Verdict Step(const event::ShadowAcked& e, Effects* effects);  // kUnchanged: it answers nothing
  Verdict Step(const event::Exported& e, Effects* effects);     // kUnchanged: it has no heir

  // Answered but for kPeerExcluded. kAlreadyExists, kRefused, kTableFull.
  Verdict Step(event::Shadow e, Effects* effects);
  Verdict Step(const event::ShadowEnded& e, Effects* effects);  // answered; kUnchanged: it was none
  // This process is about to leave, and asks not to be the heir of what contains others, since it
  // borrows those. True: call again for the rest, with the same `*resume`, which is 0 at first.
  bool GiveUp(uint32_t items_max, uint32_t* resume, Effects* effects);

  static bool Any(const ObjectTable& table) {
    return TransferSteps::Any(table) && table.sharing_->transfers->heirs != nullptr;
  }
  static uint64_t Count(const ObjectTable& table) {
    return Any(table) ? table.sharing_->transfers->heirs->all.size() : 0;
  }
  // Objects whose snapshot fits no message any more.
  static bool AnyOvergrown(const ObjectTable& table) {
    return Any(table) && !table.sharing_->transfers->heirs->overgrown.empty();
  }
  void EndOvergrown(Effects* effects);  // their heirs are dismissed
  static bool Has(const ObjectTable& table, const ObjectRecord& record) {
    return Any(table) &&
           table.sharing_->transfers->heirs->of.contains(RecordSlabs::IndexOf(record));
  }

  // --- For the table's own steps -------------------------------------------------------------

  Heirs::Heirship* Find(RecordIndex index) const;  // null: it has none; until one begins or ends
  // An object that has an heir contains what it contained when that was named.
  static bool MayContain(const ObjectTable& table, const ObjectRecord& record,
                         absl::Span<const InnerRef> inners);

  // Something of what its snapshot has is another.
  void Changed(RecordIndex index, Effects* effects) {
    if (Any(table_)) ChangedOf(index, effects);
  }
  // True: it is answered when the heir knows of the borrower, who is listed. `is_new`: from now on.
  bool Withholds(const event::BorrowerRegistered& e, RecordIndex index, bool is_new,
                 Effects* effects);
  // True: it is stepped when the heir knows all that is known now.
  bool Withholds(const event::MovePrimary& e, Effects* effects);
  // The record goes.
  void End(RecordIndex index, Effects* effects);
  // Nobody comes after the heir any more; if there is none, that is told with `outcome`. False:
  // nobody did.
  bool EndList(RecordIndex index, HeirOutcome outcome, Effects* effects);
  // It was inherited, with that list.
  void Inherit(RecordIndex index, std::vector<PeerIndex> list, Effects* effects);
  // Somebody more knows its owner, or its barrier has come: the next one may be named now.
  void MayGoOn(RecordIndex index, Effects* effects);
  // The view that excludes `peer`, be it an heir or an owner. True: call again for the rest.
  bool Fence(PeerIndex peer, uint32_t* items_max, Effects* effects);
  // What heirs are to be told. False: more waits.
  bool PullShadows(PeerIndex peer, uint32_t* items_max, const NodeNames& names, Time now,
                   PayloadWriter* writer);
  void CheckInvariants() const;

 private:
  using Heirship = Heirs::Heirship;
  Heirs* heirs() const { return table_.sharing_->transfers->heirs.get(); }
  Immovable WhyNot(const ObjectRecord& record, const event::NameHeir& e) const;
  bool IsMoving(RecordIndex index) const;
  Verdict Name(const event::NameHeir& e, Effects* effects, Immovable* why);
  std::vector<PeerIndex>* ListOf(RecordIndex index) const;
  bool IsNext(const Key& key, PeerIndex heir) const;
  std::vector<PeerIndex> ListAfter(RecordIndex index, const event::NameHeir& e) const;
  PeerIndex FirstLiving(RecordIndex index);
  PeerIndex DropFirst(RecordIndex index);
  ShadowAnswer AnswerOf(const event::Shadow& e) const;
  void ChangedOf(RecordIndex index, Effects* effects);
  void ToSend(RecordIndex index, const Heirship& heirship, Effects* effects);
  void Dismiss(RecordIndex index, Effects* effects);
  void EndWith(RecordIndex index, HeirOutcome outcome, Effects* effects);
  void LetGo(RecordIndex index, Heirship* heirship, Effects* effects);
  static void Notify(HeirNotice notice, Effects* effects) {
    effects->Rarely().heirs.push_back(std::move(notice));
  }

  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_HEIRS_H_
