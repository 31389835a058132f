// What one table does about scopes that other processes have joined, and about parts of theirs.

#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/scope_table_harness.h"

namespace freehold::core {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr PeerIndex kOther = 7;

class LinkedTable : public ScopeTableHarness {
 public:
  // The other process joins scope `id` of this one.
  ScopeVerdict Joined(uint64_t id, uint64_t number = 1) {
    return Told({id, number, ScopeItemKind::kJoin});
  }
  ScopeVerdict Told(const ScopeItem& item) {
    return Checked([&] { return table.Step(kOther, item, &effects); });
  }
  // This process joins scope `id` of the other one.
  ScopeId Join(uint64_t id, bool no_cleanup = false) {
    event::JoinScope e;
    e.owner = kOther;
    e.scope = ScopeId(id);
    e.hold = true;
    e.no_cleanup = no_cleanup;
    e.now = At(1);
    ScopeId part;
    EXPECT_EQ(Checked([&] { return table.Step(e, &part, &effects); }), ScopeVerdict::kOk);
    return part;
  }
  void LoseOwner(ScopeId part) {
    (void)Checked([&] {
      table.LoseOwner(part, &effects);
      return ScopeVerdict::kOk;
    });
  }
  bool ClosePeer(uint32_t scopes = UINT32_MAX) {
    bool more = false;
    (void)Checked([&] {
      more = table.ClosePeer(kOther, scopes, &effects);
      return ScopeVerdict::kOk;
    });
    return more;
  }
};

TEST(ScopeTableLinks, AScopeThatWaitsForMembersAloneLetsGoOfWhatItUses) {
  LinkedTable h;
  (void)h.Open(1);
  (void)h.Open(2);
  (void)h.Joined(1);
  h.Use(1, 2, 5);
  (void)h.Admit(1);
  (void)h.End(1);
  EXPECT_THAT(h.effects.inners, IsEmpty()) << "an object of its is in scope";
  h.Gone(1);
  EXPECT_THAT(h.effects.inners, SizeIs(1));
  EXPECT_FALSE(h.IsDone(1));
  EXPECT_EQ(h.Told({1, 1, ScopeItemKind::kEnded}), ScopeVerdict::kOk);
  EXPECT_TRUE(h.IsDone(1));
}

TEST(ScopeTableLinks, AlsoInPiecesWhereItUsesMany) {
  LinkedTable h;
  (void)h.Open(1);
  (void)h.Open(2);
  (void)h.Joined(1);
  for (RecordIndex object = 1; object <= 1000; ++object) h.Use(1, 2, object);
  (void)h.End(1);
  size_t dropped = h.effects.inners.size();
  for (bool more = true; more; dropped += h.effects.inners.size()) more = h.EndMore(100);
  EXPECT_EQ(dropped, 1000u);
  EXPECT_FALSE(h.IsDone(1));
  EXPECT_EQ(h.Told({1, 1, ScopeItemKind::kEnded}), ScopeVerdict::kOk);
  EXPECT_TRUE(h.IsDone(1));
}

TEST(ScopeTableLinks, NothingWaitsForAPeerThatWasClosed) {
  for (const uint32_t scopes : {UINT32_MAX, 1u}) {
    LinkedTable h;
    const ScopeId part = h.Join(9);
    event::OpenScope inner;
    inner.id = ScopeId(100);
    inner.parent = part;
    (void)h.Open(inner);
    (void)h.Joined(100);
    (void)h.Told({9, 1, ScopeItemKind::kEnd, ScopeEnd::kEnded});
    (void)h.EndMore();
    ASSERT_FALSE(h.IsDone(part.number())) << "the other process is in its child";
    while (h.ClosePeer(scopes)) (void)h.EndMore();
    (void)h.EndMore();
    EXPECT_TRUE(h.IsDone(part.number()));
    EXPECT_EQ(h.table.links().waiting(), 0u);
  }
}

TEST(ScopeTableLinks, NorDoesTheEndOfAScopeInsideAPartOfIts) {
  LinkedTable h;
  event::OpenScope inner;
  inner.id = ScopeId(100);
  inner.parent = h.Join(9);
  (void)h.Open(inner);
  (void)h.Joined(100);
  while (h.ClosePeer()) (void)h.EndMore();
  (void)h.EndMore();
  EXPECT_TRUE(h.IsDone(100));
  EXPECT_EQ(h.table.links().waiting(), 0u);
}

TEST(ScopeTableLinks, APartThatIsDoneLosesNoOwnerForTheNextOne) {
  LinkedTable h;
  const ScopeId first = h.Join(9);
  (void)h.Told({9, 1, ScopeItemKind::kEnd, ScopeEnd::kEnded});
  (void)h.EndMore();
  ASSERT_TRUE(h.IsDone(first.number()));
  const ScopeId second = h.Join(9);
  ASSERT_NE(first, second);
  h.LoseOwner(first);
  EXPECT_EQ(h.table.links().parts(), 1u);
  EXPECT_EQ(h.table.Find(second)->state, ScopeState::kRunning);
  h.LoseOwner(second);
  (void)h.EndMore();
  EXPECT_EQ(h.table.links().parts(), 0u);
  EXPECT_TRUE(h.IsDone(second.number()));
  EXPECT_EQ(h.table.links().waiting(), 0u);
}

TEST(ScopeTableLinks, APartThatIsDoneHasNothingToReleaseWithoutItsOwner) {
  LinkedTable h;
  const ScopeId part = h.Join(9, /*no_cleanup=*/true);
  (void)h.Admit(part.number());
  (void)h.Told({9, 1, ScopeItemKind::kEnd, ScopeEnd::kEnded});
  h.Gone(part.number());
  (void)h.EndMore();
  ASSERT_TRUE(h.IsDone(part.number()));
  h.LoseOwner(part);
  EXPECT_THAT(h.effects.release, IsEmpty());
}

// An object comes into scope `scope` of `owner`, which has held it.
Admission Bring(LinkedTable* h, PeerIndex owner, uint64_t scope) {
  event::BringIntoScope e;
  e.owner = owner;
  e.scope = ScopeId(scope);
  e.hold = e.held = true;
  e.now = At(1);
  Admission admission;
  const ScopeVerdict verdict =
      h->Checked([&] { return h->table.Step(e, &admission, &h->effects); });
  EXPECT_EQ(verdict == ScopeVerdict::kOk, admission.scope != kNoScope);
  return admission;
}

TEST(ScopeTableLinks, WhatComesMakesAPartAndKeepsItBusy) {
  LinkedTable h;
  const Admission at = Bring(&h, kOther, 5);
  EXPECT_THAT(h.effects.ready, SizeIs(1));
  EXPECT_TRUE(at.hold && !at.frees);
  EXPECT_EQ(h.table.At(at.scope).objects, 1);
  EXPECT_EQ(h.table.At(at.scope).handles, 0u);
  EXPECT_EQ(Bring(&h, kOther, 5).scope, at.scope);
  EXPECT_EQ(h.table.At(at.scope).objects, 2);
  ASSERT_EQ(h.Told({5, 1, ScopeItemKind::kEnd, ScopeEnd::kEnded}), ScopeVerdict::kOk);
  EXPECT_THAT(h.effects.release, SizeIs(1));
  h.Released(h.table.At(at.scope).id.number());
  // One that ends takes it, and does not hold it.
  EXPECT_FALSE(Bring(&h, kOther, 5).hold);
  ASSERT_EQ(h.Told({5, 1, ScopeItemKind::kEnd, ScopeEnd::kForced}), ScopeVerdict::kOk);
  EXPECT_TRUE(Bring(&h, kOther, 5).frees);
}

TEST(ScopeTableLinks, WhatDoesNotComeAfterAllIsTakenBack) {
  LinkedTable h;
  ASSERT_EQ(h.Open(1), ScopeVerdict::kOk);
  const Admission at = Bring(&h, kNoPeer, 1);
  ASSERT_EQ(h.End(1), ScopeVerdict::kOk);
  h.Released(1);
  EXPECT_FALSE(h.IsDone(1));
  (void)h.Checked([&] {
    h.table.Withdraw(event::AdmitToScope(), at, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_TRUE(h.IsDone(1));
}

TEST(ScopeTableLinks, NothingComesIntoAPartByItsIdHereOrIntoWhatIsNot) {
  LinkedTable h;
  ASSERT_EQ(h.Open(1), ScopeVerdict::kOk);
  const ScopeId part = h.Join(5);
  EXPECT_EQ(Bring(&h, kNoPeer, part.number()).scope, kNoScope);
  EXPECT_EQ(Bring(&h, kNoPeer, 2).scope, kNoScope);
  EXPECT_EQ(Bring(&h, kNoPeer, ScopeId::Root().number()).scope, kRootScope);
  ASSERT_TRUE(h.table.AddHandle(ScopeId(1)) == ScopeVerdict::kOk);
  ASSERT_EQ(h.End(1), ScopeVerdict::kOk);
  ASSERT_TRUE(h.IsDone(1));
  EXPECT_EQ(Bring(&h, kNoPeer, 1).scope, kNoScope);
}

TEST(ScopeTableLinks, AScopeIsDoneAlthoughAnotherUsesWhatItHasGivenAway) {
  LinkedTable h;
  ASSERT_EQ(h.Open(1), ScopeVerdict::kOk);
  ASSERT_EQ(h.Open(2), ScopeVerdict::kOk);
  ASSERT_EQ(h.Admit(1), ScopeVerdict::kOk);
  h.Use(2, 1, 5);
  (void)h.Checked([&] {
    h.table.Rehomed({0, 5}, {kRootScope, 1}, &h.effects);
    return ScopeVerdict::kOk;
  });
  h.Gone(1);
  ASSERT_EQ(h.End(1), ScopeVerdict::kOk);
  EXPECT_TRUE(h.IsDone(1));
  // It comes home, into a scope that has ended and waits for the one that uses it.
  ASSERT_EQ(h.Open(3, 2), ScopeVerdict::kOk);
  ASSERT_EQ(h.Admit(3), ScopeVerdict::kOk);
  ASSERT_EQ(h.End(2), ScopeVerdict::kOk);
  EXPECT_FALSE(h.EndMore());
  EXPECT_THAT(h.effects.inners, IsEmpty());
  (void)h.Checked([&] {
    h.table.Rehomed({0, 5}, {h.table.IndexOf(ScopeId(3)), 2}, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_THAT(h.effects.inners, SizeIs(1)) << "a ring";
}

}  // namespace
}  // namespace freehold::core
