// ObjectTable: objects that one process declares and another one owns from the start.

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table_declare.h"
#include "tests/core/ignoring_sink.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kOwner = 1;
constexpr PeerIndex kDeclarer = 2;
constexpr PeerIndex kThird = 3;

struct SharingSink : IgnoringSink {
  void OnSharing(const SharingItem& item) override { items.push_back(item); }
  std::vector<SharingItem> items;
};

// One table and what is done to it; every invariant is checked after each step.
class DeclareTest : public ::testing::Test {
 protected:
  template <typename StepFunction>
  Verdict Do(StepFunction step) {
    effects_ = Effects();
    const Verdict verdict = step();
    h_.table.CheckInvariants();
    return verdict;
  }
  Verdict DeclareFor(uint64_t object, PeerIndex owner = kOwner, uint64_t size = 5) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Do([&] {
      const Verdict verdict = DeclareSteps(&h_.table).Step(
          event::DeclareFor{{id, id.Hash()}, owner, size}, &effects_, &record_);
      if (verdict == Verdict::kOk) EXPECT_TRUE(record_->cell.Add());
      return verdict;
    });
  }
  Verdict DeclaredBy(uint64_t object, PeerIndex from, uint64_t number = 1,
                     DeclareAnswer refusal = DeclareAnswer::kOk) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Do([&] {
      return DeclareSteps(&h_.table).Step(
          event::DeclaredBy{{id, id.Hash()}, from, number, 5, refusal}, &effects_, &record_);
    });
  }
  Verdict Answered(uint64_t object, PeerIndex from, uint64_t number, DeclareAnswer answer) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Do([&] {
      return DeclareSteps(&h_.table).Step(
          event::DeclareAnswered{{id, id.Hash()}, from, number, answer}, &effects_);
    });
  }
  Verdict Import(uint64_t object, PeerIndex owner, PeerIndex sender) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Do([&] {
      ObjectRecord* record = nullptr;
      const Verdict verdict =
          h_.table.Step(event::Import{{id, id.Hash()}, owner, sender, 1}, &effects_, &record);
      if (verdict == Verdict::kOk) EXPECT_TRUE(record->cell.Add());
      return verdict;
    });
  }
  Verdict Export(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Do([&] {
      Exported exported;
      return h_.table.Step(event::Export{{id, id.Hash()}, kThird}, &exported);
    });
  }
  void Drop(ObjectRecord* record) {
    (void)Do([&] {
      if (!record->cell.DropUnderLock()) return Verdict::kOk;
      return h_.table.Step(event::DropLastHandle{record}, &effects_);
    });
  }
  std::vector<SharingItem> Pull(PeerIndex peer) {
    PayloadWriter writer(kEnvelopeBytesMost);
    EXPECT_FALSE(h_.table.PullSharing(peer, 100, NoNames(), Time(), &writer));
    SharingSink sink;
    EXPECT_EQ(ReadPayload(writer.Take(), &sink), CodecError::kOk);
    return sink.items;
  }
  // What whoever waits for the answer is told by the last step.
  std::vector<DeclareAnswer> Told() const {
    std::vector<DeclareAnswer> answers;
    if (effects_.rare == nullptr) return answers;
    for (const DeclareNotice& notice : effects_.rare->declared) answers.push_back(notice.answer);
    return answers;
  }
  const Borrow& BorrowOf(uint64_t object) const { return h_.table.BorrowOf(*h_.Find(object)); }

  using Answers = std::vector<DeclareAnswer>;
  ObjectTableHarness h_;
  Effects effects_;
  ObjectRecord* record_ = nullptr;
};

// --- At the declarer -----------------------------------------------------------------------------

TEST_F(DeclareTest, TheFirstWordToTheOwnerIsDeclareAndItsAnswerConfirms) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  EXPECT_EQ(effects_.ready.size(), 1u);
  const auto sent = Pull(kOwner);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].kind, SharingKind::kDeclare);
  EXPECT_EQ(sent[0].size, 5u);
  EXPECT_EQ(h_.table.sharing()->borrows.declaring(), 1u);
  ASSERT_EQ(Answered(kA, kOwner, sent[0].number, DeclareAnswer::kOk), Verdict::kOk);
  EXPECT_EQ(Told(), Answers{DeclareAnswer::kOk});
  EXPECT_TRUE(BorrowOf(kA).confirmed());
  EXPECT_EQ(h_.table.sharing()->borrows.declaring(), 0u);
  Drop(record_);
  ASSERT_EQ(Pull(kOwner).at(0).kind, SharingKind::kRelease);
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST_F(DeclareTest, NobodyElseHearsOfItBeforeTheAnswer) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  RecordIndex index = kNoRecord;
  for (const bool sent : {false, true}) {
    EXPECT_EQ(Export(kA), Verdict::kNotAcknowledged) << sent;
    EXPECT_EQ(h_.AddNestedHold(kA, &index), Verdict::kNotAcknowledged) << sent;
    (void)Pull(kOwner);
  }
  ASSERT_EQ(Answered(kA, kOwner, BorrowOf(kA).registration, DeclareAnswer::kOk), Verdict::kOk);
  EXPECT_EQ(Export(kA), Verdict::kOk);
  EXPECT_EQ(h_.AddNestedHold(kA, &index), Verdict::kOk);
}

