// Which copy is the primary, and how that moves: the owner's side, in every order.

#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kProducer = 0;  // the producer's node
constexpr PeerIndex kConsumer = 1;  // the consumer's

using Frees = std::vector<FreedCopy>;
using Moves = std::vector<MoveWord>;

MoveWord Word(MoveAnswer answer, uint64_t number, PeerIndex primary = kNoPeer,
              uint32_t generation = 0) {
  return {kA, generation, number, answer, primary};
}

class ObjectTableMoves : public testing::Test {
 protected:
  // kA with its primary at kProducer and a secondary at kConsumer.
  void SetUp() override {
    ASSERT_EQ(table.Declare(kA, kProducer, 10), Verdict::kOk);
    ASSERT_EQ(table.SetLocation(kA, kConsumer), Verdict::kOk);
  }
  // kNoPeer: there is none.
  PeerIndex Primary() {
    PeerIndex primary = kNoPeer;
    for (const auto& [node, facts] : table.Copies(kA)) {
      if (facts.role == CopyRole::kPrimary) primary = node;
    }
    return primary;
  }
  FreeState StateAt(PeerIndex node) { return table.Copies(kA).at(node).free_state; }
  ObjectState State() { return table.Find(kA)->state(); }

  ObjectTableHarness table;
};

TEST_F(ObjectTableMoves, TheProducerLetsGoOnceTheConsumerIsRecorded) {
  EXPECT_EQ(table.Pull(kProducer), Frees{}) << "nothing before";
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 7), Verdict::kOk);
  EXPECT_EQ(Primary(), kConsumer);
  EXPECT_EQ(StateAt(kProducer), FreeState::kWaiting);
  EXPECT_EQ(table.PullMoves(kConsumer), Moves{Word(MoveAnswer::kMoved, 7)});
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  ASSERT_EQ(table.Answer(kA, kProducer, FreeResult::kDoomed), Verdict::kOk) << "it has readers";
  EXPECT_EQ(StateAt(kProducer), FreeState::kDoomed);
  ASSERT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).size(), 1u);
  EXPECT_EQ(State(), ObjectState::kAvailable);
}

TEST_F(ObjectTableMoves, WhenTheProducersBytesAreGoneIsSeen) {
  ObjectTable::Config config;
  config.observe_frees = true;
  ObjectTableHarness observed(config);
  ASSERT_EQ(observed.Declare(kA, kProducer), Verdict::kOk);
  ASSERT_EQ(observed.SetLocation(kA, kConsumer), Verdict::kOk);
  ASSERT_EQ(observed.MovePrimary(kA, kConsumer, kProducer), Verdict::kOk);
  EXPECT_TRUE(observed.effects.settled.empty());
  EXPECT_EQ(observed.Pull(kProducer).size(), 1u);
  ASSERT_EQ(observed.Answer(kA, kProducer), Verdict::kOk);
  ASSERT_EQ(observed.effects.settled.size(), 1u);
  EXPECT_EQ(observed.effects.settled[0].node, kProducer);
  EXPECT_EQ(observed.effects.settled[0].outcome, FreeOutcome::kSettled);
}

TEST_F(ObjectTableMoves, FanOutMakesOnePrimary) {
  constexpr PeerIndex kE = 3;
  ASSERT_EQ(table.SetLocation(kA, kN2), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kE), Verdict::kOk);
  ASSERT_EQ(table.MovePrimary(kA, kN2, kProducer, 1), Verdict::kOk);
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 2), Verdict::kUnchanged);
  EXPECT_EQ(table.MovePrimary(kA, kE, kProducer, 3), Verdict::kUnchanged);
  EXPECT_EQ(Primary(), kN2);
  EXPECT_EQ(table.PullMoves(kN2), Moves{Word(MoveAnswer::kMoved, 1)});
  EXPECT_EQ(table.PullMoves(kConsumer), Moves{Word(MoveAnswer::kSecondary, 2, kN2)});
  EXPECT_EQ(table.PullMoves(kE), Moves{Word(MoveAnswer::kSecondary, 3, kN2)});
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  EXPECT_EQ(table.Pull(kConsumer), Frees{}) << "a loser stays a secondary";
  // Who asks again, and names who is, takes over.
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kN2, 4), Verdict::kOk);
  EXPECT_EQ(Primary(), kConsumer);
  EXPECT_EQ(table.Pull(kN2), (Frees{{kA, 0}}));
}

