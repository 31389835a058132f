#include "src/core/location_set.h"

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"

namespace freehold::core {
namespace {

// Records outside a slab: the arena needs nothing but the fields for copies.
struct TestRecord : ObjectRecord {
  TestRecord() : ObjectRecord() { overflow = kNone; }
};

// Marks a copy, to see that it goes where its node goes.
void Mark(Copy* copy, uint32_t value) {
  copy->place = value;
  copy->in_memory = value & 1;
  copy->spilled = (value >> 1) & 1;
  copy->phase_number = (value >> 2) & 3;
}

void ExpectMarked(const Copy& copy, uint32_t value) {
  EXPECT_EQ(copy.place, value);
  EXPECT_EQ(copy.in_memory, value & 1);
  EXPECT_EQ(copy.spilled, (value >> 1) & 1);
  EXPECT_EQ(copy.phase_number, (value >> 2) & 3);
}

class Checked {
 public:
  explicit Checked(CopyArena* arena) : arena_(arena) {}

  void Insert(PeerIndex node, uint32_t mark) {
    Copy* copy = arena_->Insert(record, node);
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(copy->node, node);
    EXPECT_FALSE(copy->real());
    EXPECT_EQ(copy->primary, 0u);
    EXPECT_EQ(copy->prospective, 0u);
    EXPECT_TRUE(copy->held());
    Mark(copy, mark);
    model[node] = mark;
  }
  void Remove(PeerIndex node) {
    arena_->Remove(record, node);
    model.erase(node);
  }
  void ExpectSameAsModel() {
    ASSERT_EQ(record.copies, model.size());
    std::set<PeerIndex> seen;
    for (uint32_t i = 0; i < record.copies; ++i) {
      const Copy& copy = arena_->At(record, i);
      ASSERT_TRUE(seen.insert(copy.node).second) << "twice: " << copy.node;
      ASSERT_EQ(model.count(copy.node), 1u) << copy.node;
      ASSERT_EQ(arena_->Find(record, copy.node), &copy);
      ExpectMarked(copy, model.at(copy.node));
    }
  }

  TestRecord record;
  std::map<PeerIndex, uint32_t> model;

