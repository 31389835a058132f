// What one shard knows of scopes.

#include "src/core/object_table_scopes.h"

#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freehold::core {
namespace {

constexpr ScopeIndex kScope = 3;
constexpr ScopeIndex kOther = 4;

void Clear(Effects* effects) {
  effects->fired.clear();
  effects->ready.clear();
  effects->scopes.clear();
  effects->rare.reset();
}

class Harness {
 public:
  Verdict Declare(uint64_t number, ScopeIndex scope, bool hold = false, LabelIndex label = 0,
                  uint64_t size = 10) {
    const ObjectId id = ObjectId::FromNumber(number);
    event::Declare e{{id, id.Hash()}, size, 1};
    e.scope = scope;
    e.hold = hold;
    e.label = label;
    ObjectRecord* record = nullptr;
    const Verdict verdict = table.Step(e, &record);
    table.CheckInvariants();
    if (verdict == Verdict::kOk) records[number] = record;
    return verdict;
  }
  void Drop(uint64_t number) {
    Clear(&effects);
    ObjectRecord* record = records.at(number);
    ASSERT_TRUE(record->cell.DropUnderLock());
    ASSERT_EQ(table.Step(event::DropLastHandle{record}, &effects), Verdict::kOk);
    table.CheckInvariants();
  }
  Verdict Move(uint64_t number, ScopeIndex from, ScopeIndex to, bool hold = false) {
    const ObjectId id = ObjectId::FromNumber(number);
    moved = MovedMember();
    const Verdict verdict =
        ScopeSteps(&table).Step(event::MoveToScope{{id, id.Hash()}, from, to, hold}, &moved);
    table.CheckInvariants();
    return verdict;
  }
  bool Release(ScopeIndex scope, uint64_t budget = 1000) {
    Clear(&effects);
    const bool more = ScopeSteps(&table).Release(scope, &budget, &effects);
    table.CheckInvariants();
    return more;
  }
  bool Force(ScopeIndex scope, uint64_t budget = 1000) {
    Clear(&effects);
    const bool more = ScopeSteps(&table).Force(scope, &budget, &effects);
    table.CheckInvariants();
    return more;
  }
  const ObjectRecord* Find(uint64_t number) const {
    const ObjectId id = ObjectId::FromNumber(number);
    return table.Find({id, id.Hash()});
  }
  // Of all changes together.
  ScopeChange Sum() const {
    ScopeChange sum;
    for (const ScopeChange& change : effects.scopes) {
      sum.scope = change.scope;
      sum.objects += change.objects;
      sum.copies += change.copies;
      sum.bytes += change.bytes;
      sum.steps += change.steps;
    }
    return sum;
  }
  static ObjectTableConfig Config() {
    ObjectTableConfig config;
    config.settle_at_once = true;
    return config;
  }

  ObjectTable table{Config()};
  Effects effects;
  MovedMember moved;
  std::map<uint64_t, ObjectRecord*> records;
};

TEST(ObjectTableScopes, AnObjectInNoScopeHasNoMember) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kRootScope), Verdict::kOk);
  EXPECT_EQ(h.table.scopes(), nullptr);
  h.Drop(1);
  EXPECT_TRUE(h.effects.scopes.empty());
}

TEST(ObjectTableScopes, AMemberThatNobodyRefersToGoesAtOnceAndIsTold) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kScope), Verdict::kOk);
  h.Drop(1);
  EXPECT_EQ(h.Find(1), nullptr);
  const ScopeChange sum = h.Sum();
  EXPECT_EQ(sum.scope, kScope);
  EXPECT_EQ(sum.objects, -1);
  EXPECT_EQ(sum.copies, -1);
  EXPECT_EQ(sum.bytes, -10);
  EXPECT_EQ(ScopeSteps(&h.table).Forget(kScope), sum.steps);
  EXPECT_EQ(h.table.scopes()->scopes(), 0u);
}

TEST(ObjectTableScopes, AMemberThatIsHeldGoesWhenTheScopeLetsGo) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kScope, /*hold=*/true), Verdict::kOk);
  h.Drop(1);
  ASSERT_NE(h.Find(1), nullptr);
  EXPECT_TRUE(h.Find(1)->in_scope());
  EXPECT_FALSE(h.Release(kScope));
  EXPECT_EQ(h.Find(1), nullptr);
  EXPECT_EQ(h.Sum().objects, -1);
}

