// ObjectTable: questions, and the invariants that every step must keep.

#include "src/base/check.h"
#include "src/core/object_table.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_lineage.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_scopes.h"

namespace freehold::core {

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kUnchanged:
      return "unchanged";
    case Verdict::kNotFound:
      return "not found";
    case Verdict::kAlreadyExists:
      return "already exists";
    case Verdict::kOutOfScope:
      return "out of scope";
    case Verdict::kNotHeld:
      return "not held";
    case Verdict::kCountFull:
      return "count full";
    case Verdict::kTableFull:
      return "table full";
    case Verdict::kNodeExcluded:
      return "node excluded";
    case Verdict::kWrongState:
      return "wrong state";
    case Verdict::kMomentPassed:
      return "moment passed";
    case Verdict::kToBeFreed:
      return "to be freed";
    case Verdict::kUnknownGeneration:
      return "unknown generation";
    case Verdict::kShutDown:
      return "shut down";
    case Verdict::kNotOwner:
      return "not the owner";
    case Verdict::kNotBorrowed:
      return "not borrowed";
    case Verdict::kPeerExcluded:
      return "peer excluded";
    case Verdict::kAlreadyRedeemed:
      return "already redeemed";
    case Verdict::kRefused:
      return "refused";
    case Verdict::kOtherOwner:
      return "other owner";
    case Verdict::kGone:
      return "gone";
    case Verdict::kOwnerDied:
      return "owner died";
    case Verdict::kScopeEnded:
      return "scope ended";
    case Verdict::kNotAcknowledged:
      return "not acknowledged";
    case Verdict::kNotDeclared:
      return "not declared";
  }
  return "?";
}

std::vector<CopyFacts> ObjectTable::AllFacts(const ObjectRecord& record) const {
  std::vector<CopyFacts> all;
  all.reserve(record.copies);
  for (uint32_t i = 0; i < record.copies; ++i) all.push_back(Facts(record, copies_.At(record, i)));
  return all;
}

CopyFacts ObjectTable::Facts(const ObjectRecord& record, const Copy& copy) const {
  CopyFacts facts;
  facts.node = copy.node;
  facts.role = copy.primary ? CopyRole::kPrimary : CopyRole::kSecondary;
  // Of one that is asked for again the bytes are as good as gone.
  facts.in_memory = copy.in_memory && !copy.prospective;
  facts.spilled = copy.spilled && !copy.prospective;
  facts.prospective = copy.prospective;
  facts.shared = copy.shared && facts.spilled;
  facts.free_state = nodes_.StateOf(copy);
  facts.listed = copy.held() || (copy.asked_again() && !record.is_over());
  if (facts.spilled) {
    if (const Rare* rare = rares_.Find(record); rare != nullptr) {
      for (const auto& [node, url] : rare->spill_urls) {
        if (node == copy.node) facts.url = url;
      }
    }
  }
  return facts;
}

const Borrow& ObjectTable::BorrowOf(const ObjectRecord& record) const {
  return sharing_->borrows.At(record.overflow);
}

bool ObjectTable::HasWorkFor(PeerIndex node) const {
  return nodes_.Find(node) != nullptr && nodes_.Find(node)->has_work();
}

uint64_t ObjectTable::flush_waiting() const {
  if (sharing_ == nullptr) return 0;
  const Transfers* transfers = sharing_->transfers.get();
  return sharing_->borrows.flush_waiting() + (transfers == nullptr ? 0 : transfers->untold_before);
}

Time ObjectTable::NextTokenEnd() const {
  return sharing_ == nullptr || sharing_->token_lives.empty() ? kInfiniteFuture
                                                              : sharing_->token_lives.front().ends;
}

size_t ObjectTable::bytes() const {
  return slabs_.bytes() + index_.bytes() + copies_.bytes() + nodes_.bytes() + rares_.bytes() +
         (sharing_ == nullptr ? 0 : sharing_->bytes()) +
         (scopes_ == nullptr ? 0 : scopes_->bytes()) + (pins_ == nullptr ? 0 : pins_->bytes());
}

