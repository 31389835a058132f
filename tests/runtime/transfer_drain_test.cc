// Leaving: a process gives what it owns to another one while it drains.

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "tests/runtime/transfer_world.h"

namespace freehold {
namespace {

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
  ObjectRef inner = (*this)[1].Declare(Object(1)).value();
  ObjectRef outer = (*this)[1].Declare(Object(2)).value();
  const ObjectId id = Object(1);
  ASSERT_TRUE((*this)[1].AddNested(Object(2), {&id, 1}).ok());
  inner.Reset();
  const DrainReport report = Drain(1, 2, std::chrono::milliseconds(300));
  EXPECT_FALSE(report.complete());
  ASSERT_FALSE(report.blockers.empty());
  bool named = false;
  for (const DrainBlocker& blocker : report.blockers) named |= blocker.object == Object(2);
  EXPECT_TRUE(named);
  outer.Reset();
  EXPECT_TRUE(Drain(1, 2, std::chrono::seconds(30)).complete());
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
  for (const uint64_t next_owner : {4, 1, 9}) {  // refuses, is itself, was never heard of
    const DrainReport report = Drain(1, next_owner, std::chrono::milliseconds(100));
    EXPECT_FALSE(report.complete()) << next_owner;
  }
  // 9 is a member that does not answer: until it is excluded the object is on its way.
  membership_.Exclude({Process(9)});
  EXPECT_TRUE(Ownership((*this)[1]).Wait(std::chrono::seconds(30)).ok());
  EXPECT_EQ(*(*this)[1].OwnerOf(Object(1)), Process(1));
  EXPECT_TRUE((*this)[1].InScope(Object(1)));
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
