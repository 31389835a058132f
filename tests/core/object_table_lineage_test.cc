#include "src/core/object_table_lineage.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

class Table : public ObjectTableHarness {
 public:
  Verdict SetLineage(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Steps([&](LineageSteps steps, Effects*) {
      return steps.Step(event::SetLineage{{id, id.Hash()}});
    });
  }
  Verdict Forget(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Steps([&](LineageSteps steps, Effects* further) {
      return steps.Step(event::ForgetLineage{{id, id.Hash()}}, further);
    });
  }
  Verdict Hold(uint64_t object, bool recoverable = true) {
    const ObjectId id = ObjectId::FromNumber(object);
    held = HeldArgument();
    return Steps([&](LineageSteps steps, Effects* further) {
      return steps.Step(event::HoldArgument{{id, id.Hash()}, recoverable}, further, &held);
    });
  }
  Verdict GiveUp(uint64_t object, uint32_t generation) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Steps([&](LineageSteps steps, Effects* further) {
      const Verdict verdict =
          steps.Step(event::GiveUpArgument{{id, id.Hash()}, generation}, further);
      lost = further->rare == nullptr ? std::vector<ObjectId>() : further->rare->lost;
      return verdict;
    });
  }
  Verdict FreeOrphan(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Steps([&](LineageSteps steps, Effects* further) {
      return steps.Step(event::FreeOrphan{{id, id.Hash()}}, further);
    });
  }
  Verdict BeginPersist(uint64_t object, uint64_t number) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Steps([&](LineageSteps steps, Effects*) {
      return steps.Step(event::BeginPersist{{id, id.Hash()}, number}, &now);
    });
  }
  Verdict EndPersist(uint64_t object, uint64_t number, uint32_t generation = 0) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Steps([&](LineageSteps steps, Effects*) {
      return steps.Step(event::EndPersist{{id, id.Hash()}, number, generation});
    });
  }
  // These answer what is told of values to be persisted.
  std::vector<PersistNotice> AddCopy(uint64_t object) {
    return Told(object, [](Key key) {
      return event::SetLocation{key, kN1, 0, 1, CopyRole::kPrimary, /*in_memory=*/true};
    });
  }
  std::vector<PersistNotice> FreeNow(uint64_t object) {
    return Told(object, [](Key key) { return event::FreeExplicitly{key}; });
  }
  std::vector<PersistNotice> RecreateNow(uint64_t object) {
    return Told(object, [](Key key) { return event::Recreate{key}; });
  }
  // The last reference goes; answers what the LineageTable is told.
  std::vector<LineageNotice> Drop(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    (void)Steps([&](LineageSteps, Effects* further) {
      ObjectRecord* record = const_cast<ObjectRecord*>(table.Find({id, id.Hash()}));
      FREEHOLD_CHECK(record->cell.DropUnderLock());
      return table.Step(event::DropLastHandle{record}, further);
    });
    return notices;
  }
  Verdict EndTask() {
    return Steps([&](LineageSteps, Effects* further) {
      return table.Step(event::DropTask{held.record}, further);
    });
  }

  HeldArgument held;
  std::vector<LineageNotice> notices;  // of the last step
  std::vector<PersistNotice> persists;
  PersistNotice now;           // of the last BeginPersist
  std::vector<ObjectId> lost;  // by the last one that was given up
  Asked asked;

 private:
  template <typename MakeEvent>
  std::vector<PersistNotice> Told(uint64_t object, MakeEvent make) {
    const ObjectId id = ObjectId::FromNumber(object);
    (void)Steps([&](LineageSteps, Effects* further) {
      return table.Step(make(Key{id, id.Hash()}), further);
    });
    return persists;
  }
  template <typename Do>
  Verdict Steps(Do step) {
    raw_ = Effects();
    const Verdict verdict = step(LineageSteps(&table), &raw_);
    notices = raw_.rare == nullptr ? std::vector<LineageNotice>() : raw_.rare->lineage;
    persists = raw_.rare == nullptr ? std::vector<PersistNotice>() : raw_.rare->persists;
    asked = LayOpen(std::move(raw_));
    table.CheckInvariants();
    return verdict;
  }

  Effects raw_;
};

