// Owner at creation: declared here, owned there, while nobody dies.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/generator.h"
#include "freehold/testing/faulty_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/codec.h"
#include "tests/runtime/creation_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(OwnerAtCreation, TheOwnerHasTheObjectAndListsTheDeclarer) {
  CreationWorld world;
  ObjectRef ref = world.DeclareFor(7);
  EXPECT_EQ(ref.id(), Object(7));
  EXPECT_EQ(world[2].GetStats().declarations_pending, 1u);
  world.SettleAll();
  EXPECT_THAT(world.answers, ElementsAre("ok"));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  EXPECT_EQ(*world[2].OwnerOf(Object(7)), Process(1));
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Counts(1, 7).total(), 1u);
  EXPECT_EQ(world[1].GetLocations(Object(7))->size, 5u);
  EXPECT_EQ(world[2].GetStats().declarations_pending, 0u);
  ref.Reset();
  world.SettleAll();
  world.ExpectClean();
}

TEST(OwnerAtCreation, TheDeclarerExitsAndTheReaderReads) {
  CreationWorld world;
  ObjectRef ref = world.DeclareFor(7);
  world.SettleAll();
  world.Report(7);
  ObjectRef at3 = world.Pass(2, 7, 3);
  ref.Reset();
  world.SettleAll();
  EXPECT_TRUE(world[2].CanExit().can_exit()) << world[2].CanExit().ToString();
  world.Crash(2);
  world.Exclude(2);
  world.SettleAll();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_EQ(world[1].GetLocations(Object(7))->locations.size(), 1u);
  EXPECT_THAT(world.store.deleted, IsEmpty());
  at3.Reset();
  world.SettleAll();
  EXPECT_EQ(world.store.deleted.size(), 1u);
  world.ExpectClean();
}

// The caller of a generator owns what a worker yields, which may go at any time.
TEST(OwnerAtCreation, WhatAWorkerYieldsIsItsCallers) {
  const ObjectId stream = Object(100);
  std::unique_ptr<Generators> generators;
  std::vector<absl::Status> yielded;
  ReferenceCounterOptions options;
  options.on_declared = [&](const ObjectRef& ref, const ProcessId&) {
    yielded.push_back(generators->YieldDeclared(stream, ref));
  };
  CreationWorld world(options);
  ObjectRef generator = world.Declare(1, 100);
  generators = std::make_unique<Generators>(world[1]);
  ASSERT_TRUE(generators->Open(stream).ok());
  std::vector<ObjectRef> made;
  for (const uint64_t object : {7, 8, 9}) {
    made.push_back(world.DeclareFor(object));
    world.SettleAll();
    world.Report(object);
  }
  made.clear();
  world.SettleAll();
  EXPECT_THAT(yielded, ElementsAre(absl::OkStatus(), absl::OkStatus(), absl::OkStatus()));
  EXPECT_EQ(world.Counts(1, 7).nested_in, 1u);
  world.Crash(2);
  world.Exclude(2);
  world.SettleAll();
  const ObjectRef first = *generators->Take(stream);
  EXPECT_EQ(first.id(), Object(7));
  EXPECT_EQ(world[1].GetLocations(Object(7))->locations.size(), 1u);
  generator.Reset();  // dropped in the middle
  world.SettleAll();
  std::vector<ObjectId> deleted;
  for (const CopyToDelete& copy : world.store.deleted) deleted.push_back(copy.object);
  EXPECT_THAT(deleted, ::testing::UnorderedElementsAre(Object(8), Object(9)));
  EXPECT_TRUE(absl::IsNotFound(generators->YieldDeclared(stream, first)));
  EXPECT_TRUE(absl::IsInvalidArgument(generators->YieldDeclared(stream, ObjectRef())));
}