void ObjectTable::CheckRecord(const ObjectRecord& record) const {
  const Rare* rare = rares_.Find(record);
  const bool has_ghost = rare != nullptr && rare->ghost != kNoRecord;
  if (record.is_ghost) {
    FREEHOLD_CHECK(!record.held() && record.copies > 0);
    FREEHOLD_CHECK(record.state() == ObjectState::kOutOfScope);
  } else {
    FREEHOLD_CHECK(Find({record.id(), record.id().Hash()}) == &record);
    const bool moving = record.borrowed && BorrowOf(record).stage == BorrowStage::kMoving;
    FREEHOLD_CHECK(record.held() == record.in_scope() || moving);
    FREEHOLD_CHECK(record.in_scope() || record.copies > 0 || has_ghost || record.borrowed ||
                   LineageSteps::IsMarked(*this, record));
    FREEHOLD_CHECK((record.cell.count() > 0) == (record.has_handles != 0));
  }
  if (sharing_ != nullptr) CheckHolders(record);
  if (record.is_member()) ScopeSteps::CheckMember(*this, record);
  FREEHOLD_CHECK(record.nested_in >= PinSteps::NotNested(*this, record));
  FREEHOLD_CHECK((record.state() == ObjectState::kAvailable) <= HasRealCopy(record));
  uint32_t primaries = 0;
  for (uint32_t i = 0; i < record.copies; ++i) {
    const Copy& copy = copies_.At(record, i);
    primaries += copy.primary;
    // While the object has a value, what is not held is a former primary that is let go of.
    FREEHOLD_CHECK(record.is_over() ? !copy.held() : copy.held() || copy.primary == 0);
    FREEHOLD_CHECK(copies_.Find(record, copy.node) == &copy);
    FREEHOLD_CHECK(copy.real() || copy.prospective != 0);
    FREEHOLD_CHECK(!copy.asked_again() || !copy.held());
  }
  FREEHOLD_CHECK(primaries <= 1);
  if (EvictSteps::IsMarked(*this, record)) {
    FREEHOLD_CHECK(primaries == 0);
    FREEHOLD_CHECK(record.state() == ObjectState::kAvailable || !record.in_scope());
  }
  for (const Rare* walk = rare; walk != nullptr && walk->ghost != kNoRecord;) {
    const ObjectRecord& ghost = slabs_.At(walk->ghost);
    FREEHOLD_CHECK(ghost.in_use && ghost.is_ghost && ghost.id() == record.id());
    FREEHOLD_CHECK(ghost.generation < record.generation);
    walk = rares_.Find(ghost);
  }
}

void ObjectTable::CheckInvariants() const {
  uint64_t by_state[kObjectStates] = {};
  size_t records = 0;
  uint64_t copies = 0;
  size_t pinned = 0;
  Visit(0, SIZE_MAX, [&](const ObjectRecord& record) {
    CheckRecord(record);
    copies += record.copies;
    ForEachCopy(record,
                [&](const Copy& copy) { FREEHOLD_CHECK(copies_.MayHave(record, copy.node)); });
    pinned += PinSteps::Of(*this, record) != nullptr ? 1 : 0;
    if (record.is_ghost) return;
    ++records;
    ++by_state[record.state_byte];
  });
  FREEHOLD_CHECK(records == index_.size());
  if (const IdIndex::Found last = index_.last(); last.index != kNoRecord) {
    FREEHOLD_CHECK(Find({last.record->id(), last.record->id().Hash()}) == last.record);
    FREEHOLD_CHECK(IndexOf(*last.record) == last.index);
  }
  for (int state = 0; state < kObjectStates; ++state) {
    FREEHOLD_CHECK(by_state[state] == counters_.by_state[state]);
  }
  FREEHOLD_CHECK(nodes_.CheckInvariants() == copies);
  FREEHOLD_CHECK(pinned == PinSteps::CountPinned(*this));
  if (sharing_ != nullptr) CheckSharing();
  if (scopes_ != nullptr) scopes_->CheckInvariants();
}

}  // namespace freehold::core
