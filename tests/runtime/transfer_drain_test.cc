// Leaving: a process gives what it owns to another one while it drains.

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/runtime/transfer_world.h"

namespace freehold {
namespace {

using ::testing::IsSupersetOf;

// Processes with pump threads: a drain waits for others.
class TransferDrain : public ::testing::Test {
 protected:
  TransferDrain() {
    for (uint64_t number = 1; number <= 3; ++number) Start(number, {});
  }
  void Start(uint64_t number, ReferenceCounterOptions options) {
    options.process = Process(number);
    options.transport = &transport_;
    options.membership = &membership_;
    options.start_pump_thread = true;
    options.seed = number;
    counters_[number] = ReferenceCounter::Create(options).value();
    transport_.Connect(Process(number), counters_[number]->inbox());
  }
  ReferenceCounter& operator[](uint64_t number) { return *counters_.at(number); }
  ObjectRef Pass(uint64_t from, uint64_t object, uint64_t to) {
    return (*this)[to].Import((*this)[from].Export(Object(object), Process(to))->token).value();
  }
  DrainReport Drain(uint64_t number, uint64_t next_owner, Duration timeout) {
    DrainOptions options;
    options.timeout = timeout;
    options.next_owner = Process(next_owner);
    return (*this)[number].Drain(options);
  }

  LocalTransport transport_;
  LocalMembership membership_;
  std::map<uint64_t, std::unique_ptr<ReferenceCounter>> counters_;
};

TEST_F(TransferDrain, AProcessLeavesWhileItsObjectsAreInUse) {
  std::vector<ObjectRef> elsewhere;
  for (uint64_t object = 1; object <= 50; ++object) {
    ObjectRef own = (*this)[1].Declare(Object(object)).value();
    elsewhere.push_back(Pass(1, object, 3));
  }
  const DrainReport report = Drain(1, 2, std::chrono::seconds(30));
  ASSERT_TRUE(report.complete()) << report.left.ToString();
  EXPECT_TRUE((*this)[1].Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(5)).clean());
  counters_.erase(1);
  for (const ObjectRef& ref : elsewhere) {
    EXPECT_TRUE((*this)[3].CheckReference(ref.id()).ok());
    EXPECT_EQ(*(*this)[3].OwnerOf(ref.id()), Process(2));
    EXPECT_TRUE((*this)[2].InScope(ref.id()));
  }
}

TEST_F(TransferDrain, WhatIsPinnedIsInNobodysWay) {
  ASSERT_TRUE((*this)[1].Declare(Object(1)).ok());
  ObjectRef pinned = (*this)[1].Declare(Object(2)).value();
  ASSERT_TRUE((*this)[1].Pin(Object(2), "cache").ok());
  pinned.Reset();
  const DrainReport report = Drain(1, 2, std::chrono::seconds(30));
  ASSERT_TRUE(report.complete()) << report.left.ToString();
  EXPECT_TRUE((*this)[2].InScope(Object(2)));
  EXPECT_EQ((*this)[2].GetPins(Object(2))->size(), 1u);
  EXPECT_TRUE((*this)[2].Unpin(Object(2), "cache").ok());
  EXPECT_FALSE((*this)[2].InScope(Object(2)));
}

TEST_F(TransferDrain, WhatCannotBeGivenAwayIsNamedAtTheDeadline) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  Start(6, options);
  for (const uint64_t object : {1, 2}) {
    const ObjectRef own = (*this)[6].Declare(Object(object)).value();
    ASSERT_TRUE((*this)[6].Pin(Object(object), "cache").ok());
  }
  auto subscription =
      (*this)[6].SubscribeLocations(Object(2), [](const ObjectId&, const LocationUpdate&) {});
  ASSERT_TRUE(subscription.ok()) << subscription.status();
  const DrainReport report = Drain(6, 2, std::chrono::milliseconds(300));
  EXPECT_EQ(report.left.owned_in_scope, 1u) << "nothing of this process's holds the other one";
  EXPECT_EQ((*this)[2].GetPins(Object(1))->size(), 1u);
  // It may just be tried again, so that there are more.
  std::vector<std::string> texts;
  for (const DrainBlocker& blocker : report.blockers) {
    EXPECT_EQ(blocker.object, Object(2));
    texts.push_back(blocker.ToString());
  }
  const std::string head = "object " + Object(2).ToHex() + ": ";
  EXPECT_THAT(texts, IsSupersetOf({head + "not given to " + Address(Process(2)).ToString() +
                                       ": its locations are subscribed to",
                                   head + "pinned by cache"}));
  EXPECT_TRUE((*this)[6].Cancel(*subscription));
  EXPECT_TRUE(Drain(6, 2, std::chrono::seconds(30)).complete());
}

