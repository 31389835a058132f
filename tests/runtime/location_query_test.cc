// Where is it? Asked from other processes and from node agents.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/item.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;

// Two processes, and node agents that report to the first.
class LocationQueryTest : public ::testing::Test {
 protected:
  LocationQueryTest() : world_(2) {
    for (uint64_t number = 11; number <= 12; ++number) {
      NodeAgentOptions options;
      options.node = Node(number);
      options.store = &stores_[number];
      options.transport = &world_.transport;
      options.membership = &world_.membership;
      options.executor = world_.executor;
      options.clock = &world_.clock;
      options.seed = number;
      agents_[number] = *NodeAgent::Create(options);
      world_.transport.local.Connect(Node(number), agents_[number]->inbox());
    }
  }
  void Settle() {
    for (int round = 0; round < 4; ++round) {
      world_.Settle();
      for (auto& [number, agent] : agents_) agent->Pump(world_.clock.Now());
    }
    world_.executor->RunAll();
  }
  LocationCallback Hear() {
    return [this](const ObjectId&, const LocationUpdate& update) { heard_.push_back(update); };
  }
  LocationQuery About(uint64_t object, bool subscribe = false) {
    LocationQuery query;
    query.object = Object(object);
    query.owner = Process(1);
    query.subscribe = subscribe;
    return query;
  }
  // "available 11p 12" and the like, one for each update.
  std::vector<std::string> Heard() {
    std::vector<std::string> words;
    for (const LocationUpdate& update : std::exchange(heard_, {})) {
      std::string word = ObjectStateName(update.snapshot.state);
      if (update.kind == LocationUpdate::Kind::kOwnerDied) word = "owner died";
      for (const Location& at : update.snapshot.locations) {
        word += " " + std::to_string(at.node == Node(11) ? 11 : at.node == Node(12) ? 12 : 13);
        if (at.prospective) word += "?";
        if (at.spilled) word += "s";
        if (at.in_memory && at.role == CopyRole::kPrimary) word += "p";
      }
      words.push_back(std::move(word));
    }
    return words;
  }
  void AddCopy(uint64_t node, uint64_t object, CopyRole role = CopyRole::kSecondary) {
    EXPECT_TRUE(agents_[node]->AddCopy({Object(object), 0, Process(1), role, 10}).ok());
    Settle();
  }

  SharingWorld world_;
  std::map<uint64_t, ListStore> stores_;
  std::map<uint64_t, std::unique_ptr<NodeAgent>> agents_;
  std::vector<LocationUpdate> heard_;
};

TEST_F(LocationQueryTest, OneAnswerSaysWhereTheValueIsNow) {
  const ObjectRef own = world_.Declare(1, 7);
  ASSERT_TRUE(world_[2].QueryLocations(About(7), Hear()).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("pending"));
  AddCopy(11, 7, CopyRole::kPrimary);
  AddCopy(12, 7);
  ASSERT_TRUE(agents_[12]->MarkSpilled(Object(7), 0, "file:7", false).ok());
  Settle();
  ASSERT_TRUE(world_[2].QueryLocations(About(7), Hear()).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("available 11p 12s"));
  EXPECT_EQ(world_[2].GetStats().location_queries, 0u);
  EXPECT_EQ(world_[1].GetStats().location_watches, 0u);
}

TEST_F(LocationQueryTest, WhatIsFreedLostOrGoneIsSaidByName) {
  ObjectRef own = world_.Declare(1, 7);
  AddCopy(11, 7, CopyRole::kPrimary);
  ASSERT_TRUE(world_[1].Free({Object(7)}).ok());
  ASSERT_TRUE(world_[2].QueryLocations(About(7), Hear()).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("freed"));
  ObjectRef other = world_.Declare(1, 8);
  AddCopy(11, 8);
  ASSERT_TRUE(agents_[11]->DropCopy(Object(8)).ok());
  Settle();
  ASSERT_TRUE(world_[2].QueryLocations(About(8), Hear()).ok());
  ASSERT_TRUE(world_[2].QueryLocations(About(9), Hear()).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("out of scope", "lost"));
}

TEST_F(LocationQueryTest, ASubscriptionHearsTheLatestStateAtEachChangeAndTheEnd) {
  ObjectRef own = world_.Declare(1, 7);
  ASSERT_TRUE(world_[2].QueryLocations(About(7, true), Hear()).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("pending"));
  EXPECT_EQ(world_[1].GetStats().location_watches, 1u);
  AddCopy(11, 7, CopyRole::kPrimary);
  EXPECT_THAT(Heard(), ElementsAre("available 11p"));
  // Several changes before the next envelope are one answer.
  ASSERT_TRUE(world_[1].AddLocation(Object(7), InMemory(12)).ok());
  ASSERT_TRUE(world_[1].AddLocation(Object(7), InMemory(13)).ok());
  ASSERT_TRUE(world_[1].RemoveLocation(Object(7), Node(12)).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("available 11p 13"));
  own.Reset();
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("out of scope"));
  EXPECT_EQ(world_[2].GetStats().location_queries, 0u);
  EXPECT_EQ(world_[1].GetStats().location_watches, 0u);
}

