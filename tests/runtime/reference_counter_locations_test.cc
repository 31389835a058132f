// ReferenceCounter: the location table and who listens to it.

#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// --- Locations -----------------------------------------------------------------------------------

TEST(Locations, AreListedInAStableOrder) {
  CounterWorld world(5);
  ObjectRef ref = *world.counter->Declare(Object(1));
  for (const uint64_t node : {4, 1, 5, 2, 3}) {
    ASSERT_TRUE(world.counter->AddLocation(Object(1), InMemory(node)).ok());
  }
  const auto locations = world.counter->GetLocations(Object(1))->locations;
  ASSERT_EQ(locations.size(), 5u);
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(locations[i].node, Node(i + 1));
}

// Of every kind, plain ones in runs of several lengths; node 0 is nil.
std::vector<Location> ManyLocations() {
  std::vector<Location> locations;
  for (uint64_t i = 0; i < 150; ++i) {
    Location location = InMemory(i < 100 ? i % 40 + 1 : i + 100);
    if (i % 17 == 5) location.node = NodeId();
    if (i % 19 == 7) location.role = CopyRole::kPrimary;
    if (i % 23 == 11) {
      location.spilled = true;
      location.spilled_url = "file:///" + std::to_string(i);
    }
    if (i % 29 == 13) {
      location.in_memory = false;
      location.prospective = true;
    }
    locations.push_back(location);
  }
  return locations;
}

TEST(Locations, SeveralAtOnceAreTheSameAsOneByOne) {
  const std::vector<Location> many = ManyLocations();
  for (const size_t from : {0, 12, 50, 100, 148}) {
    for (const size_t count : {0, 1, 2, 17, 50, 150}) {
      for (const uint32_t generation : {0, 1}) {
        CounterWorld world(5);
        const auto span = absl::MakeConstSpan(many).subspan(from, count);
        const ObjectRef one = world.Put(1, {1, 2});
        const ObjectRef other = world.Put(2, {1, 2});
        const BatchResult added = world.counter->AddLocations(Object(1), span, generation, 77);
        size_t failed = 0;
        for (size_t i = 0; i < span.size(); ++i) {
          const absl::Status status =
              world.counter->AddLocation(Object(2), span[i], generation, 77);
          if (status.ok()) continue;
          ASSERT_LT(failed, added.failures.size());
          EXPECT_EQ(added.failures[failed].index, i);
          EXPECT_EQ(added.failures[failed++].status.code(), status.code());
        }
        EXPECT_EQ(failed, added.failures.size());
        const ObjectLocations a = *world.counter->GetLocations(Object(1));
        const ObjectLocations b = *world.counter->GetLocations(Object(2));
        EXPECT_EQ(a.locations, b.locations);
        EXPECT_EQ(a.size, b.size);
      }
    }
  }
}

TEST(Locations, SeveralAtOnceOfAnObjectThatIsGoneAreFreed) {
  CounterWorld world(5);
  const std::vector<Location> locations = {InMemory(1), InMemory(2)};
  const BatchResult added = world.counter->AddLocations(Object(9), locations);
  ASSERT_EQ(added.failures.size(), 2u);
  EXPECT_EQ(added.failures[0].status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->GetStats().late_reports_answered, 2u);
}

TEST(Locations, ReportedByAgentsReachTheOwner) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  world.AddCopy(1, 2, true, 0, 123);
  world.Settle();
  const ObjectLocations known = *world.counter->GetLocations(Object(1));
  EXPECT_EQ(known.state, ObjectState::kAvailable);
  EXPECT_EQ(known.size, 123u);
  EXPECT_THAT(known.locations, ElementsAre(InMemory(2, CopyRole::kPrimary)));
}

TEST(Locations, SpillRestoreAndEvictionAreChanges) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1, 2});
  ASSERT_TRUE(world.agents[1]->MarkSpilled(Object(1), 0, "file:///spill/1", false).ok());
  world.Settle();
  Location first = world.counter->GetLocations(Object(1))->locations[0];
  EXPECT_TRUE(first.spilled);
  EXPECT_FALSE(first.in_memory);
  EXPECT_EQ(first.spilled_url, "file:///spill/1");
  ASSERT_TRUE(world.agents[1]->MarkRestored(Object(1), 0).ok());
  world.Settle();
  first = world.counter->GetLocations(Object(1))->locations[0];
  EXPECT_TRUE(first.spilled) << "the file stays until the copy goes";
  EXPECT_TRUE(first.in_memory);
  ASSERT_TRUE(world.agents[2]->DropCopy(Object(1)).ok());
  world.Settle();
  EXPECT_EQ(world.counter->GetLocations(Object(1))->locations.size(), 1u);
}

