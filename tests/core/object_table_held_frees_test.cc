// ObjectTable: frees of files that outlive their nodes, which wait for the object's heir.

#include <string>
#include <vector>

#include "src/core/object_table_files.h"
#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

constexpr PeerIndex kPlace = 60;
// Values to be deleted at no node: generation and number of files.
using Values = std::vector<std::pair<uint32_t, uint32_t>>;

class ObjectTableHeldFrees : public ObjectTableHeirs {
 protected:
  ObjectTableHeldFrees() { FileSteps(&table_).SetPlace(kPlace); }

  // The primary is at kNode, in a file; kOtherNode has a copy in memory.
  void DeclareInFile() {
    Declare();
    ASSERT_EQ(Spill(kNode), Verdict::kOk);
    ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  }
  Verdict Spill(PeerIndex node, uint32_t generation = 0) {
    event::SetLocation report{key(), node, generation, 0, CopyRole::kSecondary};
    report.spilled = report.shared = report.merge = true;
    report.url = "s3://a";
    report.term = kFirstTerm + 1;
    return Step(report);
  }
  Verdict Free() { return Step(event::FreeExplicitly{key()}); }
  void EndWithHeir() { ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk); }
  void Exclude(PeerIndex node) {
    bool more = true;
    while (more) {
      ASSERT_EQ(Do([&](Effects* effects) {
                  more = table_.ExcludeNode(node, 1, effects);
                  return Verdict::kOk;
                }),
                Verdict::kOk);
      Note();
    }
  }
  // Takes the heir's next snapshot and answers it.
  void Hear() {
    const Sent sent = Pull(kHeir);
    ASSERT_EQ(sent.size(), 1u);
    ASSERT_EQ(sent[0].substr(0, 7), "shadow ");
    ASSERT_EQ(Ack(std::stoull(sent[0].substr(7))), Verdict::kOk);
    Note();
  }
  Values TakeFrees() {
    std::vector<std::pair<DigestKey, uint32_t>> taken;
    EXPECT_FALSE(FileSteps(&table_).TakeFrees(100, &taken));
    table_.CheckInvariants();
    Values values;
    for (const auto& [key, files] : taken) values.emplace_back(key.generation, files);
    return values;
  }
  // What the steps that were noted have told of files.
  std::vector<UnboundFile::Use> Told() { return std::exchange(told_, {}); }
  void Note() {
    if (effects_.rare == nullptr) return;
    for (const UnboundFile& file : effects_.rare->files) told_.push_back(file.use);
  }
  FreeState StateAt(PeerIndex node) const {
    for (const CopyFacts& copy : table_.AllFacts(*table_.Find(key()))) {
      if (copy.node == node) return copy.free_state;
    }
    ADD_FAILURE() << "no copy there";
    return FreeState::kHeld;
  }
  using Uses = std::vector<UnboundFile::Use>;

 private:
  Uses told_;
};

TEST_F(ObjectTableHeldFrees, AFileIsFreedWhenTheHeirHasHeardThatTheCopyIsToGo) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{"free"}) << "there is no file of it";
  EXPECT_EQ(Pull(kNode), Sent{});
  EXPECT_EQ(StateAt(kNode), FreeState::kWaiting);
  EXPECT_EQ(table_.unanswered_frees(), 2u);
  Hear();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
  EXPECT_EQ(StateAt(kNode), FreeState::kSent);
}

TEST_F(ObjectTableHeldFrees, ASnapshotThatWasOnItsWayIsNotEnough) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Report(kOtherNode + 1), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 2 t2 g0 state 1 primary 20 node 21 node 22"});
  ASSERT_EQ(Free(), Verdict::kOk);
  ASSERT_EQ(Ack(2), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{});
  Hear();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, BeforeItIsPreparedTheHeirIsWaitedForAsWell) {
  DeclareInFile();
  ASSERT_EQ(Name(), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(Free(), Verdict::kOk);
  ASSERT_EQ(Ack(1), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{});
  Hear();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, SoIsThatOfAFormerPrimary) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode, 0, 9, kNode}), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{"move 9 answer 0"});
  EXPECT_EQ(Pull(kNode), Sent{});
  Hear();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, AFormerPrimaryThatIsHeldAgainIsNotFreedAfterwards) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode, 0, 9, kNode}), Verdict::kOk);
  Exclude(kOtherNode);
  EXPECT_EQ(StateAt(kNode), FreeState::kHeld) << "it is the primary again";
  Hear();
  EXPECT_EQ(StateAt(kNode), FreeState::kHeld);
  // ... and once it goes, it is waited for anew.
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(StateAt(kNode), FreeState::kWaiting);
  Sent sent = Pull(kNode);
  EXPECT_EQ(std::count(sent.begin(), sent.end(), "free"), 0);
  Hear();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, OutOfScopeTheHeirIsDismissedAndTheFileFreedWhenItHasHeard) {
  DeclareInFile();
  Prepare();
  Drop();
  EXPECT_EQ(Pull(kOtherNode), Sent{"free"});
  EXPECT_EQ(Pull(kNode), Sent{});
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  EXPECT_EQ(Pull(kNode), Sent{});
  EndWithHeir();
  EXPECT_EQ(notices_.back(), HeirOutcome::kObjectEnded);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, WithoutAFileTheHeirHearsOfTheEndAlone) {
  Declare();
  Prepare();
  Drop();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
  EXPECT_EQ(Pull(kHeir), Sent{});
}

