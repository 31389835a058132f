// ObjectTable: heirs of an object that contains others, at the owner and at the heir.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

class ObjectTableHeirsContained : public ObjectTableHeirs {
 protected:
  // An object of this process, held as something that another one contains.
  InnerRef Hold(uint64_t number) {
    const ObjectId id = ObjectId::FromNumber(number);
    ObjectRecord* record = nullptr;
    EXPECT_EQ(table_.Step(event::Declare{{id, id.Hash()}, 0, kNoPeer}, &record), Verdict::kOk);
    InnerRef inner;
    EXPECT_EQ(table_.Step(event::AddNestedHold{{id, id.Hash()}}, &inner.record), Verdict::kOk);
    return inner;
  }
  void DeclareOuterOf(size_t inners) {
    Declare();
    std::vector<InnerRef> held;
    for (size_t i = 0; i < inners; ++i) held.push_back(Hold(100 + i));
    std::vector<InnerRef> duplicates;
    ASSERT_EQ(table_.Step(event::AddInners{key(), held, &duplicates}), Verdict::kOk);
  }
  // The first `looked_at` were passed on under the numbers from 1 on.
  Verdict NameWith(size_t looked_at) {
    handed_.clear();
    for (size_t i = 0; i < looked_at; ++i) {
      handed_.push_back({ObjectId::FromNumber(100 + i), 1 + i, kFirstTerm, kNoPeer});
    }
    return Do([&](Effects* effects) {
      const event::NameHeir event{key(), kHeir, &names_, looked_at, &handed_};
      return HeirSteps(&table_).Step(event, effects, &why_);
    });
  }
  // At most so many items.
  void PullSome(uint32_t items_max, const Sent& expected) {
    PayloadWriter writer(64 * 1024);
    EXPECT_TRUE(table_.PullSharing(kHeir, items_max, names_, Time(), &writer));
    table_.CheckInvariants();
    Lines lines;
    ASSERT_EQ(ReadPayload(writer.Take(), &lines), CodecError::kOk);
    EXPECT_EQ(lines.lines, expected);
  }
  size_t Unsent() const {
    const std::vector<HandedInner>& all = effects_.rare->heirs.at(0).unsent;
    return std::count_if(all.begin(), all.end(),
                         [](const HandedInner& inner) { return !inner.object.IsNil(); });
  }

  // At the heir.
  Verdict ShadowWith(uint64_t version, const std::vector<InnerRef>& inners, PeerIndex from = kOwner,
                     uint32_t term = 2, ShadowAnswer refusal = ShadowAnswer::kKept) {
    auto snapshot = std::make_unique<OwnedSnapshot>();
    if (!inners.empty()) snapshot->contained = std::make_unique<Contained>();
    for (const InnerRef& inner : inners) snapshot->contained->inners.Add(inner);
    return Do([&](Effects* effects) {
      return HeirSteps(&table_).Step(
          event::Shadow{key(), from, term, version, std::move(snapshot), refusal}, effects);
    });
  }
  std::vector<InnerRef> LetGo() { return effects_.TakeInners(); }

  std::vector<HandedInner> handed_;
};

TEST_F(ObjectTableHeirsContained, WhatWasPassedOnIsSentBeforeTheFirstSnapshotAndOnce) {
  DeclareOuterOf(2);
  EXPECT_EQ(NameWith(1), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kContains);
  EXPECT_EQ(handed_.size(), 1u) << "not taken";
  ASSERT_EQ(NameWith(2), Verdict::kOk);
  EXPECT_TRUE(handed_.empty());
  EXPECT_EQ(Pull(kHeir), (Sent{"contains 2 from 1 t2", "shadow 1 t2 g0 state 1 primary 20"}));
  ASSERT_EQ(Ack(1), Verdict::kOk);
  ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 2 t2 g0 state 1 primary 20 node 21"});
  EXPECT_EQ(TransferSteps(&table_).InnersOf(key(), 0, 10).size(), 2u) << "the owner holds it, too";
}