TEST(ObjectTableLineage, RecordStaysWithoutItsValueUntilItIsForgotten) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Register(1, Moment::kReclaimed, 1, 7), Verdict::kOk);
  ASSERT_EQ(table.Register(1, Moment::kErased, 2, 8), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
  const std::vector<LineageNotice> told = table.Drop(1);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].object, ObjectId::FromNumber(1));
  EXPECT_EQ(told[0].generation, 0u);
  EXPECT_EQ(table.Pull(kN1), (std::vector<FreedCopy>{{1, 0}}));  // its value goes as ever
  ASSERT_EQ(table.Answer(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.effects.fired.size(), 1u);
  EXPECT_EQ(table.effects.fired[0].token, 7u);
  ASSERT_NE(table.Find(1), nullptr);
  EXPECT_FALSE(table.Find(1)->in_scope());
  EXPECT_EQ(table.AddHandle(1), Verdict::kOutOfScope);
  EXPECT_EQ(table.Declare(1), Verdict::kAlreadyExists);
  ASSERT_EQ(table.Forget(1), Verdict::kOk);
  ASSERT_EQ(table.asked.fired.size(), 1u);
  EXPECT_EQ(table.asked.fired[0].token, 8u);
  EXPECT_EQ(table.Find(1), nullptr);
}

TEST(ObjectTableLineage, ForgottenWhileItsCopiesAreDeletedItGoesWithThem) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
  EXPECT_EQ(table.Forget(1), Verdict::kUnchanged);  // it is in scope
  ASSERT_EQ(table.Drop(1).size(), 1u);
  ASSERT_EQ(table.Forget(1), Verdict::kOk);
  EXPECT_EQ(table.Forget(1), Verdict::kUnchanged);
  (void)table.Pull(kN1);
  ASSERT_EQ(table.Answer(1, kN1), Verdict::kOk);
  EXPECT_EQ(table.Find(1), nullptr);
}

TEST(ObjectTableLineage, ObjectsWithoutLineageTellNothing) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  EXPECT_TRUE(table.Drop(1).empty());
  ASSERT_EQ(table.Declare(2), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(2), Verdict::kOk);
  ASSERT_EQ(table.Register(2, Moment::kErased, 2, 8), Verdict::kOk);  // marked before it had a Rare
  EXPECT_EQ(table.Drop(2).size(), 2u);  // it has ended, and there is no copy left
  EXPECT_EQ(table.SetLineage(2), Verdict::kOutOfScope);
  EXPECT_EQ(table.SetLineage(3), Verdict::kNotFound);
}

TEST(ObjectTableLineage, ArgumentIsRevivedOneGenerationLater) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
  (void)table.Drop(1);
  (void)table.Pull(kN1);
  ASSERT_EQ(table.Answer(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Hold(1), Verdict::kOk);
  EXPECT_TRUE(table.held.revived);
  EXPECT_TRUE(table.held.missing);
  EXPECT_EQ(table.Find(1)->state(), ObjectState::kPending);
  EXPECT_EQ(table.Find(1)->generation, 1u);
  EXPECT_EQ(table.Find(1)->tasks, 1u);
  ASSERT_EQ(table.SetLocation(1, kN2, 1), Verdict::kOk);
  ASSERT_EQ(table.EndTask(), Verdict::kOk);
  ASSERT_EQ(table.notices.size(), 1u);
  EXPECT_EQ(table.notices[0].generation, 1u);
  EXPECT_EQ(table.Pull(kN2), (std::vector<FreedCopy>{{1, 1}}));
}