TEST_F(ObjectTableMoves, AMoveThatComesTwiceIsAnsweredTwice) {
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 2), Verdict::kOk);
  EXPECT_EQ(table.PullMoves(kConsumer),
            (Moves{Word(MoveAnswer::kMoved, 1), Word(MoveAnswer::kMoved, 2)}));
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}})) << "and lets go once";
}

TEST_F(ObjectTableMoves, WhoSaysThatThereIsNoPrimaryIsCompared) {
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kNoPeer, 1), Verdict::kUnchanged);
  ASSERT_EQ(table.SetLocation(2, kConsumer), Verdict::kNotFound);
  ASSERT_EQ(table.Declare(2), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(2, kConsumer), Verdict::kOk);
  EXPECT_EQ(table.MovePrimary(2, kConsumer, kProducer, 2), Verdict::kUnchanged);
  EXPECT_EQ(table.MovePrimary(2, kConsumer, kNoPeer, 3), Verdict::kOk);
  EXPECT_EQ(table.PullMoves(kConsumer), (Moves{Word(MoveAnswer::kSecondary, 1, kProducer),
                                               {2, 0, 2, MoveAnswer::kSecondary, kNoPeer},
                                               {2, 0, 3, MoveAnswer::kMoved, kNoPeer}}));
}

TEST_F(ObjectTableMoves, WhatTheOwnerDoesNotKnowOrWantIsRefused) {
  EXPECT_EQ(table.MovePrimary(kA, kN2, kProducer, 1), Verdict::kWrongState) << "no copy there";
  EXPECT_EQ(table.MovePrimary(9, kConsumer, kProducer, 2), Verdict::kNotFound);
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 3, 1), Verdict::kUnknownGeneration);
  Report asks;
  asks.in_memory = false;
  ASSERT_EQ(table.SetLocation(kA, kN2, 0, asks), Verdict::kOk);
  EXPECT_EQ(table.MovePrimary(kA, kN2, kProducer, 4), Verdict::kWrongState) << "prospective";
  EXPECT_EQ(Primary(), kProducer);
  EXPECT_EQ(table.PullMoves(kN2),
            (Moves{Word(MoveAnswer::kRefused, 1), Word(MoveAnswer::kRefused, 4)}));
  EXPECT_EQ(table.Pull(kProducer), Frees{});
}

TEST_F(ObjectTableMoves, AFreeInBetweenRefusesTheMove) {
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kToBeFreed);
  EXPECT_EQ(table.PullMoves(kConsumer), Moves{Word(MoveAnswer::kRefused, 1)});
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  EXPECT_EQ(table.Pull(kConsumer), (Frees{{kA, 0}}));
}

TEST_F(ObjectTableMoves, AFreeAfterTheMoveFreesEachCopyOnce) {
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), Frees{});
  EXPECT_EQ(table.Pull(kConsumer), (Frees{{kA, 0}}));
  table.DropHandle(kA);
  ASSERT_EQ(table.Answer(kA, kConsumer), Verdict::kOk);
  EXPECT_NE(table.Find(kA), nullptr) << "reclaimed only when the producer's bytes are gone too";
  ASSERT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
}

TEST_F(ObjectTableMoves, AnOldValueDoesNotMoveThePrimaryOfTheNewOne) {
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  Report primary;
  primary.role = CopyRole::kPrimary;
  ASSERT_EQ(table.SetLocation(kA, kProducer, 1, primary), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kConsumer, 1), Verdict::kOk);
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1, 0), Verdict::kToBeFreed);
  EXPECT_EQ(Primary(), kProducer);
  EXPECT_EQ(table.PullMoves(kConsumer), Moves{Word(MoveAnswer::kRefused, 1)});
}

