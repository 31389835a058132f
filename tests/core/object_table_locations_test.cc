// Where the copies are, and their deletion.

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

using Frees = std::vector<FreedCopy>;

Report Primary() {
  Report report;
  report.role = CopyRole::kPrimary;
  return report;
}
Report Spilled(std::string url, bool in_memory = false) {
  Report report;
  report.in_memory = in_memory;
  report.spilled = true;
  report.url = std::move(url);
  return report;
}
Report Prospective() {
  Report report;
  report.in_memory = false;
  report.prospective = true;
  return report;
}

std::vector<PeerIndex> Ready(const ObjectTableHarness& table) {
  std::vector<PeerIndex> ready(table.effects.ready.begin(), table.effects.ready.end());
  std::sort(ready.begin(), ready.end());
  return ready;
}

// --- What is known ---------------------------------------------------------------------------

TEST(ObjectTableLocations, TheFirstCopyMakesAPendingObjectAvailable) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  Report report = Primary();
  report.size = 4096;
  ASSERT_EQ(table.SetLocation(kA, kN2, 0, report), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
  EXPECT_EQ(table.Find(kA)->size, 4096u);
  EXPECT_EQ(table.Copies(kA).at(kN2).role, CopyRole::kPrimary);
}

TEST(ObjectTableLocations, WhoAsksForTheBytesMakesNothingAvailable) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, Prospective()), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kPending);
  EXPECT_TRUE(table.Copies(kA).at(kN0).prospective);
  ASSERT_EQ(table.SetLocation(kA, kN0), Verdict::kOk);
  EXPECT_FALSE(table.Copies(kA).at(kN0).prospective) << "the bytes have come";
}

TEST(ObjectTableLocations, AskingForBytesThatTheNodeHasChangesNothing) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  EXPECT_EQ(table.SetLocation(kA, kN0, 0, Prospective()), Verdict::kUnchanged);
  EXPECT_TRUE(table.Copies(kA).at(kN0).in_memory);
}

TEST(ObjectTableLocations, AReportWithoutBytesCannotTakeTheValueAway) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  Report nothing;
  nothing.in_memory = false;
  for (const bool merge : {false, true}) {
    nothing.merge = merge;
    EXPECT_EQ(table.SetLocation(kA, kN0, 0, nothing), Verdict::kUnchanged);
    EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
    EXPECT_TRUE(table.Copies(kA).at(kN0).in_memory);
  }
}

TEST(ObjectTableLocations, AskingForAFreedValueIsAnsweredAsFreed) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(table.SetLocation(kA, kN0, 0, Prospective()), Verdict::kToBeFreed);
  EXPECT_EQ(table.SetLocation(kA, kN1, 0, Prospective()), Verdict::kToBeFreed);
}

TEST(ObjectTableLocations, ASecondPrimaryIsRecordedAsSecondary) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1, 0, Primary()), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).at(kN0).role, CopyRole::kPrimary);
  EXPECT_EQ(table.Copies(kA).at(kN1).role, CopyRole::kSecondary);
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, Primary()), Verdict::kOk) << "the same one again";
  EXPECT_EQ(table.Copies(kA).at(kN0).role, CopyRole::kPrimary);
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1, 0, Primary()), Verdict::kOk) << "now it is the only one";
  EXPECT_EQ(table.Copies(kA).at(kN1).role, CopyRole::kPrimary);
}

TEST(ObjectTableLocations, ANodesOwnReportsAddUpAndTheHostsReplace) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, Spilled("f")), Verdict::kOk);
  EXPECT_FALSE(table.Copies(kA).at(kN0).in_memory);
  EXPECT_TRUE(table.Copies(kA).at(kN0).spilled);
  Report restored;
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, restored), Verdict::kOk);
  EXPECT_TRUE(table.Copies(kA).at(kN0).in_memory);
  EXPECT_TRUE(table.Copies(kA).at(kN0).spilled) << "the file is still there";
  EXPECT_EQ(table.Copies(kA).at(kN0).url, "f");
  restored.merge = false;
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, restored), Verdict::kOk);
  EXPECT_FALSE(table.Copies(kA).at(kN0).spilled);
  EXPECT_EQ(table.Copies(kA).at(kN0).url, "");
}