TEST(ObjectTableLineage, WhatIsLateForTheOldValueDoesNotTouchTheNewOne) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
  (void)table.Drop(1);
  ASSERT_EQ(table.Pull(kN1).size(), 1u);  // the old value's free is sent, not answered
  ASSERT_EQ(table.Hold(1), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(1, kN1, 1), Verdict::kOk);         // the new value, on the same node
  EXPECT_EQ(table.SetLocation(1, kN2, 0), Verdict::kToBeFreed);  // a late report of the old one
  EXPECT_EQ(table.Answer(1, kN1, FreeResult::kDeleted, 0), Verdict::kOk);
  EXPECT_EQ(table.Copies(1).count(kN1), 1u);
  EXPECT_EQ(table.Copies(1).count(kN2), 0u);
  EXPECT_TRUE(table.Find(1)->in_scope());
  EXPECT_EQ(table.Pull(kN2), (std::vector<FreedCopy>{{1, 0}}));
}

TEST(ObjectTableLineage, ArgumentThatIsGivenUpIsLostIfSomebodyHoldsIt) {
  Table table;
  EXPECT_EQ(table.GiveUp(1, 0), Verdict::kNotFound);
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
  (void)table.Drop(1);
  EXPECT_EQ(table.GiveUp(1, 0), Verdict::kOutOfScope);
  ASSERT_EQ(table.Hold(1), Verdict::kOk);
  EXPECT_EQ(table.GiveUp(1, 0), Verdict::kUnchanged);  // another generation is on its way
  EXPECT_TRUE(table.lost.empty());
  EXPECT_EQ(table.GiveUp(1, 1), Verdict::kOk);
  EXPECT_EQ(table.Find(1)->state(), ObjectState::kLost);
  EXPECT_EQ(table.lost, std::vector<ObjectId>{ObjectId::FromNumber(1)});
  ASSERT_EQ(table.SetLocation(1, kN2, 1), Verdict::kOk);  // it comes after all
  EXPECT_EQ(table.GiveUp(1, 1), Verdict::kUnchanged);
  EXPECT_EQ(table.Find(1)->state(), ObjectState::kAvailable);
}

TEST(ObjectTableLineage, ArgumentInScopeIsHeldAsItIs) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Hold(1, /*recoverable=*/false), Verdict::kOk);
  EXPECT_FALSE(table.held.revived);
  EXPECT_FALSE(table.held.missing);
  ASSERT_EQ(table.FreeExplicitly(1), Verdict::kOk);
  ASSERT_EQ(table.Hold(1, false), Verdict::kOk);
  EXPECT_TRUE(table.held.missing);
  EXPECT_EQ(table.Find(1)->generation, 0u);
  ASSERT_EQ(table.Declare(2), Verdict::kOk);
  ASSERT_EQ(table.Hold(2, false), Verdict::kOk);
  EXPECT_FALSE(table.held.missing);  // it is on its way
}

TEST(ObjectTableLineage, WhatCannotBeMadeAgainIsNotRevived) {
  Table table;
  EXPECT_EQ(table.Hold(1), Verdict::kNotFound);
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  (void)table.Drop(1);
  EXPECT_EQ(table.Hold(1), Verdict::kOutOfScope);  // it is not marked
  ASSERT_EQ(table.Declare(2, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(2), Verdict::kOk);
  (void)table.Drop(2);
  EXPECT_EQ(table.Hold(2, /*recoverable=*/false), Verdict::kOutOfScope);
}

TEST(ObjectTableLineage, OrphanIsFreedOnlyIfNobodyRefersToIt) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  EXPECT_EQ(table.FreeOrphan(1), Verdict::kWrongState);  // the handle
  ASSERT_EQ(table.AddById(1), Verdict::kOk);
  table.DropHandle(1);
  EXPECT_EQ(table.FreeOrphan(1), Verdict::kWrongState);
  const ObjectId id = ObjectId::FromNumber(2);
  event::Declare held{{id, id.Hash()}, 10, kN1};
  held.scope = 1;
  held.hold = true;
  Effects effects;
  ObjectRecord* record = nullptr;
  ASSERT_EQ(table.table.Step(held, &record), Verdict::kOk);
  ASSERT_TRUE(record->cell.DropUnderLock());
  ASSERT_EQ(table.table.Step(event::DropLastHandle{record}, &effects), Verdict::kOk);
  EXPECT_EQ(table.FreeOrphan(2), Verdict::kOk);  // its scope only
  EXPECT_EQ(table.Find(2)->state(), ObjectState::kFreed);
  EXPECT_EQ(table.FreeOrphan(2), Verdict::kUnchanged);
}