 private:
  CopyArena* const arena_;
};

TEST(CopyArena, ARecordWithoutCopiesFindsNone) {
  CopyArena arena;
  TestRecord record;
  EXPECT_EQ(arena.Find(record, 0), nullptr);
  record.inline_copies[0].node = 5;  // left behind by an earlier use of the slot
  EXPECT_EQ(arena.Find(record, 5), nullptr);
}

TEST(CopyArena, SeveralAtOnceAreAsOneByOne) {
  for (uint32_t before = 0; before <= CopyArena::kUnsortedMax; ++before) {
    for (uint32_t more = 0; before + more <= CopyArena::kUnsortedMax; ++more) {
      for (uint32_t stop = 0; stop <= more; ++stop) {
        CopyArena arena;
        Checked checked(&arena);
        for (PeerIndex node = 0; node < before; ++node) checked.Insert(node, node);
        std::vector<PeerIndex> nodes;
        for (uint32_t i = 0; i < more; ++i) nodes.push_back(100 + i);
        const uint32_t added =
            arena.InsertAll(checked.record, nodes, [&](PeerIndex node, Copy* copy) {
              EXPECT_EQ(copy->node, node);
              EXPECT_TRUE(copy->in_memory && copy->held() && !copy->primary);
              if (copy->node == 100 + stop) return false;
              EXPECT_EQ(arena.Find(checked.record, copy->node), nullptr) << "it enters only now";
              Mark(copy, copy->node);
              checked.model[copy->node] = copy->node;
              return true;
            });
        ASSERT_EQ(added, stop);
        ASSERT_NO_FATAL_FAILURE(checked.ExpectSameAsModel());
        // The block is the one that so many copies have: more fit, and all can go.
        for (PeerIndex node = 200; node < 220; ++node) checked.Insert(node, node);
        ASSERT_NO_FATAL_FAILURE(checked.ExpectSameAsModel());
        while (!checked.model.empty()) checked.Remove(checked.model.begin()->first);
        ASSERT_EQ(checked.record.overflow, kNone);
      }
    }
  }
}

TEST(CopyArena, FewerAtOnceThanWantedGiveTheirRoomBack) {
  CopyArena arena;
  const std::vector<PeerIndex> nodes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  size_t bytes = 0;
  for (int round = 0; round < 10'000; ++round) {
    TestRecord record;
    ASSERT_EQ(arena.InsertAll(record, nodes, [](PeerIndex node, Copy*) { return node < 5; }), 4u);
    for (const PeerIndex node : {1, 2, 3, 4}) arena.Remove(record, node);
    ASSERT_EQ(record.overflow, kNone);
    if (round == 100) bytes = arena.bytes();
  }
  EXPECT_EQ(arena.bytes(), bytes) << "blocks are used again";
}

TEST(CopyArena, FromOneCopyTo5000AndBack) {
  CopyArena arena;
  Checked object(&arena);
  internal::SplitMix64 random(1);
  std::vector<PeerIndex> nodes;
  while (object.model.size() < 5000) {
    const auto node = static_cast<PeerIndex>(random.Next() % kPeerIndexMax);
    if (object.model.count(node) != 0) continue;
    object.Insert(node, random.Next() & 0xffff);
    nodes.push_back(node);
    if (nodes.size() < 40 || nodes.size() % 611 == 0) object.ExpectSameAsModel();
  }
  object.ExpectSameAsModel();
  while (!nodes.empty()) {
    const size_t at = random.Next() % nodes.size();
    object.Remove(nodes[at]);
    EXPECT_EQ(arena.Find(object.record, nodes[at]), nullptr);
    nodes[at] = nodes.back();
    nodes.pop_back();
    if (nodes.size() < 40 || nodes.size() % 611 == 0) object.ExpectSameAsModel();
  }
  EXPECT_EQ(object.record.overflow, kNone);
}

TEST(CopyArena, EveryCopyOfEverySmallSetCanGoFirst) {
  for (uint32_t size = 1; size <= 20; ++size) {
    for (uint32_t victim = 0; victim < size; ++victim) {
      CopyArena arena;
      Checked object(&arena);
      // Neither rising nor falling, so that the inline ones are not the lowest.
      for (uint32_t i = 0; i < size; ++i) object.Insert((i * 7 + 3) % 23, i);
      object.Remove((victim * 7 + 3) % 23);
      object.ExpectSameAsModel();
    }
  }
}

TEST(CopyArena, LowestAndHighestNodesAreFoundAtTheEnds) {
  CopyArena arena;
  Checked object(&arena);
  for (const PeerIndex node : {7u, 8u, kPeerIndexMax, 0u, 9u, 1u}) object.Insert(node, node & 0xff);
  object.ExpectSameAsModel();
  EXPECT_EQ(arena.Find(object.record, kPeerIndexMax - 1), nullptr);
  EXPECT_EQ(arena.Find(object.record, 2), nullptr);
}

TEST(CopyArena, ManyObjectsDoNotTouchEachOther) {
  CopyArena arena;
  internal::SplitMix64 random(5);
  std::deque<Checked> objects;
  for (int i = 0; i < 60; ++i) objects.emplace_back(&arena);
  for (int round = 0; round < 60000; ++round) {
    Checked& object = objects[random.Next() % objects.size()];
    const auto node = static_cast<PeerIndex>(random.Next() % 50);
    if (object.model.count(node) != 0) {
      object.Remove(node);
    } else {
      object.Insert(node, round & 0xffff);
    }
    if (round % 100 == 0) object.ExpectSameAsModel();
  }
  for (Checked& object : objects) object.ExpectSameAsModel();
}

TEST(CopyArena, WhatIsThereMayAlwaysBeThereAndTheRestRarely) {
  CopyArena arena;
  TestRecord record;
  uint32_t in_vain = 0;
  for (PeerIndex node = 0; node < CopyArena::kUnsortedMax; ++node) {
    ASSERT_NE(arena.Insert(record, 3 * node), nullptr);
    for (PeerIndex other = 0; other <= 3 * node; ++other) {
      const bool there = other % 3 == 0;
      const bool may = arena.MayHave(record, other);
      ASSERT_GE(may, there) << other << " of " << node;
      in_vain += may == there ? 0 : 1;
    }
  }
  EXPECT_EQ(in_vain, 0u);
}

// Nodes whose indices end alike, so that the filter alone cannot tell them apart.
TEST(CopyArena, TheRecordThatLastGotItsFirstCopyIsStillAskedAboutEveryNode) {
  CopyArena arena;
  ObjectRecord record = {};
  ObjectRecord other = {};
  record.overflow = other.overflow = kNone;
  (void)arena.InsertFirst(record, 7);
  for (uint32_t count = 1; count < 40; ++count) {
    const PeerIndex node = 7 + count * (count % 2 == 0 ? 64 : 1);
    EXPECT_FALSE(arena.MayHave(record, 60 + 64 * count)) << "nothing that ends like it";
    ASSERT_EQ(arena.Find(record, node), nullptr);
    ASSERT_NE(arena.Insert(record, node), nullptr);
    if (count == 1) arena.Remove(record, node);
    EXPECT_EQ(arena.MayHave(record, node), count > 1) << count;
    if (count == 1) ASSERT_NE(arena.Insert(record, node), nullptr);
    EXPECT_TRUE(arena.MayHave(record, 7));
  }
  // Another one's copies become those of a record with a filter: it is not believed any more.
  const PeerIndex nodes[] = {100, 101, 102};
  EXPECT_EQ(arena.InsertAll(other, nodes, [](PeerIndex, Copy*) { return true; }), 3u);
  while (record.copies > 0) arena.Remove(record, arena.At(record, 0).node);
  (void)arena.InsertFirst(record, 7);
  arena.Remove(record, 7);
  arena.MoveAll(other, record);
  EXPECT_EQ(other.copies, 0);
  for (const PeerIndex node : nodes) {
    EXPECT_TRUE(arena.MayHave(record, node));
    EXPECT_NE(arena.Find(record, node), nullptr);
  }
}

TEST(CopyArena, BlocksAreUsedAgain) {
  CopyArena arena;
  std::deque<Checked> objects;
  for (int i = 0; i < 200; ++i) objects.emplace_back(&arena);
  size_t bytes = 0;
  for (int round = 0; round < 5; ++round) {
    for (Checked& object : objects) {
      for (PeerIndex node = 0; node < 30; ++node) object.Insert(node, node);
    }
    for (Checked& object : objects) {
      for (PeerIndex node = 0; node < 30; ++node) object.Remove(node);
    }
    // The first round may leave more on the free lists than in blocks.
    if (round == 0) bytes = arena.bytes();
  }
  EXPECT_EQ(arena.bytes(), bytes);
}

TEST(CopyArena, ASetIsFullAt65535CopiesAndSaysSo) {
  CopyArena arena;
  TestRecord record;
  for (PeerIndex node = 0; node < CopyArena::kCopiesMax; ++node) {
    ASSERT_NE(arena.Insert(record, node), nullptr);
  }
  EXPECT_EQ(arena.Insert(record, CopyArena::kCopiesMax), nullptr);
  EXPECT_EQ(record.copies, CopyArena::kCopiesMax);
  for (PeerIndex node = 0; node < CopyArena::kCopiesMax; ++node) {
    ASSERT_NE(arena.Find(record, node), nullptr);
  }
  arena.Remove(record, 12345);
  EXPECT_NE(arena.Insert(record, CopyArena::kCopiesMax), nullptr);
}

}  // namespace
}  // namespace freehold::core
