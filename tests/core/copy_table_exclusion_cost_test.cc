// What an owner's death costs a node: its own copies, however many copies of others are there.
//
// Not time is measured: pieces, what each piece changes, and the pages with others' records that
// are touched all the same.

#include <algorithm>
#include <cstdint>

#include "gtest/gtest.h"
#include "src/base/check.h"
#include "src/core/copy_table.h"
#include "tests/core/touch_counter.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kDead = 3;
constexpr PeerIndex kOther = 5;
constexpr uint32_t kPiece = 2'048;  // records of one lock hold, at most

struct Cost {
  uint64_t pieces = 0;
  uint64_t largest_piece = 0;  // records that it changed
  uint64_t pages_of_others = 0;
  uint64_t doomed = 0;
};

void AddCopies(CopyTable* table, PeerIndex owner, uint64_t first, uint64_t copies) {
  CopyEffects effects;
  for (uint64_t i = first; i < first + copies; ++i) {
    const copy_event::AddCopy add{ObjectId::FromNumber(i), 0, owner, CopyRole::kPrimary, 10};
    FREEHOLD_CHECK(table->Step(add, &effects) == CopyVerdict::kOk);
  }
}

Pages PagesOf(const CopyTable& table, PeerIndex owner) {
  Pages pages;
  (void)table.VisitCopies(0, UINT32_MAX, [&](const CopyRecord& copy) {
    if (copy.owner == owner) AddPagesOf(&copy, sizeof(copy), &pages);
  });
  return pages;
}

// Sweeps to the end, `piece` records at a time.
Cost SweepAll(CopyTable* table, uint32_t piece) {
  Cost cost;
  CopyEffects effects;
  const auto left = [table] {
    return table->stats().reports_waiting - table->stats().deletes_pending;
  };
  CopyVerdict verdict = CopyVerdict::kMore;
  for (; verdict == CopyVerdict::kMore; ++cost.pieces) {
    const uint64_t before = left();
    verdict = table->Step(copy_event::Sweep{piece}, &effects);
    cost.largest_piece = std::max(cost.largest_piece, before - left());
  }
  cost.doomed = table->stats().deletes_pending;
  return cost;
}

// The death, up to the last piece after its barrier, of an owner with `copies` copies that no
// report waits for; others' lie before and after them.
Cost DeathOfOwnerOf(uint64_t copies, uint64_t others) {
  CopyTable::Options options;
  options.reports = false;
  CopyTable table(options);
  AddCopies(&table, kOther, 0, others / 2);
  AddCopies(&table, kDead, others / 2, copies);
  AddCopies(&table, kOther, others / 2 + copies, others - others / 2);
  const Pages of_dead = PagesOf(table, kDead);
  Pages of_others = PagesOf(table, kOther);
  for (const uintptr_t page : of_dead) of_others.erase(page);
  const auto die = [&table] {
    CopyEffects effects;
    FREEHOLD_CHECK(table.Step(copy_event::View{1, {kDead}}, &effects) == CopyVerdict::kOk);
    FREEHOLD_CHECK(table.Step(copy_event::Barrier{1}, &effects) == CopyVerdict::kOk);
    return SweepAll(&table, kPiece);
  };
  Cost cost;
  {
    const TouchCounter counter(of_others);
    cost = die();
    cost.pages_of_others = counter.touched();
  }
  table.CheckInvariants();
  return cost;
}

TEST(CopyTableExclusionCost, DependsOnTheDeadOwnersCopiesAndNotOnTheOthers) {
  const Cost among_many = DeathOfOwnerOf(1'000, 100'000);
  const Cost among_few = DeathOfOwnerOf(1'000, 1'000);
  EXPECT_EQ(among_many.pieces, 1u);
  EXPECT_EQ(among_few.pieces, 1u);
  EXPECT_EQ(among_many.doomed, 1'000u);
  EXPECT_EQ(among_many.largest_piece, 1'000u);
  // Of some thousand: the heap has put a few other things beside others' records.
  EXPECT_LE(among_many.pages_of_others, 8u);
  EXPECT_LE(among_few.pages_of_others, 8u);
}

TEST(CopyTableExclusionCost, EachPieceChangesAsManyRecordsAsItMayAndNoMore) {
  for (const uint64_t others : {1'000u, 100'000u}) {
    const Cost cost = DeathOfOwnerOf(10'000, others);
    EXPECT_EQ(cost.pieces, 10'000u / kPiece + 1) << others;
    EXPECT_EQ(cost.largest_piece, kPiece) << others;
    EXPECT_EQ(cost.doomed, 10'000u) << others;
  }
}

TEST(CopyTableExclusionCost, ReportsThatNobodyHearsAnyMoreAreWithdrawnInTheSamePieces) {
  CopyTable table((CopyTable::Options()));
  AddCopies(&table, kOther, 0, 100'000);
  AddCopies(&table, kDead, 100'000, 1'000);
  CopyEffects effects;
  EXPECT_EQ(table.Step(copy_event::View{1, {kDead}}, &effects), CopyVerdict::kOk);
  EXPECT_EQ(table.Step(copy_event::Barrier{1}, &effects), CopyVerdict::kOk);
  const Cost cost = SweepAll(&table, 100);
  EXPECT_EQ(cost.pieces, 20u) << "a report and a copy each";
  EXPECT_EQ(cost.largest_piece, 100u);
  EXPECT_EQ(table.stats().reports_waiting, 100'000u) << "the other owner's stay";
  EXPECT_EQ(table.stats().deletes_pending, 1'000u);
}

}  // namespace
}  // namespace freehold::core
