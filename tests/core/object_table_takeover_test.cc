// ObjectTable: the primary of an object that gets another owner, who has heard before that nodes in
// its snapshot are excluded.

#include <string>
#include <utility>
#include <vector>

#include "src/core/object_table_files.h"
#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

constexpr PeerIndex kThirdNode = 22;
constexpr PeerIndex kPlace = 30;  // of files that no node is needed for

// What a node is sent that has the primary from now on.
const char* const kPromoted = "move 0 answer 3";

class ObjectTableTakeover : public ObjectTableHeirs {
 protected:
  static OwnedSnapshot::At InMemory(PeerIndex node) {
    OwnedSnapshot::At at;
    at.node = node;
    at.in_memory = true;
    return at;
  }
  static OwnedSnapshot::At InFile(PeerIndex node, bool shared) {
    OwnedSnapshot::At at;
    at.node = node;
    at.spilled = true;
    at.shared = shared;
    at.url = "s3://a";
    return at;
  }
  static OwnedSnapshot::At Primary(OwnedSnapshot::At at) {
    at.primary = true;
    return at;
  }
  static OwnedSnapshot With(std::vector<OwnedSnapshot::At> nodes) {
    OwnedSnapshot snapshot;
    snapshot.state = TransferState::kAvailable;
    snapshot.nodes = std::move(nodes);
    return snapshot;
  }
  // kOwner gives it away.
  Verdict Take(std::vector<OwnedSnapshot::At> nodes) {
    const OwnedSnapshot snapshot = With(std::move(nodes));
    return Do([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::TakeOver{key(), kOwner, 2, snapshot}, effects,
                                         &record_);
    });
  }
  void Exclude(PeerIndex node) {
    ASSERT_EQ(Do([&](Effects* effects) {
                EXPECT_FALSE(table_.ExcludeNode(node, 1000, effects));
                return Verdict::kOk;
              }),
              Verdict::kOk);
  }
  void SetPlace() { FileSteps(&table_).SetPlace(kPlace); }
  // kNoPeer: none is.
  PeerIndex PrimaryNode() const {
    PeerIndex primary = kNoPeer;
    table_.ForEachCopy(*table_.Find(key()), [&](const Copy& copy) {
      if (copy.primary) primary = copy.node;
    });
    return primary;
  }
  bool IsLost() const {
    return effects_.rare != nullptr && effects_.rare->lost == std::vector<ObjectId>{id_};
  }
};

TEST_F(ObjectTableTakeover, ThePrimaryOfAnExcludedNodeHasASuccessorThatHearsOfTheOwnerFirst) {
  Exclude(kNode);
  ASSERT_EQ(Take({Primary(InMemory(kNode)), InMemory(kOtherNode), InMemory(kThirdNode)}),
            Verdict::kOk);
  EXPECT_EQ(PrimaryNode(), kOtherNode);
  EXPECT_EQ(table_.counters().primaries_promoted, 1u);
  EXPECT_EQ(Pull(kOtherNode), (Sent{"moved t2", kPromoted}));
  EXPECT_EQ(Pull(kThirdNode), Sent{"moved t2"});
  EXPECT_EQ(Pull(kNode), Sent{});
}

TEST_F(ObjectTableTakeover, ACopyInMemoryComesBeforeOneInAFile) {
  Exclude(kNode);
  ASSERT_EQ(Take({Primary(InMemory(kNode)), InFile(kOtherNode, false), InMemory(kThirdNode)}),
            Verdict::kOk);
  EXPECT_EQ(PrimaryNode(), kThirdNode);
}

TEST_F(ObjectTableTakeover, AFileAloneIsPromotedAsWell) {
  Exclude(kNode);
  ASSERT_EQ(Take({Primary(InMemory(kNode)), InFile(kOtherNode, false)}), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), (Sent{"moved t2", kPromoted}));
}

TEST_F(ObjectTableTakeover, WithoutAnotherCopyTheValueIsLost) {
  Exclude(kNode);
  OwnedSnapshot::At asks;
  asks.node = kOtherNode;
  asks.prospective = true;
  ASSERT_EQ(Take({Primary(InMemory(kNode)), asks}), Verdict::kOk);
  EXPECT_TRUE(IsLost());
  EXPECT_EQ(PrimaryNode(), kNoPeer);
  EXPECT_EQ(Pull(kOtherNode), Sent{"moved t2"});
  // As when the node had died later.
  ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{kPromoted});
}

TEST_F(ObjectTableTakeover, AFileThatOutlivesTheNodeIsNotThePrimary) {
  SetPlace();
  Exclude(kNode);
  ASSERT_EQ(Take({Primary(InFile(kNode, true)), InMemory(kOtherNode)}), Verdict::kOk);
  EXPECT_FALSE(IsLost());
  EXPECT_EQ(table_.Find(key())->copies, 2u);
  EXPECT_EQ(PrimaryNode(), kOtherNode);
}

TEST_F(ObjectTableTakeover, AFileThatOutlivesTheNodeKeepsTheValue) {
  SetPlace();
  Exclude(kNode);
  ASSERT_EQ(Take({Primary(InFile(kNode, true))}), Verdict::kOk);
  EXPECT_FALSE(IsLost());
  EXPECT_EQ(PrimaryNode(), kNoPeer);
}

