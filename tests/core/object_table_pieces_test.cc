// What one step may do under its lock is bounded, whatever there is to do: counted here, step by
// step, with the pieces that the runtime asks for.

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"
#include "src/core/object_table_quiet.h"
#include "tests/core/ignoring_sink.h"

namespace freehold::core {
namespace {

constexpr uint32_t kPiece = 2048;
constexpr PeerIndex kNode = 3;
constexpr PeerIndex kProcess = 9;

struct World {
  ObjectTable table{ObjectTable::Config()};
  Effects effects;
  std::vector<ObjectRecord*> records;

  void Declare(uint64_t number, PeerIndex primary) {
    const ObjectId id = ObjectId::FromNumber(number);
    ObjectRecord* record = nullptr;
    ASSERT_EQ(table.Step(event::Declare{{id, id.Hash()}, 1, primary}, &record), Verdict::kOk);
    records.push_back(record);
  }
  void Report(uint64_t number) {
    const ObjectId id = ObjectId::FromNumber(number);
    event::SetLocation report{{id, id.Hash()}, kNode, 0, 1, CopyRole::kSecondary};
    report.in_memory = true;
    ASSERT_EQ(table.Step(report, &effects), Verdict::kNotFound);
  }
  void Register(uint64_t number) {
    const ObjectId id = ObjectId::FromNumber(number);
    (void)table.Step(event::BorrowerRegistered{{id, id.Hash()}, kProcess, number}, &effects);
  }
  void DropAll() {
    for (ObjectRecord* record : records) {
      ASSERT_TRUE(record->cell.DropUnderLock());
      ASSERT_EQ(table.Step(event::DropLastHandle{record}, &effects), Verdict::kOk);
    }
  }
};

TEST(ObjectTablePieces, AnExclusionTakesAPieceOfCopiesAndLateFreesAtATime) {
  World world;
  constexpr uint64_t kCopies = 5'000;
  constexpr uint64_t kLate = 5'000;
  for (uint64_t i = 0; i < kCopies; ++i) world.Declare(i, kNode);
  for (uint64_t i = 0; i < kLate; ++i) world.Report(1'000'000 + i);
  uint64_t left = kCopies + kLate;
  for (bool more = true; more;) {
    more = world.table.ExcludeNode(kNode, kPiece, &world.effects);
    const uint64_t now =
        world.table.nodes().total(FreeState::kHeld) + world.table.nodes().late_frees();
    ASSERT_LE(left - now, kPiece);
    ASSERT_EQ(now > 0, more);
    left = now;
  }
  EXPECT_EQ(left, 0u);
  world.table.CheckInvariants();
}

TEST(ObjectTablePieces, APullTakesAPieceAtATime) {
  World world;
  constexpr uint64_t kObjects = 5'000;
  for (uint64_t i = 0; i < kObjects; ++i) world.Declare(i, kNode);
  for (uint64_t i = 0; i < kObjects; ++i) world.Report(1'000'000 + i);
  world.DropAll();
  size_t pulled = 0;
  for (bool more = true; more;) {
    PayloadWriter writer(16 << 20);
    more = world.table.PullFrees(kNode, kPiece, &writer);
    ASSERT_LE(writer.items(), kPiece);
    pulled += writer.items();
  }
  EXPECT_EQ(pulled, 2 * kObjects);
}

TEST(ObjectTablePieces, AnswersArePulledAPieceAtATime) {
  World world;
  constexpr uint64_t kObjects = 5'000;
  for (uint64_t i = 0; i < kObjects; ++i) world.Register(i);
  const NoNames names;
  size_t pulled = 0;
  for (bool more = true; more;) {
    PayloadWriter writer(16 << 20);
    more = world.table.PullSharing(kProcess, kPiece, names, Time(), &writer);
    ASSERT_LE(writer.items(), kPiece);
    pulled += writer.items();
  }
  EXPECT_EQ(pulled, kObjects);
}

TEST(ObjectTablePieces, ABorrowersDeathTakesAPieceAtATime) {
  World world;
  constexpr uint64_t kObjects = 5'000;
  for (uint64_t i = 0; i < kObjects; ++i) world.Declare(i, kNoPeer);
  for (uint64_t i = 0; i < kObjects; ++i) world.Register(i);
  while (world.table.FenceProcess(kProcess, kPiece, &world.effects)) {
  }
  uint64_t left = world.table.sharing()->borrowers.size();
  ASSERT_EQ(left, kObjects);
  for (bool more = true; more;) {
    more = world.table.CloseProcess(kProcess, kPiece, &world.effects);
    const uint64_t now = world.table.sharing()->borrowers.size();
    ASSERT_LE(left - now, kPiece);
    left = now;
  }
  EXPECT_EQ(left, 0u);
}

TEST(ObjectTablePieces, AGrowingTableMovesNoMoreThanAPageAtATime) {
  IdIndex index;
  std::vector<uint64_t> hashes;
  size_t moved_most = 0;
  for (RecordIndex record = 0; record < 200'000; ++record) {
    hashes.push_back(ObjectId::FromNumber(record).Hash());
    size_t moved = 0;
    ASSERT_TRUE(index.Insert(hashes.back(), record, [&](RecordIndex other) {
      ++moved;
      return hashes[other];
    }));
    moved_most = std::max(moved_most, moved);
  }
  EXPECT_GT(moved_most, 0u) << "it has grown";
  EXPECT_LE(moved_most, IdIndex::kMovedMax);
  EXPECT_LE(IdIndex::kMovedMax, kPiece);
}

// The steps themselves take what they are given at once; the runtime gives a piece at a time.
TEST(ObjectTablePieces, ManyContainedObjectsAreLetGoOfByHandingOverWholeChunks) {
  World world;
  constexpr uint32_t kInners = 100'000;
  world.Declare(1, kNoPeer);
  const ObjectId outer = ObjectId::FromNumber(1);
  std::vector<InnerRef> duplicates;
  for (uint32_t from = 0; from < kInners; from += 2'000) {
    std::vector<InnerRef> piece;
    for (uint32_t i = from; i < from + 2'000; ++i) piece.push_back({1, i});
    ASSERT_EQ(world.table.Step(event::AddInners{{outer, outer.Hash()}, piece, &duplicates}),
              Verdict::kOk);
  }
  world.DropAll();
  const std::vector<std::vector<InnerRef>> chunks = world.effects.TakeInnerChunks();
  size_t inners = 0;
  for (const std::vector<InnerRef>& chunk : chunks) {
    EXPECT_LE(chunk.size(), kPiece);
    inners += chunk.size();
  }
  EXPECT_EQ(inners, kInners);
  EXPECT_LE(chunks.size(), kPiece) << "what the step moved";
}

}  // namespace
}  // namespace freehold::core
