// ObjectTable: pins of an object that gets another owner, or has an heir.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/core/object_table_pins.h"
#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

Time At(int64_t nanoseconds) { return Time(Duration(nanoseconds)); }

class ObjectTablePinsMoved : public ObjectTableHeirs {
 protected:
  Verdict Pin(const std::string& by, Time now = Time()) {
    return Do([&](Effects* effects) {
      return PinSteps(&table_).Step(event::Pin{key(), by, now}, effects);
    });
  }
  Verdict Unpin(const std::string& by) {
    return Do([&](Effects* effects) {
      return PinSteps(&table_).Step(event::Unpin{key(), by}, effects);
    });
  }
  Verdict Give() {
    return Do([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::Transfer{key(), kHeir, &names_}, effects, &why_);
    });
  }
  Verdict Answer(TransferAnswer answer) {
    return Do([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::TransferAnswered{key(), kHeir, 2, answer}, effects);
    });
  }
  // kOwner gives it away, as it was told.
  Verdict Take(const TransferItem& item, Time now) {
    OwnedSnapshot snapshot;
    snapshot.state = item.state;
    snapshot.pins = PinSteps::Told(item, now);
    return Do([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::TakeOver{key(), kOwner, 2, snapshot}, effects,
                                         &record_);
    });
  }
  Verdict ShadowWith(uint64_t version, const TransferItem& item, Time now) {
    return Do([&](Effects* effects) {
      auto snapshot = std::make_unique<OwnedSnapshot>();
      snapshot->pins = PinSteps::Told(item, now);
      return HeirSteps(&table_).Step(event::Shadow{key(), kOwner, 2, version, std::move(snapshot)},
                                     effects);
    });
  }
  // What kHeir is told of the object at that time.
  TransferItem Told(Time now) {
    struct Sink : StraySink {
      void OnTransfer(const TransferItem& item) override { told = item; }
      void OnShadow(const ShadowItem& item) override { told = item.snapshot; }
      TransferItem told;
    } sink;
    PayloadWriter writer(64 * 1024);
    EXPECT_FALSE(table_.PullSharing(kHeir, 1000, names_, now, &writer));
    EXPECT_FALSE(writer.empty());
    EXPECT_EQ(ReadPayload(writer.Take(), &sink), CodecError::kOk);
    return sink.told;
  }
  std::string Pins() const {
    const ObjectRecord* record = table_.Find(key());
    const ValuePins::Pinned* pinned = record == nullptr ? nullptr : PinSteps::Of(table_, *record);
    if (pinned == nullptr) return "none";
    std::string text;
    for (const PinHolder& holder : pinned->holders) {
      text += holder.by + " " + std::to_string(holder.count) + " since " +
              std::to_string(holder.since.time_since_epoch().count()) + "; ";
    }
    if (!pinned->free_waits) return text;
    return text + (pinned->free_mode == FreeMode::kNow ? "free waits" : "eviction waits");
  }
  void GiveWithFree(FreeMode mode) {
    Declare();
    ASSERT_EQ(Pin("a", At(10)), Verdict::kOk);
    ASSERT_EQ(Pin("b", At(20)), Verdict::kOk);
    ASSERT_EQ(Step(event::FreeExplicitly{key(), mode}), Verdict::kUnchanged);
    ASSERT_EQ(Give(), Verdict::kOk);
  }
  void ExpectPinnedAsBefore() {
    EXPECT_EQ(Pins(), "a 1 since 10; b 1 since 20; free waits");
    EXPECT_EQ(PinSteps::CountPinned(table_), 1u);
    EXPECT_EQ(Unpin("a"), Verdict::kOk);
    EXPECT_EQ(Unpin("b"), Verdict::kOk);
    EXPECT_EQ(table_.Find(key())->state(), ObjectState::kFreed);
  }
  static TransferItem ItemWith(std::vector<TransferItem::Pin> pins) {
    TransferItem item;
    item.pins = std::move(pins);
    return item;
  }
};

TEST_F(ObjectTablePinsMoved, PinsLeaveWithTheObjectAndAreToldAsOldAsTheyAre) {
  Declare();
  ASSERT_EQ(Pin("b", At(10)), Verdict::kOk);
  ASSERT_EQ(Pin("b", At(20)), Verdict::kOk);
  ASSERT_EQ(Pin("a", At(25)), Verdict::kOk);
  ASSERT_EQ(Give(), Verdict::kOk);
  EXPECT_EQ(PinSteps::CountPinned(table_), 0u);
  EXPECT_EQ(table_.Find(key())->nested_in, 0u);
  const TransferItem told = Told(At(100));
  ASSERT_EQ(told.pins.size(), 2u);
  EXPECT_EQ(told.pins[0].by, "b");
  EXPECT_EQ(told.pins[0].count, 2u);
  EXPECT_EQ(told.pins[0].age, Duration(90));
  EXPECT_EQ(told.pins[1].by, "a");
  EXPECT_EQ(told.pins[1].count, 1u);
  EXPECT_EQ(told.pins[1].age, Duration(75));
  EXPECT_FALSE(told.free_waits);
}