TEST(ObjectTableScopes, ReleaseTakesNoMoreThanItsBudget) {
  Harness h;
  for (uint64_t number = 1; number <= 10; ++number) {
    ASSERT_EQ(h.Declare(number, kScope, /*hold=*/true), Verdict::kOk);
    h.Drop(number);
  }
  EXPECT_TRUE(h.Release(kScope, 4));
  EXPECT_EQ(h.Sum().objects, -4);
  EXPECT_EQ(h.effects.scopes.size(), 1u) << "one change for all";
  EXPECT_EQ(h.Find(4), nullptr) << "the oldest first";
  EXPECT_NE(h.Find(5), nullptr);
  EXPECT_TRUE(h.Release(kScope, 5));
  EXPECT_FALSE(h.Release(kScope, 5));
  EXPECT_EQ(h.table.scopes()->size(), 0u);
}

TEST(ObjectTableScopes, WhatIsReferencedSurvivesTheRelease) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kScope, /*hold=*/true), Verdict::kOk);
  EXPECT_FALSE(h.Release(kScope));
  ASSERT_NE(h.Find(1), nullptr);
  EXPECT_EQ(h.Find(1)->nested_in, 0u);
  h.Drop(1);
  EXPECT_EQ(h.Find(1), nullptr);
}

TEST(ObjectTableScopes, AClosedScopeTakesNothing) {
  Harness h;
  EXPECT_FALSE(h.Release(kScope));
  EXPECT_EQ(h.Declare(1, kScope), Verdict::kScopeEnded);
  EXPECT_EQ(h.Find(1), nullptr);
  ASSERT_EQ(h.Declare(2, kOther), Verdict::kOk);
  EXPECT_EQ(h.Move(2, kOther, kScope), Verdict::kScopeEnded);
  EXPECT_EQ(h.table.scopes()->ScopeOf(h.table.scopes()->At(h.Find(2)->member())), kOther);
  EXPECT_EQ(ScopeSteps(&h.table).Forget(kScope), 0u);
  EXPECT_EQ(h.Declare(1, kScope), Verdict::kOk) << "another scope of that index";
}

TEST(ObjectTableScopes, ForceFreesTheValuesUnderTheirHandles) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kScope, /*hold=*/true), Verdict::kOk);
  ASSERT_EQ(h.Declare(2, kScope), Verdict::kOk);
  ASSERT_EQ(h.Declare(3, kScope, /*hold=*/true), Verdict::kOk);
  h.Drop(3);
  EXPECT_TRUE(h.Force(kScope, 2));
  EXPECT_FALSE(h.Force(kScope, 2));
  EXPECT_EQ(h.Find(1)->state(), ObjectState::kFreed);
  EXPECT_EQ(h.Find(2)->state(), ObjectState::kFreed);
  EXPECT_EQ(h.Find(3), nullptr);
  h.Drop(1);
  EXPECT_EQ(h.Find(1), nullptr);
}

TEST(ObjectTableScopes, WhatOneScopeHeldTheNextHoldsToo) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kScope, /*hold=*/true, /*label=*/6), Verdict::kOk);
  h.Drop(1);
  ASSERT_EQ(h.Move(1, kScope, kOther), Verdict::kOk);
  EXPECT_TRUE(h.moved.counted && h.moved.counts);
  EXPECT_EQ(h.moved.label, 6u);
  EXPECT_EQ(h.moved.bytes, 10);
  EXPECT_FALSE(h.Release(kScope));
  ASSERT_NE(h.Find(1), nullptr) << "a kept object outlives its scope";
  EXPECT_FALSE(h.Release(kOther));
  EXPECT_EQ(h.Find(1), nullptr);
}

TEST(ObjectTableScopes, APlainObjectJoinsAndLeavesAgain) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kRootScope), Verdict::kOk);
  const uint32_t origin = h.Find(1)->origin;
  ASSERT_EQ(h.Move(1, kRootScope, kScope), Verdict::kOk);
  EXPECT_FALSE(h.moved.counted);
  EXPECT_TRUE(h.moved.counts);
  EXPECT_EQ(h.Move(1, kOther, kRootScope), Verdict::kNotHeld);
  ASSERT_EQ(h.Move(1, kScope, kRootScope), Verdict::kOk);
  EXPECT_FALSE(h.moved.counts);
  EXPECT_EQ(h.Find(1)->origin, origin);
  EXPECT_EQ(h.table.scopes()->size(), 0u);
}

