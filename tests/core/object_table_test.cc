// Existence, references, containment, and the end of an object.

#include "src/core/object_table.h"

#include <vector>

#include "gtest/gtest.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

InnerRef Hold(ObjectTableHarness* table, uint64_t object) {
  RecordIndex index = kNoRecord;
  EXPECT_EQ(table->AddNestedHold(object, &index), Verdict::kOk);
  return {0, index};
}

void Contain(ObjectTableHarness* table, uint64_t outer, uint64_t inner) {
  std::vector<InnerRef> duplicates;
  ASSERT_EQ(table->AddInners(outer, {Hold(table, inner)}, &duplicates), Verdict::kOk);
  ASSERT_TRUE(duplicates.empty());
}

// --- Declare -------------------------------------------------------------------------------------

TEST(ObjectTable, ADeclaredObjectIsPendingAndHasOneHandle) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kNoPeer, 77), Verdict::kOk);
  const ObjectRecord* record = table.Find(kA);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->state(), ObjectState::kPending);
  EXPECT_EQ(record->cell.count(), 1u);
  EXPECT_EQ(record->generation, 0u);
  EXPECT_EQ(record->size, 77u);
  EXPECT_EQ(record->copies, 0u);
  EXPECT_EQ(table.table.counters().declared, 1u);
}

TEST(ObjectTable, DeclaredWithAPrimaryItIsAvailableThere) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN1), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
  const auto copies = table.Copies(kA);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies.at(kN1).role, CopyRole::kPrimary);
  EXPECT_TRUE(copies.at(kN1).in_memory);
  EXPECT_EQ(copies.at(kN1).free_state, FreeState::kHeld);
  EXPECT_TRUE(table.effects.ready.empty());
}

TEST(ObjectTable, DeclaringTwiceIsRefusedAndChangesNothing) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kNoPeer, 5), Verdict::kOk);
  EXPECT_EQ(table.Declare(kA, kN0, 9), Verdict::kAlreadyExists);
  EXPECT_EQ(table.Find(kA)->size, 5u);
  EXPECT_EQ(table.Find(kA)->cell.count(), 1u);
  EXPECT_TRUE(table.Copies(kA).empty());
  EXPECT_EQ(table.table.counters().declared, 1u);
}

TEST(ObjectTable, DeclaringWhatIsOnlyBeingDeletedIsRefused) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(table.Declare(kA), Verdict::kAlreadyExists);
}

TEST(ObjectTable, DeclaringOnAnExcludedNodeIsRefused) {
  ObjectTableHarness table;
  table.Exclude(kN0);
  EXPECT_EQ(table.Declare(kA, kN0), Verdict::kNodeExcluded);
  EXPECT_EQ(table.Find(kA), nullptr);
}

// All of one hash: the first eight bytes cancel a secret of HashId, which multiplies the next eight
// by zero; the last four of these enter again later, the first four do not.
ObjectId IdOfTheSameHash(uint32_t number) {
  ObjectId id;
  internal::StoreLittle(internal::kHashSecret[0], id.mutable_data());
  internal::StoreLittle(number, id.mutable_data() + 8);
  return id;
}

TEST(ObjectTable, MoreIdsOfOneHashThanAPageHoldsAreRefusedWithoutATrace) {
  ObjectTable table((ObjectTable::Config()));
  std::vector<ObjectRecord*> records;
  uint64_t refused = 0;
  Effects effects;
  for (uint32_t number = 0; number < 600; ++number) {
    const ObjectId id = IdOfTheSameHash(number);
    ASSERT_EQ(id.Hash(), IdOfTheSameHash(0).Hash());
    ObjectRecord* record = nullptr;
    const Verdict verdict = table.Step(event::Declare{{id, id.Hash()}}, &effects, &record);
    if (verdict == Verdict::kOk) records.push_back(record);
    refused += verdict == Verdict::kTableFull;
    ASSERT_EQ(table.Find({id, id.Hash()}), verdict == Verdict::kOk ? record : nullptr);
  }
  table.CheckInvariants();
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(records.size(), 600 - refused);
  EXPECT_EQ(table.counters().declared, records.size());
  const ObjectId other = ObjectId::FromNumber(1);
  ObjectRecord* record = nullptr;
  EXPECT_EQ(table.Step(event::Declare{{other, other.Hash()}}, &effects, &record), Verdict::kOk);
  for (ObjectRecord* each : records) {
    ASSERT_TRUE(each->cell.DropUnderLock());
    ASSERT_EQ(table.Step(event::DropLastHandle{each}, &effects), Verdict::kOk);
  }
  table.CheckInvariants();
  EXPECT_EQ(table.counters().by_state[static_cast<int>(ObjectState::kPending)], 1u);
}

