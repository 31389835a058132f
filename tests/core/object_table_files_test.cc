// ObjectTable: files that no node is needed for.

#include "src/core/object_table_files.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table_transfer.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kOwner = 5;
constexpr PeerIndex kPlace = 7;
// Value and number of its files.
using Values = std::vector<std::pair<FreedCopy, uint32_t>>;

class ObjectTableFiles : public ::testing::Test, public ObjectTableHarness {
 protected:
  ObjectTableFiles() { FileSteps(&table).SetPlace(kPlace); }

  void Spill(uint64_t object, PeerIndex node, const std::string& url, bool keeping = false) {
    Report report;
    report.in_memory = keeping;
    report.spilled = true;
    report.shared = true;
    report.url = url;
    (void)SetLocation(object, node, 0, report);
  }
  Verdict AddFile(uint64_t object, const std::string& url, uint32_t generation = 0) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      return FileSteps(&table).Step(event::AddFile{{id, id.Hash()}, generation, 5, url}, &*raw_);
    });
  }
  Values TakeFrees() {
    std::vector<std::pair<DigestKey, uint32_t>> taken;
    (void)Checked([&] {
      EXPECT_FALSE(FileSteps(&table).TakeFrees(100, &taken));
      return Verdict::kOk;
    });
    Values values;
    for (const auto& [key, files] : taken) {
      values.push_back({{NumberOf(key.object), key.generation}, files});
    }
    return values;
  }
  // kOwner gives kA away: its primary is at kN0, in a file if `shared`, and kN1 has a copy, too.
  void TakeOver(bool shared) {
    OwnedSnapshot snapshot;
    snapshot.state = TransferState::kAvailable;
    snapshot.nodes.resize(2);
    OwnedSnapshot::At& primary = snapshot.nodes[0];
    primary.node = kN0;
    primary.primary = primary.spilled = true;
    primary.shared = shared;
    primary.url = "s3://a";
    snapshot.nodes[1].node = kN1;
    snapshot.nodes[1].in_memory = true;
    ObjectRecord* record = nullptr;
    const event::TakeOver given{KeyOfA(), kOwner, 2, snapshot};
    ASSERT_EQ(Checked([&] { return TransferSteps(&table).Step(given, &*raw_, &record); }),
              Verdict::kOk);
  }
  Verdict MoveToN1() {
    return Checked([&] {
      return table.Step(event::MovePrimary{KeyOfA(), kN1, 0, 1, kN0, 2}, &*raw_);
    });
  }
  // kOwner takes it back no more.
  Verdict HearSettled() {
    return Checked([&] {
      return TransferSteps(&table).Step(event::SettledAcked{KeyOfA(), kOwner, 2}, &*raw_);
    });
  }
  // What kN0 is to be told, if it was said that there is something.
  std::vector<FreedCopy> PullIfReady() {
    const bool ready = std::count(effects.ready.begin(), effects.ready.end(), kN0) > 0;
    return ready ? Pull(kN0) : std::vector<FreedCopy>{};
  }
  core::Key KeyOfA() const { return {a_, a_.Hash()}; }
  // The URLs that the last step told of, each with a mark of its use.
  std::vector<std::string> Told() const {
    std::vector<std::string> urls;
    static constexpr const char* kUses[] = {"", "!", "?", "<", "+"};
    for (const UnboundFile& file : effects.files) {
      urls.push_back(file.url + kUses[static_cast<int>(file.use)]);
    }
    return urls;
  }
  using Urls = std::vector<std::string>;

 private:
  const ObjectId a_ = ObjectId::FromNumber(kA);
};

TEST_F(ObjectTableFiles, ASharedFileOutlivesItsNode) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  EXPECT_FALSE(Exclude(kN0));
  EXPECT_EQ(Told(), Urls{"s3://a"});
  EXPECT_TRUE(effects.lost.empty());
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable);
  const auto copies = Copies(kA);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies.at(kPlace).url, "s3://a");
  EXPECT_TRUE(copies.at(kPlace).shared && copies.at(kPlace).spilled);
  EXPECT_EQ(copies.at(kPlace).role, CopyRole::kSecondary) << "nobody keeps it from eviction";
}

TEST_F(ObjectTableFiles, AFileOfTheNodeAloneDoesNot) {
  (void)Declare(kA, kN0);
  Report report;
  report.in_memory = false;
  report.spilled = true;
  report.url = "file:///a";
  (void)SetLocation(kA, kN0, 0, report);
  EXPECT_FALSE(Exclude(kN0));
  EXPECT_TRUE(effects.files.empty());
  EXPECT_EQ(effects.lost.size(), 1u);
}