TEST_F(LocationQueryTest, ACancelledSubscriptionHearsNothingMoreAndItsOwnerForgetsIt) {
  ObjectRef own = world_.Declare(1, 7);
  const auto number = world_[2].QueryLocations(About(7, true), Hear());
  ASSERT_TRUE(number.ok());
  Settle();
  EXPECT_TRUE(world_[2].CancelQuery(*number));
  EXPECT_FALSE(world_[2].CancelQuery(*number));
  AddCopy(11, 7);
  EXPECT_THAT(Heard(), ElementsAre("pending"));
  EXPECT_EQ(world_[1].GetStats().location_watches, 0u);
  // Cancelled before it left: nobody hears of it.
  const auto early = world_[2].QueryLocations(About(7, true), Hear());
  EXPECT_TRUE(world_[2].CancelQuery(*early));
  Settle();
  EXPECT_TRUE(Heard().empty());
  EXPECT_EQ(world_[1].GetStats().location_watches, 0u);
}

TEST(LocationWatchesTest, ASubscriptionBeyondTheLimitIsAnsweredOnceAndToldSo) {
  ReferenceCounterOptions options;
  options.location_watches_per_peer_max = 4;  // two for each of two shards
  SharingWorld world(3, options);
  std::vector<ObjectRef> own;
  std::map<ObjectId, std::vector<LocationUpdate::Kind>> heard;
  const auto subscribe = [&](uint64_t process, uint64_t object) {
    LocationQuery query;
    query.object = Object(object);
    query.owner = Process(1);
    query.subscribe = true;
    return *world[process].QueryLocations(
        query, [&heard](const ObjectId& id, const LocationUpdate& update) {
          heard[id].push_back(update.kind);
        });
  };
  std::map<uint64_t, uint64_t> numbers;
  for (uint64_t object = 1; object <= 20; ++object) own.push_back(world.Declare(1, object));
  for (uint64_t object = 1; object <= 20; ++object) numbers[object] = subscribe(2, object);
  world.Settle();
  world.executor->RunAll();
  using Kind = LocationUpdate::Kind;
  std::vector<uint64_t> watched;
  for (uint64_t object = 1; object <= 20; ++object) {
    const bool is_watched = heard[Object(object)].size() == 1;
    if (is_watched) watched.push_back(object);
    EXPECT_THAT(heard[Object(object)], is_watched
                                           ? std::vector<Kind>{Kind::kSnapshot}
                                           : std::vector<Kind>({Kind::kSnapshot, Kind::kRefused}));
  }
  ASSERT_EQ(watched.size(), 4u);
  EXPECT_EQ(world[1].GetStats().location_watches, 4u);
  EXPECT_EQ(world[1].GetStats().watches_refused, 16u);
  EXPECT_EQ(world[2].GetStats().location_queries, 4u);

  // Others have a limit of their own, and there is room again for one that has ended.
  heard.clear();
  (void)subscribe(3, watched[0]);
  EXPECT_TRUE(world[2].CancelQuery(numbers[watched[0]]));
  world.Settle();
  (void)subscribe(2, watched[0]);
  world.Settle();
  world.executor->RunAll();
  EXPECT_THAT(heard[Object(watched[0])], ElementsAre(Kind::kSnapshot, Kind::kSnapshot));
  EXPECT_EQ(world[1].GetStats().location_watches, 5u);
}

TEST_F(LocationQueryTest, TheNodeThatWillFetchIsKnownBeforeItIsAnswered) {
  ObjectRef own = world_.Declare(1, 7);
  AddCopy(11, 7, CopyRole::kPrimary);
  LocationQuery query = About(7);
  query.fetch_to = Node(12);
  ASSERT_TRUE(agents_[12]->QueryLocations(query, Hear()).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("available 11p 12?"));
  // It begins to fetch; the object goes meanwhile; the owner's free finds it nevertheless.
  ASSERT_TRUE(agents_[12]->BeginFetch({Object(7), 0, Process(1), CopyRole::kSecondary, 10}).ok());
  own.Reset();
  Settle();
  EXPECT_EQ(world_[1].GetStats().objects, 1u);  // doomed at node 12
  EXPECT_EQ(agents_[12]->AddCopy({Object(7), 0, Process(1), CopyRole::kSecondary, 10}).code(),
            absl::StatusCode::kAborted);
  Settle();
  EXPECT_EQ(world_[1].GetStats().objects, 0u);
  EXPECT_EQ(stores_[12].deleted.size(), 1u);
}

