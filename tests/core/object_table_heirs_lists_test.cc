// ObjectTable: several heirs of an object, in order, at the owner and at the heir.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

constexpr PeerIndex kNext = 5;
constexpr PeerIndex kLast = 6;

class ObjectTableHeirsLists : public ObjectTableHeirs {
 protected:
  Verdict NameList(const std::vector<PeerIndex>& list, bool goes_on = false) {
    return Do([&](Effects* effects) {
      event::NameHeir event{key(), list.front(), &names_};
      event.then = absl::MakeConstSpan(list).subspan(1);
      event.goes_on = goes_on;
      return HeirSteps(&table_).Step(event, effects, &why_);
    });
  }
  Verdict GoOn(PeerIndex heir) { return NameList({heir}, /*goes_on=*/true); }
  Verdict PassOver(PeerIndex heir) { return Heir(event::PassOver{key(), heir}); }
  Verdict Dismiss() { return Heir(event::DismissHeir{key()}); }
  Verdict Give(PeerIndex to) {
    return Do([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::Transfer{key(), to, &names_}, effects, &why_);
    });
  }
  Verdict AckBy(PeerIndex heir, uint64_t version, ShadowAnswer answer = ShadowAnswer::kKept,
                uint32_t term = 2) {
    return Heir(event::ShadowAcked{key(), heir, term, version, answer});
  }
  // What the last step has said: whose, what, and who is next.
  std::string Said() const {
    std::string all;
    for (const HeirNotice& notice :
         effects_.rare == nullptr ? std::vector<HeirNotice>() : effects_.rare->heirs) {
      if (!all.empty()) all += "; ";
      all += notice.heir == kNoPeer ? "-" : std::to_string(notice.heir);
      all += " " + std::to_string(static_cast<int>(notice.outcome));
      if (notice.next != kNoPeer) all += " next " + std::to_string(notice.next);
      EXPECT_TRUE(notice.listed);
    }
    return all;
  }
  static std::string Line(PeerIndex heir, HeirOutcome outcome, PeerIndex next = kNoPeer) {
    return (heir == kNoPeer ? "-" : std::to_string(heir)) + " " +
           std::to_string(static_cast<int>(outcome)) +
           (next == kNoPeer ? "" : " next " + std::to_string(next));
  }
  // At the heir: who comes after it.
  Verdict ShadowThen(const std::vector<PeerIndex>& heirs, std::vector<PeerIndex> processes = {}) {
    return Do([&](Effects* effects) {
      auto snapshot = std::make_unique<OwnedSnapshot>();
      snapshot->processes = std::move(processes);
      snapshot->heirs = heirs;
      return HeirSteps(&table_).Step(event::Shadow{key(), kOwner, 2, 1, std::move(snapshot)},
                                     effects);
    });
  }
  void FenceAtOnce(PeerIndex process) {
    ASSERT_EQ(Do([&](Effects* effects) {
                EXPECT_FALSE(table_.FenceProcess(process, 1000, effects));
                return Verdict::kOk;
              }),
              Verdict::kOk);
  }
  void CloseAtOnce(PeerIndex process) {
    ASSERT_EQ(Do([&](Effects* effects) {
                EXPECT_FALSE(table_.CloseProcess(process, 1000, effects));
                return Verdict::kOk;
              }),
              Verdict::kOk);
  }
  // Its host has got a reference.
  void Keep() {
    auto* const record = const_cast<ObjectRecord*>(table_.Find(key()));
    ASSERT_NE(record, nullptr);
    (void)record->cell.Add();
    record->has_handles = 1;
  }
  // What is out of scope ends for good.
  void Erase() {
    EXPECT_EQ(Pull(kNode), Sent{"free"});
    ASSERT_EQ(Step(event::FreeAnswered{key(), kNode, 0, FreeResult::kDeleted}), Verdict::kOk);
  }
  size_t Lists() const {
    return HeirSteps::Any(table_) ? table_.sharing()->transfers->heirs->next.size() : 0;
  }
};

// --- The owner -----------------------------------------------------------------------------------