TEST_F(ObjectTablePinsMoved, TheFormerOwnerSaysThatItIsNotTheOwner) {
  Declare();
  ASSERT_EQ(Pin("a"), Verdict::kOk);
  ASSERT_EQ(Give(), Verdict::kOk);
  EXPECT_EQ(Unpin("a"), Verdict::kNotOwner);
  EXPECT_EQ(Pin("a"), Verdict::kNotOwner);
  (void)Told(Time());
  ASSERT_EQ(Answer(TransferAnswer::kTaken), Verdict::kOk);
  EXPECT_EQ(Unpin("a"), Verdict::kNotOwner);
  EXPECT_EQ(PinSteps(&table_).CheckOwned(key()), Verdict::kNotOwner);
  // Also when it holds no reference any more.
  Drop();
  (void)Pull(kHeir);
  ASSERT_EQ(table_.Find(key()), nullptr);
  EXPECT_EQ(Unpin("a"), Verdict::kNotOwner);
  EXPECT_EQ(Pin("a"), Verdict::kNotOwner);
  EXPECT_EQ(PinSteps(&table_).CheckOwned(key()), Verdict::kNotOwner);
}

TEST_F(ObjectTablePinsMoved, TheNextOwnerHasThemAndTheLastUnpinEndsTheObject) {
  ASSERT_EQ(Take(ItemWith({{"b", 2, Duration(90)}, {"a", 1, Duration(75)}}), At(1000)),
            Verdict::kOk);
  EXPECT_EQ(Pins(), "b 2 since 910; a 1 since 925; ");
  EXPECT_EQ(table_.Find(key())->nested_in, 1u);
  // Who gave it away holds it no more.
  ASSERT_EQ(Step(event::BorrowerReleased{key(), kOwner}), Verdict::kOk);
  EXPECT_TRUE(table_.Find(key())->in_scope());
  EXPECT_EQ(Unpin("b"), Verdict::kOk);
  EXPECT_EQ(Unpin("a"), Verdict::kOk);
  EXPECT_EQ(Unpin("a"), Verdict::kNotHeld);
  EXPECT_TRUE(table_.Find(key())->in_scope());
  EXPECT_EQ(Unpin("b"), Verdict::kOk);
  EXPECT_EQ(table_.Find(key()), nullptr);
}

TEST_F(ObjectTablePinsMoved, AFreeThatWaitsGoesAlong) {
  GiveWithFree(FreeMode::kNow);
  EXPECT_EQ(Told(Time()).free_mode, FreeMode::kNow);
}

TEST_F(ObjectTablePinsMoved, AnEvictionThatWaitsGoesAlong) {
  GiveWithFree(FreeMode::kEvictFirst);
  const TransferItem told = Told(Time());
  EXPECT_TRUE(told.free_waits);
  EXPECT_EQ(told.free_mode, FreeMode::kEvictFirst);
  EXPECT_FALSE(told.evict_first);
}

TEST_F(ObjectTablePinsMoved, AFreeThatWaitedIsDoneWithTheLastPinAtTheNextOwner) {
  TransferItem item = ItemWith({{"a", 1, Duration()}});
  item.free_waits = true;
  ASSERT_EQ(Take(item, At(5)), Verdict::kOk);
  EXPECT_EQ(Pins(), "a 1 since 5; free waits");
  EXPECT_EQ(table_.Find(key())->state(), ObjectState::kPending);
  EXPECT_EQ(Unpin("a"), Verdict::kOk);
  EXPECT_EQ(table_.Find(key())->state(), ObjectState::kFreed);  // its former owner holds it
}

TEST_F(ObjectTablePinsMoved, WhoIsRefusedHasThemAsBefore) {
  GiveWithFree(FreeMode::kNow);
  EXPECT_EQ(Pins(), "none");
  EXPECT_TRUE(Told(At(100)).free_waits);
  ASSERT_EQ(Answer(TransferAnswer::kRefused), Verdict::kOk);
  ExpectPinnedAsBefore();
}

TEST_F(ObjectTablePinsMoved, WhoTakesTheObjectBackHasThemAsBefore) {
  GiveWithFree(FreeMode::kNow);
  (void)Told(At(100));
  ASSERT_EQ(Answer(TransferAnswer::kTaken), Verdict::kOk);
  Fence(kHeir);
  ExpectPinnedAsBefore();
}