TEST_F(ObjectTableMoves, AReportFromBeforeTheMoveDoesNotUndoIt) {
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  Report spilled;
  spilled.spilled = true;
  spilled.url = "f";
  ASSERT_EQ(table.SetLocation(kA, kConsumer, 0, spilled), Verdict::kOk) << "it said: secondary";
  EXPECT_EQ(Primary(), kConsumer);
  spilled.role = CopyRole::kPrimary;
  EXPECT_EQ(table.SetLocation(kA, kProducer, 0, spilled), Verdict::kToBeFreed);
  EXPECT_EQ(Primary(), kConsumer);
  EXPECT_EQ(table.Copies(kA).at(kProducer).url, "f") << "the file goes with the copy";
}

TEST_F(ObjectTableMoves, ASpilledProducerLetsGoOfItsFile) {
  Report spilled;
  spilled.in_memory = false;
  spilled.spilled = true;
  spilled.url = "f";
  spilled.role = CopyRole::kPrimary;
  ASSERT_EQ(table.SetLocation(kA, kProducer, 0, spilled), Verdict::kOk);
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  ASSERT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  const Rare* rare = table.table.FindRare(*table.Find(kA));
  EXPECT_TRUE(rare == nullptr || rare->spill_urls.empty());
}

TEST_F(ObjectTableMoves, ANewCopyAtTheProducersNodeIsASecondary) {
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  ASSERT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  Report primary;
  primary.role = CopyRole::kPrimary;
  ASSERT_EQ(table.SetLocation(kA, kProducer, 0, primary), Verdict::kOk);
  EXPECT_EQ(Primary(), kConsumer);
}

// --- Deaths --------------------------------------------------------------------------------------

TEST_F(ObjectTableMoves, AConsumerThatDiesUnheardLeavesTheProducerAsItIs) {
  EXPECT_FALSE(table.Exclude(kConsumer));
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kNodeExcluded);
  EXPECT_EQ(Primary(), kProducer);
  EXPECT_EQ(table.Pull(kProducer), Frees{});
  EXPECT_TRUE(table.PullMoves(kConsumer).empty());
}

TEST_F(ObjectTableMoves, AConsumerThatDiesRecordedGivesThePrimaryBackIfTheProducerHasNotHeard) {
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_FALSE(table.Exclude(kConsumer));
  EXPECT_EQ(State(), ObjectState::kAvailable);
  EXPECT_EQ(Primary(), kProducer);
  EXPECT_EQ(StateAt(kProducer), FreeState::kHeld);
  EXPECT_EQ(table.Pull(kProducer), Frees{}) << "the free is taken back";
}

TEST_F(ObjectTableMoves, AConsumerThatDiesRecordedLosesTheValueIfTheProducerMayHaveLetGo) {
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  EXPECT_FALSE(table.Exclude(kConsumer));
  EXPECT_EQ(State(), ObjectState::kLost);
  ASSERT_EQ(table.effects.lost.size(), 1u);
  // Made again at once: the producer's answer is about the old value.
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_EQ(table.ghosts(), 1u);
  ASSERT_EQ(table.SetLocation(kA, kProducer, 1), Verdict::kOk);
  ASSERT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  EXPECT_EQ(table.ghosts(), 0u);
  EXPECT_EQ(table.Copies(kA).count(kProducer), 1u);
  EXPECT_EQ(State(), ObjectState::kAvailable);
}

TEST_F(ObjectTableMoves, WhoWaitsForALostValueIsNotTakenForAFormerPrimary) {
  Report asks;
  asks.in_memory = false;
  ASSERT_EQ(table.SetLocation(kA, kN2, 0, asks), Verdict::kOk);
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  EXPECT_FALSE(table.Exclude(kConsumer));
  ASSERT_EQ(State(), ObjectState::kLost);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  ASSERT_EQ(table.Copies(kA).size(), 1u);
  EXPECT_TRUE(table.Copies(kA).at(kN2).prospective);
  table.DropHandle(kA);
  EXPECT_EQ(table.Pull(kN2), (Frees{{kA, 1}}));
  ASSERT_EQ(table.Answer(kA, kN2, FreeResult::kUnknown, 1), Verdict::kOk);
  EXPECT_NE(table.Find(kA), nullptr);
  ASSERT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
}