// --- References ----------------------------------------------------------------------------------

TEST(ObjectTable, AnIdThatTheTableDoesNotKnowIsGone) {
  ObjectTableHarness table;
  RecordIndex index = kNoRecord;
  std::vector<InnerRef> duplicates;
  Token token = 0;
  EXPECT_EQ(table.AddHandle(kA), Verdict::kNotFound);
  EXPECT_EQ(table.AddById(kA), Verdict::kNotFound);
  EXPECT_EQ(table.RemoveById(kA), Verdict::kNotFound);
  EXPECT_EQ(table.AddTask(kA), Verdict::kNotFound);
  EXPECT_EQ(table.AddNestedHold(kA, &index), Verdict::kNotFound);
  EXPECT_EQ(table.AddInners(kA, {}, &duplicates), Verdict::kNotFound);
  EXPECT_EQ(table.Recreate(kA), Verdict::kNotFound);
  EXPECT_EQ(table.FreeExplicitly(kA), Verdict::kNotFound);
  EXPECT_EQ(table.RemoveLocation(kA, kN0), Verdict::kNotFound);
  EXPECT_EQ(table.Answer(kA, kN0), Verdict::kNotFound);
  EXPECT_EQ(table.Register(kA, Moment::kErased, 1, 1), Verdict::kNotFound);
  EXPECT_EQ(table.Subscribe(kA, 1, 1), Verdict::kNotFound);
  EXPECT_EQ(table.Cancel(kA, 1, &token), Verdict::kNotFound);
  EXPECT_EQ(table.objects(), 0u);
}

TEST(ObjectTable, EachKindOfReferenceAloneKeepsAnObject) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.AddById(kA), Verdict::kOk);
  table.DropHandle(kA);
  ASSERT_NE(table.Find(kA), nullptr);
  ASSERT_EQ(table.AddTask(kA), Verdict::kOk);
  ASSERT_EQ(table.RemoveById(kA), Verdict::kOk);
  ASSERT_NE(table.Find(kA), nullptr);
  const InnerRef hold = Hold(&table, kA);
  ASSERT_EQ(table.DropTask(kA), Verdict::kOk);
  ASSERT_NE(table.Find(kA), nullptr);
  ASSERT_EQ(table.AddHandle(kA), Verdict::kOk);
  ASSERT_EQ(table.DropNestedHold(hold.record), Verdict::kOk);
  ASSERT_NE(table.Find(kA), nullptr);
  table.DropHandle(kA);
  EXPECT_EQ(table.Find(kA), nullptr) << "no reference, no copy: nothing is left to remember";
  EXPECT_EQ(table.objects(), 0u);
}

TEST(ObjectTable, OutOfScopeNobodyCanReferToItAgain) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  ASSERT_EQ(table.Find(kA)->state(), ObjectState::kOutOfScope);
  RecordIndex index = kNoRecord;
  std::vector<InnerRef> duplicates;
  EXPECT_EQ(table.AddHandle(kA), Verdict::kOutOfScope);
  EXPECT_EQ(table.AddById(kA), Verdict::kOutOfScope);
  EXPECT_EQ(table.AddTask(kA), Verdict::kOutOfScope);
  EXPECT_EQ(table.AddNestedHold(kA, &index), Verdict::kOutOfScope);
  EXPECT_EQ(table.AddInners(kA, {}, &duplicates), Verdict::kOutOfScope);
  EXPECT_EQ(table.Subscribe(kA, 1, 1), Verdict::kOutOfScope);
  EXPECT_EQ(table.Recreate(kA), Verdict::kOutOfScope);
  EXPECT_EQ(table.FreeExplicitly(kA), Verdict::kUnchanged);
  EXPECT_EQ(table.RemoveById(kA), Verdict::kNotHeld);
}

TEST(ObjectTable, RemovingMoreThanIsHeldByIdIsRefusedAndChangesNothing) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  EXPECT_EQ(table.RemoveById(kA), Verdict::kNotHeld) << "the handle is another reference";
  ASSERT_EQ(table.AddById(kA, 3), Verdict::kOk);
  EXPECT_EQ(table.RemoveById(kA, 4), Verdict::kNotHeld);
  EXPECT_EQ(table.Find(kA)->by_id, 3u);
  EXPECT_EQ(table.RemoveById(kA, 3), Verdict::kOk);
}