TEST(Locations, SecondPrimaryIsRecordedAsSecondary) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(world.counter->AddLocation(Object(1), InMemory(2, CopyRole::kPrimary)).ok());
  EXPECT_THAT(world.counter->GetLocations(Object(1))->locations,
              ElementsAre(InMemory(1, CopyRole::kPrimary), InMemory(2)));
}

TEST(Locations, NonsenseIsRefusedByName) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  Location location;
  EXPECT_THAT(world.counter->AddLocation(Object(1), location).message(), HasSubstr("node"));
  location.node = Node(1);
  EXPECT_EQ(world.counter->AddLocation(Object(1), location).code(),
            absl::StatusCode::kInvalidArgument);
  location.spilled = true;
  EXPECT_THAT(world.counter->AddLocation(Object(1), location).message(), HasSubstr("spilled_url"));
  location.spilled_url = std::string(kSpilledUrlBytesMax + 1, 'x');
  EXPECT_THAT(world.counter->AddLocation(Object(1), location).message(), HasSubstr("longer"));
  EXPECT_EQ(world.counter->AddLocation(Object(1), InMemory(1), 7).code(),
            absl::StatusCode::kInvalidArgument)
      << "a generation that the owner has not begun";
  EXPECT_EQ(world.counter->RemoveLocation(Object(9), Node(1)).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(world.counter->RemoveLocation(Object(1), Node(77)).ok()) << "nothing is there";
}

TEST(Locations, BytesPerNodeRanksNodesForASetOfIds) {
  CounterWorld world;
  ObjectRef a = world.Put(1, {1, 2}, 100);
  ObjectRef b = world.Put(2, {2}, 50);
  ObjectRef c = world.Put(3, {3}, 1000);
  const auto bytes = world.counter->BytesPerNode({Object(1), Object(2), Object(99)});
  ASSERT_EQ(bytes.size(), 2u);
  EXPECT_EQ(bytes[0].node, Node(2));
  EXPECT_EQ(bytes[0].bytes, 150u);
  EXPECT_EQ(bytes[1].node, Node(1));
  EXPECT_EQ(bytes[1].bytes, 100u);
}

TEST(Subscriptions, HearASnapshotThenChangesThenGone) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  std::vector<LocationUpdate> heard;
  ASSERT_TRUE(*world.counter->SubscribeLocations(
      Object(1), [&](const ObjectId&, const LocationUpdate& update) { heard.push_back(update); }));
  ASSERT_TRUE(world.counter->AddLocation(Object(1), InMemory(2)).ok());
  ASSERT_TRUE(world.counter->RemoveLocation(Object(1), Node(2)).ok());
  EXPECT_TRUE(world.counter->Free({Object(1)}).ok());
  ref.Reset();
  world.Settle();
  world.RunCallbacks();
  ASSERT_EQ(heard.size(), 5u);
  EXPECT_EQ(heard[0].kind, LocationUpdate::Kind::kSnapshot);
  EXPECT_THAT(heard[0].snapshot.locations, ElementsAre(InMemory(1, CopyRole::kPrimary)));
  EXPECT_EQ(heard[1].kind, LocationUpdate::Kind::kChanged);
  EXPECT_EQ(heard[1].location, InMemory(2));
  EXPECT_EQ(heard[2].kind, LocationUpdate::Kind::kRemoved);
  EXPECT_EQ(heard[2].location.node, Node(2));
  EXPECT_EQ(heard[3].kind, LocationUpdate::Kind::kState);
  EXPECT_EQ(heard[3].snapshot.state, ObjectState::kFreed);
  EXPECT_EQ(heard[4].kind, LocationUpdate::Kind::kGone);
}

TEST(Subscriptions, WhatIsQueuedWhenOneIsCancelledIsNotTold) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  int heard = 0;
  auto subscription = *world.counter->SubscribeLocations(
      Object(1), [&](const ObjectId&, const LocationUpdate&) { ++heard; });
  EXPECT_TRUE(world.counter->Cancel(subscription));
  world.RunCallbacks();
  EXPECT_EQ(heard, 0);
}

TEST(Subscriptions, EndWhenCancelled) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  int heard = 0;
  auto subscription = *world.counter->SubscribeLocations(
      Object(1), [&](const ObjectId&, const LocationUpdate&) { ++heard; });
  world.RunCallbacks();
  EXPECT_TRUE(world.counter->Cancel(subscription));
  EXPECT_FALSE(world.counter->Cancel(subscription));
  ASSERT_TRUE(world.counter->AddLocation(Object(1), InMemory(2)).ok());
  world.RunCallbacks();
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace freehold