TEST_F(DeclareTest, OnlyTheOwnersAnswerToThatDeclarationCounts) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  EXPECT_EQ(Answered(kA, kOwner, 0, DeclareAnswer::kOk), Verdict::kUnchanged) << "not sent yet";
  const uint64_t number = Pull(kOwner).at(0).number;
  EXPECT_EQ(Answered(kA, kThird, number, DeclareAnswer::kOk), Verdict::kNotOwner);
  EXPECT_EQ(Answered(kA, kOwner, number + 1, DeclareAnswer::kOk), Verdict::kUnchanged);
  const ObjectId id = ObjectId::FromNumber(kA);
  EXPECT_EQ(Do([&] {
              return h_.table.Step(
                  event::RegisterAnswered{{id, id.Hash()}, kOwner, number, RegisterAnswer::kOk},
                  &effects_);
            }),
            Verdict::kUnchanged)
      << "an answer to a registration";
  EXPECT_FALSE(BorrowOf(kA).confirmed());
  EXPECT_EQ(Answered(kA, kOwner, number, DeclareAnswer::kOk), Verdict::kOk);
  EXPECT_EQ(Answered(kA, kOwner, number, DeclareAnswer::kExists), Verdict::kUnchanged) << "twice";
}

TEST_F(DeclareTest, WhatTheOwnerDoesNotTakeFailsByName) {
  for (const auto answer : {DeclareAnswer::kExists, DeclareAnswer::kRefused,
                            DeclareAnswer::kDraining, DeclareAnswer::kFull}) {
    ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
    ASSERT_EQ(Answered(kA, kOwner, Pull(kOwner).at(0).number, answer), Verdict::kOk);
    EXPECT_EQ(Told(), Answers{answer});
    EXPECT_EQ(BorrowOf(kA).answer, answer);
    EXPECT_EQ(h_.Find(kA)->state(), ObjectState::kFailed);
    EXPECT_EQ(Export(kA), Verdict::kNotDeclared);
    Drop(record_);
    EXPECT_EQ(h_.Find(kA), nullptr);
    EXPECT_TRUE(Pull(kOwner).empty()) << "nothing is to be released";
  }
}

TEST_F(DeclareTest, AnIdThatIsKnownHereIsNotDeclaredForAnother) {
  ASSERT_EQ(h_.Declare(kA), Verdict::kOk);
  EXPECT_EQ(DeclareFor(kA), Verdict::kAlreadyExists);
  ASSERT_EQ(DeclareFor(kB), Verdict::kOk);
  EXPECT_EQ(DeclareFor(kB), Verdict::kAlreadyExists);
  EXPECT_EQ(h_.Declare(kB), Verdict::kAlreadyExists);
}

TEST_F(DeclareTest, WhatIsDroppedBeforeItLeavesIsNeverHeardOf) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  Drop(record_);
  EXPECT_EQ(Told(), Answers{DeclareAnswer::kDropped});
  EXPECT_TRUE(Pull(kOwner).empty());
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST_F(DeclareTest, WhatIsDroppedUnderWayIsReleasedOnceItIsAcknowledged) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  const uint64_t number = Pull(kOwner).at(0).number;
  Drop(record_);
  EXPECT_EQ(Told(), Answers{DeclareAnswer::kDropped});
  EXPECT_TRUE(Pull(kOwner).empty());
  ASSERT_EQ(Answered(kA, kOwner, number, DeclareAnswer::kOk), Verdict::kOk);
  ASSERT_EQ(Pull(kOwner).at(0).kind, SharingKind::kRelease);
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST_F(DeclareTest, WhatIsDroppedUnderWayAndNotTakenIsForgotten) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  const uint64_t number = Pull(kOwner).at(0).number;
  Drop(record_);
  ASSERT_EQ(Answered(kA, kOwner, number, DeclareAnswer::kExists), Verdict::kOk);
  EXPECT_TRUE(Pull(kOwner).empty());
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST_F(DeclareTest, AnOwnersDeathIsHeardAtTheBarrierWhetherTheDeclarationHasLeftOrNot) {
  for (const bool sent : {false, true}) {
    h_.table.CheckInvariants();
    const PeerIndex owner = sent ? 11 : 12;
    const uint64_t object = sent ? kA : kB;
    ASSERT_EQ(DeclareFor(object, owner), Verdict::kOk);
    if (sent) (void)Pull(owner);
    (void)Do([&] {
      EXPECT_FALSE(h_.table.FenceProcess(owner, 100, &effects_));
      return Verdict::kOk;
    });
    EXPECT_EQ(Told(), Answers{});
    EXPECT_EQ(h_.table.flush_waiting(), 0u) << "a view does not wait for it";
    (void)Do([&] {
      EXPECT_FALSE(h_.table.CloseProcess(owner, 100, &effects_));
      return Verdict::kOk;
    });
    EXPECT_EQ(Told(), Answers{DeclareAnswer::kOwnerDied});
    EXPECT_EQ(Export(object), Verdict::kOwnerDied);
    EXPECT_EQ(DeclareFor(kC, owner), Verdict::kOwnerDied);
  }
}

