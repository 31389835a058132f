#include "src/core/copy_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace freehold::core {
namespace {

using copy_event::AbortFetch;
using copy_event::AddCopy;
using copy_event::Barrier;
using copy_event::BeginFetch;
using copy_event::BeginRead;
using copy_event::Deleted;
using copy_event::DeleteFailed;
using copy_event::DropCopy;
using copy_event::EndRead;
using copy_event::Free;
using copy_event::MarkRestored;
using copy_event::MarkSpilled;
using copy_event::SelfExcluded;
using copy_event::Sweep;
using copy_event::View;
using Words = std::vector<std::string>;

constexpr PeerIndex kOwner = 3;
constexpr PeerIndex kOther = 5;
constexpr Time kStart{};
constexpr Duration kMs = std::chrono::milliseconds(1);

ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }
uint64_t NumberOf(const ObjectId& id) { return id.data()[20] + 256u * id.data()[21]; }
// "7" or, of a later generation, "7/1".
std::string NameOf(const ObjectId& id, uint32_t generation) {
  return std::to_string(NumberOf(id)) + (generation == 0 ? "" : "/" + std::to_string(generation));
}

// Collects reports as words, up to a number.
class WordSink final : public ReportSink {
 public:
  explicit WordSink(size_t room = 1000000) : room_(room) {}
  bool Add(const FreeResultItem& item) override {
    static const char* const kNames[] = {"deleted", "unknown", "doomed", "failed"};
    std::string word = std::string(kNames[static_cast<int>(item.result)]) + " " +
                       NameOf(item.object, item.generation);
    if (item.term != kFirstTerm) word += " term " + std::to_string(item.term);
    if (!item.why.empty()) word += ": " + item.why;
    return Take(word);
  }
  bool Add(const LocationItem& item) override {
    static const char* const kNames[] = {"added", "removed", "spilled"};
    std::string word = std::string(kNames[static_cast<int>(item.change)]) + " " +
                       NameOf(item.object, item.generation);
    if (item.change != LocationChange::kRemoved) {
      word += item.role == CopyRole::kPrimary ? " primary" : " secondary";
      word += " " + std::to_string(item.size);
    }
    if (item.change == LocationChange::kSpilled) {
      word += " " + item.url + (item.in_memory ? " in memory" : "");
    }
    return Take(word);
  }
  Words words;

 private:
  bool Take(const std::string& word) {
    if (words.size() == room_) return false;
    words.push_back(word);
    return true;
  }
  const size_t room_;
};

// A table whose invariants are checked after every step.
class CopyTableTest : public testing::Test {
 protected:
  CopyTableTest() { Make({}); }
  void Make(const CopyTable::Options& options) { table_ = std::make_unique<CopyTable>(options); }

  template <typename Event>
  CopyVerdict Step(const Event& event) {
    const CopyVerdict verdict = table_->Step(event, &effects_);
    table_->CheckInvariants();
    return verdict;
  }
  CopyVerdict Add(uint64_t object, uint32_t generation = 0, PeerIndex owner = kOwner) {
    return Step(AddCopy{Object(object), generation, owner, CopyRole::kPrimary, 10});
  }
  CopyVerdict Fetch(uint64_t object, uint32_t generation = 0, PeerIndex owner = kOwner) {
    return Step(BeginFetch{Object(object), generation, owner, CopyRole::kSecondary, 10});
  }
  CopyVerdict Abort(uint64_t object) { return Step(AbortFetch{Object(object), 0}); }
  CopyVerdict Spill(uint64_t object, std::string_view url, bool in_memory) {
    return Step(MarkSpilled{Object(object), 0, url, in_memory});
  }
  CopyVerdict Restore(uint64_t object) { return Step(MarkRestored{Object(object), 0}); }
  CopyVerdict Drop(uint64_t object, uint32_t generation = 0) {
    return Step(DropCopy{Object(object), generation});
  }
  CopyVerdict Read(uint64_t object) { return Step(BeginRead{Object(object)}); }
  CopyVerdict Unread(uint64_t object, uint32_t generation = 0) {
    return Step(EndRead{Object(object), generation});
  }
  CopyVerdict FreeIt(uint64_t object, uint32_t generation = 0, PeerIndex from = kOwner,
                     uint32_t term = kFirstTerm) {
    return Step(Free{from, Object(object), generation, term});
  }
  CopyVerdict Succeed(uint64_t object, uint32_t generation = 0) {
    return Step(Deleted{Object(object), generation});
  }
  CopyVerdict Fail(uint64_t object, std::string_view why, Time now = kStart, uint64_t random = 0) {
    return Step(DeleteFailed{Object(object), 0, why, now, random});
  }
  CopyVerdict Exclude(uint64_t version, std::vector<PeerIndex> excluded, bool joining = false) {
    return Step(View{version, excluded, joining});
  }
  CopyVerdict SweepAll() { return Step(Sweep{1000000}); }