TEST_F(ObjectTableMoves, AProducerThatDiesFirstLeavesThePrimaryToTheConsumer) {
  EXPECT_FALSE(table.Exclude(kProducer));
  EXPECT_EQ(Primary(), kConsumer);
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk) << "so already";
  EXPECT_EQ(table.PullMoves(kConsumer),
            (Moves{Word(MoveAnswer::kPromoted, 0), Word(MoveAnswer::kMoved, 1)}));
}

TEST_F(ObjectTableMoves, AProducerThatDiesBeforeItHeardIsSettled) {
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  EXPECT_FALSE(table.Exclude(kProducer));
  EXPECT_EQ(Primary(), kConsumer);
  EXPECT_EQ(table.Copies(kA).size(), 1u);
  EXPECT_EQ(table.table.unsettled_frees(), 0u);
}

// --- Promotion -----------------------------------------------------------------------------------

TEST_F(ObjectTableMoves, WhenThePrimaryGoesACopyInMemoryTakesItsPlace) {
  Report spilled;
  spilled.in_memory = false;
  spilled.spilled = true;
  spilled.url = "f";
  ASSERT_EQ(table.SetLocation(kA, kConsumer, 0, spilled), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN2), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kProducer), Verdict::kOk);
  EXPECT_EQ(Primary(), kN2);
  EXPECT_EQ(table.PullMoves(kN2), Moves{Word(MoveAnswer::kPromoted, 0)});
  EXPECT_FALSE(table.Exclude(kN2));
  EXPECT_EQ(Primary(), kConsumer) << "then the one in a file";
  ASSERT_EQ(table.RemoveLocation(kA, kConsumer), Verdict::kOk);
  EXPECT_EQ(State(), ObjectState::kLost);
}

TEST_F(ObjectTableMoves, ALostValueThatComesBackHasAPrimary) {
  ASSERT_EQ(table.RemoveLocation(kA, kConsumer), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kProducer), Verdict::kOk);
  ASSERT_EQ(State(), ObjectState::kLost);
  ASSERT_EQ(table.SetLocation(kA, kN2), Verdict::kOk);
  EXPECT_EQ(Primary(), kN2);
  EXPECT_EQ(table.PullMoves(kN2), Moves{Word(MoveAnswer::kPromoted, 0)});
}

TEST_F(ObjectTableMoves, NobodyIsPromotedWhenASecondaryGoes) {
  ASSERT_EQ(table.SetLocation(kA, kN2), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kConsumer), Verdict::kOk);
  EXPECT_EQ(Primary(), kProducer);
  EXPECT_TRUE(table.PullMoves(kN2).empty());
}

TEST_F(ObjectTableMoves, SubscribersSeeThePrimaryMove) {
  ASSERT_EQ(table.Subscribe(kA, 1, 11), Verdict::kOk);
  ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 1), Verdict::kOk);
  ASSERT_EQ(table.effects.notices.size(), 2u);
  EXPECT_EQ(table.effects.notices[0].kind, LocationUpdate::Kind::kChanged);
  EXPECT_EQ(table.effects.notices[0].copy.node, kConsumer);
  EXPECT_EQ(table.effects.notices[0].copy.role, CopyRole::kPrimary);
  EXPECT_EQ(table.effects.notices[1].kind, LocationUpdate::Kind::kRemoved);
  EXPECT_EQ(table.effects.notices[1].copy.node, kProducer);
}

TEST_F(ObjectTableMoves, WordsForANodeThatIsExcludedAreForgotten) {
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kNoPeer, 1), Verdict::kUnchanged);
  EXPECT_FALSE(table.Exclude(kConsumer));
  EXPECT_TRUE(table.PullMoves(kConsumer).empty());
}

TEST_F(ObjectTableMoves, WordsArePulledInPieces) {
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kNoPeer, 1), Verdict::kUnchanged);
  EXPECT_EQ(table.MovePrimary(kA, kConsumer, kProducer, 2), Verdict::kOk);
  EXPECT_EQ(table.PullMoves(kConsumer, 1), Moves{Word(MoveAnswer::kSecondary, 1, kProducer)});
  EXPECT_TRUE(table.more_to_pull);
  EXPECT_EQ(table.PullMoves(kConsumer, 1), Moves{Word(MoveAnswer::kMoved, 2)});
  EXPECT_FALSE(table.more_to_pull);
}