TEST(ObjectTableLocations, SpillUrlsAreKeptPerNode) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, Spilled("zero")), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1, 0, Spilled("one", true)), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, Spilled("zero again")), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).at(kN0).url, "zero again");
  EXPECT_EQ(table.Copies(kA).at(kN1).url, "one");
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, Spilled("")), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).at(kN0).url, "") << "a removed copy leaves no URL behind";
}

TEST(ObjectTableLocations, SizeZeroMeansUnknownAndChangesNothing) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0, 10), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->size, 10u);
}

TEST(ObjectTableLocations, ThousandsOfCopiesAreAllKnownAndAllFreed) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  constexpr PeerIndex kMany = 2000;
  const ObjectId id = ObjectId::FromNumber(kA);
  Effects effects;
  for (PeerIndex node = 0; node < kMany; ++node) {
    event::SetLocation e{{id, id.Hash()}, (node * 7) % kMany, 0, 0, CopyRole::kSecondary};
    e.in_memory = true;
    ASSERT_EQ(table.table.Step(e, &effects), Verdict::kOk);
  }
  table.table.CheckInvariants();
  EXPECT_EQ(table.Copies(kA).size(), size_t{kMany});
  table.DropHandle(kA);
  EXPECT_EQ(Ready(table).size(), size_t{kMany});
  for (PeerIndex node = 0; node < kMany; ++node) {
    PayloadWriter writer(kEnvelopeBytesLeast);
    EXPECT_FALSE(table.table.PullFrees(node, 10, &writer));
    EXPECT_EQ(writer.items(), 1u);
    ASSERT_EQ(table.table.Step(event::FreeAnswered{{id, id.Hash()}, node, 0, FreeResult::kDeleted},
                               &effects),
              Verdict::kOk);
  }
  table.table.CheckInvariants();
  EXPECT_EQ(table.Find(kA), nullptr);
}

// --- Generations ---------------------------------------------------------------------------------

TEST(ObjectTableLocations, AReportOfAGenerationNotBegunIsRefused) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  EXPECT_EQ(table.SetLocation(kA, kN1, 1), Verdict::kUnknownGeneration);
  EXPECT_EQ(table.RemoveLocation(kA, kN0, 1), Verdict::kUnknownGeneration);
  EXPECT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted, 1), Verdict::kUnchanged);
  EXPECT_EQ(table.Copies(kA).size(), 1u);
}

TEST(ObjectTableLocations, AReportOfAnOldGenerationIsAnsweredWithFreeOfThatGeneration) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1, 1), Verdict::kOk);
  EXPECT_EQ(table.SetLocation(kA, kN1, 0), Verdict::kToBeFreed);
  EXPECT_EQ(Ready(table), std::vector<PeerIndex>{kN1});
  EXPECT_EQ(table.Pull(kN1), (Frees{{kA, 0}}));
  EXPECT_EQ(table.Answer(kA, kN1, FreeResult::kDeleted, 0), Verdict::kUnchanged);
  EXPECT_EQ(table.Copies(kA).size(), 1u) << "the copy of generation 1 is untouched";
}

TEST(ObjectTableLocations, AReportOfAGenerationThatIsBeingDeletedJoinsIt) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_EQ(table.SetLocation(kA, kN1, 0), Verdict::kToBeFreed);
  EXPECT_TRUE(table.Copies(kA).empty());
  EXPECT_EQ(table.Pull(kN1), (Frees{{kA, 0}}));
  ASSERT_EQ(table.Pull(kN0).size(), 1u);
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  EXPECT_EQ(table.ghosts(), 1u) << "one of its copies is left";
  ASSERT_EQ(table.Answer(kA, kN1), Verdict::kOk);
  EXPECT_EQ(table.ghosts(), 0u);
}