TEST_F(ObjectTableHeirsLists, TheHeirIsToldWhoComesAfterItAndEachFollowsTheOneThatDied) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext, kLast}), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 1 t2 g0 state 1 primary 20 then 5 then 6"});
  ASSERT_EQ(AckBy(kHeir, 1), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kPrepared));
  FenceAtOnce(kHeir);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kHeirDied, kNext));
  EXPECT_EQ(HeirSteps::Count(table_), 0u);
  ASSERT_EQ(GoOn(kNext), Verdict::kOk);
  EXPECT_EQ(Pull(kNext), Sent{"shadow 1 t2 g0 state 1 primary 20 then 6"});
  ASSERT_EQ(AckBy(kNext, 1), Verdict::kOk);
  FenceAtOnce(kNext);
  EXPECT_EQ(Said(), Line(kNext, HeirOutcome::kHeirDied, kLast));
  ASSERT_EQ(GoOn(kLast), Verdict::kOk);
  EXPECT_EQ(Lists(), 0u);
  EXPECT_EQ(Pull(kLast), Sent{"shadow 1 t2 g0 state 1 primary 20"});
  FenceAtOnce(kLast);
  EXPECT_EQ(Said(), Line(kLast, HeirOutcome::kHeirDied)) << "none is left";
  EXPECT_EQ(GoOn(kLast), Verdict::kUnchanged);
}

TEST_F(ObjectTableHeirsLists, WhoeverRefusesIsFollowedByTheNextOne) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext, kFirst, kSecond, kLast}), Verdict::kOk);
  const struct {
    ShadowAnswer answer;
    HeirOutcome outcome;
    PeerIndex heir;
    PeerIndex next;
  } kRefusals[] = {{ShadowAnswer::kExists, HeirOutcome::kExists, kHeir, kNext},
                   {ShadowAnswer::kRefused, HeirOutcome::kRefused, kNext, kFirst},
                   {ShadowAnswer::kDraining, HeirOutcome::kDraining, kFirst, kSecond},
                   {ShadowAnswer::kFull, HeirOutcome::kFull, kSecond, kLast}};
  for (const auto& one : kRefusals) {
    ASSERT_EQ(Pull(one.heir).size(), 1u);
    ASSERT_EQ(AckBy(one.heir, 1, one.answer), Verdict::kOk);
    EXPECT_EQ(Said(), Line(one.heir, one.outcome, one.next));
    ASSERT_EQ(GoOn(one.next), Verdict::kOk);
  }
  EXPECT_EQ(Pull(kLast), Sent{"shadow 1 t2 g0 state 1 primary 20"});
}

TEST_F(ObjectTableHeirsLists, OneThatIsLeavingIsFollowedWhenItHasLetGo) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  ASSERT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(AckBy(kHeir, 1), Verdict::kOk);
  ASSERT_EQ(AckBy(kHeir, 0, ShadowAnswer::kDraining), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kLeaving, kNext));
  EXPECT_EQ(GoOn(kNext), Verdict::kUnchanged) << "it is the heir yet";
  ASSERT_EQ(AckBy(kHeir, 0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kDismissed, kNext));
  EXPECT_EQ(GoOn(kNext), Verdict::kOk);
}

TEST_F(ObjectTableHeirsLists, WhoeverIsExcludedIsPassedOver) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kFirst, kNext, kSecond, kLast}), Verdict::kOk);
  Fence(kFirst);
  FenceAtOnce(kHeir);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kHeirDied, kNext));
  // Between what is said and what is done.
  Fence(kNext);
  Fence(kSecond);
  EXPECT_EQ(GoOn(kNext), Verdict::kPeerExcluded);
  EXPECT_EQ(PassOver(kLast), Verdict::kUnchanged) << "it is not the next one";
  ASSERT_EQ(PassOver(kNext), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kNext, HeirOutcome::kHeirDied, kLast));
  ASSERT_EQ(PassOver(kLast), Verdict::kOk) << "another table knows more";
  EXPECT_EQ(Said(), Line(kLast, HeirOutcome::kHeirDied));
  EXPECT_EQ(PassOver(kLast), Verdict::kUnchanged);
  EXPECT_EQ(Lists(), 0u);
  EXPECT_EQ(NameList({kHeir, kNext}), Verdict::kPeerExcluded) << "whose host named it first";
  ASSERT_EQ(NameList({kLast, kNext}), Verdict::kOk);
  EXPECT_EQ(PassOver(kNext), Verdict::kUnchanged) << "there is an heir";
}