  // "7" or "7 memory url", for what TakeDeletes hands over.
  Words Take(Time now = kStart, uint32_t copies_max = 1000) {
    Words taken;
    table_->TakeDeletes(now, copies_max, [&taken](const CopyRecord& copy) {
      std::string word = NameOf(copy.object, copy.generation);
      if (!copy.spilled_url().empty()) {
        word += (copy.in_memory ? " memory " : " ") + copy.spilled_url();
      }
      taken.push_back(word);
    });
    table_->CheckInvariants();
    return taken;
  }
  Words Pull(PeerIndex owner = kOwner) {
    WordSink sink;
    EXPECT_EQ(table_->PullReports(owner, 1000000, &sink), PullVerdict::kEmpty);
    table_->CheckInvariants();
    return sink.words;
  }
  Words Listed(PeerIndex owner = kOwner) {
    Words words;
    table_->ForEachOwnedBy(owner, [&words](const CopyRecord& copy) {
      words.push_back(NameOf(copy.object, copy.generation));
    });
    return words;
  }
  Words Owners() {
    Words words;
    table_->ForEachOwner([&words](PeerIndex owner, uint64_t copies, uint64_t bytes) {
      words.push_back(std::to_string(owner) + ":" + std::to_string(copies) + ":" +
                      std::to_string(bytes));
    });
    return words;
  }
  CopyState StateOf(uint64_t object, uint32_t generation = 0) {
    const CopyRecord* copy = table_->Find(Object(object), generation);
    return copy == nullptr ? CopyState::kGone : copy->state;
  }
  // Brings copy 1 of kOwner into `state`, with its reports pulled.
  void Bring(CopyState state) {
    switch (state) {
      case CopyState::kGone:
        break;
      case CopyState::kFetching:
      case CopyState::kDoomedByFetch:
        EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
        if (state == CopyState::kDoomedByFetch) {
          EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
        }
        break;
      case CopyState::kHeld:
        EXPECT_EQ(Add(1), CopyVerdict::kOk);
        break;
      case CopyState::kDoomedByReaders:
        EXPECT_EQ(Add(1), CopyVerdict::kOk);
        EXPECT_EQ(Read(1), CopyVerdict::kOk);
        EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
        break;
      case CopyState::kToDelete:
      case CopyState::kDeleting:
      case CopyState::kDeletingAgain:
      case CopyState::kDeleteFailed:
        EXPECT_EQ(Add(1), CopyVerdict::kOk);
        EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
        if (state == CopyState::kToDelete) break;
        EXPECT_EQ(Take(), Words{"1"});
        if (state == CopyState::kDeletingAgain) {
          EXPECT_EQ(Add(1), CopyVerdict::kFreed);
        }
        if (state == CopyState::kDeleteFailed) {
          EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
        }
        break;
    }
    Pull();
    EXPECT_EQ(StateOf(1), state);
  }

  std::unique_ptr<CopyTable> table_;
  CopyEffects effects_;
};

constexpr CopyState kAllStates[] = {CopyState::kGone,          CopyState::kFetching,
                                    CopyState::kHeld,          CopyState::kDoomedByReaders,
                                    CopyState::kDoomedByFetch, CopyState::kToDelete,
                                    CopyState::kDeleting,      CopyState::kDeletingAgain,
                                    CopyState::kDeleteFailed};

// --- The way of one copy -------------------------------------------------------------------------

TEST_F(CopyTableTest, CopyIsReportedFreedDeletedAndForgotten) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready, std::vector<PeerIndex>{kOwner});
  EXPECT_FALSE(effects_.work);
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(table_->NextWork(), kInfinitePast);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(table_->NextWork(), kInfiniteFuture);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().copies, 0u);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(table_->stats().copies_deleted, 1u);
  EXPECT_EQ(table_->stats().orphans_deleted, 0u);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kUnknown);
}

