// ObjectTable: heirs, at the heir.

#include <string>
#include <vector>

#include "src/core/object_table_digest.h"
#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

TEST_F(ObjectTableHeirs, TheHeirInstallsTheLastSnapshotInTheTermAfter) {
  ASSERT_EQ(Shadow(1, {kFirst}, {kNode}), Verdict::kOk);
  EXPECT_EQ(Pull(kOwner), Sent{"kept 1 answer 0 t2"});
  EXPECT_EQ(table_.Find(key()), nullptr);
  Fence(kOwner);
  ASSERT_NE(table_.Find(key()), nullptr);
  EXPECT_EQ(TransferSteps(&table_).TermOf(*table_.Find(key())), 2u);
}

TEST_F(ObjectTableHeirs, TheHeirTellsEverybodyBeforeItHasDealtWithTheView) {
  ASSERT_EQ(Shadow(1, {kFirst}, {kNode}), Verdict::kOk);
  ASSERT_EQ(Shadow(4, {kFirst, kSecond}, {kNode, kOtherNode}), Verdict::kOk);
  EXPECT_EQ(Pull(kOwner), (Sent{"kept 1 answer 0 t2", "kept 4 answer 0 t2"}));
  Fence(kOwner);
  EXPECT_EQ(transferred_, std::vector<TransferOutcome>{TransferOutcome::kInherited});
  ASSERT_NE(table_.Find(key()), nullptr);
  EXPECT_EQ(table_.counters().objects_inherited, 1u);
  for (const PeerIndex peer : {kFirst, kSecond, kNode, kOtherNode}) {
    EXPECT_NE(table_.flush_waiting(), 0u);
    EXPECT_EQ(Pull(peer), Sent{"moved t2"});
    const bool is_node = peer >= kNode;
    if (peer == kNode) {
      ASSERT_EQ(Report(kNode, CopyRole::kPrimary), Verdict::kOk);
    }
    ASSERT_EQ(Told(peer, peer == kFirst, is_node), Verdict::kOk);
  }
  EXPECT_EQ(table_.flush_waiting(), 0u);
  EXPECT_EQ(table_.sharing()->borrowers.size(), 1u);
  EXPECT_EQ(table_.Find(key())->copies, 1u) << "a copy that is not reported is not there";
  Close(kOwner);
  EXPECT_TRUE(table_.Find(key())->in_scope());
  ASSERT_EQ(Step(event::BorrowerReleased{key(), kFirst}), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

TEST_F(ObjectTableHeirs, WhatHadEndedUnheardEndsAtTheBarrier) {
  ASSERT_EQ(Shadow(1, {kFirst}, {kNode}), Verdict::kOk);
  Fence(kOwner);
  (void)Pull(kFirst);
  (void)Pull(kNode);
  ASSERT_EQ(Told(kFirst, false), Verdict::kOk);
  ASSERT_EQ(Told(kNode, false, true), Verdict::kOk);
  ASSERT_NE(table_.Find(key()), nullptr);
  EXPECT_EQ(table_.Find(key())->state(), ObjectState::kLost);
  Close(kOwner);
  EXPECT_EQ(table_.Find(key()), nullptr);
  EXPECT_EQ(TransferSteps(&table_).FindFormer(id_), nullptr);
}

TEST_F(ObjectTableHeirs, WhatAnHeirRefuses) {
  EXPECT_EQ(Shadow(1, {}, {}, 2, ShadowAnswer::kDraining), Verdict::kRefused);
  EXPECT_EQ(Pull(kOwner), Sent{"kept 1 answer 3 t2"});
  EXPECT_EQ(TransferSteps(&table_).FindFormer(id_), nullptr);
  Declare();
  EXPECT_EQ(Shadow(1), Verdict::kAlreadyExists);
  EXPECT_EQ(Pull(kOwner), Sent{"kept 1 answer 1 t2"});
}

TEST_F(ObjectTableHeirs, AnHeirKeepsToWhatItHasPromised) {
  ASSERT_EQ(Shadow(1), Verdict::kOk);
  EXPECT_EQ(Shadow(2, {kFirst}, {}, 2, ShadowAnswer::kDraining), Verdict::kOk);
  EXPECT_EQ(Shadow(1, {}, {}, 2, ShadowAnswer::kKept, kSecond), Verdict::kAlreadyExists)
      << "another owner of that term";
  EXPECT_EQ(Shadow(1, {}, {}, 3, ShadowAnswer::kKept, kSecond), Verdict::kOk) << "of a later one";
  Fence(kOwner);
  EXPECT_TRUE(transferred_.empty());
  Fence(kSecond);
  EXPECT_EQ(transferred_.size(), 1u);
}

TEST_F(ObjectTableHeirs, ADismissedHeirInheritsNothing) {
  for (const uint32_t term : {2u, 5u}) {  // that of the heir
    SCOPED_TRACE(term);
    ASSERT_EQ(Shadow(1, {kFirst}, {}, term), Verdict::kOk);
    (void)Pull(kOwner);
    EXPECT_EQ(Heir(event::ShadowEnded{key(), kSecond, term}), Verdict::kUnchanged);
    EXPECT_EQ(Heir(event::ShadowEnded{key(), kOwner, term + 1}), Verdict::kUnchanged);
    EXPECT_EQ(Heir(event::ShadowEnded{key(), kOwner, term}), Verdict::kOk);
    EXPECT_EQ(Heir(event::ShadowEnded{key(), kOwner, term}), Verdict::kUnchanged);
    EXPECT_EQ(TransferSteps(&table_).FindFormer(id_) != nullptr, term > 2)
        << "it may have owned it before, and answers for it";
  }
  Fence(kOwner);
  EXPECT_EQ(table_.Find(key()), nullptr);
  EXPECT_NE(TransferSteps(&table_).FindFormer(id_), nullptr);
  Close(kOwner);
  EXPECT_EQ(TransferSteps(&table_).FindFormer(id_), nullptr);
}

// In the first term nobody but the owner ever owned it: whoever asks its heir is wrong.
TEST_F(ObjectTableHeirs, AnHeirNamesTheOwnerOfALaterTermOnly) {
  ASSERT_EQ(Shadow(1), Verdict::kOk);
  EXPECT_EQ(Register(kFirst, 3), Verdict::kNotFound);
  EXPECT_EQ(Pull(kFirst), Sent{"registered 3 answer 1"});
  ASSERT_EQ(Shadow(1, {}, {}, 5), Verdict::kOk);
  EXPECT_EQ(Register(kFirst, 4), Verdict::kUnchanged);
  EXPECT_EQ(Pull(kFirst), Sent{"moved t4 to 1"});
}

TEST_F(ObjectTableHeirs, AnObjectThatEndsEndsTheHeirship) {
  ASSERT_EQ(Shadow(1, {kFirst}), Verdict::kOk);
  const auto ended = [&](PeerIndex from) {
    return Do([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::MovedEnded{key(), from, 2}, effects);
    });
  };
  EXPECT_EQ(ended(kSecond), Verdict::kUnchanged) << "not who has named it";
  EXPECT_EQ(ended(kOwner), Verdict::kOk);
  Fence(kOwner);
  EXPECT_EQ(table_.Find(key()), nullptr);
  EXPECT_TRUE(transferred_.empty());
}

// Nobody gives away what has an heir, whoever says that it owns it.
TEST_F(ObjectTableHeirs, AnHeirFollowsNobodyButWhoHasNamedIt) {
  ASSERT_EQ(Shadow(1, {kFirst}), Verdict::kOk);
  (void)Do([&](Effects* effects) {
    return TransferSteps(&table_).Step(event::Moved{key(), kSecond, kSecond, 9}, effects);
  });
  Fence(kOwner);
  EXPECT_EQ(transferred_, std::vector<TransferOutcome>{TransferOutcome::kInherited});
}

TEST_F(ObjectTableHeirs, WhoBorrowsAnObjectIsHeirOfItsOwnerAlone) {
  ObjectRecord* record = nullptr;
  ASSERT_EQ(Do([&](Effects* effects) {
              const event::Import import{key(), kOwner, kOwner, 1, kFirstTerm};
              const Verdict verdict = table_.Step(import, effects, &record);
              if (verdict == Verdict::kOk) (void)record->cell.Add();
              return verdict;
            }),
            Verdict::kOk);
  EXPECT_EQ(Shadow(1, {}, {}, 2, ShadowAnswer::kKept, kSecond), Verdict::kAlreadyExists);
  EXPECT_EQ(Shadow(1), Verdict::kOk);
}

// Its owner may have begun another value, of which the heir has not heard.
TEST_F(ObjectTableHeirs, AGenerationThatIsNotKnownIsFreedOfWhatWasInherited) {
  ASSERT_EQ(Shadow(1, {kFirst}, {kNode}), Verdict::kOk);
  Fence(kOwner);
  (void)Pull(kNode);
  ASSERT_EQ(Report(kNode, CopyRole::kPrimary, 1), Verdict::kToBeFreed);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
}

// It counts the copy no more until it has reported it again; what it lists in between lacks it.
TEST_F(ObjectTableHeirs, ADigestTakesNothingFromANodeThatIsBeingTold) {
  ASSERT_EQ(Shadow(1, {kFirst}), Verdict::kOk);
  Fence(kOwner);
  event::SetLocation report{key(), kNode, 0, 0, CopyRole::kSecondary};
  report.in_memory = true;
  report.merge = true;
  ASSERT_EQ(Step(report), Verdict::kOk);
  ASSERT_EQ(TableDigest::SumOf(table_, kNode).copies, 1u);
  (void)Step(event::MovePrimary{key(), kNode, 0, 5, kNoPeer});
  EXPECT_EQ(Pull(kNode), Sent{"moved t2"});
  const auto missing = [this] {
    return Do([&](Effects* effects) {
      return TableDigest::Step(event::DigestMissing{key(), kNode, 0}, &table_, effects);
    });
  };
  EXPECT_EQ(missing(), Verdict::kUnchanged);
  EXPECT_EQ(table_.Find(key())->copies, 1u);
  ASSERT_EQ(Report(kNode), Verdict::kOk);
  ASSERT_EQ(Told(kNode, /*holds=*/true, /*by_node=*/true), Verdict::kOk);
  EXPECT_EQ(missing(), Verdict::kOk);
  EXPECT_EQ(table_.Find(key())->copies, 0u);
}

}  // namespace
}  // namespace freehold::core::heirs_testing
