// ObjectTable: members of scopes that are given away, come, or are taken back.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/core/object_table_scopes.h"
#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

constexpr ScopeIndex kScope = 3;
constexpr ScopeIndex kElsewhere = 4;
constexpr LabelIndex kLabel = 5;

class ObjectTableScopesMoved : public ObjectTableHeirs {
 protected:
  void DeclareIn(ScopeIndex scope, bool hold = true) {
    event::Declare e{key(), 10, kNode};
    e.scope = scope;
    e.label = kLabel;
    e.hold = hold;
    ASSERT_EQ(table_.Step(e, &record_), Verdict::kOk);
  }
  // As the runtime looks.
  void Look(PeerIndex scope_owner = kNoPeer) {
    auto seen = std::make_unique<Membership>(ScopeSteps::LookAt(table_, *record_));
    seen->joining = {scope_owner, ScopeId(77), /*hold=*/true, /*no_cleanup=*/false};
    seen->label_text = "cache";
    seen_ = std::move(seen);
  }
  Verdict Give() {
    return Note([&](Effects* effects) {
      const event::Transfer e{key(), kHeir, &names_, 0, nullptr, &seen_};
      return TransferSteps(&table_).Step(e, effects, &why_);
    });
  }
  void LookAndGive(PeerIndex scope_owner = kNoPeer) {
    Look(scope_owner);
    ASSERT_EQ(Give(), Verdict::kOk);
  }
  // What kHeir is told.
  TransferItem Told() {
    struct Sink : StraySink {
      void OnTransfer(const TransferItem& item) override { told = item; }
      TransferItem told;
    } sink;
    PayloadWriter writer(64 * 1024);
    EXPECT_FALSE(table_.PullSharing(kHeir, 1000, names_, Time(), &writer));
    EXPECT_EQ(ReadPayload(writer.Take(), &sink), CodecError::kOk);
    return sink.told;
  }
  Verdict Answer(TransferAnswer answer) {
    return Note([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::TransferAnswered{key(), kHeir, 2, answer}, effects);
    });
  }
  template <typename Event>
  Verdict FromHeir(Event e) {
    return Note([&](Effects* effects) { return TransferSteps(&table_).Step(e, effects); });
  }
  // kOwner gives it away, with a copy on kNode.
  Verdict Take(const Admission* scope) {
    OwnedSnapshot snapshot;
    snapshot.state = TransferState::kAvailable;
    snapshot.size = 10;
    snapshot.nodes.emplace_back().node = kNode;
    snapshot.nodes[0].in_memory = snapshot.nodes[0].primary = true;
    event::TakeOver e{key(), kOwner, 2, snapshot};
    e.scope = scope;
    return Note(
        [&](Effects* effects) { return TransferSteps(&table_).Step(e, effects, &record_); });
  }
  // Sums up what the step tells of scopes.
  template <typename Call>
  Verdict Note(Call call) {
    const Verdict verdict = Do(call);
    NoteEffects();
    return verdict;
  }
  void NoteEffects() {
    told_.clear();
    for (const ScopeChange& change : effects_.scopes) {
      told_ += "scope " + std::to_string(change.scope) + " label " + std::to_string(change.label) +
               ": " + std::to_string(change.objects) + " objects, " +
               std::to_string(change.copies) + " copies, " + std::to_string(change.bytes) +
               " bytes; ";
    }
    homes_.clear();
    if (effects_.rare == nullptr) return;
    for (const ScopeNotice& notice : effects_.rare->rehomed) homes_.push_back(notice.whose.scope);
  }
  void FenceNoting(PeerIndex process) {
    bool more = true;
    ASSERT_EQ(Note([&](Effects* effects) {
                more = table_.FenceProcess(process, 1000, effects);
                return Verdict::kOk;
              }),
              Verdict::kOk);
    ASSERT_FALSE(more);
  }
  void End(ScopeIndex scope, bool force = false) {
    uint64_t budget = 1000;
    (void)Note([&](Effects* effects) {
      ScopeSteps steps(&table_);
      EXPECT_FALSE(force ? steps.Force(scope, &budget, effects)
                         : steps.Release(scope, &budget, effects));
      return Verdict::kOk;
    });
  }
  bool IsHeld() const { return ScopeSteps::IsHeldByScope(table_, *table_.Find(key())); }

  std::unique_ptr<const Membership> seen_;
  std::string told_;
  std::vector<ScopeIndex> homes_;
};