TEST_F(CopyTableTest, OwnerIsMadeReadyOnlyWhenNothingWaitedForIt) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  EXPECT_EQ(effects_.ready.size(), 1u);
  EXPECT_EQ(Add(3, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready, (std::vector<PeerIndex>{kOwner, kOther}));
  Pull();
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  EXPECT_EQ(effects_.ready, (std::vector<PeerIndex>{kOwner, kOther, kOwner}));
  EXPECT_EQ(Add(4), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready.size(), 3u);
}

TEST_F(CopyTableTest, FreeOfUnknownCopyIsAnsweredUnknownWithItsTerm) {
  EXPECT_EQ(FreeIt(1, 2, kOwner, 7), CopyVerdict::kUnknown);
  EXPECT_EQ(table_->replies_waiting(kOwner), 1u);
  EXPECT_EQ(table_->stats().reports_waiting, 1u);
  EXPECT_EQ(table_->stats().frees_unknown, 1u);
  EXPECT_EQ(Pull(kOther), Words{});
  EXPECT_EQ(Pull(), Words{"unknown 1/2 term 7"});
  EXPECT_EQ(table_->replies_waiting(kOwner), 0u);
  EXPECT_EQ(table_->replies_waiting(77), 0u);
}

TEST_F(CopyTableTest, FreeResultEchoesTheTermOfTheFree) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 4), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 5), CopyVerdict::kFreedBefore);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1 term 5"});
}

TEST_F(CopyTableTest, FreeFromAnotherProcessChangesNothingAndIsNotAnswered) {
  for (const CopyState state : kAllStates) {
    if (state == CopyState::kGone) continue;
    Make({});
    Bring(state);
    EXPECT_EQ(FreeIt(1, 0, kOther), CopyVerdict::kRefused) << CopyStateName(state);
    EXPECT_EQ(StateOf(1), state);
    EXPECT_EQ(Pull(), Words{});
    EXPECT_EQ(Pull(kOther), Words{});
    EXPECT_EQ(table_->stats().frees_refused, 1u);
  }
}

TEST_F(CopyTableTest, FreeOfGoneCopyFromAnotherProcessIsRefusedWhileItsOwnerHasNotHeard) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOther), CopyVerdict::kRefused);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

TEST_F(CopyTableTest, FreeOfOneGenerationNeverTouchesAnother) {
  EXPECT_EQ(Add(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1, 0), CopyVerdict::kOk);
  EXPECT_EQ(Add(1, 2), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(StateOf(1, 0), CopyState::kHeld);
  EXPECT_EQ(StateOf(1, 2), CopyState::kHeld);
  EXPECT_EQ(FreeIt(1, 3), CopyVerdict::kUnknown);
  EXPECT_EQ(Take(), Words{"1/1"});
  EXPECT_EQ(Succeed(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(),
            (Words{"unknown 1/3", "added 1 primary 10", "added 1/2 primary 10", "deleted 1/1"}));
  Words generations;
  table_->ForEachGeneration(Object(1), [&](const CopyRecord& copy) {
    generations.push_back(std::to_string(copy.generation));
  });
  EXPECT_EQ(generations, (Words{"2", "0"}));
}

TEST_F(CopyTableTest, DuplicateFreeOfACopyBeingDeletedIsAnsweredOnceWhenDone) {
  for (const CopyState state : {CopyState::kToDelete, CopyState::kDeleting}) {
    Make({});
    Bring(state);
    EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore);
    EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore);
    EXPECT_EQ(Pull(), Words{});
    Take();
    EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
    EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore) << "the answer has not left yet";
    EXPECT_EQ(Pull(), Words{"deleted 1"});
  }
}

TEST_F(CopyTableTest, FreeWithdrawsALocationReportThatHasNotLeft) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  Take();
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, FreeOfADoomedCopyIsAnsweredDoomedAtOnceAndDeletedInTheEnd) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Pull(), Words{"doomed 1"});
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Pull(), Words{"doomed 1"});
  EXPECT_EQ(table_->stats().doomed, 1u);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_FALSE(effects_.work);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, DeletedSupersedesADoomedThatHasNotLeft) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  Take();
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, FreeDuringAFetchIsDoomedAndTheArrivedBytesAreDeleted) {
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 0u);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Pull(), Words{"doomed 1"});
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Add(1), CopyVerdict::kFreed);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().copies_added, 0u);
}

TEST_F(CopyTableTest, AbortOfAFreedFetchSettlesItsFree) {
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Abort(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().copies_deleted, 0u) << "there was nothing to delete";
}

