// ObjectTable: what counts as reported, what a digest heals, and that both ends agree at every cut.

#include "src/core/object_table_digest.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "src/base/random.h"
#include "src/core/digest.h"
#include "tests/core/digest_node.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kNode = 7;

ObjectId IdOf(uint64_t object) { return ObjectId::FromNumber(object); }

struct DigestTable : ObjectTableHarness {
  DigestSum Sum(PeerIndex node = kNode) const { return TableDigest::SumOf(table, node); }
  uint32_t Reported() const { return Sum().copies; }
  Verdict Removed(uint64_t object, uint32_t generation = 0) {
    const ObjectId id = IdOf(object);
    Effects raw;
    return table.Step(event::RemoveLocation{{id, id.Hash()}, kNode, generation, true}, &raw);
  }
  Verdict Found(uint64_t object, uint32_t generation = 0) {
    const ObjectId id = IdOf(object);
    Effects raw;
    const Verdict verdict =
        TableDigest::Step(event::DigestFound{{id, id.Hash()}, kNode, generation}, &table, &raw);
    table.CheckInvariants();
    return verdict;
  }
  Verdict Missing(uint64_t object, uint32_t generation = 0) {
    const ObjectId id = IdOf(object);
    Effects raw;
    const Verdict verdict =
        TableDigest::Step(event::DigestMissing{{id, id.Hash()}, kNode, generation}, &table, &raw);
    effects = LayOpen(std::move(raw));
    table.CheckInvariants();
    return verdict;
  }
  std::set<std::pair<uint64_t, uint32_t>> Walk(uint32_t piece) const {
    DigestTally tally(std::vector<DigestRange>{DigestRange()}, 100000);
    TableDigest::Walk walk(kNode);
    while (walk.Next(table, piece, &tally)) {
    }
    EXPECT_EQ(tally.parts()[0].sum, Sum());
    std::set<std::pair<uint64_t, uint32_t>> keys;
    for (const DigestKey& key : tally.parts()[0].keys) {
      EXPECT_TRUE(keys.emplace(NumberOf(key.object), key.generation).second);
    }
    return keys;
  }
};

Report FromHost() {
  Report report;
  report.merge = false;
  return report;
}

// --- What counts ---------------------------------------------------------------------------------

TEST(ObjectTableDigest, OnlyWhatTheNodeItselfHasSaidCounts) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.Declare(2, 1), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(2, kNode, 0, FromHost()), Verdict::kOk);
  EXPECT_EQ(t.Reported(), 0u);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(2, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(2, kNode), Verdict::kOk);
  EXPECT_EQ(t.Reported(), 2u) << "each once";
  EXPECT_EQ(t.Removed(2), Verdict::kOk);
  EXPECT_EQ(t.Reported(), 1u);
}

TEST(ObjectTableDigest, FreesThatAreNotSettledCountAsHeld) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  t.DropHandle(1);
  EXPECT_EQ(t.Reported(), 1u) << "waits";
  t.Pull(kNode);
  EXPECT_EQ(t.Reported(), 1u) << "sent";
  ASSERT_EQ(t.Answer(1, kNode, FreeResult::kDoomed), Verdict::kOk);
  EXPECT_EQ(t.Reported(), 1u) << "doomed";
  ASSERT_EQ(t.Answer(1, kNode), Verdict::kOk);
  EXPECT_EQ(t.Sum(), DigestSum());
}

TEST(ObjectTableDigest, RemovalDuringAFreeCountsAtOnceAlthoughItSettlesNothing) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  t.DropHandle(1);
  t.Pull(kNode);
  EXPECT_EQ(t.Removed(1), Verdict::kUnchanged);
  EXPECT_EQ(t.Reported(), 0u);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kToBeFreed);
  EXPECT_EQ(t.Reported(), 1u) << "it came back before the free came";
  ASSERT_EQ(t.Answer(1, kNode), Verdict::kOk);
  EXPECT_EQ(t.Sum(), DigestSum());
}