TEST_F(ObjectTableFiles, ItsFreeIsTakenOutAndSettlesTheObject) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a", /*keeping=*/true);
  (void)Exclude(kN0);
  EXPECT_EQ(TakeFrees(), Values{}) << "the object is held";
  DropHandle(kA);
  EXPECT_EQ(effects.ready, std::vector<PeerIndex>{kPlace});
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 1}}));
  EXPECT_EQ(TakeFrees(), Values{}) << "once";
  EXPECT_EQ(objects(), 1u) << "its bytes are there yet";
  EXPECT_EQ(Answer(kA, kPlace), Verdict::kOk);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(ObjectTableFiles, WhatWasBeingFreedThereIsFreedWithoutIt) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  DropHandle(kA);
  (void)Pull(kN0);
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{"s3://a!"});
  EXPECT_EQ(objects(), 1u) << "nobody knows whether the file was deleted";
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 1}}));
  EXPECT_EQ(Answer(kA, kPlace), Verdict::kOk);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(ObjectTableFiles, ValuesMayHaveSeveralAndGoWithTheLast) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  Spill(kA, kN1, "s3://b");
  (void)Exclude(kN0);
  (void)Exclude(kN1);
  EXPECT_EQ(Told(), Urls{"s3://b"});
  DropHandle(kA);
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 2}}));
  EXPECT_EQ(Answer(kA, kPlace), Verdict::kOk);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(ObjectTableFiles, ThePrimaryIsAlwaysAtANode) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  (void)SetLocation(kA, kN1);
  (void)Exclude(kN0);
  EXPECT_EQ(Copies(kA).at(kN1).role, CopyRole::kPrimary) << "promoted";
  EXPECT_EQ(Copies(kA).at(kPlace).role, CopyRole::kSecondary);
  (void)Exclude(kN1);
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable);
  EXPECT_EQ(Copies(kA).at(kPlace).role, CopyRole::kSecondary);
}

TEST_F(ObjectTableFiles, AnOldValuesFileIsDeletedWhileTheNewOneLives) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://old");
  (void)FreeExplicitly(kA);
  EXPECT_EQ(Recreate(kA), Verdict::kOk);
  (void)SetLocation(kA, kN1, 1);
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{"s3://old!"});
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable);
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 1}}));
  EXPECT_EQ(Answer(kA, kPlace, FreeResult::kDeleted, 0), Verdict::kOk);
  EXPECT_EQ(ghosts(), 0u);
}

TEST_F(ObjectTableFiles, ALetGoFormerPrimarysFileStaysAsACopy) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  (void)SetLocation(kA, kN1);
  ASSERT_EQ(MovePrimary(kA, kN1, kN0), Verdict::kOk);
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{"s3://a"});
  (void)Exclude(kN1);
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable) << "it is of use yet";
}

TEST_F(ObjectTableFiles, OneWhoseNodeWasAskedToLetGoOfItIsNotReadAnyMore) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  (void)SetLocation(kA, kN1);
  ASSERT_EQ(MovePrimary(kA, kN1, kN0), Verdict::kOk);
  (void)Pull(kN0);
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{"s3://a?"});
  EXPECT_EQ(Copies(kA).count(kPlace), 0u);
  (void)Exclude(kN1);
  EXPECT_EQ(effects.lost.size(), 1u);
}

TEST_F(ObjectTableFiles, TheHostNamesAFileWithoutANode) {
  (void)Declare(kA);
  EXPECT_EQ(AddFile(kA, "s3://a"), Verdict::kOk);
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable);
  EXPECT_EQ(Find(kA)->size, 5u);
  EXPECT_EQ(Told(), Urls{"s3://a"});
  EXPECT_EQ(AddFile(kA, "s3://a"), Verdict::kUnchanged);
  EXPECT_EQ(Told(), Urls{});
  EXPECT_EQ(AddFile(kA, "s3://b"), Verdict::kOk);
  EXPECT_EQ(AddFile(kA, "s3://c", 1), Verdict::kUnknownGeneration);
  EXPECT_EQ(AddFile(kB, "s3://c"), Verdict::kNotFound);
  (void)FreeExplicitly(kA);
  EXPECT_EQ(AddFile(kA, "s3://d"), Verdict::kToBeFreed);
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 2}}));
}