TEST_F(ObjectTableHeirsLists, BetweenTwoHeirsNothingIsPromisedOnAnHeirsBehalf) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  ASSERT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(AckBy(kHeir, 1), Verdict::kOk);
  ASSERT_EQ(Register(kFirst, 5), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{});
  Fence(kHeir);
  EXPECT_EQ(Pull(kFirst), Sent{"registered 5 answer 0"});
  ASSERT_EQ(Register(kSecond, 6), Verdict::kOk);
  EXPECT_EQ(Pull(kSecond), Sent{"registered 6 answer 0"}) << "there is nobody to wait for";
  ASSERT_EQ(GoOn(kNext), Verdict::kOk);
  ASSERT_EQ(Register(kLast, 7), Verdict::kOk);
  EXPECT_EQ(Pull(kLast), Sent{});
  EXPECT_EQ(Pull(kNext), Sent{"shadow 2 t2 g0 state 1 primary 20 process 3 process 4 process 6"});
  ASSERT_EQ(AckBy(kNext, 2), Verdict::kOk);
  EXPECT_EQ(Pull(kLast), Sent{"registered 7 answer 0"});
}

// --- What ends a list ----------------------------------------------------------------------------

TEST_F(ObjectTableHeirsLists, ADismissalEndsTheListWithAnHeirAndWithout) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  EXPECT_EQ(NameList({kLast}), Verdict::kAlreadyExists);
  ASSERT_EQ(Dismiss(), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  ASSERT_EQ(AckBy(kHeir, 0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kDismissed));
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  Fence(kHeir);
  EXPECT_EQ(NameList({kLast}), Verdict::kAlreadyExists) << "there is a next one";
  ASSERT_EQ(Dismiss(), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kNoPeer, HeirOutcome::kDismissed));
  EXPECT_EQ(GoOn(kNext), Verdict::kUnchanged);
  EXPECT_EQ(Dismiss(), Verdict::kUnchanged);
  EXPECT_EQ(NameList({kLast}), Verdict::kOk);
}

// The heir asks to be let go of, and the host wants none any more, before it has heard of that.
TEST_F(ObjectTableHeirsLists, ADismissalEndsTheListOfAnHeirThatLeaves) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  ASSERT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(AckBy(kHeir, 1), Verdict::kOk);
  ASSERT_EQ(AckBy(kHeir, 0, ShadowAnswer::kDraining), Verdict::kOk);
  ASSERT_EQ(Dismiss(), Verdict::kOk);
  EXPECT_EQ(Said(), "");
  ASSERT_EQ(AckBy(kHeir, 0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kDismissed));
}

TEST_F(ObjectTableHeirsLists, ATransferEndsTheListAndAnHeirTheTransfer) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  EXPECT_EQ(Give(kLast), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kHasHeir);
  Fence(kHeir);
  ASSERT_EQ(Give(kLast), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kNoPeer, HeirOutcome::kDismissed));
  EXPECT_EQ(Lists(), 0u);
  EXPECT_EQ(GoOn(kNext), Verdict::kUnchanged);
}

TEST_F(ObjectTableHeirsLists, TheEndOfTheObjectEndsTheList) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  Fence(kHeir);
  Drop();
  EXPECT_EQ(GoOn(kNext), Verdict::kOutOfScope);
  ASSERT_EQ(Dismiss(), Verdict::kOk);
  EXPECT_EQ(Lists(), 0u);
  Erase();
  EXPECT_EQ(table_.Find(key()), nullptr);
  Declare();
  ASSERT_EQ(NameList({kNext, kLast}), Verdict::kOk);
  Drop();
  FenceAtOnce(kNext);
  EXPECT_EQ(Said(), Line(kNext, HeirOutcome::kHeirDied)) << "what is out of scope has none";
  Erase();
  EXPECT_EQ(Lists(), 0u);
}

// Nobody has gone on with it.
TEST_F(ObjectTableHeirsLists, AListWithoutAnHeirEndsWithTheRecord) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  Fence(kHeir);
  Drop();
  Erase();
  EXPECT_EQ(Said(), Line(kNoPeer, HeirOutcome::kObjectEnded));
  EXPECT_EQ(table_.Find(key()), nullptr);
  EXPECT_EQ(GoOn(kNext), Verdict::kUnchanged);
}

TEST_F(ObjectTableHeirsLists, ASnapshotThatFitsNoMessageEndsTheListToo) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  ASSERT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(AckBy(kHeir, 1), Verdict::kOk);
  for (PeerIndex borrower = 100; borrower < 500; ++borrower) {
    ASSERT_EQ(Register(borrower), Verdict::kOk);
  }
  EXPECT_EQ(Pull(kHeir), Sent{});
  ASSERT_EQ(Do([&](Effects* effects) {
              HeirSteps(&table_).EndOvergrown(effects);
              return Verdict::kOk;
            }),
            Verdict::kOk);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kOvergrown));
  EXPECT_EQ(Lists(), 0u);
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  ASSERT_EQ(AckBy(kHeir, 0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kHeir, HeirOutcome::kDismissed));
}

