// ObjectTable: watches of other processes fire where callbacks that are registered here do, once.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table_watches.h"
#include "tests/core/ignoring_sink.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kWatcher = 9000;
constexpr PeerIndex kOther = 9001;

class ObjectTableWatches : public ::testing::Test {
 protected:
  explicit ObjectTableWatches(const ObjectTable::Config& config = {}) : h_(config) {}

  Verdict Watch(uint64_t object, Moment moment, uint64_t number, PeerIndex from = kWatcher) {
    const ObjectId id = ObjectId::FromNumber(object);
    Effects effects;
    const Verdict verdict =
        WatchSteps(&h_.table).Step(event::Watch{{id, id.Hash()}, from, number, moment}, &effects);
    ready_.assign(effects.ready.begin(), effects.ready.end());
    EXPECT_TRUE(effects.fired.empty()) << "it is no callback of this process";
    h_.table.CheckInvariants();
    return verdict;
  }
  Verdict Unwatch(uint64_t object, Moment moment, uint64_t number, PeerIndex from = kWatcher) {
    const ObjectId id = ObjectId::FromNumber(object);
    Effects effects;
    const Verdict verdict = WatchSteps(&h_.table).Step(
        event::StopWatching{{id, id.Hash()}, from, number, moment}, &effects);
    h_.table.CheckInvariants();
    return verdict;
  }
  // "object:number answer" of what the watcher is sent now, in order.
  std::vector<std::string> Told(PeerIndex watcher = kWatcher) {
    struct Sink : StraySink {
      void OnSharing(const SharingItem& item) override {
        FREEHOLD_CHECK(item.kind == SharingKind::kWatchFired);
        static constexpr const char* kAnswers[] = {"out", "freed", "gone", "refused", "cancelled"};
        told.push_back(std::to_string(core::NumberOf(item.object)) + ":" +
                       std::to_string(item.number) + " " + kAnswers[item.answer]);
      }
      std::vector<std::string> told;
    } sink;
    PayloadWriter writer(kEnvelopeBytesMost);
    EXPECT_FALSE(h_.table.PullSharing(watcher, UINT32_MAX, NoNames(), Time(), &writer));
    EXPECT_EQ(ReadPayload(writer.Take(), &sink), CodecError::kOk);
    return sink.told;
  }
  uint64_t watches() const {
    return h_.table.sharing() == nullptr ? 0 : h_.table.sharing()->moments.size();
  }
  static std::vector<std::string> None() { return {}; }
  using Strings = std::vector<std::string>;

  ObjectTableHarness h_;
  std::vector<PeerIndex> ready_;
};

TEST_F(ObjectTableWatches, EachMomentIsToldOnceWhenItComes) {
  ASSERT_EQ(h_.Declare(1, kN0), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kErased, 1), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kReclaimed, 2), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, 3), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, 4, kOther), Verdict::kOk);
  EXPECT_EQ(Told(), None());
  h_.DropHandle(1);
  EXPECT_EQ(h_.effects.ready, (std::vector<PeerIndex>{kWatcher, kOther, kN0}));
  EXPECT_EQ(Told(), Strings{"1:3 out"});
  EXPECT_EQ(Told(kOther), Strings{"1:4 out"});
  EXPECT_EQ(h_.Pull(kN0).size(), 1u);
  EXPECT_EQ(Told(), None());
  EXPECT_EQ(h_.Answer(1, kN0), Verdict::kOk);
  EXPECT_EQ(Told(), (Strings{"1:2 out", "1:1 out"}));
  EXPECT_EQ(h_.objects(), 0u);
  EXPECT_EQ(watches(), 0u);
}

TEST_F(ObjectTableWatches, AWatchHoldsNothing) {
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  ASSERT_EQ(Watch(1, Moment::kErased, 1), Verdict::kOk);
  EXPECT_FALSE(h_.Find(1)->by_id != 0 || h_.Find(1)->has_borrowers || h_.Find(1)->has_pins);
  h_.DropHandle(1);
  EXPECT_EQ(h_.Find(1), nullptr);
  EXPECT_EQ(Told(), Strings{"1:1 out"});
}

TEST_F(ObjectTableWatches, TheyAreToldInOrderOfRegistration) {
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  for (const uint64_t number : {5, 3, 9, 1}) {
    ASSERT_EQ(Watch(1, Moment::kOutOfScope, number), Verdict::kOk);
  }
  h_.DropHandle(1);
  EXPECT_EQ(Told(), (Strings{"1:5 out", "1:3 out", "1:9 out", "1:1 out"}));
}

TEST_F(ObjectTableWatches, AMomentThatHasPassedIsToldAtOnceWithItsReason) {
  ASSERT_EQ(h_.Declare(1, kN0), Verdict::kOk);
  ASSERT_EQ(h_.FreeExplicitly(1), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, 1), Verdict::kMomentPassed);
  EXPECT_EQ(ready_, std::vector<PeerIndex>{kWatcher});
  EXPECT_EQ(Watch(1, Moment::kReclaimed, 2), Verdict::kOk) << "its copy is there";
  EXPECT_EQ(Told(), Strings{"1:1 freed"});
  h_.Pull(kN0);
  EXPECT_EQ(h_.Answer(1, kN0), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kReclaimed, 3), Verdict::kMomentPassed);
  EXPECT_EQ(Told(), (Strings{"1:2 freed", "1:3 freed"}));

  ASSERT_EQ(h_.Declare(2, kN0), Verdict::kOk);
  h_.DropHandle(2);
  EXPECT_EQ(Watch(2, Moment::kOutOfScope, 4), Verdict::kMomentPassed);
  EXPECT_EQ(Watch(3, Moment::kErased, 5), Verdict::kNotFound) << "never heard of, hence gone";
  EXPECT_EQ(Told(), (Strings{"2:4 out", "3:5 gone"}));
  EXPECT_EQ(watches(), 0u);
}