TEST_F(ObjectTableHeirsContained, ManyAreSentInSeveralItemsAndSeveralTurns) {
  DeclareOuterOf(350);
  ASSERT_EQ(NameWith(350), Verdict::kOk);
  PullSome(130, {"contains 100 from 1 t2", "contains 30 from 101 t2"});
  PullSome(220,
           {"contains 100 from 131 t2", "contains 100 from 231 t2", "contains 20 from 331 t2"});
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 1 t2 g0 state 1 primary 20"});
}

TEST_F(ObjectTableHeirsContained, WhatWasNotSentIsTheRuntimesToCancel) {
  DeclareOuterOf(150);
  ASSERT_EQ(NameWith(150), Verdict::kOk);
  PullSome(100, {"contains 100 from 1 t2"});
  ASSERT_EQ(Heir(event::DismissHeir{key()}), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(notices_, std::vector<HeirOutcome>{HeirOutcome::kDismissed});
  EXPECT_EQ(Unsent(), 50u);
  ASSERT_EQ(NameWith(150), Verdict::kOk);
  Fence(kHeir);
  EXPECT_EQ(notices_.back(), HeirOutcome::kHeirDied);
}

TEST_F(ObjectTableHeirsContained, TheHeirLetsGoWhenTheObjectIsOutOfScopeThoughACopyIsRead) {
  DeclareOuterOf(1);
  ASSERT_EQ(NameWith(1), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir).size(), 2u);
  ASSERT_EQ(Ack(1), Verdict::kOk);
  Drop();
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(notices_.back(), HeirOutcome::kObjectEnded);
  EXPECT_EQ(Unsent(), 0u);
}

TEST_F(ObjectTableHeirsContained, AnHeirThatIsAboutToLeaveIsDismissed) {
  DeclareOuterOf(1);
  ASSERT_EQ(NameWith(1), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir).size(), 2u);
  ASSERT_EQ(Ack(1), Verdict::kOk);
  ASSERT_EQ(Ack(0, ShadowAnswer::kDraining), Verdict::kOk);
  EXPECT_EQ(notices_.back(), HeirOutcome::kLeaving);
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  EXPECT_EQ(Ack(0, ShadowAnswer::kDraining), Verdict::kUnchanged);
  EXPECT_EQ(NameWith(1), Verdict::kAlreadyExists) << "it is the heir until it has heard";
  ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(notices_.back(), HeirOutcome::kDismissed);
}

// Its word that it kept the first snapshot comes when it is dismissed already: it does not count.
TEST_F(ObjectTableHeirsContained, AnHeirThatIsDismissedAndWantsToLeaveIsTheHeirUntilItHasHeard) {
  DeclareOuterOf(1);
  ASSERT_EQ(NameWith(1), Verdict::kOk);
  (void)Pull(kHeir);
  ASSERT_EQ(Heir(event::DismissHeir{key()}), Verdict::kOk);
  EXPECT_EQ(Ack(1), Verdict::kUnchanged);
  EXPECT_EQ(Ack(0, ShadowAnswer::kDraining), Verdict::kUnchanged);
  EXPECT_EQ(NameWith(1), Verdict::kAlreadyExists);
  ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk);
}

// ... and if its word is lost, it is dismissed all the same.
TEST_F(ObjectTableHeirsContained, AnHeirWhoseFirstAnswerIsLostMayLeave) {
  DeclareOuterOf(1);
  ASSERT_EQ(NameWith(1), Verdict::kOk);
  (void)Pull(kHeir);
  ASSERT_EQ(Ack(0, ShadowAnswer::kDraining), Verdict::kOk);
  EXPECT_EQ(NameWith(1), Verdict::kAlreadyExists);
  ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(NameWith(1), Verdict::kOk);
}

// --- The heir ------------------------------------------------------------------------------------