TEST_F(CopyTableTest, AbortedFetchLeavesNothingAndTellsNothing) {
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Abort(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_TRUE(effects_.ready.empty());
  EXPECT_EQ(table_->stats().copies, 0u);
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
}

TEST_F(CopyTableTest, FetchTakesRoleAndSizeFromWhatArrives) {
  EXPECT_EQ(Step(BeginFetch{Object(1), 0, kOwner, CopyRole::kSecondary, 0}), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 10u);
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
}

// --- Spilling ------------------------------------------------------------------------------------

TEST_F(CopyTableTest, CopyStoredAndSpilledIsDeletedOnceAndWholly) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"});
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, SpillAndRestoreAreReported) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"});
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f"});
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Restore(1), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
}

TEST_F(CopyTableTest, RestoreBeforeTheSpillWasToldIsToldWithIt) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"});
}

TEST_F(CopyTableTest, SecondUrlIsRefusedBecauseTheFirstFileWouldBeForgotten) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "g", false), CopyVerdict::kSpilledElsewhere);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "g", false), CopyVerdict::kSpilledElsewhere);
  EXPECT_EQ(Take(), Words{"1 memory f"});
}

TEST_F(CopyTableTest, FileThatAppearsAfterTheFreeIsDeletedWithTheCopy) {
  Bring(CopyState::kToDelete);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kFreed);
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);

  Make({});
  Bring(CopyState::kDeleteFailed);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kFreed);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1 memory f"});

  Make({});
  Bring(CopyState::kDoomedByReaders);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk) << "it is readable yet";
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{}) << "its owner has freed it and does not want to know";
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1 memory f"});
}

TEST_F(CopyTableTest, WhatComesWhileTheStoreDeletesIsDeletedOnceMore) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kFreed);
  EXPECT_EQ(StateOf(1), CopyState::kDeletingAgain);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{}) << "not physically gone yet";
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Restore(1), CopyVerdict::kFreed);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Add(1), CopyVerdict::kFreed);
  EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(StateOf(1), CopyState::kDeleteFailed);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1 memory f"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

// --- What is invalid, in every state -------------------------------------------------------------

struct Row {
  CopyState state;
  CopyVerdict add, fetch, abort, spill, restore, drop, read, free, deleted, failed;
};

TEST_F(CopyTableTest, EveryEventHasOneAnswerInEveryState) {
  using V = CopyVerdict;
  using S = CopyState;
  const Row rows[] = {
      {S::kGone, V::kOk, V::kOk, V::kNotHere, V::kNotHere, V::kNotHere, V::kNotHere, V::kNotHere,
       V::kUnknown, V::kNotHere, V::kNotHere},
      {S::kFetching, V::kOk, V::kAlreadyHere, V::kOk, V::kStillFetching, V::kStillFetching,
       V::kStillFetching, V::kStillFetching, V::kDoomed, V::kNotHere, V::kNotHere},
      {S::kHeld, V::kAlreadyHere, V::kAlreadyHere, V::kNotFetching, V::kOk, V::kNotSpilled, V::kOk,
       V::kOk, V::kOk, V::kNotHere, V::kNotHere},
      {S::kDoomedByReaders, V::kFreed, V::kFreed, V::kNotFetching, V::kOk, V::kNotSpilled,
       V::kHasReaders, V::kFreed, V::kDoomed, V::kNotHere, V::kNotHere},
      {S::kDoomedByFetch, V::kFreed, V::kFreed, V::kOk, V::kStillFetching, V::kStillFetching,
       V::kStillFetching, V::kFreed, V::kDoomed, V::kNotHere, V::kNotHere},
      {S::kToDelete, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kNotHere, V::kNotHere},
      {S::kDeleting, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kOk, V::kOk},
      {S::kDeletingAgain, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kOk, V::kOk},
      {S::kDeleteFailed, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kNotHere, V::kNotHere},
  };
  const auto check = [this](const Row& row, CopyVerdict expected, const char* what, auto&& step) {
    Make({});
    Bring(row.state);
    const CopyVerdict verdict = step();
    EXPECT_EQ(verdict, expected) << what << " in " << CopyStateName(row.state) << ": "
                                 << CopyVerdictName(verdict);
  };
  for (const Row& row : rows) {
    check(row, row.add, "add", [this] { return Add(1); });
    check(row, row.fetch, "fetch", [this] { return Fetch(1); });
    check(row, row.abort, "abort", [this] { return Abort(1); });
    check(row, row.spill, "spill", [this] { return Spill(1, "f", false); });
    check(row, row.restore, "restore", [this] { return Restore(1); });
    check(row, row.drop, "drop", [this] { return Drop(1); });
    check(row, row.read, "read", [this] { return Read(1); });
    check(row, row.free, "free", [this] { return FreeIt(1); });
    check(row, row.deleted, "deleted", [this] { return Succeed(1); });
    check(row, row.failed, "failed", [this] { return Fail(1, "other"); });
    if (row.state == CopyState::kGone) continue;
    check(row, CopyVerdict::kOtherOwner, "add", [this] { return Add(1, 0, kOther); });
    check(row, CopyVerdict::kOtherOwner, "fetch", [this] { return Fetch(1, 0, kOther); });
    const bool read = row.state == CopyState::kDoomedByReaders;
    check(row, read ? CopyVerdict::kOk : CopyVerdict::kNotHere, "end of read",
          [this] { return Unread(1); });
  }
}