TEST_F(ObjectTableWatches, AFreedValueThatIsMadeAgainEndsAnew) {
  ASSERT_EQ(h_.Declare(1, kN0), Verdict::kOk);
  ASSERT_EQ(Watch(1, Moment::kOutOfScope, 1), Verdict::kOk);
  ASSERT_EQ(Watch(1, Moment::kReclaimed, 2), Verdict::kOk);
  ASSERT_EQ(h_.FreeExplicitly(1), Verdict::kOk);
  ASSERT_EQ(h_.Recreate(1), Verdict::kOk);
  EXPECT_EQ(Told(), Strings{"1:1 freed"});
  ASSERT_EQ(Watch(1, Moment::kOutOfScope, 3), Verdict::kOk);
  h_.Pull(kN0);
  EXPECT_EQ(h_.Answer(1, kN0), Verdict::kOk);
  EXPECT_EQ(Told(), None()) << "the old copy is gone, the new value is not";
  h_.DropHandle(1);
  EXPECT_EQ(Told(), (Strings{"1:3 out", "1:2 out"}));
}

TEST_F(ObjectTableWatches, OneThatIsCalledOffIsAnsweredOnceAndFiresNoMore) {
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  ASSERT_EQ(Watch(1, Moment::kOutOfScope, 1), Verdict::kOk);
  ASSERT_EQ(Watch(1, Moment::kOutOfScope, 2), Verdict::kOk);
  EXPECT_EQ(Unwatch(1, Moment::kErased, 1), Verdict::kNotFound);
  EXPECT_EQ(Unwatch(1, Moment::kOutOfScope, 1, kOther), Verdict::kNotFound);
  EXPECT_EQ(Unwatch(1, Moment::kOutOfScope, 1), Verdict::kOk);
  EXPECT_EQ(Unwatch(1, Moment::kOutOfScope, 1), Verdict::kNotFound);
  EXPECT_EQ(Told(), Strings{"1:1 cancelled"});
  h_.DropHandle(1);
  EXPECT_EQ(Told(), Strings{"1:2 out"});
  EXPECT_EQ(Unwatch(1, Moment::kOutOfScope, 2), Verdict::kNotFound) << "it has its answer";
  EXPECT_EQ(Told(), None());
}

TEST_F(ObjectTableWatches, WhatNobodyWouldAskForIsNotAnswered) {
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, 0), Verdict::kWrongState);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, MomentNumber::kNumberMax + 1), Verdict::kWrongState);
  EXPECT_EQ(Watch(1, Moment::kFailed, 1), Verdict::kWrongState);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, 1), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, 1), Verdict::kAlreadyExists);
  EXPECT_EQ(Told(), None());
}

TEST_F(ObjectTableWatches, ThoseOfAnExcludedProcessGoInPieces) {
  for (uint64_t object = 1; object <= 5; ++object) {
    ASSERT_EQ(h_.Declare(object), Verdict::kOk);
    ASSERT_EQ(Watch(object, Moment::kReclaimed, object), Verdict::kOk);
    ASSERT_EQ(Watch(object, Moment::kReclaimed, object, kOther), Verdict::kOk);
  }
  Effects effects;
  EXPECT_TRUE(h_.table.FenceProcess(kWatcher, 2, &effects));
  h_.table.CheckInvariants();
  EXPECT_EQ(watches(), 8u);
  h_.DropHandle(5);
  EXPECT_TRUE(h_.table.FenceProcess(kWatcher, 1, &effects));
  EXPECT_FALSE(h_.table.FenceProcess(kWatcher, 10, &effects));
  h_.table.CheckInvariants();
  EXPECT_EQ(watches(), 4u);
  EXPECT_EQ(Told(), None());
  EXPECT_EQ(Told(kOther), Strings{"5:5 out"});
}

class FewWatches : public ObjectTableWatches {
 protected:
  FewWatches() : ObjectTableWatches(TwoEach()) {}
  static ObjectTable::Config TwoEach() {
    ObjectTable::Config config;
    config.moment_watches_per_peer_max = 2;
    return config;
  }
};

TEST_F(FewWatches, OneTooManyIsRefusedByName) {
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  ASSERT_EQ(h_.Declare(2), Verdict::kOk);
  EXPECT_EQ(Watch(1, Moment::kOutOfScope, 1), Verdict::kOk);
  EXPECT_EQ(Watch(2, Moment::kOutOfScope, 2), Verdict::kOk);
  EXPECT_EQ(Watch(2, Moment::kErased, 3), Verdict::kCountFull);
  EXPECT_EQ(Watch(2, Moment::kErased, 3, kOther), Verdict::kOk);
  EXPECT_EQ(Told(), Strings{"2:3 refused"});
  EXPECT_EQ(h_.table.counters().watches_refused, 1u);
  h_.DropHandle(1);
  EXPECT_EQ(Watch(2, Moment::kErased, 4), Verdict::kOk) << "there is room again";
  EXPECT_EQ(Told(), Strings{"1:1 out"});
}

}  // namespace
}  // namespace freehold::core
