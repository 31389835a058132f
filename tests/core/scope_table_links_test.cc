// ScopeTable: parts of scopes of other processes, when their owner goes.

#include "gtest/gtest.h"
#include "src/core/scope_table.h"
#include "tests/core/scope_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kOwner = 5;

// Joins that owner's scope 900 and answers what its part is called.
ScopeId Join(ScopeTableHarness* h, bool no_cleanup = false) {
  event::JoinScope join;
  join.owner = kOwner;
  join.scope = ScopeId(900);
  join.no_cleanup = no_cleanup;
  ScopeId id;
  EXPECT_EQ(h->Checked([&] { return h->table.Step(join, &id, &h->effects); }), ScopeVerdict::kOk);
  return id;
}

// What the owner says to its first part here.
ScopeVerdict EndPart(ScopeTableHarness* h, uint64_t number) {
  ScopeItem item;
  item.kind = ScopeItemKind::kEnd;
  item.scope = 900;
  item.number = number;
  item.end = ScopeEnd::kEnded;
  return h->Checked([&] { return h->table.Step(kOwner, item, &h->effects); });
}

void LoseOwner(ScopeTableHarness* h, ScopeId part) {
  (void)h->Checked([&] {
    h->table.LoseOwner(part, &h->effects);
    return ScopeVerdict::kOk;
  });
}

bool HasEnded(const ScopeTableHarness& h, ScopeId part) {
  const ScopeRecord* scope = h.table.Find(part);
  return scope == nullptr || scope->state != ScopeState::kRunning;
}

TEST(ScopeTableLinks, APartIsLostWithItsOwner) {
  ScopeTableHarness h;
  const ScopeId part = Join(&h);
  LoseOwner(&h, part);
  EXPECT_TRUE(HasEnded(h, part));
  EXPECT_EQ(h.table.links().parts(), 0u);
  EXPECT_EQ(h.table.links().waiting(), 0u) << "nothing goes to who is excluded";
}

TEST(ScopeTableLinks, APartThatTookThePlaceOfALostOneIsEndedByTheBarrier) {
  ScopeTableHarness h;
  const ScopeId first = Join(&h);
  ASSERT_EQ(EndPart(&h, 1), ScopeVerdict::kOk);
  ASSERT_TRUE(HasEnded(h, first));
  const ScopeId second = Join(&h);
  ASSERT_NE(first, second);
  LoseOwner(&h, first);
  EXPECT_FALSE(HasEnded(h, second));
  EXPECT_EQ(h.table.links().parts(), 1u) << "for the barrier to find it";
  (void)h.Checked([&] {
    EXPECT_FALSE(h.table.ClosePeer(kOwner, 100, &h.effects));
    return ScopeVerdict::kOk;
  });
  EXPECT_TRUE(HasEnded(h, second));
}

TEST(ScopeTableLinks, APartThatIsDoneIsNotReleasedOnceMore) {
  ScopeTableHarness h;
  const ScopeId part = Join(&h, /*no_cleanup=*/true);
  ASSERT_EQ(EndPart(&h, 1), ScopeVerdict::kOk);
  h.effects.release.clear();
  LoseOwner(&h, part);
  EXPECT_TRUE(h.effects.release.empty());
}

}  // namespace
}  // namespace freehold::core