TEST_F(DeclareTest, TheDeclarersOwnExclusionEndsIt) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  (void)Pull(kOwner);
  PeerIndex from = 0;
  (void)Do([&] {
    EXPECT_FALSE(h_.table.FailBorrows(100, &from, &effects_));
    return Verdict::kOk;
  });
  EXPECT_EQ(Told(), Answers{DeclareAnswer::kExcluded});
}

TEST_F(DeclareTest, ATokenThatOvertakesTheAnswerIsTaken) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  const uint64_t number = Pull(kOwner).at(0).number;
  ASSERT_EQ(Import(kA, kOwner, kOwner), Verdict::kOk);
  EXPECT_TRUE(Pull(kOwner).empty()) << "the handoff is owed";
  ASSERT_EQ(Answered(kA, kOwner, number, DeclareAnswer::kOk), Verdict::kOk);
  const auto sent = Pull(kOwner);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].kind, SharingKind::kHandoffAck);
  EXPECT_TRUE(BorrowOf(kA).confirmed());
}

TEST_F(DeclareTest, AReferenceToWhatExistedBeforeIsRegisteredForItsOwnSake) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  const uint64_t number = Pull(kOwner).at(0).number;
  ASSERT_EQ(Import(kA, kOwner, kThird), Verdict::kOk);
  ASSERT_EQ(Answered(kA, kOwner, number, DeclareAnswer::kExists), Verdict::kOk);
  EXPECT_EQ(Told(), Answers{DeclareAnswer::kExists});
  const auto sent = Pull(kOwner);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].kind, SharingKind::kRegister);
  EXPECT_EQ(Export(kA), Verdict::kOk) << "it is a reference like any other";
}

TEST_F(DeclareTest, AReferenceThatComesAfterTheRefusalIsRegisteredToo) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  ASSERT_EQ(Answered(kA, kOwner, Pull(kOwner).at(0).number, DeclareAnswer::kExists), Verdict::kOk);
  ASSERT_EQ(h_.Find(kA)->state(), ObjectState::kFailed);
  ASSERT_EQ(Import(kA, kOwner, kThird), Verdict::kOk);
  EXPECT_EQ(h_.Find(kA)->state(), ObjectState::kBorrowed);
  EXPECT_EQ(Pull(kOwner).at(0).kind, SharingKind::kRegister);
}

TEST_F(DeclareTest, AReferenceThatComesAfterTheRefusalAndTheOwnersBarrierIsOfNoUse) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  ASSERT_EQ(Answered(kA, kOwner, Pull(kOwner).at(0).number, DeclareAnswer::kExists), Verdict::kOk);
  (void)Do([&] {
    EXPECT_FALSE(h_.table.FenceProcess(kOwner, 100, &effects_));
    EXPECT_FALSE(h_.table.CloseProcess(kOwner, 100, &effects_));
    return Verdict::kOk;
  });
  EXPECT_EQ(Import(kA, kOwner, kThird), Verdict::kOwnerDied);
  EXPECT_EQ(h_.Find(kA)->state(), ObjectState::kFailed);
  const auto sent = Pull(kThird);
  ASSERT_EQ(sent.size(), 1u) << "whoever passed it on need not hold it";
  EXPECT_EQ(sent[0].kind, SharingKind::kHandoffAck);
  EXPECT_EQ(HandoffAnswer{sent[0].answer}, HandoffAnswer::kOwnerDied);
  EXPECT_EQ(Export(kA), Verdict::kNotDeclared) << "the declarer is told of what came first";
  Drop(record_);
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST_F(DeclareTest, AViewWaitsForTheAnswerIfAnExcludedProcessHasSentAReferenceToo) {
  ASSERT_EQ(DeclareFor(kA), Verdict::kOk);
  const uint64_t number = Pull(kOwner).at(0).number;
  ASSERT_EQ(Import(kA, kOwner, kThird), Verdict::kOk);
  (void)Do([&] {
    EXPECT_FALSE(h_.table.FenceProcess(kThird, 100, &effects_));
    return Verdict::kOk;
  });
  EXPECT_EQ(h_.table.flush_waiting(), 1u);
  ASSERT_EQ(Answered(kA, kOwner, number, DeclareAnswer::kOk), Verdict::kOk);
  EXPECT_EQ(h_.table.flush_waiting(), 0u);
}