// It has grown between the two: the next one could not be told.
TEST_F(ObjectTableHeirsLists, WhatCanHaveNoHeirAnyMoreIsTheRuntimesToEnd) {
  Declare();
  ASSERT_EQ(NameList({kHeir, kNext, kLast}), Verdict::kOk);
  Fence(kHeir);
  for (PeerIndex borrower = 100; borrower < 500; ++borrower) {
    ASSERT_EQ(Register(borrower), Verdict::kOk);
  }
  EXPECT_EQ(GoOn(kNext), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kTooMany);
  ASSERT_EQ(Dismiss(), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kNoPeer, HeirOutcome::kDismissed));
}

TEST_F(ObjectTableHeirsLists, TheListCountsAmongWhatOneMessageNames) {
  Declare();
  // Nodes, to these names, besides the one that has the copy: there is room for two processes.
  constexpr PeerIndex kBorrowers = kTransferListBytesMax / kTransferNodeBytes - 3;
  for (PeerIndex at = 0; at < kBorrowers; ++at) {
    ASSERT_EQ(Register(100 + at), Verdict::kOk);
    ASSERT_EQ(Pull(100 + at).size(), 1u);
  }
  EXPECT_EQ(NameList({kHeir, kNext, kLast, 7, 8}), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kTooMany);
  EXPECT_EQ(NameList({kHeir, kNext}), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir).size(), 1u);
}

// --- The heir that owns it now -------------------------------------------------------------------

TEST_F(ObjectTableHeirsLists, WhoeverInheritsItGoesOnAtTheBarrier) {
  ASSERT_EQ(ShadowThen({kNext, kLast}), Verdict::kOk);
  FenceAtOnce(kOwner);
  EXPECT_EQ(Said(), "");
  EXPECT_EQ(Lists(), 1u);
  EXPECT_EQ(GoOn(kNext), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kMoving);
  EXPECT_EQ(Lists(), 1u) << "it waits";
  Keep();
  CloseAtOnce(kOwner);
  EXPECT_EQ(Said(), Line(kNoPeer, HeirOutcome::kVacant, kNext));
  ASSERT_EQ(GoOn(kNext), Verdict::kOk);
  EXPECT_EQ(Pull(kNext), Sent{"shadow 1 t3 g0 state 0 then 6"});
}

// Whoever registers before the barrier is told of this owner, and may answer after it.
TEST_F(ObjectTableHeirsLists, NobodyIsNamedBeforeEverybodyKnowsTheOwner) {
  ASSERT_EQ(ShadowThen({kNext}, {kFirst}), Verdict::kOk);
  FenceAtOnce(kOwner);
  EXPECT_EQ(Pull(kFirst), Sent{"moved t2"});
  Keep();
  CloseAtOnce(kOwner);
  EXPECT_EQ(Said(), "");
  EXPECT_EQ(GoOn(kNext), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kMoving);
  ASSERT_EQ(Told(kFirst, true), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kNoPeer, HeirOutcome::kVacant, kNext));
  ASSERT_EQ(GoOn(kNext), Verdict::kOk);
  EXPECT_EQ(Pull(kNext), Sent{"shadow 1 t3 g0 state 0 process 3"});
}

TEST_F(ObjectTableHeirsLists, AnInheritedListIsItsOwnersToEnd) {
  ASSERT_EQ(ShadowThen({kNext}), Verdict::kOk);
  FenceAtOnce(kOwner);
  EXPECT_EQ(NameList({kLast}), Verdict::kAlreadyExists);
  ASSERT_EQ(Dismiss(), Verdict::kOk);
  EXPECT_EQ(Said(), Line(kNoPeer, HeirOutcome::kDismissed));
  CloseAtOnce(kOwner);
  EXPECT_EQ(Said(), "");
}

TEST_F(ObjectTableHeirsLists, WhatEndsAtTheBarrierTakesItsListAlong) {
  ASSERT_EQ(ShadowThen({kNext}), Verdict::kOk);
  FenceAtOnce(kOwner);
  CloseAtOnce(kOwner);  // nobody holds it
  EXPECT_EQ(table_.Find(key()), nullptr);
  EXPECT_EQ(Lists(), 0u);
  EXPECT_EQ(GoOn(kNext), Verdict::kUnchanged);
}

}  // namespace
}  // namespace freehold::core::heirs_testing