TEST_F(LocationQueryTest, AnAnswerThatIsCutKeepsWhatIsUsefulAndSaysSo) {
  const ObjectRef own = world_.Declare(1, 7);
  for (uint64_t node = 100; node < 200; ++node) {
    Location asked;
    asked.node = Node(node);
    asked.prospective = true;
    ASSERT_TRUE(world_[1].AddLocation(Object(7), asked).ok());
  }
  ASSERT_TRUE(world_[1].AddLocation(Object(7), InMemory(900)).ok());
  ASSERT_TRUE(world_[2].QueryLocations(About(7), Hear()).ok());
  Settle();
  ASSERT_EQ(heard_.size(), 1u);
  EXPECT_TRUE(heard_[0].truncated);
  EXPECT_EQ(heard_[0].snapshot.locations.size(), core::kAnswerLocationsMax);
  const std::vector<Location>& named = heard_[0].snapshot.locations;
  EXPECT_TRUE(
      std::any_of(named.begin(), named.end(), [](const Location& at) { return at.in_memory; }));
}

TEST_F(LocationQueryTest, ABorrowerNeedNotNameTheOwner) {
  const ObjectRef own = world_.Declare(1, 7);
  const ObjectRef borrowed = world_.Pass(1, 7, 2);
  AddCopy(11, 7, CopyRole::kPrimary);
  LocationQuery query;
  query.object = Object(7);
  ASSERT_TRUE(world_[2].QueryLocations(query, Hear()).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("available 11p"));
}

TEST_F(LocationQueryTest, TheOwnersDeathEndsQueriesByNameAtTheBarrier) {
  const ObjectRef own = world_.Declare(1, 7);
  ASSERT_TRUE(world_[2].QueryLocations(About(7, true), Hear()).ok());
  ASSERT_TRUE(agents_[11]->QueryLocations(About(7, true), Hear()).ok());
  Settle();
  Heard();
  world_.Crash(1);
  world_.Exclude(1);
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("owner died", "owner died"));
  EXPECT_EQ(ReasonOf(world_[2].QueryLocations(About(7), Hear()).status()), ErrorReason::kOwnerDied);
  EXPECT_EQ(ReasonOf(agents_[11]->QueryLocations(About(7), Hear()).status()),
            ErrorReason::kOwnerDied);
  EXPECT_EQ(world_[2].GetStats().location_queries, 0u);
}

TEST_F(LocationQueryTest, AnAskerThatIsExcludedIsForgotten) {
  const ObjectRef own = world_.Declare(1, 7);
  ASSERT_TRUE(world_[2].QueryLocations(About(7, true), Hear()).ok());
  ASSERT_TRUE(agents_[11]->QueryLocations(About(7, true), Hear()).ok());
  Settle();
  EXPECT_EQ(world_[1].GetStats().location_watches, 2u);
  world_.membership.Exclude({Process(2), Node(11)});
  Settle();
  EXPECT_EQ(world_[1].GetStats().location_watches, 0u);
}

TEST_F(LocationQueryTest, WhoIsExcludedHearsItAsTheAnswerToWhatItAsked) {
  const ObjectRef own = world_.Declare(1, 7);
  ASSERT_TRUE(world_[2].QueryLocations(About(7, true), Hear()).ok());
  ASSERT_TRUE(agents_[11]->QueryLocations(About(7, true), Hear()).ok());
  Settle();
  ASSERT_TRUE(world_[2].QueryLocations(About(7), Hear()).ok());  // not sent yet
  heard_.clear();
  world_.membership.Exclude({Process(2), Node(11)});
  Settle();
  ASSERT_EQ(heard_.size(), 3u);
  for (const LocationUpdate& update : heard_) {
    EXPECT_EQ(update.kind, LocationUpdate::Kind::kExcluded);
    EXPECT_EQ(update.snapshot.state, ObjectState::kFailed);
  }
  EXPECT_EQ(ReasonOf(world_[2].QueryLocations(About(7), Hear()).status()), ErrorReason::kExcluded);
  EXPECT_FALSE(agents_[11]->QueryLocations(About(7), Hear()).ok());
  EXPECT_EQ(world_[2].GetStats().location_queries, 0u);
  EXPECT_EQ(agents_[11]->GetStats().location_queries, 0u);
}

TEST_F(LocationQueryTest, QuestionsThatMakeNoSenseAreRefused) {
  const ObjectRef own = world_.Declare(1, 7);
  const auto code = [](const auto& answer) { return answer.status().code(); };
  EXPECT_EQ(code(world_[1].QueryLocations(About(7), Hear())), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(world_[2].QueryLocations(About(7), nullptr)), absl::StatusCode::kInvalidArgument);
  LocationQuery nameless;
  nameless.object = Object(7);
  EXPECT_EQ(code(world_[2].QueryLocations(nameless, Hear())), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(agents_[11]->QueryLocations(nameless, Hear())),
            absl::StatusCode::kInvalidArgument);
  LocationQuery elsewhere = About(7);
  elsewhere.fetch_to = Node(12);
  EXPECT_EQ(code(agents_[11]->QueryLocations(elsewhere, Hear())),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace freehold