// --- At the owner --------------------------------------------------------------------------------

TEST_F(DeclareTest, TheRecordIsMadeWithTheDeclarerListed) {
  ASSERT_EQ(DeclaredBy(kA, kDeclarer, 9), Verdict::kOk);
  EXPECT_EQ(h_.Find(kA)->state(), ObjectState::kPending);
  EXPECT_EQ(h_.Find(kA)->size, 5u);
  EXPECT_TRUE(h_.Find(kA)->has_borrowers);
  const auto sent = Pull(kDeclarer);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].kind, SharingKind::kDeclareAck);
  EXPECT_EQ(sent[0].number, 9u);
  EXPECT_EQ(DeclareAnswer{sent[0].answer}, DeclareAnswer::kOk);
  const ObjectId id = ObjectId::FromNumber(kA);
  EXPECT_EQ(Do([&] {
              return h_.table.Step(event::BorrowerReleased{{id, id.Hash()}, kDeclarer}, &effects_);
            }),
            Verdict::kOk);
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST_F(DeclareTest, AKnownIdIsAnsweredWithExistsWhateverItsState) {
  ASSERT_EQ(h_.Declare(kA, kN0), Verdict::kOk);
  EXPECT_EQ(DeclaredBy(kA, kDeclarer), Verdict::kAlreadyExists);
  EXPECT_FALSE(h_.Find(kA)->has_borrowers);
  h_.DropHandle(kA);  // its copy waits for the free
  EXPECT_EQ(DeclaredBy(kA, kDeclarer), Verdict::kAlreadyExists);
  ASSERT_EQ(DeclaredBy(kB, kDeclarer), Verdict::kOk);
  EXPECT_EQ(DeclaredBy(kB, kDeclarer), Verdict::kAlreadyExists) << "by the same declarer again";
  EXPECT_EQ(DeclaredBy(kB, kThird), Verdict::kAlreadyExists);
  ASSERT_EQ(DeclareFor(kC, kThird), Verdict::kOk);
  EXPECT_EQ(DeclaredBy(kC, kDeclarer), Verdict::kAlreadyExists) << "of a third process";
  for (const SharingItem& item : Pull(kThird)) {
    if (item.kind != SharingKind::kDeclareAck) continue;
    EXPECT_EQ(DeclareAnswer{item.answer}, DeclareAnswer::kExists);
  }
}

TEST_F(DeclareTest, AnOwnerThatTakesNoneSaysWhy) {
  for (const auto refusal : {DeclareAnswer::kRefused, DeclareAnswer::kDraining}) {
    EXPECT_EQ(DeclaredBy(kA, kDeclarer, 1, refusal), Verdict::kRefused);
    EXPECT_EQ(DeclareAnswer{Pull(kDeclarer).at(0).answer}, refusal);
    EXPECT_EQ(h_.Find(kA), nullptr);
  }
}

TEST_F(DeclareTest, AnExcludedDeclarerIsNotHeard) {
  (void)h_.table.FenceProcess(kDeclarer, 100, &effects_);
  EXPECT_EQ(DeclaredBy(kA, kDeclarer), Verdict::kPeerExcluded);
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST_F(DeclareTest, ADeadDeclarersEntryLeavesAtTheBarrier) {
  ASSERT_EQ(DeclaredBy(kA, kDeclarer), Verdict::kOk);
  (void)h_.table.FenceProcess(kDeclarer, 100, &effects_);
  EXPECT_TRUE(h_.Find(kA)->in_scope());
  (void)h_.table.CloseProcess(kDeclarer, 100, &effects_);
  EXPECT_EQ(h_.Find(kA), nullptr);
}

TEST(DeclareFull, AnOwnerWithoutRoomMakesNoHalfObject) {
  ObjectTable::Config config;
  config.borrowers_max = 1;
  ObjectTable table(config);
  Effects effects;
  ObjectRecord* record = nullptr;
  const ObjectId first = ObjectId::FromNumber(kA);
  const ObjectId second = ObjectId::FromNumber(kB);
  DeclareSteps steps(&table);
  EXPECT_EQ(
      steps.Step(event::DeclaredBy{{first, first.Hash()}, kDeclarer, 1, 0}, &effects, &record),
      Verdict::kOk);
  EXPECT_EQ(
      steps.Step(event::DeclaredBy{{second, second.Hash()}, kDeclarer, 2, 0}, &effects, &record),
      Verdict::kTableFull);
  EXPECT_EQ(table.Find({second, second.Hash()}), nullptr);
  table.CheckInvariants();
}

}  // namespace
}  // namespace freehold::core