TEST_F(ObjectTableFiles, ALostValueComesBackByAFile) {
  (void)Declare(kA, kN0);
  (void)Exclude(kN0);
  ASSERT_EQ(Find(kA)->state(), ObjectState::kLost);
  EXPECT_EQ(AddFile(kA, "s3://a"), Verdict::kOk);
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable);
}

TEST_F(ObjectTableFiles, AValueTakenForLostMeanwhileComesBack) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  (void)SetLocation(kA, kN1);
  ASSERT_EQ(MovePrimary(kA, kN1, kN0), Verdict::kOk);
  EXPECT_TRUE(Exclude(kN0, 0)) << "a first piece, which has not got to it";
  (void)RemoveLocation(kA, kN1);
  ASSERT_EQ(Find(kA)->state(), ObjectState::kLost);
  EXPECT_FALSE(Exclude(kN0));
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable);
}

TEST_F(ObjectTableFiles, AFormerPrimarysFileThatTheHostHasNamedIsKept) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  EXPECT_EQ(AddFile(kA, "s3://a"), Verdict::kOk);
  (void)SetLocation(kA, kN1);
  ASSERT_EQ(MovePrimary(kA, kN1, kN0), Verdict::kOk);
  (void)Pull(kN0);
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{});
}

TEST_F(ObjectTableFiles, AReportThatClaimsAFileWithoutAUrlHarmsNobody) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "");
  (void)FreeExplicitly(kA);
  EXPECT_EQ(Recreate(kA), Verdict::kOk);
  EXPECT_FALSE(Exclude(kN0));
  EXPECT_EQ(ghosts(), 0u);
}

TEST_F(ObjectTableFiles, AnEvictFirstValueStaysWhileItHasAFile) {
  (void)Declare(kA, kN0);
  Spill(kA, kN0, "s3://a");
  (void)FreeExplicitly(kA, FreeMode::kEvictFirst);
  (void)Exclude(kN0);
  EXPECT_EQ(Find(kA)->state(), ObjectState::kAvailable) << "it takes no node's space";
  DropHandle(kA);
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 1}}));
}

// Who takes the object back would count on a file that its node, or a carrier, has deleted.
TEST_F(ObjectTableFiles, APrimaryWithAFileStaysWhileTheOwnerBeforeMayTakeTheObjectBack) {
  TakeOver(/*shared=*/true);
  EXPECT_EQ(MoveToN1(), Verdict::kUnchanged);
  EXPECT_EQ(Copies(kA).at(kN0).role, CopyRole::kPrimary);
  EXPECT_EQ(Copies(kA).at(kN0).free_state, FreeState::kHeld);
  ASSERT_EQ(HearSettled(), Verdict::kOk);
  EXPECT_EQ(MoveToN1(), Verdict::kOk);
  EXPECT_EQ(Copies(kA).at(kN1).role, CopyRole::kPrimary);
  EXPECT_EQ(Copies(kA).at(kN0).free_state, FreeState::kWaiting);
}

TEST_F(ObjectTableFiles, APrimaryWithoutOneMovesBeforeEverybodyKnowsItsOwner) {
  TakeOver(/*shared=*/false);
  EXPECT_EQ(MoveToN1(), Verdict::kOk);
  EXPECT_EQ(Copies(kA).at(kN0).free_state, FreeState::kWaiting);
}

TEST_F(ObjectTableFiles, AFileThatOutlivesItsNodeIsHeldBackUntilTheOwnerBeforeCannotTakeItBack) {
  TakeOver(/*shared=*/true);
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{"s3://a<"});
  // kN1 has not answered yet; but who is dead takes nothing back.
  (void)Checked([&] {
    EXPECT_FALSE(table.FenceProcess(kOwner, 100, &*raw_));
    return Verdict::kOk;
  });
  EXPECT_EQ(Told(), Urls{"s3://a+"});
}

TEST_F(ObjectTableFiles, AFileThatTheHostNamesIsHeldBackIfItIsANodesToo) {
  TakeOver(/*shared=*/true);
  EXPECT_EQ(AddFile(kA, "s3://a"), Verdict::kOk);
  EXPECT_EQ(Told(), Urls{"s3://a<"});
  EXPECT_EQ(AddFile(kA, "s3://b"), Verdict::kOk);
  EXPECT_EQ(Told(), Urls{"s3://b"});
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{}) << "it is known";
}