TEST_F(CopyTableTest, TableFullRefusesAndChangesNothing) {
  CopyTable::Options options;
  options.copies_max = 2;
  Make(options);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(2), CopyVerdict::kOk);
  EXPECT_EQ(Add(3), CopyVerdict::kTooMany);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Add(3), CopyVerdict::kOk);
}

// --- Readers -------------------------------------------------------------------------------------

TEST_F(CopyTableTest, ReadTakesTheNewestGenerationThatIsHere) {
  EXPECT_EQ(Add(1, 0), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(effects_.generation, 0u) << "the newer one is still being fetched";
  EXPECT_EQ(Add(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(effects_.generation, 1u);
  EXPECT_EQ(FreeIt(1, 1), CopyVerdict::kDoomed);
  EXPECT_EQ(Read(1), CopyVerdict::kFreed);
  EXPECT_EQ(table_->stats().readers, 2u);
  EXPECT_EQ(Unread(1, 0), CopyVerdict::kOk);
  EXPECT_EQ(Unread(1, 0), CopyVerdict::kNotHere);
  EXPECT_EQ(Unread(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1/1"});
}

TEST_F(CopyTableTest, StoreMayNotDropACopyThatIsBeingRead) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kHasReaders);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

// --- The store's own choice ----------------------------------------------------------------------

TEST_F(CopyTableTest, DroppedCopyIsReportedRemovedEvenIfItsAdditionNeverWas) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().copies, 0u);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

TEST_F(CopyTableTest, FreeOfADroppedCopyIsAnsweredUnknownInsteadOfRemoved) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 3), CopyVerdict::kUnknown);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 3), CopyVerdict::kFreedBefore);
  EXPECT_EQ(Pull(), Words{"unknown 1 term 3"});
}

TEST_F(CopyTableTest, StoreThatDropsAFreedCopyByItselfSettlesTheFree) {
  for (const CopyState state : {CopyState::kToDelete, CopyState::kDeleteFailed}) {
    Make({});
    Bring(state);
    EXPECT_EQ(Drop(1), CopyVerdict::kOk);
    EXPECT_EQ(Take(kStart + 1000 * kMs), Words{});
    EXPECT_EQ(Pull(), Words{"deleted 1"});
  }
  Make({});
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, KeyThatComesBackIsReportedAfterHowItWent) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 2u);
  EXPECT_EQ(Pull(), (Words{"removed 1", "added 1 primary 10"}));

  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"deleted 1", "added 1 primary 10"}));
}

TEST_F(CopyTableTest, StoreThatDropsAndFetchesAgainAndAgainAddsNoRecords) {
  CopyTable::Options options;
  options.copies_max = 1;
  Make(options);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
    EXPECT_EQ(Add(1), CopyVerdict::kOk);
    EXPECT_EQ(Drop(1), CopyVerdict::kOk);
    EXPECT_EQ(table_->stats().reports_waiting, 1u);
  }
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Abort(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

TEST_F(CopyTableTest, ResultThatIsOwedOutlivesAKeyThatComesAndGoes) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, OneResultSettlesTheFreesOfBothLivesOfAKey) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  Take();
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

// --- A store that fails --------------------------------------------------------------------------

TEST_F(CopyTableTest, FailureIsToldOnceAndAgainWhenTheReasonChanges) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"failed 1: disk"});
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Fail(1, "disk", kStart + 100 * kMs), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Take(kStart + 300 * kMs), Words{"1"});
  EXPECT_EQ(Fail(1, "fire", kStart + 300 * kMs), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"failed 1: fire"});
  EXPECT_EQ(Take(kStart + 700 * kMs), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().store_failures, 3u);
}