TEST_F(ObjectTableHeldFrees, WhatIsFreedFirstAndGoesOutOfScopeWaitsForTheDismissal) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir).size(), 1u);
  Drop();
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  EXPECT_EQ(Ack(3), Verdict::kUnchanged) << "it was dismissed before";
  EXPECT_EQ(Pull(kNode), Sent{});
  EndWithHeir();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, AnHeirThatDiesIsNotWaitedFor) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{});
  Fence(kHeir);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, NorIsOneThatRefuses) {
  DeclareInFile();
  ASSERT_EQ(Name(), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{});
  ASSERT_EQ(Ack(1, ShadowAnswer::kRefused), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, OneThatIsDismissedIsWaitedForUntilItHasHeard) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  ASSERT_EQ(Heir(event::DismissHeir{key()}), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{});
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  EndWithHeir();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, SoIsOneThatIsDismissedWhenTheFreeBegins) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Heir(event::DismissHeir{key()}), Verdict::kOk);
  Drop();
  EXPECT_EQ(Pull(kNode), Sent{});
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  EndWithHeir();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, AndOneWhoseSnapshotFitsNoMessage) {
  DeclareInFile();
  Prepare();
  for (PeerIndex borrower = 100; borrower < 500; ++borrower) {
    ASSERT_EQ(Register(borrower), Verdict::kOk);
  }
  EXPECT_EQ(Pull(kHeir), Sent{});
  ASSERT_TRUE(HeirSteps::AnyOvergrown(table_));
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{});
  ASSERT_EQ(Do([&](Effects* effects) {
              HeirSteps(&table_).EndOvergrown(effects);
              return Verdict::kOk;
            }),
            Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  EXPECT_EQ(Pull(kNode), Sent{});
  EndWithHeir();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, AnOlderValuesFileWaitsWhileTheNewOneLives) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{"free"});
  ASSERT_EQ(Step(event::Recreate{key()}), Verdict::kOk);
  ASSERT_EQ(Spill(kOtherNode, 1), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{});
  Hear();
  EXPECT_EQ(Pull(kNode), Sent{"free"});
  EXPECT_EQ(StateAt(kOtherNode), FreeState::kHeld);
}

TEST_F(ObjectTableHeldFrees, EachWaitsForTheSnapshotAfterItsOwn) {
  DeclareInFile();
  ASSERT_EQ(Spill(kOtherNode), Verdict::kOk);
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  const Sent first = Pull(kHeir);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(Step(event::Recreate{key()}), Verdict::kOk);
  ASSERT_EQ(Spill(kOtherNode + 1, 1), Verdict::kOk);
  ASSERT_EQ(Free(), Verdict::kOk);
  ASSERT_EQ(Ack(std::stoull(first[0].substr(7))), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
  EXPECT_EQ(Pull(kOtherNode), Sent{"free"});
  EXPECT_EQ(Pull(kOtherNode + 1), Sent{});
  Hear();
  EXPECT_EQ(Pull(kOtherNode + 1), Sent{"free"});
}

TEST_F(ObjectTableHeldFrees, AFileWhoseNodeDiesMeanwhileIsDeletedAfterTheHeirHasHeard) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  Exclude(kNode);
  EXPECT_EQ(Told(), Uses{UnboundFile::Use::kHeldBack});
  EXPECT_EQ(TakeFrees(), Values{});
  Hear();
  EXPECT_EQ(Told(), Uses{UnboundFile::Use::kStays});
  EXPECT_EQ(TakeFrees(), (Values{{0, 1}}));
}

// A carrier of this owner's would delete it at the barrier at which the heir counts on it.
TEST_F(ObjectTableHeldFrees, AFileThatOutlivesItsNodeIsCarriedWhenTheHeirHasHeard) {
  DeclareInFile();
  Prepare();
  Exclude(kNode);
  EXPECT_EQ(Told(), Uses{UnboundFile::Use::kHeldBack});
  EXPECT_EQ(StateAt(kPlace), FreeState::kHeld);
  Hear();
  EXPECT_EQ(Told(), Uses{UnboundFile::Use::kStays});
  EXPECT_EQ(StateAt(kPlace), FreeState::kHeld);
  EXPECT_EQ(TakeFrees(), Values{});
}

TEST_F(ObjectTableHeldFrees, OrWhenThereIsNoHeirAnyMore) {
  DeclareInFile();
  Prepare();
  Exclude(kNode);
  EXPECT_EQ(Told(), Uses{UnboundFile::Use::kHeldBack});
  ASSERT_EQ(Do([&](Effects* effects) {
              return table_.FenceProcess(kHeir, 1000, effects) ? Verdict::kUnchanged : Verdict::kOk;
            }),
            Verdict::kOk);
  Note();
  EXPECT_EQ(Told(), Uses{UnboundFile::Use::kStays});
}

TEST_F(ObjectTableHeldFrees, OneThatHasGoneMeanwhileIsForgotten) {
  DeclareInFile();
  Prepare();
  ASSERT_EQ(Free(), Verdict::kOk);
  ASSERT_EQ(Step(event::RemoveLocation{key(), kNode, 0, true}), Verdict::kOk);
  Hear();
  EXPECT_EQ(Pull(kNode), Sent{});
  EXPECT_EQ(Pull(kOtherNode), Sent{"free"});
  ASSERT_EQ(Step(event::FreeAnswered{key(), kOtherNode, 0, FreeResult::kDeleted}), Verdict::kOk);
  Drop();
  EXPECT_EQ(table_.Find(key()), nullptr) << "nothing of it waits";
  EXPECT_EQ(HeirSteps::Count(table_), 0u);
}

TEST_F(ObjectTableHeldFrees, WithoutAnHeirNothingWaits) {
  DeclareInFile();
  ASSERT_EQ(Register(kFirst), Verdict::kOk);
  ASSERT_EQ(Free(), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

}  // namespace
}  // namespace freehold::core::heirs_testing