TEST_F(ObjectTableScopesMoved, WhatIsGivenAwayLeavesItsCountBehind) {
  DeclareIn(kScope);
  LookAndGive();
  EXPECT_EQ(told_, "scope 3 label 5: 0 objects, -1 copies, -10 bytes; ");
  EXPECT_EQ(homes_, std::vector<ScopeIndex>{kRootScope});
  EXPECT_EQ(table_.scopes()->size(), 0u);
  EXPECT_FALSE(record_->is_member());
  EXPECT_EQ(record_->nested_in, 0u);
  const TransferItem told = Told();
  ASSERT_TRUE(told.scope.has_value());
  EXPECT_TRUE(told.scope->owner.IsNil());
  EXPECT_EQ(told.scope->id, 77u);
  EXPECT_TRUE(told.scope->hold && told.scope->held && !told.scope->no_cleanup);
  EXPECT_EQ(told.scope->label, "cache");
  ASSERT_EQ(Answer(TransferAnswer::kTaken), Verdict::kOk);
  EXPECT_EQ(told_, "");
  ASSERT_EQ(FromHeir(event::Settled{key(), kHeir, 2}), Verdict::kOk);
  EXPECT_EQ(told_, "scope 3 label 5: -1 objects, 0 copies, 0 bytes; ");
  ASSERT_EQ(FromHeir(event::Settled{key(), kHeir, 2}), Verdict::kUnchanged);
  EXPECT_EQ(told_, "");
  EXPECT_EQ(ScopeSteps(&table_).Forget(kScope), 2u);
}

TEST_F(ObjectTableScopesMoved, WhatEndsBeforeEverybodyKnowsIsCountedNoMore) {
  DeclareIn(kScope, /*hold=*/false);
  LookAndGive();
  EXPECT_FALSE(Told().scope->held);
  ASSERT_EQ(Answer(TransferAnswer::kTaken), Verdict::kOk);
  ASSERT_EQ(FromHeir(event::MovedEnded{key(), kHeir, 2}), Verdict::kOk);
  EXPECT_EQ(told_, "scope 3 label 5: -1 objects, 0 copies, 0 bytes; ");
}

TEST_F(ObjectTableScopesMoved, TheScopesOwnerIsToldOfTheMove) {
  DeclareIn(kScope);
  ASSERT_EQ(Register(kFirst), Verdict::kOk);
  LookAndGive(kSecond);
  const TransferItem told = Told();
  EXPECT_EQ(told.scope->owner, ProcessId::FromNumber(kSecond));
  EXPECT_EQ(told.processes, (std::vector<ProcessId>{ProcessId::FromNumber(kFirst),
                                                    ProcessId::FromNumber(kSecond)}));
}

TEST_F(ObjectTableScopesMoved, TheNextOwnerIsNotToldOfItself) {
  DeclareIn(kScope);
  LookAndGive(kHeir);
  const TransferItem told = Told();
  EXPECT_EQ(told.scope->owner, ProcessId::FromNumber(kHeir));
  EXPECT_TRUE(told.processes.empty());
}

TEST_F(ObjectTableScopesMoved, WhatIsInAScopeWithoutALookIsLookedAtFirst) {
  DeclareIn(kScope);
  EXPECT_EQ(Give(), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kInScope);
  Look();
  MovedMember moved;
  ASSERT_EQ(ScopeSteps(&table_).Step(event::MoveToScope{key(), kScope, kElsewhere}, &moved),
            Verdict::kOk);
  EXPECT_EQ(Give(), Verdict::kWrongState) << "it has moved since";
  EXPECT_EQ(why_, Immovable::kInScope);
  ASSERT_EQ(ScopeSteps(&table_).Step(event::MoveToScope{key(), kElsewhere, kScope}, &moved),
            Verdict::kOk);
  EXPECT_EQ(Give(), Verdict::kWrongState) << "the scope's index may be another one's by now";
  Look();
  ASSERT_EQ(Note([&](Effects* effects) {
              return ScopeSteps(&table_).Step(event::StopHolding{key(), kScope}, effects);
            }),
            Verdict::kOk);
  EXPECT_EQ(Give(), Verdict::kWrongState) << "it is not held any more";
  ASSERT_NE(seen_, nullptr);
  LookAndGive();
}

TEST_F(ObjectTableScopesMoved, ALabelThatFitsNoMessageStays) {
  DeclareIn(kScope);
  Look();
  auto longer = std::make_unique<Membership>(*seen_);
  longer->label_text = std::string(kTransferListBytesMax, 'x');
  seen_ = std::move(longer);
  EXPECT_EQ(Give(), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kTooMany);
  EXPECT_TRUE(record_->is_member());
  EXPECT_TRUE(IsHeld());
}

TEST_F(ObjectTableScopesMoved, WhatIsRefusedIsCountedAgain) {
  DeclareIn(kScope);
  LookAndGive();
  (void)Told();
  Drop();
  ASSERT_EQ(Answer(TransferAnswer::kRefused), Verdict::kOk);
  EXPECT_EQ(told_, "scope 3 label 5: 0 objects, 1 copies, 10 bytes; ");
  EXPECT_EQ(homes_, std::vector<ScopeIndex>{kScope});
  EXPECT_TRUE(IsHeld());
  EXPECT_EQ(table_.Find(key())->nested_in, 1u);
  End(kScope);
  EXPECT_EQ(table_.Find(key())->state(), ObjectState::kOutOfScope);
}