TEST_F(CopyTableTest, DeletedSupersedesAFailureThatHasNotLeft) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, RetriesBackOffToTheMaximumWithJitter) {
  CopyTable::Options options;
  options.retry_delay_min = 10 * kMs;
  options.retry_delay_max = 35 * kMs;
  Make(options);
  Bring(CopyState::kDeleting);
  Time now = kStart;
  for (const int delay : {10, 20, 35, 35, 35}) {
    (void)Fail(1, "disk", now, 0);
    EXPECT_EQ(table_->NextWork(), now + delay * kMs);
    EXPECT_EQ(Take(now + delay * kMs - Duration(1)), Words{});
    now += delay * kMs;
    EXPECT_EQ(Take(now), Words{"1"});
  }
  const uint64_t half = 35 * 1000000 / 2;
  (void)Fail(1, "disk", now, half);
  EXPECT_EQ(table_->NextWork(), now + 35 * kMs + Duration(half));
  now = table_->NextWork();
  EXPECT_EQ(Take(now), Words{"1"});
  (void)Fail(1, "disk", now, half + 1);
  EXPECT_EQ(table_->NextWork(), now + 35 * kMs) << "never more than half on top";
}

TEST_F(CopyTableTest, EndlessFailuresAndHugeDelaysDoNotOverflow) {
  CopyTable::Options options;
  options.retry_delay_min = options.retry_delay_max = Duration::max();
  Make(options);
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, "disk", kStart + kMs, ~uint64_t{0}), CopyVerdict::kOk);
  EXPECT_EQ(table_->NextWork(), kInfiniteFuture);
}

TEST_F(CopyTableTest, LongReasonIsCutToWhatAnItemMayCarry) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, std::string(1000, 'x')), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"failed 1: " + std::string(kWhyBytesMax, 'x')});
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Fail(1, std::string(999, 'x')), CopyVerdict::kNoChange);
}

TEST_F(CopyTableTest, FailedCopyIsNotLostByADuplicateFree) {
  Bring(CopyState::kDeleteFailed);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore);
  EXPECT_EQ(StateOf(1), CopyState::kDeleteFailed);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

// --- Batches and windows -------------------------------------------------------------------------

TEST_F(CopyTableTest, DeletesAreTakenInOrderOfTheirFreesInBatches) {
  for (const uint64_t object : {3u, 1u, 2u, 4u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  for (const uint64_t object : {2u, 4u, 1u}) EXPECT_EQ(FreeIt(object), CopyVerdict::kOk);
  EXPECT_EQ(Take(kStart, 2), (Words{"2", "4"}));
  EXPECT_EQ(table_->NextWork(), kInfinitePast);
  EXPECT_EQ(table_->stats().deletes_pending, 3u);
  EXPECT_EQ(Take(kStart, 2), Words{"1"});
  std::vector<uint64_t> freed;
  for (const CopyRecord* copy : table_->Freed()) freed.push_back(NumberOf(copy->object));
  EXPECT_EQ(freed, (std::vector<uint64_t>{2, 4, 1}));
}

TEST_F(CopyTableTest, RetriesThatAreDueComeInBatchesToo) {
  for (const uint64_t object : {1u, 2u, 3u}) {
    EXPECT_EQ(Add(object), CopyVerdict::kOk);
    EXPECT_EQ(FreeIt(object), CopyVerdict::kOk);
  }
  Take();
  for (const uint64_t object : {3u, 1u, 2u}) {
    EXPECT_EQ(Fail(object, "disk", kStart, object), CopyVerdict::kOk);
  }
  const Time later = kStart + 1000 * kMs;
  EXPECT_EQ(Take(later, 2), (Words{"1", "2"}));
  EXPECT_EQ(Take(later, 2), Words{"3"});
}

TEST_F(CopyTableTest, FullSinkTakesTheRestLater) {
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  EXPECT_EQ(FreeIt(8), CopyVerdict::kUnknown);
  for (const uint64_t object : {3u, 1u, 2u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  WordSink first(1);
  EXPECT_EQ(table_->PullReports(kOwner, 100, &first), PullVerdict::kFull);
  EXPECT_EQ(first.words, Words{"unknown 9"});
  table_->CheckInvariants();
  WordSink second(2);
  EXPECT_EQ(table_->PullReports(kOwner, 1, &second), PullVerdict::kMore);
  EXPECT_EQ(table_->PullReports(kOwner, 100, &second), PullVerdict::kFull);
  EXPECT_EQ(second.words, (Words{"unknown 8", "added 3 primary 10"}));
  table_->CheckInvariants();
  EXPECT_EQ(Pull(), (Words{"added 1 primary 10", "added 2 primary 10"}));
}

TEST_F(CopyTableTest, SinkThatFillsBetweenTheTwoReportsOfAKeyLosesNeither) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  WordSink sink(1);
  EXPECT_EQ(table_->PullReports(kOwner, 100, &sink), PullVerdict::kFull);
  EXPECT_EQ(sink.words, Words{"removed 1"});
  table_->CheckInvariants();
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
}

TEST_F(CopyTableTest, CopyReportedAfterItsKeyWasAnsweredUnknownComesAfterThatAnswer) {
  EXPECT_EQ(FreeIt(1), CopyVerdict::kUnknown);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"unknown 1", "added 1 primary 10"}));
}