TEST(ObjectTable, ACountByIdThatWouldOverflowIsRefused) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.AddById(kA, UINT32_MAX - 1), Verdict::kOk);
  EXPECT_EQ(table.AddById(kA, 2), Verdict::kCountFull);
  EXPECT_EQ(table.Find(kA)->by_id, UINT32_MAX - 1);
  ASSERT_EQ(table.AddById(kA, 1), Verdict::kOk);
  EXPECT_EQ(table.AddById(kA, 1), Verdict::kCountFull);
  EXPECT_EQ(table.AddById(kA, UINT32_MAX), Verdict::kCountFull);
  ASSERT_EQ(table.RemoveById(kA, UINT32_MAX), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->by_id, 0u);
}

TEST(ObjectTable, TaskAndNestedCountsThatWouldOverflowAreRefused) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  // Nobody counts that far one by one.
  auto* record = const_cast<ObjectRecord*>(table.Find(kA));
  record->tasks = UINT32_MAX;
  record->nested_in = UINT32_MAX;
  RecordIndex index = kNoRecord;
  EXPECT_EQ(table.AddTask(kA), Verdict::kCountFull);
  EXPECT_EQ(table.AddNestedHold(kA, &index), Verdict::kCountFull);
  EXPECT_EQ(record->tasks, UINT32_MAX);
  EXPECT_EQ(record->nested_in, UINT32_MAX);
}

TEST(ObjectTableDeathTest, EndingATaskTwiceIsABugOfOurs) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.AddTask(kA), Verdict::kOk);
  ASSERT_EQ(table.DropTask(kA), Verdict::kOk);
  EXPECT_DEATH((void)table.DropTask(kA), "tasks > 0");
}

// --- Containment ---------------------------------------------------------------------------------

TEST(ObjectTable, AnOuterObjectInScopeHoldsItsInnerOnes) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB), Verdict::kOk);
  Contain(&table, kA, kB);
  table.DropHandle(kB);
  ASSERT_NE(table.Find(kB), nullptr);
  table.DropHandle(kA);
  EXPECT_EQ(table.Find(kA), nullptr);
  ASSERT_EQ(table.effects.inners.size(), 1u) << "to let go of is an effect, not a recursion";
  ASSERT_NE(table.Find(kB), nullptr);
  ASSERT_EQ(table.DropNestedHold(table.effects.inners[0].record), Verdict::kOk);
  EXPECT_EQ(table.Find(kB), nullptr);
}

TEST(ObjectTable, AddingAnInnerObjectAgainGivesTheSecondHoldBack) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB), Verdict::kOk);
  Contain(&table, kA, kB);
  const InnerRef again = Hold(&table, kB);
  std::vector<InnerRef> duplicates;
  ASSERT_EQ(table.AddInners(kA, {again, again}, &duplicates), Verdict::kOk);
  EXPECT_EQ(duplicates, (std::vector<InnerRef>{again, again}));
  table.DropHandle(kA);
  EXPECT_EQ(table.effects.inners.size(), 1u);
}

TEST(ObjectTable, TwiceInOneListCountsOnce) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB), Verdict::kOk);
  const InnerRef inner = Hold(&table, kB);
  Hold(&table, kB);
  std::vector<InnerRef> duplicates;
  ASSERT_EQ(table.AddInners(kA, {inner, inner}, &duplicates), Verdict::kOk);
  EXPECT_EQ(duplicates, std::vector<InnerRef>{inner});
}

TEST(ObjectTable, ManyInnerObjectsAreLetGoInOrderOfAdditionEachOnce) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(1000), Verdict::kOk);
  std::vector<InnerRef> inners;
  for (uint64_t inner = 0; inner < 100; ++inner) {
    ASSERT_EQ(table.Declare(inner), Verdict::kOk);
    inners.push_back(Hold(&table, inner));
  }
  // Around the size from which they are kept as a set as well.
  std::vector<InnerRef> duplicates;
  for (size_t count : {1u, 15u, 16u, 17u, 18u, 100u}) {
    duplicates.clear();
    const std::vector<InnerRef> some(inners.begin(), inners.begin() + count);
    ASSERT_EQ(table.AddInners(1000, some, &duplicates), Verdict::kOk);
    const std::vector<InnerRef> first(inners.begin(), inners.begin() + duplicates.size());
    EXPECT_EQ(duplicates, first) << "what an earlier round had added";
  }
  table.DropHandle(1000);
  EXPECT_EQ(table.effects.inners, inners);
}