TEST_F(TransferDrain, WhatHasHeirsIsGivenAwayWithoutThem) {
  ObjectRef own = (*this)[1].Declare(Object(1)).value();
  const ObjectId id = Object(1);
  const ProcessId list[] = {Process(3), Process(2)};
  ASSERT_TRUE(Ownership((*this)[1]).NameHeirs({&id, 1}, list).ok());
  ObjectRef borrowed = Pass(1, 1, 3);
  own.Reset();
  EXPECT_TRUE(Drain(1, 2, std::chrono::seconds(30)).complete());
  EXPECT_EQ(*(*this)[2].OwnerOf(id), Process(2));
  EXPECT_EQ((*this)[2].GetStats().heirs, 0u);
  EXPECT_EQ((*this)[3].GetStats().heir_of, 0u);
}

TEST_F(TransferDrain, ANextOwnerThatTakesNoneEndsAtTheDeadline) {
  ReferenceCounterOptions options;
  options.takes_transfers = false;
  Start(4, options);
  ObjectRef own = (*this)[1].Declare(Object(1)).value();
  const std::pair<uint64_t, std::string> whys[] = {
      {4, ""},  // it may be asked again just now
      {1, "objects are given to another process"},
      {9, "its next owner has not answered"},  // was never heard of
  };
  for (const auto& [next_owner, why] : whys) {
    const DrainReport report = Drain(1, next_owner, std::chrono::milliseconds(100));
    EXPECT_FALSE(report.complete()) << next_owner;
    bool named = why.empty();
    for (const DrainBlocker& blocker : report.blockers) {
      named |= blocker.object == Object(1) && blocker.why == why &&
               blocker.peer == Address(Process(next_owner));
    }
    EXPECT_TRUE(named) << why;
  }
  // 9 is a member that does not answer: until it is excluded the object is on its way.
  membership_.Exclude({Process(9)});
  EXPECT_TRUE(Ownership((*this)[1]).Wait(std::chrono::seconds(30)).ok());
  EXPECT_EQ(*(*this)[1].OwnerOf(Object(1)), Process(1));
  EXPECT_TRUE((*this)[1].InScope(Object(1)));
}

// Process 5, by a clock that stands still until both its drains have looked at it.
class TwoDrains : public TransferDrain {
 protected:
  TwoDrains() {
    ReferenceCounterOptions options;
    options.clock = &clock_;
    Start(5, options);
  }
  ~TwoDrains() override { counters_.erase(5); }  // before its clock
  // To two next owners, with two timeouts.
  void Drain(const std::array<uint64_t, 2>& next_owners, const std::array<Duration, 2>& timeouts) {
    std::array<std::atomic<uint64_t>, 2> looks{};
    std::array<std::atomic<bool>, 2> over{};
    const Time begin = clock_.Now();
    std::array<std::thread, 2> threads;
    for (size_t i = 0; i < 2; ++i) {
      threads[i] = std::thread([&, i] {
        DrainOptions options;
        options.timeout = timeouts[i];
        options.next_owner = Process(next_owners[i]);
        options.interrupted = [&looks, i] {
          ++looks[i];
          return false;
        };
        reports[i] = (*this)[5].Drain(options);
        took[i] = clock_.Now() - begin;
        over[i] = true;
      });
    }
    while (!over[0] || !over[1]) {
      const std::array<uint64_t, 2> before = {looks[0], looks[1]};
      for (size_t i = 0; i < 2; ++i) {
        // Twice: the first one may have begun before.
        while (!over[i] && looks[i] < before[i] + 2) std::this_thread::yield();
      }
      clock_.Advance(std::chrono::milliseconds(1));
    }
    for (std::thread& thread : threads) thread.join();
  }

  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
  std::array<DrainReport, 2> reports;
  std::array<Duration, 2> took;
};