TEST_F(ObjectTablePinsMoved, MoreThanAMessageHoldsCannotBeGivenAwayOrHaveAnHeir) {
  Declare();
  const std::string name(kPinnedByBytesMax - 2, 'x');
  for (int i = 10; i < 36; ++i) ASSERT_EQ(Pin(name + std::to_string(i)), Verdict::kOk);
  ASSERT_EQ(Pin(std::string(kPinnedByBytesMax, 'y')), Verdict::kOk);
  EXPECT_EQ(Give(), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kTooMany);
  EXPECT_STREQ(ImmovableName(why_),
               "its processes, nodes, URLs and pins are more than one message names");
  EXPECT_EQ(Name(), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kTooMany);
  ASSERT_EQ(Unpin(std::string(kPinnedByBytesMax, 'y')), Verdict::kOk);
  EXPECT_EQ(Give(), Verdict::kOk);
  EXPECT_EQ(Told(Time()).pins.size(), 26u);
}

TEST_F(ObjectTablePinsMoved, ClocksThatDifferDoNotMatter) {
  Declare();
  ASSERT_EQ(Pin("early", kInfinitePast), Verdict::kOk);
  ASSERT_EQ(Pin("late", At(200)), Verdict::kOk);
  ASSERT_EQ(Give(), Verdict::kOk);
  const TransferItem told = Told(At(100));
  EXPECT_EQ(told.pins[0].age, kPinAgeMax);
  EXPECT_EQ(told.pins[1].age, Duration::zero());
  const auto pinned = PinSteps::Told(told, kInfinitePast);
  EXPECT_EQ(pinned->holders[0].since, kInfinitePast);
  EXPECT_EQ(pinned->holders[1].since, kInfinitePast);
}

// --- Heirs ---------------------------------------------------------------------------------------

TEST_F(ObjectTablePinsMoved, TheHeirIsToldOfEachChangeAndNothingWaitsForThat) {
  Declare();
  Prepare();
  ASSERT_EQ(Pin("a", At(10)), Verdict::kOk);
  TransferItem told = Told(At(30));
  ASSERT_EQ(told.pins.size(), 1u);
  EXPECT_EQ(told.pins[0].age, Duration(20));
  ASSERT_EQ(Ack(2), Verdict::kOk);
  ASSERT_EQ(Pin("a"), Verdict::kOk);
  EXPECT_EQ(Told(Time()).pins[0].count, 2u);
  ASSERT_EQ(Ack(3), Verdict::kOk);
  ASSERT_EQ(Unpin("a"), Verdict::kOk);
  EXPECT_EQ(Told(Time()).pins[0].count, 1u);
  ASSERT_EQ(Ack(4), Verdict::kOk);
  ASSERT_EQ(Step(event::FreeExplicitly{key()}), Verdict::kUnchanged);
  told = Told(Time());
  EXPECT_TRUE(told.free_waits);
  EXPECT_EQ(told.free_mode, FreeMode::kNow);
  ASSERT_EQ(Ack(5), Verdict::kOk);
  ASSERT_EQ(Unpin("a"), Verdict::kOk);  // and the free is done
  told = Told(Time());
  EXPECT_TRUE(told.pins.empty());
  EXPECT_EQ(told.state, TransferState::kFreed);
}

TEST_F(ObjectTablePinsMoved, TheHeirHasThemAndNobodyElseNeedsToHoldTheObject) {
  ASSERT_EQ(ShadowWith(1, ItemWith({{"a", 1, Duration(5)}}), At(100)), Verdict::kOk);
  ASSERT_EQ(ShadowWith(2, ItemWith({{"a", 2, Duration(7)}}), At(102)), Verdict::kOk);
  EXPECT_EQ(PinSteps::CountPinned(table_), 0u);
  EXPECT_EQ(Unpin("a"), Verdict::kNotOwner);
  Fence(kOwner);
  EXPECT_EQ(transferred_, std::vector<TransferOutcome>{TransferOutcome::kInherited});
  Close(kOwner);
  EXPECT_EQ(Pins(), "a 2 since 95; ");
  EXPECT_TRUE(table_.Find(key())->in_scope());
  EXPECT_EQ(Unpin("a"), Verdict::kOk);
  EXPECT_EQ(Unpin("a"), Verdict::kOk);
  EXPECT_EQ(table_.Find(key()), nullptr);
}

TEST_F(ObjectTablePinsMoved, AnObjectThatOutgrowsAMessageByItsPinsLosesItsHeir) {
  Declare();
  Prepare();
  const std::string name(kPinnedByBytesMax - 2, 'x');
  for (int i = 10; i < 37; ++i) ASSERT_EQ(Pin(name + std::to_string(i)), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{});
  ASSERT_TRUE(HeirSteps::AnyOvergrown(table_));
  (void)Do([&](Effects* effects) {
    HeirSteps(&table_).EndOvergrown(effects);
    return Verdict::kOk;
  });
  EXPECT_EQ(notices_.back(), HeirOutcome::kOvergrown);
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
}

}  // namespace
}  // namespace freehold::core::heirs_testing