TEST(ObjectTableDigest, LateReportsCountUntilTheirFreeIsAnswered) {
  DigestTable t;
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kNotFound);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kNotFound);
  EXPECT_EQ(t.Reported(), 1u);
  t.Pull(kNode);
  EXPECT_EQ(t.Answer(1, kNode, FreeResult::kDoomed), Verdict::kNotFound);
  EXPECT_EQ(t.Reported(), 1u);
  EXPECT_EQ(t.Answer(1, kNode), Verdict::kNotFound);
  EXPECT_EQ(t.Answer(1, kNode, FreeResult::kUnknown), Verdict::kNotFound) << "the second free's";
  EXPECT_EQ(t.Sum(), DigestSum());
}

TEST(ObjectTableDigest, OldValuesCountBesideTheNewOne) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.FreeExplicitly(1), Verdict::kOk);
  ASSERT_EQ(t.Recreate(1), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode, 1), Verdict::kOk);
  EXPECT_EQ(t.Reported(), 2u);
  EXPECT_EQ(t.Walk(1), (std::set<std::pair<uint64_t, uint32_t>>{{1, 0}, {1, 1}}));
}

TEST(ObjectTableDigest, WalkInPiecesFindsAllThatCounts) {
  DigestTable t;
  for (uint64_t object = 0; object < 300; ++object) {
    ASSERT_EQ(t.Declare(object, 1), Verdict::kOk);
    ASSERT_EQ(t.SetLocation(object, kNode), Verdict::kOk);
    if (object % 3 == 0) t.DropHandle(object);
  }
  for (uint64_t object = 1000; object < 1040; ++object) {
    ASSERT_EQ(t.SetLocation(object, kNode), Verdict::kNotFound);
  }
  EXPECT_EQ(t.Walk(7).size(), 340u);
  EXPECT_EQ(t.Walk(2048), t.Walk(1));
}

TEST(ObjectTableDigest, NothingCountsOfAnExcludedNode) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(9, kNode), Verdict::kNotFound);
  EXPECT_TRUE(t.Exclude(kNode, 0));
  EXPECT_EQ(t.Sum(), DigestSum());
  EXPECT_EQ(t.Found(2), Verdict::kNodeExcluded);
  EXPECT_EQ(t.Missing(1), Verdict::kNodeExcluded);
}

// --- What is healed ------------------------------------------------------------------------------

TEST(ObjectTableDigest, WhatIsFoundIsReportedAgainOrFreedAtThatGeneration) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, 1), Verdict::kOk);
  EXPECT_EQ(t.Found(1), Verdict::kOk) << "to be reported again";
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  EXPECT_EQ(t.Found(1), Verdict::kUnchanged) << "known after all";
  EXPECT_EQ(t.Found(1, 1), Verdict::kUnknownGeneration);
  EXPECT_EQ(t.Found(2), Verdict::kToBeFreed);
  EXPECT_EQ(t.Found(2), Verdict::kUnchanged) << "its free is on its way";
  EXPECT_EQ(t.Pull(kNode), (std::vector<FreedCopy>{{2, 0}}));
}

TEST(ObjectTableDigest, CopyThatIsFoundWhileItsFreeIsUnderWayIsSettledByThatFree) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, 1), Verdict::kOk);
  Report prospective = FromHost();
  prospective.in_memory = false;
  ASSERT_EQ(t.SetLocation(1, kNode, 0, prospective), Verdict::kOk);
  t.DropHandle(1);
  t.Pull(kNode);
  EXPECT_EQ(t.Found(1), Verdict::kToBeFreed) << "its host was wrong, and it has readers";
  EXPECT_EQ(t.Reported(), 1u);
  EXPECT_EQ(t.Found(1), Verdict::kUnchanged);
  EXPECT_EQ(t.Pull(kNode), std::vector<FreedCopy>{}) << "one free is enough";
  ASSERT_EQ(t.Answer(1, kNode), Verdict::kOk);
  EXPECT_EQ(t.Sum(), DigestSum());
}