TEST_F(ObjectTableHeirsContained, WhoIsAboutToLeaveAsksToBeDismissedFromWhatContainsOthers) {
  for (const bool contains : {true, false}) {
    ASSERT_EQ(contains ? ShadowWith(1, {Hold(6)}) : Shadow(1), Verdict::kOk);
    EXPECT_EQ(Pull(kOwner), Sent{"kept 1 answer 0 t2"});
    uint32_t resume = 0;
    for (bool more = true; more;) {
      ASSERT_EQ(Do([&](Effects* effects) {
                  more = HeirSteps(&table_).GiveUp(1, &resume, effects);
                  return Verdict::kOk;
                }),
                Verdict::kOk);
    }
    EXPECT_EQ(Pull(kOwner), contains ? Sent{"kept 0 answer 3 t2"} : Sent{});
    ASSERT_EQ(Heir(event::ShadowEnded{key(), kOwner, 2}), Verdict::kOk);
    EXPECT_EQ(LetGo().size(), contains ? 1u : 0u);
    EXPECT_EQ(Pull(kOwner), Sent{"kept 0 answer 5 t2"});
  }
}

TEST_F(ObjectTableHeirsContained, ItIsInheritedWithTheObject) {
  const InnerRef inner = Hold(6);
  ASSERT_EQ(ShadowWith(1, {inner}), Verdict::kOk);
  ASSERT_EQ(ShadowWith(2, {}), Verdict::kOk);
  EXPECT_TRUE(LetGo().empty());
  Fence(kOwner);
  EXPECT_EQ(transferred_, std::vector<TransferOutcome>{TransferOutcome::kInherited});
  EXPECT_EQ(TransferSteps(&table_).InnersOf(key(), 0, 10), std::vector<InnerRef>{inner});
  Close(kOwner);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{inner}) << "nobody held the object";
}

TEST_F(ObjectTableHeirsContained, ItIsLetGoOfWhenTheHeirshipEnds) {
  const InnerRef inner = Hold(6);
  ASSERT_EQ(ShadowWith(1, {inner}), Verdict::kOk);
  ASSERT_EQ(Heir(event::ShadowEnded{key(), kOwner, 2}), Verdict::kOk);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{inner});
  // In a later term this process has owned it, and goes on answering.
  ASSERT_EQ(ShadowWith(1, {inner}, kOwner, 4), Verdict::kOk);
  ASSERT_EQ(Heir(event::ShadowEnded{key(), kOwner, 4}), Verdict::kOk);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{inner});
  ASSERT_EQ(ShadowWith(1, {inner}, kOwner, 4), Verdict::kOk);
  ASSERT_EQ(Do([&](Effects* effects) {
              return TransferSteps(&table_).Step(event::MovedEnded{key(), kOwner, 3}, effects);
            }),
            Verdict::kOk);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{inner});
}

TEST_F(ObjectTableHeirsContained, WhatIsNotTakenIsLetGoOf) {
  const InnerRef inner = Hold(6);
  const InnerRef again = Hold(5);
  EXPECT_EQ(ShadowWith(1, {inner}, kOwner, 2, ShadowAnswer::kFull), Verdict::kTableFull);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{inner});
  ASSERT_EQ(ShadowWith(1, {inner}), Verdict::kOk);
  ASSERT_EQ(ShadowWith(2, {again}), Verdict::kOk);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{again}) << "it comes with the first alone";
  EXPECT_EQ(ShadowWith(1, {again}, kFirst, 2), Verdict::kAlreadyExists);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{again});
  // Somebody else claims to own it later.
  ASSERT_EQ(ShadowWith(1, {again}, kFirst, 5), Verdict::kOk);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{inner});
  Fence(kFirst);
  EXPECT_EQ(ShadowWith(2, {inner}, kFirst, 5), Verdict::kPeerExcluded);
  EXPECT_EQ(LetGo(), std::vector<InnerRef>{inner});
}

}  // namespace
}  // namespace freehold::core::heirs_testing