// --- A node that is let go of, and asks for the bytes again --------------------------------------

class ObjectTableAskedAgain : public ObjectTableMoves {
 protected:
  // kProducer's bytes are on their way out, and somebody there asks for them.
  void SetUp() override {
    ObjectTableMoves::SetUp();
    ASSERT_EQ(table.MovePrimary(kA, kConsumer, kProducer), Verdict::kOk);
    EXPECT_EQ(table.Pull(kProducer).size(), 1u);
    Report asked;
    asked.in_memory = false;
    asked.prospective = true;
    asked.merge = true;
    EXPECT_EQ(table.SetLocation(kA, kProducer, 0, asked), Verdict::kUnchanged);
  }
  bool IsProspective() {
    const auto copies = table.Copies(kA);
    const auto at = copies.find(kProducer);
    return at != copies.end() && at->second.prospective && at->second.listed &&
           !at->second.in_memory;
  }
};

TEST_F(ObjectTableAskedAgain, IsProspectiveAtOnce) {
  EXPECT_TRUE(IsProspective());
  EXPECT_EQ(StateAt(kProducer), FreeState::kSent) << "the first one";
}

TEST_F(ObjectTableAskedAgain, IsProspectiveOnceTheBytesAreGone) {
  EXPECT_EQ(table.Answer(kA, kProducer, FreeResult::kUnknown), Verdict::kOk);
  EXPECT_TRUE(IsProspective());
  EXPECT_EQ(StateAt(kProducer), FreeState::kHeld);
  table.DropHandle(kA);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}})) << "what it has fetched meanwhile";
}

TEST_F(ObjectTableAskedAgain, IsFreedAgainIfTheObjectEndsMeanwhile) {
  table.DropHandle(kA);
  EXPECT_EQ(table.Pull(kProducer), Frees{}) << "the first one is not answered";
  EXPECT_EQ(table.Pull(kConsumer).size(), 1u);
  EXPECT_EQ(table.Answer(kA, kConsumer), Verdict::kOk);
  EXPECT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}}));
  EXPECT_EQ(table.Answer(kA, kProducer, FreeResult::kUnknown), Verdict::kOk);
  EXPECT_EQ(table.objects(), 0u);
}

TEST_F(ObjectTableAskedAgain, WaitsForTheNewValueIfThisOneIsLost) {
  ASSERT_EQ(table.RemoveLocation(kA, kConsumer), Verdict::kOk);
  ASSERT_EQ(State(), ObjectState::kLost);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_TRUE(IsProspective());
  EXPECT_EQ(table.Answer(kA, kProducer), Verdict::kOk) << "of the old one";
  EXPECT_TRUE(IsProspective());
  EXPECT_EQ(table.ghosts(), 0u);
}

TEST_F(ObjectTableAskedAgain, DoesNotWaitForWhatIsMadeInPlaceOfAFreedValue) {
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_FALSE(IsProspective());
  EXPECT_EQ(table.Answer(kA, kProducer, FreeResult::kDeleted, 0), Verdict::kOk);
  EXPECT_EQ(table.Pull(kProducer), (Frees{{kA, 0}})) << "it may have fetched the old one";
}

TEST_F(ObjectTableAskedAgain, IsForgottenWithItsNode) {
  EXPECT_FALSE(table.Exclude(kProducer));
  EXPECT_EQ(table.Copies(kA).count(kProducer), 0u);
}

TEST_F(ObjectTableAskedAgain, IsWhatItWasIfItIsPromoted) {
  ASSERT_EQ(table.Answer(kA, kProducer), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kProducer), Verdict::kOk);
  ASSERT_EQ(table.MovePrimary(kA, kProducer, kConsumer), Verdict::kOk);
  Report asked;
  asked.in_memory = false;
  asked.prospective = true;
  EXPECT_EQ(table.SetLocation(kA, kConsumer, 0, asked), Verdict::kUnchanged);
  ASSERT_EQ(table.RemoveLocation(kA, kProducer), Verdict::kOk);
  EXPECT_EQ(Primary(), kConsumer) << "the free had not left";
  EXPECT_FALSE(table.Copies(kA).at(kConsumer).prospective);
}

}  // namespace
}  // namespace freehold::core