TEST_F(CopyTableTest, RepliesPulledPieceByPieceKeepTheirOrder) {
  Words expected, pulled;
  uint64_t next = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(FreeIt(next), CopyVerdict::kUnknown);
      expected.push_back("unknown " + std::to_string(next++));
    }
    WordSink sink;
    EXPECT_EQ(table_->PullReports(kOwner, 2, &sink), PullVerdict::kMore);
    pulled.insert(pulled.end(), sink.words.begin(), sink.words.end());
    table_->CheckInvariants();
  }
  EXPECT_EQ(table_->replies_waiting(kOwner), expected.size() - pulled.size());
  const Words rest = Pull();
  pulled.insert(pulled.end(), rest.begin(), rest.end());
  EXPECT_EQ(pulled, expected);
}

// --- Lists ---------------------------------------------------------------------------------------

TEST_F(CopyTableTest, CopiesAreListedByOwnerInOrderOfArrival) {
  EXPECT_EQ(Add(3), CopyVerdict::kOk);
  EXPECT_EQ(Add(7, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Listed(), (Words{"3", "1", "2"}));
  EXPECT_EQ(Owners(), (Words{"3:3:20", "5:1:10"}));
  EXPECT_EQ(Drop(3), CopyVerdict::kOk);
  EXPECT_EQ(Listed(), (Words{"1", "2"}));
  EXPECT_EQ(Drop(7), CopyVerdict::kOk);
  EXPECT_EQ(Owners(), Words{"3:2:10"});
  EXPECT_EQ(Add(3, 0, kOther), CopyVerdict::kOtherOwner) << "its owner has not heard yet";
  EXPECT_EQ(Add(7, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Owners(), (Words{"3:2:10", "5:1:10"}));
  EXPECT_EQ(Listed(99), Words{});
}

// --- Exclusion -----------------------------------------------------------------------------------

TEST_F(CopyTableTest, ExcludedOwnersCopiesGoAtTheBarrierAndNotBefore) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Read(1), CopyVerdict::kOk) << "reads go on";
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(3), CopyVerdict::kOk) << "accepted between view and barrier";
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(table_->NextWork(), kInfinitePast);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "3"}));
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Succeed(3), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().orphans_deleted, 2u);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Pull(kOther), Words{"added 2 primary 10"});
  EXPECT_EQ(Listed(kOther), Words{"2"});
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
}

TEST_F(CopyTableTest, RacingNoticesOfOneExclusionDeleteOnce) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner, kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(2, {kOwner}), CopyVerdict::kNoChange);
  EXPECT_EQ(Step(Barrier{2}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{2}), CopyVerdict::kNoChange);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kNoChange);
  EXPECT_EQ(Exclude(2, {kOwner}), CopyVerdict::kNoChange);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Step(Barrier{3}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(4, {kOwner}), CopyVerdict::kNoChange);
  EXPECT_EQ(Step(Barrier{4}), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(table_->stats().orphans_deleted, 1u);
}

TEST_F(CopyTableTest, BarrierClosesTheViewsUpToItsOwnOnly) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Add(3, 0, 8), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(2, {8}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(3, {kOther}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{2}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "3"}));
  EXPECT_EQ(Step(Barrier{3}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"2"});
}

TEST_F(CopyTableTest, OrphansWithReadersOrInFlightAreDoomedLikeOthers) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(2), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(3), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(table_->stats().doomed, 3u);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kFreed);
  EXPECT_EQ(Abort(3), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "2"}));
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Succeed(2), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().orphans_deleted, 2u);
  EXPECT_EQ(table_->stats().copies, 0u);
}