TEST_F(ObjectTableScopesMoved, AScopeThatHasEndedDoesNotHoldWhatIsTakenBack) {
  DeclareIn(kScope);
  ASSERT_EQ(Register(kFirst), Verdict::kOk);
  LookAndGive();
  (void)Told();
  End(kScope);
  FenceNoting(kHeir);
  EXPECT_EQ(told_, "scope 3 label 5: 0 objects, 1 copies, 10 bytes; ");
  EXPECT_TRUE(table_.Find(key())->is_member());
  EXPECT_FALSE(IsHeld());
  EXPECT_EQ(table_.Find(key())->state(), ObjectState::kAvailable);
}

TEST_F(ObjectTableScopesMoved, AScopeThatWasForcedFreesWhatIsTakenBack) {
  DeclareIn(kScope);
  ASSERT_EQ(Register(kFirst), Verdict::kOk);
  LookAndGive();
  (void)Told();
  End(kScope, /*force=*/true);
  FenceNoting(kHeir);
  EXPECT_EQ(table_.Find(key())->state(), ObjectState::kFreed);
  EXPECT_FALSE(IsHeld());
}

TEST_F(ObjectTableScopesMoved, WhatComesIsCountedWhereItComes) {
  const Admission scope{kScope, kLabel, /*hold=*/true, /*counted=*/true};
  ASSERT_EQ(Take(&scope), Verdict::kOk);
  EXPECT_EQ(told_, "scope 3 label 5: 0 objects, 1 copies, 10 bytes; ");
  EXPECT_EQ(homes_, std::vector<ScopeIndex>{kScope});
  EXPECT_TRUE(IsHeld());
  EXPECT_EQ(record_->nested_in, 1u);
}

TEST_F(ObjectTableScopesMoved, WhatComesInNoScopeIsInNone) {
  ASSERT_EQ(Take(nullptr), Verdict::kOk);
  EXPECT_EQ(told_, "");
  EXPECT_FALSE(record_->is_member());
}

TEST_F(ObjectTableScopesMoved, AScopeThatHasEndedDoesNotHoldWhatComes) {
  End(kScope);
  const Admission scope{kScope, kLabel, /*hold=*/true, /*counted=*/true};
  ASSERT_EQ(Take(&scope), Verdict::kOk);
  EXPECT_TRUE(record_->is_member());
  EXPECT_FALSE(IsHeld());
}

TEST_F(ObjectTableScopesMoved, AScopeThatWasForcedFreesWhatComes) {
  const Admission scope{kScope, kLabel, /*hold=*/true, /*counted=*/true, /*frees=*/true};
  ASSERT_EQ(Take(&scope), Verdict::kOk);
  EXPECT_EQ(record_->state(), ObjectState::kFreed);
  EXPECT_FALSE(IsHeld());
}

TEST_F(ObjectTableScopesMoved, AScopeThatWasForcedBetweenTheLookAndTheStepFreesWhatComes) {
  End(kScope, /*force=*/true);
  const Admission scope{kScope, kLabel, /*hold=*/true, /*counted=*/true};
  ASSERT_EQ(Take(&scope), Verdict::kOk);
  EXPECT_EQ(record_->state(), ObjectState::kFreed);
  EXPECT_FALSE(IsHeld());
}

TEST_F(ObjectTableScopesMoved, WhatWasFreedByForceAndMadeAgainIsNotFreedTwice) {
  DeclareIn(kScope);
  End(kScope, /*force=*/true);
  ASSERT_EQ(Pull(kNode), Sent{"free"});
  ASSERT_EQ(Step(event::FreeAnswered{key(), kNode, 0, FreeResult::kDeleted}), Verdict::kOk);
  ASSERT_EQ(Step(event::Recreate{key()}), Verdict::kOk);
  LookAndGive();
  EXPECT_TRUE(Told().scope->forced);
  ASSERT_EQ(Answer(TransferAnswer::kRefused), Verdict::kOk);
  EXPECT_EQ(table_.Find(key())->state(), ObjectState::kPending);
  EXPECT_EQ(ScopeSteps::LookAt(table_, *table_.Find(key())).list, MemberList::kForced);
}

TEST_F(ObjectTableScopesMoved, WhatComesAndWasFreedByForceBeforeIsNotFreedAgain) {
  End(kScope, /*force=*/true);
  Admission scope{kScope, kLabel, /*hold=*/false, /*counted=*/true, /*frees=*/true};
  scope.spared = true;
  ASSERT_EQ(Take(&scope), Verdict::kOk);
  EXPECT_EQ(record_->state(), ObjectState::kAvailable);
  EXPECT_EQ(ScopeSteps::LookAt(table_, *record_).list, MemberList::kForced);
}

}  // namespace
}  // namespace freehold::core::heirs_testing