TEST_F(ObjectTableTakeover, WhereTheSecondaryWasNobodyIsPromoted) {
  Exclude(kOtherNode);
  ASSERT_EQ(Take({Primary(InMemory(kNode)), InMemory(kOtherNode)}), Verdict::kOk);
  EXPECT_EQ(PrimaryNode(), kNode);
  EXPECT_EQ(table_.counters().primaries_promoted, 0u);
}

// Which no owner says that keeps to the protocol.
TEST_F(ObjectTableTakeover, OfTwoPrimariesTheOneThatIsLeftIsIt) {
  Exclude(kOtherNode);
  ASSERT_EQ(Take({InMemory(kNode), Primary(InMemory(kOtherNode)), Primary(InMemory(kThirdNode))}),
            Verdict::kOk);
  EXPECT_EQ(PrimaryNode(), kThirdNode);
  EXPECT_EQ(table_.counters().primaries_promoted, 0u);
}

TEST_F(ObjectTableTakeover, WhatHadNoPrimaryHasNone) {
  Exclude(kNode);
  ASSERT_EQ(Take({InMemory(kNode), InMemory(kOtherNode)}), Verdict::kOk);
  EXPECT_EQ(PrimaryNode(), kNoPeer);
  EXPECT_EQ(Pull(kOtherNode), Sent{"moved t2"});
}

TEST_F(ObjectTableTakeover, ASuccessorThatHasNoCopyAnyMoreHasOneItself) {
  Exclude(kNode);
  ASSERT_EQ(Take({Primary(InMemory(kNode)), InMemory(kOtherNode), InMemory(kThirdNode)}),
            Verdict::kOk);
  (void)Pull(kOtherNode);
  (void)Pull(kThirdNode);
  ASSERT_EQ(Told(kOtherNode, /*holds=*/false, /*by_node=*/true), Verdict::kOk);
  EXPECT_EQ(PrimaryNode(), kThirdNode);
  EXPECT_EQ(Pull(kThirdNode), Sent{kPromoted});
  ASSERT_EQ(Told(kThirdNode, /*holds=*/false, /*by_node=*/true), Verdict::kOk);
  EXPECT_TRUE(IsLost());
}

TEST_F(ObjectTableTakeover, ANodeThatIsExcludedBeforeEverybodyHasAnsweredHasASuccessor) {
  ASSERT_EQ(Take({Primary(InMemory(kNode)), InMemory(kOtherNode)}), Verdict::kOk);
  Exclude(kNode);
  EXPECT_EQ(PrimaryNode(), kOtherNode);
  EXPECT_EQ(Pull(kOtherNode), (Sent{"moved t2", kPromoted}));
}

// Whoever asked its owner to move the primary there asks the next one.
TEST_F(ObjectTableTakeover, AMoveFromThePrimaryThatHasDiedIsDoneIfItsNodeIsTheSuccessor) {
  Exclude(kNode);
  ASSERT_EQ(Take({Primary(InMemory(kNode)), InMemory(kOtherNode), InMemory(kThirdNode)}),
            Verdict::kOk);
  (void)Pull(kOtherNode);
  (void)Pull(kThirdNode);
  ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode, 0, 5, kNode, 2}), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{"move 5 answer 0"});
  ASSERT_EQ(Step(event::MovePrimary{key(), kThirdNode, 0, 6, kNode, 2}), Verdict::kUnchanged);
  EXPECT_EQ(Pull(kThirdNode), Sent{"move 6 answer 1"});
  EXPECT_EQ(PrimaryNode(), kOtherNode);
}

TEST_F(ObjectTableTakeover, WhatWasFreedEvictFirstHasNoSuccessor) {
  Exclude(kNode);
  OwnedSnapshot snapshot = With({InMemory(kNode), InMemory(kOtherNode)});
  snapshot.evict_first = true;
  ASSERT_EQ(Do([&](Effects* effects) {
              return TransferSteps(&table_).Step(event::TakeOver{key(), kOwner, 2, snapshot},
                                                 effects, &record_);
            }),
            Verdict::kOk);
  EXPECT_EQ(PrimaryNode(), kNoPeer);
}

TEST_F(ObjectTableTakeover, WhoTakesItBackPromotesInTheTermAfter) {
  Declare();
  ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  ASSERT_EQ(
      Do([&](Effects* effects) {
        return TransferSteps(&table_).Step(event::Transfer{key(), kHeir, &names_}, effects, &why_);
      }),
      Verdict::kOk);
  Exclude(kNode);
  Fence(kHeir);
  EXPECT_EQ(PrimaryNode(), kOtherNode);
  EXPECT_EQ(Pull(kOtherNode), (Sent{"moved t3", kPromoted}));
}

TEST_F(ObjectTableTakeover, AnHeirPromotesInTheTermAfter) {
  ASSERT_EQ(Shadow(1, {kFirst}, {kNode, kOtherNode}), Verdict::kOk);
  Exclude(kNode);
  Fence(kOwner);
  EXPECT_EQ(PrimaryNode(), kOtherNode);
  EXPECT_EQ(Pull(kOtherNode), (Sent{"moved t2", kPromoted}));
}

}  // namespace
}  // namespace freehold::core::heirs_testing