TEST(ObjectTable, OneInnerObjectInTwoOuterOnesWaitsForBoth) {
  ObjectTableHarness table;
  for (const uint64_t object : {kA, kB, kC}) ASSERT_EQ(table.Declare(object), Verdict::kOk);
  Contain(&table, kA, kC);
  Contain(&table, kB, kC);
  table.DropHandle(kC);
  table.DropHandle(kA);
  ASSERT_EQ(table.DropNestedHold(table.effects.inners.at(0).record), Verdict::kOk);
  EXPECT_NE(table.Find(kC), nullptr);
  table.DropHandle(kB);
  ASSERT_EQ(table.DropNestedHold(table.effects.inners.at(0).record), Verdict::kOk);
  EXPECT_EQ(table.Find(kC), nullptr);
}

TEST(ObjectTable, AFreedOuterObjectStillHoldsItsInnerOnes) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB), Verdict::kOk);
  Contain(&table, kA, kB);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_TRUE(table.effects.inners.empty()) << "it is in scope: its value may be made again";
}

// --- The end ---------------------------------------------------------------------------------

TEST(ObjectTable, WithNobodyToAskCopiesAreGoneAtOnce) {
  ObjectTable::Config config;
  config.settle_at_once = true;
  config.observe_frees = true;
  ObjectTableHarness table(config);
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  for (PeerIndex node = 1; node < 6; ++node) {
    ASSERT_EQ(table.SetLocation(kA, node), Verdict::kOk);
  }
  table.DropHandle(kA);
  EXPECT_EQ(table.Find(kA), nullptr);
  EXPECT_EQ(table.effects.settled.size(), 6u);
  EXPECT_TRUE(table.effects.ready.empty());
  EXPECT_EQ(table.table.counters().copies_freed, 6u);
  EXPECT_EQ(table.SetLocation(kA, kN0), Verdict::kNotFound);
  EXPECT_FALSE(table.table.HasWorkFor(kN0));
}

TEST(ObjectTable, AChainOfAMillionIsDroppedWithoutRecursion) {
  ObjectTable table((ObjectTable::Config()));
  constexpr uint64_t kLength = 1000000;
  Effects effects;
  std::vector<InnerRef> duplicates;
  RecordIndex inner = kNoRecord;
  ObjectRecord* record = nullptr;
  // Object n contains object n - 1; all handles but the last one's are dropped.
  for (uint64_t number = 0; number < kLength; ++number) {
    const ObjectId id = ObjectId::FromNumber(number);
    const Key key{id, id.Hash()};
    ASSERT_EQ(table.Step(event::Declare{key}, &effects, &record), Verdict::kOk);
    if (inner != kNoRecord) {
      const InnerRef inners[] = {{0, inner}};
      ASSERT_EQ(table.Step(event::AddInners{key, inners, &duplicates}), Verdict::kOk);
    }
    if (number + 1 == kLength) break;
    ASSERT_EQ(table.Step(event::AddNestedHold{key}, &inner), Verdict::kOk);
    ASSERT_TRUE(record->cell.DropUnderLock());
    ASSERT_EQ(table.Step(event::DropLastHandle{record}, &effects), Verdict::kOk);
  }
  ASSERT_TRUE(record->cell.DropUnderLock());
  ASSERT_EQ(table.Step(event::DropLastHandle{record}, &effects), Verdict::kOk);
  uint64_t steps = 0;
  // A chain: each lets go of one more.
  for (std::vector<InnerRef> next = effects.TakeInners(); !next.empty();
       next = effects.TakeInners()) {
    ++steps;
    ASSERT_EQ(next.size(), 1u);
    ASSERT_EQ(table.Step(event::DropNestedHold{next[0].record}, &effects), Verdict::kOk);
  }
  EXPECT_EQ(steps, kLength - 1);
  EXPECT_EQ(table.counters().out_of_scope, kLength);
  table.CheckInvariants();
}

TEST(ObjectTable, VisitingInPiecesMeetsEveryRecordOnce) {
  ObjectTableHarness table;
  for (uint64_t object = 0; object < 2000; ++object) {
    ASSERT_EQ(table.table.counters().declared, object);
    const ObjectId id = ObjectId::FromNumber(object);
    Effects effects;
    ObjectRecord* record = nullptr;
    ASSERT_EQ(table.table.Step(event::Declare{{id, id.Hash()}}, &effects, &record), Verdict::kOk);
  }
  for (const size_t slots_max : {size_t{1}, size_t{7}, size_t{1000}, SIZE_MAX}) {
    uint64_t next = 0;
    for (RecordIndex from = 0; from != kNoRecord;) {
      from = table.table.Visit(from, slots_max, [&](const ObjectRecord& record) {
        EXPECT_EQ(NumberOf(record.id()), next++) << "in slab order";
      });
    }
    EXPECT_EQ(next, 2000u);
  }
}

}  // namespace
}  // namespace freehold::core
