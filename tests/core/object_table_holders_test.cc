// ObjectTable: borrowers of an owner that has no room to list them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/ignoring_sink.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kFirst = 1;
constexpr PeerIndex kSecond = 2;
constexpr PeerIndex kThird = 3;

struct SharingSink : IgnoringSink {
  void OnSharing(const SharingItem& item) override {
    answers.push_back(std::to_string(NumberOf(item.object)) + "/" + std::to_string(item.number) +
                      (RegisterAnswer{item.answer} == RegisterAnswer::kOk ? " ok" : " gone"));
  }
  std::vector<std::string> answers;
};

using Answers = std::vector<std::string>;

// Objects 1 to 3, with room for one borrower of one of them; kFirst has the place at object 1.
class BorrowersFull : public ::testing::Test {
 protected:
  BorrowersFull() {
    for (uint64_t object = 1; object <= 3; ++object) {
      EXPECT_EQ(h_.Declare(object), Verdict::kOk);
    }
    EXPECT_EQ(Register(kFirst, 1, 10), Verdict::kOk);
    EXPECT_EQ(AnswersFor(kFirst), Answers{"1/10 ok"});
  }
  static ObjectTable::Config WithOnePlace() {
    ObjectTable::Config config;
    config.borrowers_max = 1;
    return config;
  }
  Verdict Register(PeerIndex from, uint64_t object, uint64_t number) {
    const ObjectId id = ObjectId::FromNumber(object);
    Effects effects;
    const Verdict verdict =
        h_.table.Step(event::BorrowerRegistered{{id, id.Hash()}, from, number}, &effects);
    h_.table.CheckInvariants();
    return verdict;
  }
  Verdict Release(PeerIndex from, uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    Effects effects;
    const Verdict verdict = h_.table.Step(event::BorrowerReleased{{id, id.Hash()}, from}, &effects);
    ready_.assign(effects.ready.begin(), effects.ready.end());
    h_.table.CheckInvariants();
    return verdict;
  }
  Answers AnswersFor(PeerIndex peer) {
    PayloadWriter writer(kEnvelopeBytesMost);
    EXPECT_FALSE(h_.table.PullSharing(peer, 100, NoNames(), Time(), &writer));
    SharingSink sink;
    EXPECT_EQ(ReadPayload(writer.Take(), &sink), CodecError::kOk);
    return sink.answers;
  }
  size_t waiting() const { return h_.table.sharing()->unlisted.size(); }

  ObjectTableHarness h_{WithOnePlace()};
  std::vector<PeerIndex> ready_;
};

TEST_F(BorrowersFull, OneMoreIsNotToldThatTheObjectIsGoneButWaitsForAPlace) {
  EXPECT_EQ(Register(kSecond, 2, 20), Verdict::kTableFull);
  EXPECT_EQ(Register(kThird, 1, 30), Verdict::kTableFull);
  EXPECT_EQ(AnswersFor(kSecond), Answers{});
  EXPECT_EQ(AnswersFor(kThird), Answers{});
  EXPECT_EQ(waiting(), 2u);
  EXPECT_EQ(Release(kFirst, 1), Verdict::kOk);
  EXPECT_EQ(ready_, std::vector<PeerIndex>{kSecond});
  EXPECT_EQ(AnswersFor(kSecond), Answers{"2/20 ok"});
  h_.DropHandle(2);
  EXPECT_NE(h_.Find(2), nullptr) << "it is borrowed";
  EXPECT_EQ(AnswersFor(kThird), Answers{});
  EXPECT_EQ(Release(kSecond, 2), Verdict::kOk);
  EXPECT_EQ(h_.Find(2), nullptr);
  EXPECT_EQ(AnswersFor(kThird), Answers{"1/30 ok"});
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(BorrowersFull, WhoIsListedIsAnsweredAndWhoseObjectIsGoneHearsSo) {
  EXPECT_EQ(Register(kFirst, 1, 11), Verdict::kOk);
  EXPECT_EQ(Register(kSecond, 4, 21), Verdict::kNotFound);
  EXPECT_EQ(Register(kSecond, 2, 22), Verdict::kTableFull);
  EXPECT_EQ(Register(kThird, 3, 31), Verdict::kTableFull);
  h_.DropHandle(2);
  EXPECT_EQ(Release(kFirst, 1), Verdict::kOk);
  EXPECT_EQ(AnswersFor(kSecond), (Answers{"4/21 gone", "2/22 gone"}));
  EXPECT_EQ(AnswersFor(kThird), Answers{"3/31 ok"}) << "the one before it needed no place";
}

TEST_F(BorrowersFull, TheExcludedDoNotTakeThePlaceOfOthersAndADeathFreesOne) {
  EXPECT_EQ(Register(kSecond, 2, 20), Verdict::kTableFull);
  EXPECT_EQ(Register(kThird, 3, 30), Verdict::kTableFull);
  Effects effects;
  for (const PeerIndex dead : {kFirst, kSecond}) {
    while (h_.table.FenceProcess(dead, 100, &effects)) {
    }
  }
  EXPECT_EQ(AnswersFor(kThird), Answers{}) << "S3: a dead one's entry stays until the barrier";
  for (const PeerIndex dead : {kFirst, kSecond}) {
    while (h_.table.CloseProcess(dead, 100, &effects)) {
    }
  }
  EXPECT_EQ(AnswersFor(kThird), Answers{"3/30 ok"});
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(BorrowersFull, WhoRegistersAgainAndAgainTakesOneEntry) {
  for (uint64_t number = 20; number < 1000; ++number) {
    EXPECT_EQ(Register(kSecond, 2, number), Verdict::kTableFull);
  }
  EXPECT_EQ(waiting(), 1u);
  EXPECT_EQ(Release(kFirst, 1), Verdict::kOk);
  EXPECT_EQ(AnswersFor(kSecond), Answers{"2/999 ok"});
}

}  // namespace
}  // namespace freehold::core
