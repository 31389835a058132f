// ObjectTable: what those elsewhere who ask where an object is are answered, and at what cost.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/ignoring_sink.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kAsker = 9000;

class CountingNames final : public NodeNames {
 public:
  NodeId NodeAt(PeerIndex node) const override {
    ++asked;
    return NodeId::FromNumber(node);
  }
  ProcessId ProcessAt(PeerIndex process) const override { return ProcessId::FromNumber(process); }
  bool IsNode(PeerIndex) const override { return false; }
  mutable uint64_t asked = 0;
};

struct AnswerSink : IgnoringSink {
  void OnLocationAnswer(const LocationAnswerItem& item) override { answers.push_back(item); }
  std::vector<LocationAnswerItem> answers;
};

class ObjectTableAskers : public ::testing::Test {
 protected:
  void Query(uint64_t object, uint64_t number, bool subscribe = false, PeerIndex node = kNoPeer) {
    const ObjectId id = ObjectId::FromNumber(object);
    Effects effects;
    EXPECT_EQ(h_.table.Step(event::AskLocations{{id, id.Hash()}, kAsker, number, subscribe, node},
                            &effects),
              Verdict::kOk);
  }
  // What the asker is sent now.
  std::vector<LocationAnswerItem> Answers() {
    PayloadWriter writer(kEnvelopeBytesMost);
    EXPECT_FALSE(h_.table.PullSharing(kAsker, 100, names_, Time(), &writer));
    AnswerSink sink;
    EXPECT_EQ(ReadPayload(writer.Take(), &sink), CodecError::kOk);
    return sink.answers;
  }
  LocationAnswerItem Ask(uint64_t object) {
    Query(object, 1);
    const std::vector<LocationAnswerItem> answers = Answers();
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? LocationAnswerItem() : answers[0];
  }
  static std::vector<NodeId> NodesOf(const LocationAnswerItem& answer) {
    std::vector<NodeId> nodes;
    for (const Location& at : answer.locations) nodes.push_back(at.node);
    return nodes;
  }

  ObjectTableHarness h_;
  CountingNames names_;
};

TEST_F(ObjectTableAskers, AnAnswerLooksUpOnlyTheNodesThatItNames) {
  constexpr PeerIndex kNodes = 5000;
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  const ObjectId id = ObjectId::FromNumber(1);
  for (PeerIndex node = 0; node < kNodes; ++node) {
    Effects effects;
    event::SetLocation e{{id, id.Hash()}, node, 0, 10, CopyRole::kSecondary};
    // Useful ones among many that only asked, the primary nearly last.
    e.in_memory = node % 100 == 50 || node == kNodes - 2;
    if (node == kNodes - 2) e.role = CopyRole::kPrimary;
    ASSERT_EQ(h_.table.Step(e, &effects), Verdict::kOk);
  }
  const LocationAnswerItem answer = Ask(1);
  EXPECT_EQ(names_.asked, kAnswerLocationsMax);
  EXPECT_TRUE(answer.truncated);
  ASSERT_EQ(answer.locations.size(), kAnswerLocationsMax);
  EXPECT_EQ(answer.locations[0].node, NodeId::FromNumber(kNodes - 2));
  for (size_t i = 0; i < answer.locations.size(); ++i) {
    EXPECT_EQ(answer.locations[i].in_memory, i <= 50) << i;
    EXPECT_EQ(answer.locations[i].prospective, i > 50) << i;
  }
}

TEST_F(ObjectTableAskers, AsManyLocationsAsAnAnswerNamesAreAllOfThem) {
  ASSERT_EQ(h_.Declare(1, 0), Verdict::kOk);
  for (PeerIndex node = 1; node < kAnswerLocationsMax; ++node) {
    ASSERT_EQ(h_.SetLocation(1, node), Verdict::kOk);
  }
  EXPECT_EQ(Ask(1).locations.size(), kAnswerLocationsMax);
  EXPECT_FALSE(Ask(1).truncated);
  ASSERT_EQ(h_.SetLocation(1, kAnswerLocationsMax), Verdict::kOk);
  EXPECT_EQ(Ask(1).locations.size(), kAnswerLocationsMax);
  EXPECT_TRUE(Ask(1).truncated);
}

TEST_F(ObjectTableAskers, LocationsAreInOrderOfUseAndThenOfNodeWithTheirUrls) {
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  Report spilled;
  spilled.in_memory = false;
  spilled.spilled = true;
  Report asked;
  asked.in_memory = false;
  asked.prospective = true;
  Report primary;
  primary.role = CopyRole::kPrimary;
  ASSERT_EQ(h_.SetLocation(1, 8, 0, asked), Verdict::kOk);
  for (const PeerIndex node : {7, 2}) {
    spilled.url = "file" + std::to_string(node);
    ASSERT_EQ(h_.SetLocation(1, node, 0, spilled), Verdict::kOk);
  }
  ASSERT_EQ(h_.SetLocation(1, 6), Verdict::kOk);
  ASSERT_EQ(h_.SetLocation(1, 5), Verdict::kOk);
  ASSERT_EQ(h_.SetLocation(1, 9, 0, primary), Verdict::kOk);
  const LocationAnswerItem answer = Ask(1);
  std::vector<NodeId> expected;
  for (const uint64_t node : {9, 5, 6, 2, 7, 8}) expected.push_back(NodeId::FromNumber(node));
  EXPECT_EQ(NodesOf(answer), expected);
  EXPECT_EQ(answer.locations[3].spilled_url, "file2");
  EXPECT_EQ(answer.locations[4].spilled_url, "file7");
  EXPECT_FALSE(answer.truncated);
}

// The node for which they asked is not known as one that fetches the new value.
TEST_F(ObjectTableAskers, WhoAskedBeforeAFreedValueIsMadeAgainHearsThatItWasFreed) {
  ASSERT_EQ(h_.Declare(1), Verdict::kOk);
  ASSERT_EQ(h_.FreeExplicitly(1), Verdict::kOk);
  Query(1, 1, false, 3);
  Query(1, 2, true);
  ASSERT_EQ(h_.Recreate(1), Verdict::kOk);
  h_.table.CheckInvariants();
  std::vector<LocationAnswerItem> answers = Answers();
  ASSERT_EQ(answers.size(), 3u);
  for (const size_t i : {0, 1}) {
    EXPECT_EQ(answers[i].number, i + 1);
    EXPECT_EQ(answers[i].state, LocationAnswerState::kFreed);
    EXPECT_EQ(answers[i].generation, 0u);
    EXPECT_EQ(answers[i].final, i == 0);
  }
  EXPECT_EQ(answers[2].number, 2u);
  EXPECT_EQ(answers[2].state, LocationAnswerState::kPending) << "a subscriber hears of both";

  Query(1, 1, false, 3);
  answers = Answers();
  ASSERT_EQ(answers.back().number, 1u);
  EXPECT_EQ(answers.back().state, LocationAnswerState::kPending);
  ASSERT_EQ(answers.back().locations.size(), 1u);
  EXPECT_EQ(answers.back().locations[0].node, NodeId::FromNumber(3));
  EXPECT_TRUE(answers.back().locations[0].prospective);
}

}  // namespace
}  // namespace freehold::core