TEST(OwnerAtCreation, NobodyElseHearsOfItBeforeTheOwnerHasAcknowledged) {
  CreationWorld world;
  const ObjectRef outer = world.Declare(2, 8);
  const ObjectRef ref = world.DeclareFor(7);
  const std::string early = "FAILED_PRECONDITION, not acknowledged";
  LocationQuery query;
  query.object = Object(7);
  const auto ignore = [](const ObjectId&, auto) {};
  for (const bool sent : {false, true}) {
    EXPECT_EQ(NameOf(world[2].Export(Object(7), Process(3)).status()), early) << sent;
    EXPECT_EQ(world.CopyOf(7), early) << sent;
    EXPECT_EQ(NameOf(world[2].AddNested(Object(8), {Object(7)})), early) << sent;
    EXPECT_EQ(NameOf(world[2].QueryLocations(query, ignore).status()), early) << sent;
    EXPECT_EQ(NameOf(world[2].Watch(Moment::kOutOfScope, Object(7), {}, ignore).status()), early);
    EXPECT_EQ(NameOf(world[2].CheckReference(Object(7))), early) << sent;
    world.Settle({2});
  }
  world.SettleAll();
  EXPECT_TRUE(world[2].Export(Object(7), Process(3)).ok());
  EXPECT_EQ(world.CopyOf(7), "ok");
  EXPECT_TRUE(world[2].AddNested(Object(8), {Object(7)}).ok());
  EXPECT_TRUE(world[2].QueryLocations(query, ignore).ok());
  EXPECT_TRUE(world[2].Watch(Moment::kOutOfScope, Object(7), {}, ignore).ok());
}

// Why CopyOf refuses.
TEST(OwnerAtCreation, ACopyThatIsReportedBeforeItsOwnerKnowsTheObjectIsDeleted) {
  CreationWorld world;
  const ObjectRef ref = world.DeclareFor(7);
  ASSERT_TRUE(world.agent->AddCopy({Object(7), 0, Process(1), CopyRole::kPrimary, 5}).ok());
  world.agent->Pump(world.clock.Now());  // the report is there before the declaration
  world.SettleAll();
  EXPECT_EQ(world.store.deleted.size(), 1u);
  EXPECT_EQ(world[1].GetStats().late_reports_answered, 1u);
}

TEST(OwnerAtCreation, OfOnesOwnObjectsACopyIsDescribedToo) {
  CreationWorld world;
  const ObjectRef own = world.Declare(2, 7);
  const auto copy = world[2].CopyOf(Object(7), CopyRole::kSecondary, 9, 3);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->owner, Process(2));
  EXPECT_EQ(copy->generation, 3u);
  EXPECT_EQ(copy->size, 9u);
  EXPECT_EQ(world.CopyOf(8), "NOT_FOUND, gone");
}

// --- What a declaration is answered --------------------------------------------------------------

TEST(OwnerAtCreation, AnIdThatTheOwnerKnowsIsAnsweredByName) {
  CreationWorld world;
  const ObjectRef first = world.DeclareFor(7);
  world.SettleAll();
  ObjectRef second = world.DeclareFor(7, 1, 3);
  std::vector<EndReason> failed;
  ASSERT_TRUE(*world[3].OnFailed(
      Object(7), [&](const ObjectId&, EndReason reason) { failed.push_back(reason); }));
  world.SettleAll();
  EXPECT_THAT(world.answers, ElementsAre("ok", "ALREADY_EXISTS"));
  EXPECT_THAT(failed, ElementsAre(EndReason::kNotDeclared));
  EXPECT_EQ(NameOf(world[3].CheckReference(Object(7))), "ALREADY_EXISTS");
  EXPECT_EQ(NameOf(world[3].WaitForOwner(Object(7), std::chrono::seconds(1))), "ALREADY_EXISTS");
  EXPECT_EQ(NameOf(world[3].Export(Object(7), Process(2)).status()),
            "FAILED_PRECONDITION, not declared");
  second.Reset();
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(NameOf(world[2].DeclareFor(Process(1), Object(7)).status()), "ALREADY_EXISTS");
}

TEST(OwnerAtCreation, AnOwnerMayTakeNoneAndSaysSo) {
  ReferenceCounterOptions options;
  options.takes_declarations = false;
  CreationWorld world(options);
  const ObjectRef ref = world.DeclareFor(7);
  world.SettleAll();
  EXPECT_THAT(world.answers, ElementsAre("FAILED_PRECONDITION, refused"));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kRefused);
  EXPECT_EQ(world[1].GetStats().objects, 0u);
}

TEST(OwnerAtCreation, AnOwnerThatDrainsTakesNoneAndADeclarerThatDrainsMayDeclare) {
  CreationWorld world;
  DrainOptions at_once;
  at_once.timeout = Duration::zero();
  (void)world[1].Drain(at_once);
  const ObjectRef ref = world.DeclareFor(7);
  world.SettleAll();
  EXPECT_THAT(world.answers, ElementsAre("FAILED_PRECONDITION, draining"));
  (void)world[2].Drain(at_once);
  ObjectRef for3 = world.DeclareFor(8, 3);
  EXPECT_EQ(world[2].CanExit().borrowed, 1u) << "the one that failed is in nobody's way";
  world.SettleAll();
  EXPECT_EQ(world.answers.back(), "ok");
  for3.Reset();
  world.SettleAll();
  EXPECT_TRUE(world[2].CanExit().can_exit()) << world[2].CanExit().ToString();
}