TEST(ObjectTableLocations, NodesThatWaitForALostValueWaitForTheNewOne) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1, 0, Prospective()), Verdict::kOk);
  ASSERT_FALSE(table.Exclude(kN0));
  ASSERT_EQ(table.Find(kA)->state(), ObjectState::kLost);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_TRUE(table.Copies(kA).at(kN1).prospective);
  EXPECT_EQ(table.ghosts(), 0u);
  table.DropHandle(kA);
  EXPECT_EQ(table.Pull(kN1), (Frees{{kA, 1}})) << "prospective copies are targets of the free";
}

// --- Late reports ----------------------------------------------------------------------------

TEST(ObjectTableLocations, AReportForAnObjectThatIsGoneIsAnsweredWithFree) {
  ObjectTableHarness table;
  EXPECT_EQ(table.SetLocation(kA, kN0, 3), Verdict::kNotFound);
  EXPECT_EQ(Ready(table), std::vector<PeerIndex>{kN0});
  EXPECT_EQ(table.SetLocation(kB, kN0, 0), Verdict::kNotFound);
  EXPECT_TRUE(table.effects.ready.empty()) << "the node has work already";
  EXPECT_EQ(table.table.unanswered_frees(), 2u);
  EXPECT_EQ(table.Pull(kN0), (Frees{{kA, 3}, {kB, 0}}));
  EXPECT_EQ(table.objects(), 0u) << "no table grows";
  EXPECT_EQ(table.table.unanswered_frees(), 0u);
  EXPECT_EQ(table.table.counters().late_reports_answered, 2u);
  EXPECT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted, 3), Verdict::kNotFound);
}

TEST(ObjectTableLocations, AReportDuringTheDeletionIsFreedWithTheRest) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(table.SetLocation(kA, kN1), Verdict::kToBeFreed);
  EXPECT_EQ(Ready(table), std::vector<PeerIndex>{kN1});
  EXPECT_EQ(table.Pull(kN0), (Frees{{kA, 0}}));
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  ASSERT_NE(table.Find(kA), nullptr) << "node 1 has not answered";
  EXPECT_EQ(table.Pull(kN1), (Frees{{kA, 0}}));
  ASSERT_EQ(table.Answer(kA, kN1), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
}

TEST(ObjectTableLocations, AReportThatCrossedItsFreeNeedsNoSecondOne) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  ASSERT_EQ(table.Pull(kN0).size(), 1u);
  EXPECT_EQ(table.SetLocation(kA, kN0, 0, Spilled("f")), Verdict::kToBeFreed);
  EXPECT_TRUE(table.effects.ready.empty());
  EXPECT_TRUE(table.Pull(kN0).empty());
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
}

// --- Removal -------------------------------------------------------------------------------------

TEST(ObjectTableLocations, LosingTheLastRealCopyInScopeIsToldOnce) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN2, 0, Prospective()), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  EXPECT_TRUE(table.effects.lost.empty());
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
  ASSERT_EQ(table.RemoveLocation(kA, kN1), Verdict::kOk);
  EXPECT_EQ(table.effects.lost, std::vector<ObjectId>{ObjectId::FromNumber(kA)});
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kLost);
  ASSERT_EQ(table.RemoveLocation(kA, kN2), Verdict::kOk);
  EXPECT_TRUE(table.effects.lost.empty());
  EXPECT_EQ(table.RemoveLocation(kA, kN2), Verdict::kUnchanged);
  EXPECT_EQ(table.table.counters().objects_lost, 1u);
}

TEST(ObjectTableLocations, ALostObjectIsFoundAgainWithItsCopy) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
}

TEST(ObjectTableLocations, APendingObjectCannotBeLost) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, Prospective()), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  EXPECT_TRUE(table.effects.lost.empty());
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kPending);
}

TEST(ObjectTableLocations, ARemovalBeforeTheFreeWasSentSettlesIt) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
  EXPECT_TRUE(table.Pull(kN0).empty());
}

TEST(ObjectTableLocations, ARemovalAfterTheFreeWasSentWaitsForItsAnswer) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  table.Pull(kN0);
  EXPECT_EQ(table.RemoveLocation(kA, kN0), Verdict::kUnchanged);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDoomed), Verdict::kOk);
  EXPECT_EQ(table.RemoveLocation(kA, kN0), Verdict::kUnchanged);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kUnknown), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
}

}  // namespace
}  // namespace freehold::core