TEST(ObjectTableDigest, OldCopyThatIsFoundIsFreedAndTheNewOneIsNot) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.RemoveLocation(1, kNode), Verdict::kOk) << "the host is wrong";
  ASSERT_EQ(t.Recreate(1), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode, 1), Verdict::kOk);
  EXPECT_EQ(t.Found(1, 0), Verdict::kToBeFreed);
  EXPECT_EQ(t.Pull(kNode), (std::vector<FreedCopy>{{1, 0}}));
  EXPECT_EQ(t.Copies(1).size(), 1u);
}

TEST(ObjectTableDigest, WhatIsMissingIsRemovedAtThatGenerationOnly) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.FreeExplicitly(1), Verdict::kOk);
  ASSERT_EQ(t.Recreate(1), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode, 1), Verdict::kOk);
  EXPECT_EQ(t.Missing(1, 0), Verdict::kOk);
  EXPECT_EQ(t.ghosts(), 0u);
  EXPECT_EQ(t.Copies(1).size(), 1u);
  EXPECT_EQ(t.Missing(1, 0), Verdict::kUnchanged);
  EXPECT_EQ(t.Missing(1, 1), Verdict::kOk);
  EXPECT_EQ(t.effects.lost.size(), 1u) << "the last copy";
}

TEST(ObjectTableDigest, MissingCopyWhoseFreeIsUnderWayIsSettledByItsAnswer) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  ASSERT_EQ(t.SetLocation(1, kNode), Verdict::kOk);
  t.DropHandle(1);
  t.Pull(kNode);
  EXPECT_EQ(t.Missing(1), Verdict::kOk);
  EXPECT_EQ(t.objects(), 1u);
  EXPECT_EQ(t.Answer(1, kNode, FreeResult::kUnknown), Verdict::kOk);
  EXPECT_EQ(t.objects(), 0u);
}

TEST(ObjectTableDigest, WhatOnlyTheHostHasSaidIsNotMissing) {
  DigestTable t;
  ASSERT_EQ(t.Declare(1, kNode), Verdict::kOk);
  EXPECT_EQ(t.Missing(1), Verdict::kUnchanged);
  EXPECT_EQ(t.Copies(1).size(), 1u);
}

// --- Both ends -----------------------------------------------------------------------------------

// An owner's table and a node's, and the two streams between them, which are late by any time.
class DigestPair {
 public:
  explicit DigestPair(uint64_t seed) : random_(seed) {}

  void Act() {
    const uint64_t object = Random(8);
    const uint32_t newest = generations_[object];
    const uint32_t generation = newest > 0 && Random(3) == 0 ? newest - 1 : newest;
    const DigestKey copy{IdOf(object), generation};
    const uint64_t act = Random(16);
    // Nobody knows an object before it is declared.
    if (act != 0 && declared_.count(object) == 0) return;
    switch (act) {
      case 0:
        if (owner_.Find(object) == nullptr && declared_.insert(object).second) {
          ASSERT_EQ(owner_.Declare(object, Random(2) == 0 ? kNode : 1), Verdict::kOk);
        }
        break;
      case 1:
        if (InScope(object)) owner_.DropHandle(object);
        break;
      case 2:
        (void)owner_.FreeExplicitly(object);
        break;
      case 3:
        if (owner_.Recreate(object) == Verdict::kOk) ++generations_[object];
        break;
      case 4:
        (void)owner_.SetLocation(object, kNode, newest, FromHost());
        break;
      case 5:
      case 6:
        node_.Add(copy);
        break;
      case 7:
        node_.Fetch(copy);
        break;
      case 8:
        node_.Abort(copy);
        break;
      case 9:
        node_.Spill(copy, Random(2) == 0);
        break;
      case 10:
        node_.Drop(copy);
        break;
      case 11:
        if (DigestKey taken; node_.TakeDelete(&taken)) deleting_.push_back(taken);
        break;
      case 12:
        if (deleting_.empty()) break;
        node_.Deleted(deleting_.front());
        deleting_.pop_front();
        break;
      case 13:
        PullReports();
        break;
      case 14:
        for (const FreedCopy& freed : owner_.Pull(kNode, 1)) frees_.push_back(freed);
        if (frees_.empty()) break;
        node_.Free({IdOf(frees_.front().first), frees_.front().second});
        frees_.pop_front();
        break;
      default:
        Deliver();
        break;
    }
  }
  uint64_t cuts() const { return cuts_; }
  uint64_t cuts_with_copies() const { return cuts_with_copies_; }