TEST_F(TwoDrains, EachEndsByItsOwnDeadline) {
  constexpr uint64_t kObjects = 50;
  std::vector<ObjectRef> refs;
  for (uint64_t object = 1; object <= kObjects; ++object) {
    refs.push_back((*this)[5].Declare(Object(object)).value());
  }
  const std::array<Duration, 2> timeouts = {std::chrono::milliseconds(60),
                                            std::chrono::milliseconds(150)};
  Drain({2, 3}, timeouts);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_FALSE(reports[i].complete());
    EXPECT_GE(took[i], timeouts[i]);
    EXPECT_LE(took[i], timeouts[i] + std::chrono::milliseconds(3));
  }
  EXPECT_TRUE(Ownership((*this)[5]).Wait(std::chrono::seconds(30)).ok());
  for (const ObjectRef& ref : refs) {
    const ProcessId owner = *(*this)[5].OwnerOf(ref.id());
    EXPECT_TRUE(owner == Process(2) || owner == Process(3)) << owner.ToHex();
    EXPECT_TRUE((*this)[owner == Process(2) ? 2 : 3].InScope(ref.id()));
    EXPECT_FALSE((*this)[owner == Process(2) ? 3 : 2].InScope(ref.id()));
  }
}

TEST_F(TwoDrains, WhatOneNextOwnerRefusesTheOtherGets) {
  ReferenceCounterOptions refuses;
  refuses.takes_transfers = false;
  Start(4, refuses);
  for (uint64_t object = 1; object <= 20; ++object) {
    ObjectRef own = (*this)[5].Declare(Object(object)).value();
    ASSERT_TRUE((*this)[5].Pin(Object(object), "cache").ok());
  }
  Drain({4, 2}, {std::chrono::hours(1), std::chrono::hours(1)});
  for (const DrainReport& report : reports) EXPECT_TRUE(report.complete());
  for (uint64_t object = 1; object <= 20; ++object) EXPECT_TRUE((*this)[2].InScope(Object(object)));
}

TEST_F(TransferDrain, ThreadsUseReferencesWhileTheirObjectsMove) {
  constexpr uint64_t kObjects = 200;
  std::vector<ObjectId> ids;
  std::vector<ObjectRef> refs;
  for (uint64_t object = 1; object <= kObjects; ++object) {
    ids.push_back(Object(object));
    refs.push_back((*this)[1].Declare(Object(object)).value());
  }
  std::thread user([&] {
    for (int round = 0; round < 20; ++round) {
      for (const ObjectId& id : ids) {
        ASSERT_TRUE((*this)[1].AddLocalReference(id).ok());
        auto exported = (*this)[1].Export(id, Process(3));
        ASSERT_TRUE(exported.ok()) << exported.status();
        ASSERT_TRUE((*this)[3].Import(exported->token).ok());
        ASSERT_TRUE((*this)[1].RemoveLocalReference(id).ok());
      }
    }
  });
  for (const uint64_t from : {1, 2, 1}) {
    const uint64_t to = 3 - from;
    ASSERT_TRUE(Ownership((*this)[from]).Transfer(ids, Process(to)).ok());
    EXPECT_TRUE(Ownership((*this)[from]).Wait(std::chrono::seconds(60)).ok());
  }
  user.join();
  for (const ObjectId& id : ids) EXPECT_TRUE((*this)[1].CheckReference(id).ok());
  refs.clear();
  EXPECT_TRUE(Drain(1, 2, std::chrono::seconds(30)).complete());
}

}  // namespace
}  // namespace freehold