TEST_F(CopyTableTest, NothingNewOfAnOwnerPastItsBarrierIsTaken) {
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOwnerExcluded);
  EXPECT_EQ(Fetch(2), CopyVerdict::kOwnerExcluded);
  EXPECT_EQ(table_->stats().copies, 1u);
}

TEST_F(CopyTableTest, CopyThatTheSweepHasNotReachedIsFreedAllTheSame) {
  for (const uint64_t object : {1u, 2u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(3), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Read(2), CopyVerdict::kFreed);
  EXPECT_EQ(Add(3), CopyVerdict::kFreed);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk) << "the cursor of the sweep steps aside";
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"2", "3"}));
}

TEST_F(CopyTableTest, FreeFromAnExcludedOwnerIsRefused) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kRefused);
  EXPECT_EQ(FreeIt(9), CopyVerdict::kRefused);
  EXPECT_EQ(Take(), Words{});
}

TEST_F(CopyTableTest, ExcludedOwnerIsToldNothingAndItsGoneRecordsGo) {
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  for (const uint64_t object : {1u, 2u, 3u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(2), CopyVerdict::kOk);
  Take();
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(Pull(), Words{}) << "at once, not only after the sweep";
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(Fail(2, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(Spill(3, "f", true), CopyVerdict::kOk);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"2"}) << "its own Free is still carried out";
  EXPECT_EQ(Succeed(2), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(Listed(), Words{"3"});
  EXPECT_EQ(table_->stats().orphans_deleted, 0u);
}

TEST_F(CopyTableTest, ExclusionIsWorkedOffInPieces) {
  for (uint64_t object = 0; object < 10; ++object) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  for (uint64_t object = 0; object < 3; ++object) EXPECT_EQ(Drop(object), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  int pieces = 1;
  while (Step(Sweep{4}) == CopyVerdict::kMore) ++pieces;
  EXPECT_EQ(pieces, 5) << "ten reports and seven copies";
  EXPECT_FALSE(table_->sweeping());
  EXPECT_EQ(Take().size(), 7u);
}

TEST_F(CopyTableTest, CopiesMayGoBetweenThePiecesOfASweep) {
  for (uint64_t object = 0; object < 6; ++object) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Sweep{2}), CopyVerdict::kMore);
  EXPECT_EQ(Drop(2), CopyVerdict::kOk);
  EXPECT_EQ(Drop(3), CopyVerdict::kOk);
  EXPECT_EQ(Drop(0), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "4", "5"}));
}

TEST_F(CopyTableTest, OwnerExcludedBeforeThisNodeJoinedIsPastItsBarrier) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(5, {kOwner, kOther}, /*joining=*/true), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOwnerExcluded);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{}) << "one that is here already waits for a barrier";
  EXPECT_EQ(Step(Barrier{5}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
}

TEST_F(CopyTableTest, ViewOlderThanTheLatestBarrierIsClosedAlready) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{3}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(3, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
}

TEST_F(CopyTableTest, ExcludedNodeTellsNobodyAnythingAndStillDeletes) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Drop(2), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(9, 0, kOther), CopyVerdict::kUnknown);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Step(SelfExcluded{}), CopyVerdict::kOk);
  EXPECT_EQ(Step(SelfExcluded{}), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Pull(kOther), Words{});
  EXPECT_EQ(FreeIt(2), CopyVerdict::kRefused) << "nothing is taken any more either";
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().copies, 0u);
}

TEST_F(CopyTableTest, WithoutReportsRecordsOfGoneCopiesDoNotPileUp) {
  CopyTable::Options options;
  options.reports = false;
  options.copies_max = 1;
  Make(options);
  for (uint64_t object = 0; object < 10; ++object) {
    EXPECT_EQ(Add(object), CopyVerdict::kOk);
    EXPECT_EQ(Drop(object), CopyVerdict::kOk);
    EXPECT_EQ(FreeIt(object), CopyVerdict::kRefused);
  }
  EXPECT_TRUE(effects_.ready.empty());
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
}

TEST_F(CopyTableTest, SizeOfWhatIsHereSumsIntoTheBytesGauge) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(3), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 20u) << "spilled included, fetched not yet";
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  Take();
  EXPECT_EQ(table_->stats().bytes, 20u) << "freed is not gone";
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 10u);
}

}  // namespace
}  // namespace freehold::core
