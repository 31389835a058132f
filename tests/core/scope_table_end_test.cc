// How scopes end where there is much of something: in pieces, and with nothing left behind.

#include <functional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/scope_table_harness.h"

namespace freehold::core {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

void Apply(ScopeTableHarness* h, const std::function<void()>& step) {
  (void)h->Checked([&] {
    step();
    return ScopeVerdict::kOk;
  });
}

TEST(ScopeTable, LateChangesOfADoneScopeReachNoneThatTookThePlaceOfItsParent) {
  ScopeTableHarness h;
  event::OpenScope inner;
  inner.id = ScopeId(2);
  inner.parent = ScopeId(1);
  inner.handle = true;
  (void)h.Open(1);
  (void)h.Open(inner);
  (void)h.Admit(2, 10);
  const ScopeIndex of_inner = h.admission.scope;
  (void)h.End(1);
  (void)h.EndMore();
  h.Gone(2, 10);
  ASSERT_EQ(h.table.Find(ScopeId(1)), nullptr);
  (void)h.Open(3);
  h.table.Forgotten(of_inner, /*told=*/3);
  Apply(&h, [&] { h.table.Step(ScopeChange{of_inner, 0, 0, 0, 10, 1}, &h.effects); });
  EXPECT_EQ(h.table.Find(ScopeId(3))->bytes_all, 0);
  EXPECT_EQ(h.table.Find(ScopeId(2))->parent_id, ScopeId(1));
  EXPECT_EQ(h.table.Find(ScopeId(2))->parent, kNoScope);
}

TEST(ScopeTable, WhatManyUsesHoldIsLetGoOfInPieces) {
  ScopeTableHarness h;
  constexpr RecordIndex kObjects = 1000;
  (void)h.Open(1);
  (void)h.Open(2);
  for (RecordIndex object = 1; object <= kObjects; ++object) h.Use(1, 2, object);
  (void)h.End(1);
  EXPECT_THAT(h.effects.inners, IsEmpty());
  EXPECT_TRUE(h.effects.more);
  EXPECT_FALSE(h.IsDone(1));
  size_t dropped = 0;
  while (h.EndMore(100)) {
    EXPECT_LE(h.effects.inners.size(), 100u);
    dropped += h.effects.inners.size();
  }
  dropped += h.effects.inners.size();
  EXPECT_EQ(dropped, kObjects);
  EXPECT_TRUE(h.IsDone(1));
}

TEST(ScopeTable, TheJobsOfADriverEndInPieces) {
  ScopeTableHarness h;
  for (uint64_t id = 1; id <= 250; ++id) {
    event::OpenScope e;
    e.id = ScopeId(id);
    e.driver = 5;
    (void)h.Open(e);
  }
  int pieces = 0;
  for (bool more = true; more; ++pieces) {
    Apply(&h, [&] { more = h.table.CloseDriver(5, 100, &h.effects); });
  }
  EXPECT_EQ(pieces, 3);
  EXPECT_EQ(h.table.size(), 1u);
}

TEST(ScopeTable, WhatWasKeptAndIsGoneDoesNotGatherInIt) {
  ScopeTableHarness h;
  (void)h.Open(1);
  const ScopeIndex index = h.table.IndexOf(ScopeId(1));
  for (uint64_t number = 1; number <= 10'000; ++number) {
    std::vector<ObjectId> oldest;
    h.table.RecordKept(index, ObjectId::FromNumber(number), &oldest);
    ASSERT_LE(oldest.size(), 2u);
    // All but each hundredth are gone soon.
    for (const ObjectId& object : oldest) {
      bool stays = false;
      for (uint64_t kept = 100; kept <= number; kept += 100) {
        stays |= object == ObjectId::FromNumber(kept);
      }
      if (!stays) h.table.ForgetKept(index, object);
    }
    ASSERT_LE(h.table.At(index).kept.size(), 2 + number / 50);
  }
  std::vector<ObjectId> kept;
  ASSERT_EQ(h.table.Delete(ScopeId(1), &kept, &h.effects), ScopeVerdict::kOk);
  EXPECT_THAT(kept, SizeIs(::testing::AllOf(::testing::Ge(100u), ::testing::Le(202u))));
}

TEST(ScopeTable, WhatIsAdmittedUnderALimitCountsWhenItIsThere) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(1);
  e.bytes_max = 50;
  e.on_bytes = 9;
  (void)h.Open(e);
  event::AdmitToScope admit{ScopeId(1), 0};
  admit.bytes = 100;
  Admission admission;
  (void)h.Checked([&] { return h.table.Step(admit, &admission, &h.effects); });
  EXPECT_THAT(h.effects.exceeded, IsEmpty());
  (void)h.End(1);
  EXPECT_FALSE(h.IsDone(1)) << "something is on its way into it";
  Apply(&h, [&] { h.table.Entered(admit, admission, &h.effects); });
  EXPECT_THAT(h.effects.exceeded, SizeIs(1));
  Apply(&h, [&] { h.table.Step(ScopeChange{admission.scope, 0, -1, 0, -100, 1}, &h.effects); });
  EXPECT_TRUE(h.IsDone(1));
}

TEST(ScopeTable, AllScopesOfAnExcludedProcessAreDoneInPiecesInnerOnesFirst) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2, 1);
  (void)h.Open(3, 2);
  (void)h.Open(4);
  (void)h.Admit(3);
  (void)h.Admit(4);
  h.Use(2, 4, 71);
  uint64_t number;
  (void)h.table.AddMember(ScopeId(2), {MemberKind::kTask, "a", 11}, &number);
  (void)h.End(4, ScopeEnd::kCancelled);
  for (uint64_t id = 1; id <= 3; ++id) (void)h.table.OnEnded(ScopeId(id), id * 10);
  std::vector<Token> told;
  for (bool more = true; more;) {
    Apply(&h, [&] { more = h.table.Abandon(1, &h.effects); });
    EXPECT_LE(h.effects.hooks.size() + h.effects.ended.size(), 1u);
    for (const auto& one : h.effects.hooks) told.push_back(one.token);
    for (const auto& one : h.effects.ended) {
      told.push_back(one.token);
      EXPECT_EQ(one.end, ScopeEnd::kExcluded);
    }
  }
  EXPECT_THAT(told, ::testing::ElementsAre(30, 11, 20, 10));
  EXPECT_EQ(h.Open(5), ScopeVerdict::kEnded);
}

}  // namespace
}  // namespace freehold::core