// The cheap way of an object that has nothing rare is its own, and must see the mark.
TEST(ObjectTableLineage, MarkedObjectTakesCopiesQuietlyAndNeedsNoRare) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(1, kN2), Verdict::kOk);
  EXPECT_FALSE(table.Find(1)->has_rare());
  EXPECT_EQ(table.table.FindRare(*table.Find(1)), nullptr);
  ASSERT_EQ(table.SetLocation(1, kN2, 0, {CopyRole::kSecondary, true, true, false, "file:a"}),
            Verdict::kOk);
  EXPECT_TRUE(table.Find(1)->has_rare());
  EXPECT_EQ(table.Drop(1).size(), 1u);
}

TEST(ObjectTableLineage, AFormerPrimaryMayAskAgainAboutAMarkedObject) {
  for (const bool mark_first : {true, false}) {
    Table table;
    ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
    ASSERT_EQ(table.SetLocation(1, kN2), Verdict::kOk);
    if (mark_first) ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
    ASSERT_EQ(table.MovePrimary(1, kN2, kN1), Verdict::kOk);
    Report asked;
    asked.in_memory = false;
    asked.prospective = true;
    EXPECT_EQ(table.SetLocation(1, kN1, 0, asked), Verdict::kUnchanged);
    if (!mark_first) ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
    EXPECT_TRUE(table.Copies(1).at(kN1).prospective);
    EXPECT_FALSE(table.Exclude(kN1));
    EXPECT_EQ(table.Copies(1).size(), 1u);
  }
}

TEST(ObjectTablePersist, EachChangeOfStateIsToldUntilTheValueHasEnded) {
  Table table;
  ASSERT_EQ(table.Declare(1), Verdict::kOk);
  ASSERT_EQ(table.BeginPersist(1, 7), Verdict::kOk);
  EXPECT_EQ(table.now.number, 7u);
  EXPECT_EQ(table.now.state, ObjectState::kPending);
  auto told = table.AddCopy(1);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].number, 7u);
  EXPECT_EQ(told[0].state, ObjectState::kAvailable);
  EXPECT_EQ(table.EndPersist(1, 6), Verdict::kOk);  // an older one
  told = table.FreeNow(1);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].state, ObjectState::kFreed);
  EXPECT_EQ(told[0].generation, 0u);
  EXPECT_EQ(table.EndPersist(1, 7), Verdict::kToBeFreed);
  EXPECT_EQ(table.BeginPersist(1, 8), Verdict::kToBeFreed);
  EXPECT_TRUE(table.RecreateNow(1).empty());
  EXPECT_EQ(table.EndPersist(1, 7), Verdict::kUnknownGeneration);
  EXPECT_EQ(table.BeginPersist(1, 9), Verdict::kOk);
  EXPECT_EQ(table.now.generation, 1u);
  EXPECT_TRUE(table.Drop(1).empty());
  ASSERT_EQ(table.persists.size(), 1u);
  EXPECT_EQ(table.persists[0].number, 9u);
  EXPECT_EQ(table.persists[0].state, ObjectState::kOutOfScope);
  EXPECT_NE(table.EndPersist(1, 9, 1), Verdict::kOk);
}

TEST(ObjectTablePersist, NothingIsToldOnceItIsAnswered) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.BeginPersist(1, 7), Verdict::kOk);
  EXPECT_EQ(table.EndPersist(1, 7), Verdict::kOk);
  EXPECT_TRUE(table.FreeNow(1).empty());
  EXPECT_EQ(table.BeginPersist(2, 8), Verdict::kNotFound);
}

TEST(ObjectTablePersist, FreeOfWhatATaskMadeIsTold) {
  Table table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Declare(2, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLineage(1), Verdict::kOk);
  (void)table.FreeNow(1);
  ASSERT_EQ(table.notices.size(), 1u);
  EXPECT_TRUE(table.notices[0].freed);
  (void)table.FreeNow(2);
  EXPECT_TRUE(table.notices.empty());
}

}  // namespace
}  // namespace freehold::core