TEST(ObjectTableScopes, CopiesAndSizesAreTold) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kScope), Verdict::kOk);
  const ObjectId id = ObjectId::FromNumber(1);
  event::SetLocation e{{id, id.Hash()}, 2, 0, 25, CopyRole::kSecondary};
  e.in_memory = true;
  ASSERT_EQ(h.table.Step(e, &h.effects), Verdict::kOk);
  EXPECT_EQ(h.Sum().copies, 1);
  EXPECT_EQ(h.Sum().bytes, 15);
  Clear(&h.effects);
  ASSERT_EQ(h.table.Step(event::RemoveLocation{{id, id.Hash()}, 2, 0}, &h.effects), Verdict::kOk);
  EXPECT_EQ(h.Sum().copies, -1);
  h.Drop(1);
  EXPECT_EQ(h.Sum().bytes, -25);
}

TEST(ObjectTableScopes, CopiesOfAnOldValueAreNotThoseOfTheNewOne) {
  Harness h;
  ObjectTable table(ObjectTableConfig{});
  const ObjectId id = ObjectId::FromNumber(1);
  event::Declare e{{id, id.Hash()}, 10, 1};
  e.scope = kScope;
  ObjectRecord* record = nullptr;
  ASSERT_EQ(table.Step(e, &record), Verdict::kOk);
  Effects effects;
  ASSERT_EQ(table.Step(event::FreeExplicitly{{id, id.Hash()}}, &effects), Verdict::kOk);
  EXPECT_TRUE(effects.scopes.empty());
  ASSERT_EQ(table.Step(event::Recreate{{id, id.Hash()}}, &effects), Verdict::kOk);
  ASSERT_EQ(effects.scopes.size(), 1u);
  EXPECT_EQ(effects.scopes[0].copies, -1);
  table.CheckInvariants();
  PayloadWriter writer(kEnvelopeBytesMost);
  (void)table.PullFrees(1, 10, &writer);
  Clear(&effects);
  ASSERT_EQ(table.Step(event::FreeAnswered{{id, id.Hash()}, 1, 0, FreeResult::kDeleted}, &effects),
            Verdict::kOk);
  EXPECT_TRUE(effects.scopes.empty()) << "the ghost's copy counted no more";
  table.CheckInvariants();
}

TEST(ObjectTableScopes, WhatIsHeldNoLongerStaysAMember) {
  Harness h;
  ASSERT_EQ(h.Declare(1, kScope, /*hold=*/true), Verdict::kOk);
  const ObjectId id = ObjectId::FromNumber(1);
  Clear(&h.effects);
  ScopeSteps steps(&h.table);
  EXPECT_EQ(steps.Step(event::StopHolding{{id, id.Hash()}, kOther}, &h.effects), Verdict::kNotHeld);
  EXPECT_EQ(steps.Step(event::StopHolding{{id, id.Hash()}, kScope}, &h.effects), Verdict::kOk);
  EXPECT_EQ(steps.Step(event::StopHolding{{id, id.Hash()}, kScope}, &h.effects), Verdict::kNotHeld);
  h.table.CheckInvariants();
  h.Drop(1);
  EXPECT_EQ(h.Find(1), nullptr);
}

TEST(ObjectTableScopes, ARecordStillKnowsWhereItWasDeclared) {
  Harness h;
  const ObjectId id = ObjectId::FromNumber(1);
  event::Declare e{{id, id.Hash()}};
  e.call_site = 17;
  e.scope = kScope;
  ObjectRecord* record = nullptr;
  ASSERT_EQ(h.table.Step(e, &record), Verdict::kOk);
  EXPECT_EQ(ScopeSteps::CallSiteOf(h.table, *record), 17u);
  ASSERT_EQ(h.Move(1, kScope, kRootScope), Verdict::kOk);
  EXPECT_EQ(ScopeSteps::CallSiteOf(h.table, *record), 17u);
}

}  // namespace
}  // namespace freehold::core