TEST(OwnerAtCreation, WhatMakesNoSenseIsRefusedAtOnce) {
  CreationWorld world;
  const auto why = [&](const ProcessId& owner, const ObjectId& object) {
    return NameOf(world[2].DeclareFor(owner, object).status());
  };
  EXPECT_EQ(why(Process(2), Object(7)), "INVALID_ARGUMENT");
  EXPECT_EQ(why(ProcessId(), Object(7)), "INVALID_ARGUMENT");
  EXPECT_EQ(why(Process(1), ObjectId()), "INVALID_ARGUMENT");
  ReferenceCounterOptions alone;
  alone.process = Process(9);
  auto counter = ReferenceCounter::Create(alone).value();
  EXPECT_EQ(NameOf(counter->DeclareFor(Process(1), Object(7)).status()), "FAILED_PRECONDITION");
  alone.on_declared = [](const ObjectRef&, const ProcessId&) {};
  EXPECT_EQ(NameOf(ReferenceCounter::Create(alone).status()), "INVALID_ARGUMENT");
  EXPECT_EQ(NameOf(world[2].WaitForOwner(Object(7), Duration::zero())), "NOT_FOUND, gone");
}

TEST(OwnerAtCreation, WhatIsDroppedBeforeTheAnswerIsToldSoOnceAndReclaimed) {
  for (const bool sent : {false, true}) {
    CreationWorld world;
    ObjectRef ref = world.DeclareFor(7);
    if (sent) world.Settle({2});
    ref.Reset();
    world.SettleAll();
    EXPECT_THAT(world.answers, ElementsAre("CANCELLED, gone")) << sent;
    EXPECT_EQ(world[1].GetStats().declared, sent ? 1u : 0u);
    world.ExpectClean();
  }
}

TEST(OwnerAtCreation, WaitingEndsWithTheTimeoutAndTheDeclarationGoesOn) {
  CreationWorld world;
  const ObjectRef ref = world.DeclareFor(7);
  world.transport.unreachable[Process(1)] = true;
  EXPECT_EQ(NameOf(world[2].WaitForOwner(Object(7), Duration::zero())),
            "DEADLINE_EXCEEDED, not acknowledged");
  world.transport.unreachable.clear();
  world.SettleFor(std::chrono::seconds(2));
  EXPECT_EQ(NameOf(world[2].WaitForOwner(Object(7), Duration::zero())), "ok");
}

TEST(OwnerAtCreation, AShutdownDropsTheCallbackAndCountsIt) {
  CreationWorld world;
  const ObjectRef ref = world.DeclareFor(7);
  EXPECT_EQ(world[2].Shutdown(ShutdownMode::kImmediate, Duration::zero()).callbacks_dropped, 1u);
  world.executor->RunAll();
  EXPECT_THAT(world.answers, IsEmpty());
}

// --- What crosses on the way ---------------------------------------------------------------------

TEST(OwnerAtCreation, ATokenFromTheOwnerMayOvertakeItsAnswer) {
  std::vector<ObjectRef> kept;
  ReferenceCounterOptions options;
  options.on_declared = [&](ObjectRef ref, const ProcessId&) { kept.push_back(std::move(ref)); };
  CreationWorld world(options);
  ObjectRef ref = world.DeclareFor(7);
  world.transport.unreachable[Process(2)] = true;  // the answer is late
  world.Settle({2});
  world.Settle({1});
  world.executor->RunAll();
  ASSERT_EQ(kept.size(), 1u);
  ObjectRef again = world.Import(2, world.Export(1, 7, 2).token);
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNotAcknowledged);
  world.transport.unreachable.clear();
  world.SettleFor(std::chrono::seconds(2));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  EXPECT_EQ(world.Counts(1, 7).handoffs, 0u);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  ref.Reset();
  again.Reset();
  kept.clear();
  world.SettleAll();
  world.ExpectClean();
}

TEST(OwnerAtCreation, AReferenceToTheObjectThatHadTheIdBeforeStaysGood) {
  CreationWorld world;
  ObjectRef own = world.Declare(1, 7);
  ObjectRef ref = world.DeclareFor(7);
  world.Settle({2});
  ObjectRef imported = world.Import(2, world.Export(1, 7, 2).token);
  world.SettleAll();
  EXPECT_THAT(world.answers, ElementsAre("ALREADY_EXISTS"));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  own.Reset();
  imported.Reset();
  ref.Reset();
  world.SettleAll();
  world.ExpectClean();
}