 private:
  uint64_t Random(uint64_t below) { return random_.Next() % below; }
  bool InScope(uint64_t object) const {
    const ObjectRecord* record = owner_.Find(object);
    return record != nullptr && record->in_scope();
  }
  // A word to the owner, and what the node has said when it is out.
  struct Word {
    std::function<void()> apply;
    DigestSum told;
  };
  void PullReports() {
    class Sink final : public ReportSink {
     public:
      explicit Sink(DigestPair* to) : to_(*to) {}
      bool Add(const FreeResultItem& item) override {
        to_.Say([pair = &to_, item] {
          (void)pair->owner_.Answer(NumberOf(item.object), kNode, item.result, item.generation);
        });
        return true;
      }
      bool Add(const LocationItem& item) override {
        to_.Say([pair = &to_, item] { pair->Apply(item); });
        return true;
      }
      bool Add(const MovePrimaryItem&) override { return true; }  // none is asked for here
      bool Add(const SharingItem&) override { return true; }      // nothing moves here

     private:
      DigestPair& to_;
    } sink(this);
    const size_t before = stream_.size();
    node_.Pull(&sink);
    if (stream_.size() > before) stream_.back().told = node_.Told();
  }
  void Say(std::function<void()> apply) {
    stream_.emplace_back();
    stream_.back().apply = std::move(apply);
  }
  void Apply(const LocationItem& item) {
    if (item.change == LocationChange::kRemoved) {
      (void)owner_.Removed(NumberOf(item.object), item.generation);
      return;
    }
    Report report;
    report.spilled = item.change == LocationChange::kSpilled;
    report.in_memory = !report.spilled || item.in_memory;
    report.url = item.url;
    (void)owner_.SetLocation(NumberOf(item.object), kNode, item.generation, report);
  }
  void Deliver() {
    if (stream_.empty()) return;
    stream_.front().apply();
    const DigestSum told = stream_.front().told;
    stream_.pop_front();
    owner_.table.CheckInvariants();
    ASSERT_EQ(owner_.Sum(), told) << "at cut " << cuts_;
    ++cuts_;
    cuts_with_copies_ += told.copies > 0;
  }

  internal::SplitMix64 random_;
  DigestTable owner_;
  DigestNode node_;
  std::map<uint64_t, uint32_t> generations_;
  std::set<uint64_t> declared_;
  std::deque<DigestKey> deleting_;
  std::deque<Word> stream_;
  std::deque<FreedCopy> frees_;
  uint64_t cuts_ = 0;
  uint64_t cuts_with_copies_ = 0;
};

TEST(ObjectTableDigest, BothEndsAgreeAtEveryCutWhateverIsInFlight) {
  uint64_t cuts = 0;
  uint64_t cuts_with_copies = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    DigestPair pair(seed);
    for (int step = 0; step < 1500 && !testing::Test::HasFatalFailure(); ++step) pair.Act();
    cuts += pair.cuts();
    cuts_with_copies += pair.cuts_with_copies();
  }
  EXPECT_GT(cuts, 1000u);
  EXPECT_GT(cuts_with_copies, cuts / 2);
}

}  // namespace
}  // namespace freehold::core