// So would who takes the value back that is freed here.
TEST_F(ObjectTableFiles, ItIsFreedWhenTheOwnerBeforeCannotTakeTheObjectBack) {
  TakeOver(/*shared=*/true);
  EXPECT_EQ(FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(Pull(kN1), (std::vector<FreedCopy>{{kA, 0}})) << "there is no file of it";
  EXPECT_EQ(Pull(kN0), std::vector<FreedCopy>{});
  EXPECT_EQ(Copies(kA).at(kN0).free_state, FreeState::kWaiting);
  EXPECT_EQ(HearSettled(), Verdict::kOk);
  EXPECT_EQ(PullIfReady(), (std::vector<FreedCopy>{{kA, 0}}));
  EXPECT_EQ(Answer(kA, kN0), Verdict::kOk);
  EXPECT_EQ(Answer(kA, kN1), Verdict::kOk);
  EXPECT_TRUE(Copies(kA).empty());
}

TEST_F(ObjectTableFiles, OrIsDead) {
  TakeOver(/*shared=*/true);
  EXPECT_EQ(FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(Pull(kN0), std::vector<FreedCopy>{});
  (void)Checked([&] {
    EXPECT_FALSE(table.FenceProcess(kOwner, 100, &*raw_));
    return Verdict::kOk;
  });
  EXPECT_EQ(PullIfReady(), (std::vector<FreedCopy>{{kA, 0}}));
}

TEST_F(ObjectTableFiles, AValueThatNobodyHoldsWaitsLikeOneThatIsFreed) {
  TakeOver(/*shared=*/true);
  (void)Checked([&] { return table.Step(event::BorrowerReleased{KeyOfA(), kOwner}, &*raw_); });
  ASSERT_EQ(Find(kA)->state(), ObjectState::kOutOfScope);
  EXPECT_EQ(Pull(kN0), std::vector<FreedCopy>{});
  EXPECT_EQ(HearSettled(), Verdict::kOk);
  EXPECT_EQ(PullIfReady(), (std::vector<FreedCopy>{{kA, 0}}));
}

TEST_F(ObjectTableFiles, AnOlderValueWaitsWhileTheNewOneLives) {
  TakeOver(/*shared=*/true);
  EXPECT_EQ(FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(Recreate(kA), Verdict::kOk);
  EXPECT_EQ(ghosts(), 1u);
  EXPECT_EQ(Pull(kN0), std::vector<FreedCopy>{});
  EXPECT_EQ(HearSettled(), Verdict::kOk);
  EXPECT_EQ(PullIfReady(), (std::vector<FreedCopy>{{kA, 0}}));
}

TEST_F(ObjectTableFiles, AFileThatOutlivesItsNodeWaitsToBeDeletedAsWell) {
  TakeOver(/*shared=*/true);
  EXPECT_EQ(FreeExplicitly(kA), Verdict::kOk);
  (void)Exclude(kN0);
  EXPECT_EQ(Told(), Urls{"s3://a<"});
  EXPECT_EQ(TakeFrees(), Values{});
  EXPECT_EQ(HearSettled(), Verdict::kOk);
  EXPECT_EQ(Told(), Urls{"s3://a+"});
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 1}}));
}

TEST_F(ObjectTableFiles, SoDoesOneThatHadOutlivedItBefore) {
  TakeOver(/*shared=*/true);
  (void)Exclude(kN0);
  EXPECT_EQ(FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(TakeFrees(), Values{});
  EXPECT_EQ(HearSettled(), Verdict::kOk);
  EXPECT_EQ(TakeFrees(), (Values{{{kA, 0}, 1}}));
}

TEST(ObjectTableFilesAlone, WithoutAnybodyToAskTheyAreForgotten) {
  ObjectTable::Config config;
  config.settle_at_once = true;
  ObjectTableHarness at_once(config);
  FileSteps(&at_once.table).SetPlace(kPlace);
  (void)at_once.Declare(kA, kN0);
  Report report;
  report.in_memory = false;
  report.spilled = report.shared = true;
  report.url = "s3://a";
  (void)at_once.SetLocation(kA, kN0, 0, report);
  (void)at_once.Exclude(kN0);
  EXPECT_TRUE(at_once.effects.files.empty());
  EXPECT_EQ(at_once.Find(kA)->state(), ObjectState::kAvailable);
  at_once.DropHandle(kA);
  EXPECT_EQ(at_once.objects(), 0u);
}

}  // namespace
}  // namespace freehold::core