// An envelope from `from` that carries one item, the first of its session.
void Deliver(CreationWorld* world, const Address& from, uint64_t to,
             const core::SharingItem& item) {
  core::PayloadWriter writer(4096);
  ASSERT_TRUE(writer.Add(item));
  core::Frame frame;
  frame.sequence = 1;
  const Address address(Process(to));
  (*world)[to].inbox()->Deliver(
      {from, address, core::EncodeFrame(frame, from, address, writer.Take())});
  world->Settle();
}

TEST(OwnerAtCreation, OnlyProcessesDeclareAndOnlyTheOwnerAnswers) {
  CreationWorld world;
  const ObjectRef ref = world.DeclareFor(7);
  world.transport.unreachable[Process(1)] = true;
  world.Settle({2});
  const auto refused = [&](uint64_t at) { return world[at].GetStats().sessions.refused_items; };
  Deliver(&world, Node(9), 1, {Object(8), 1, core::kFirstTerm, core::SharingKind::kDeclare, 0, 5});
  EXPECT_EQ(refused(1), 1u);
  EXPECT_EQ(world[1].GetStats().objects, 0u);
  Deliver(&world, Process(9), 2,
          {Object(7), 1, core::kFirstTerm, core::SharingKind::kDeclareAck, 0, 0});
  EXPECT_EQ(refused(2), 1u);
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNotAcknowledged);
}

TEST(OwnerAtCreation, LossDuplicatesAndReorderingChangeNothing) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    testing::ManualClock clock{Time(std::chrono::seconds(1))};
    testing::FaultyTransportOptions faults;
    faults.clock = &clock;
    faults.seed = seed;
    faults.loss = faults.duplication = faults.reordering = 0.2;
    faults.corruption = 0.02;
    faults.delay_max = std::chrono::milliseconds(20);
    testing::FaultyTransport transport(faults);
    std::vector<std::unique_ptr<ReferenceCounter>> counters;
    for (uint64_t number = 1; number <= 2; ++number) {
      ReferenceCounterOptions options;
      options.process = Process(number);
      options.transport = &transport;
      options.clock = &clock;
      options.seed = seed;
      counters.push_back(ReferenceCounter::Create(options).value());
      transport.Connect(Process(number), counters.back()->inbox());
    }
    const auto run = [&](Duration time) {
      for (const Time end = clock.Now() + time; clock.Now() < end;) {
        clock.Advance(std::chrono::milliseconds(5));
        (void)transport.DeliverDue(clock.Now());
        for (const auto& counter : counters) counter->Pump(clock.Now());
      }
    };
    std::vector<ObjectRef> refs;
    for (uint64_t object = 1; object <= 100; ++object) {
      refs.push_back(counters[1]->DeclareFor(Process(1), Object(object)).value());
      if (object % 10 == 0) refs[refs.size() / 2].Reset();
      run(std::chrono::milliseconds(5));
    }
    run(std::chrono::minutes(1));
    EXPECT_EQ(counters[1]->GetStats().declarations_pending, 0u);
    EXPECT_EQ(counters[0]->CountObjects().pending, counters[1]->CountObjects().borrowed);
    EXPECT_GE(counters[1]->CountObjects().borrowed, 90u);
    refs.clear();
    run(std::chrono::minutes(1));
    EXPECT_EQ(counters[0]->GetStats().objects, 0u);
    EXPECT_EQ(counters[1]->GetStats().objects, 0u);
  }
}

TEST(OwnerAtCreation, WaitingNeedsNoOtherThreadAtTheDeclarerAndEndsWithTheAnswer) {
  LocalTransport transport;
  std::vector<std::unique_ptr<ReferenceCounter>> counters;
  for (uint64_t number = 1; number <= 2; ++number) {
    ReferenceCounterOptions options;
    options.process = Process(number);
    options.transport = &transport;
    options.start_pump_thread = number == 1;
    counters.push_back(ReferenceCounter::Create(options).value());
    transport.Connect(Process(number), counters.back()->inbox());
  }
  for (uint64_t object = 1; object <= 20; ++object) {
    const ObjectRef ref = counters[1]->DeclareFor(Process(1), Object(object)).value();
    EXPECT_EQ(NameOf(counters[1]->WaitForOwner(Object(object), std::chrono::minutes(1))), "ok");
    EXPECT_TRUE(counters[0]->InScope(Object(object)));
  }
}

}  // namespace
}  // namespace freehold
