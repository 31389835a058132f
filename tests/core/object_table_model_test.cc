// ObjectTable against ObjectTableModel: thousands of random runs, compared after every step.
//
// FREEHOLD_MODEL_SEED=n runs that seed alone and prints each step before it is taken.

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"
#include "tests/core/object_table_comparison.h"
#include "tests/core/object_table_harness.h"
#include "tests/core/object_table_model.h"

namespace freehold::core {
namespace {

constexpr uint64_t kSeeds = 2000;
constexpr int kSteps = 250;
constexpr uint32_t kObjects = 40;  // in a run; some six of them at a time
constexpr PeerIndex kNodes = 6;

// A failed check aborts; then this says which seed it was.
volatile std::sig_atomic_t current_seed = 0;
void PrintSeed(int) {
  char line[64];
  std::snprintf(line, sizeof(line), "FREEHOLD_MODEL_SEED=%d\n", static_cast<int>(current_seed));
  std::fputs(line, stderr);
}

class ModelRun {
 public:
  ModelRun(uint64_t seed, bool trace, Met* met)
      : trace_(trace),
        random_(seed),
        met_(*met),
        both_(ConfigOf(seed), kObjects, kNodes, met),
        harness_(both_.harness),
        model_(both_.model) {}

  void Run() {
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) OneStep();
    if (!testing::Test::HasFailure()) End();
  }

 private:
  static ObjectTable::Config ConfigOf(uint64_t seed) {
    ObjectTable::Config config;
    config.settle_at_once = seed % 8 == 0;
    config.observe_frees = seed % 3 != 0;
    return config;
  }
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_.Next() % bound); }
  bool OneIn(uint32_t n) { return Below(n) == 0; }
  template <typename... Parts>
  void Trace(const char* format, Parts... parts) {
    if (!trace_) return;
    std::printf(format, parts...);
    std::printf("\n");
    std::fflush(stdout);
  }

  void Compare(const Expected& expected, Verdict verdict) {
    both_.Compare(expected, verdict);
    DropInners();
  }

  // As the runtime: each contained object is let go of in a step of its own.
  void DropInners() {
    const std::vector<InnerRef> inners = std::move(harness_.effects.inners);
    for (const InnerRef& inner : inners) {
      const uint64_t name = NumberOf(harness_.table.At(inner.record).id());
      Trace("  let go of inner %" PRIu64, name);
      const Expected expected = model_.DropNestedHold(name);
      Compare(expected, harness_.DropNestedHold(inner.record));
    }
  }

  // --- Steps ---------------------------------------------------------------------------------

  // One that is there, mostly; otherwise one that is gone or never was.
  uint64_t SomeObject() {
    if (model_.objects().empty() || OneIn(10)) return Below(kObjects);
    auto at = model_.objects().begin();
    std::advance(at, Below(static_cast<uint32_t>(model_.objects().size())));
    return at->first;
  }

  void OneStep() {
    switch (Below(20)) {
      case 0:
      case 1:
        return Declare();
      case 2:
        return Recreate();
      case 3:
        return Free();
      case 4:
        return AddReference();
      case 5:
      case 6:
      case 7:
        return DropReference();
      case 8:
        return Nest();
      case 9:
      case 10:
      case 11:
        return Report();
      case 12:
        return Remove();
      case 13:
      case 14:
        return Pull();
      case 15:
        return Answer();
      case 16:
        return OneIn(12) || excluding_ != kNoPeer ? Exclude() : Answer();
      case 17:
        return MovePrimary();
      case 18:
        return PullMoves(Below(kNodes), OneIn(2) ? Below(3) : UINT32_MAX);
      default:
        return Callbacks();
    }
  }

  void Declare() {
    // Ids are never used again.
    const bool again = OneIn(8) && !model_.objects().empty();
    if (!again && (next_ == kObjects || model_.objects().size() > Below(12))) return;
    const uint64_t name = again ? model_.objects().begin()->first : next_++;
    const PeerIndex primary = OneIn(2) ? Below(kNodes) : kNoPeer;
    const uint64_t size = Below(3);
    Trace("declare %" PRIu64 " primary %u", name, primary);
    const Expected expected = model_.Declare(name, primary, size);
    Compare(expected, harness_.Declare(name, primary, size));
  }
  void Recreate() {
    const uint64_t name = SomeObject();
    Trace("recreate %" PRIu64, name);
    Compare(model_.Recreate(name), harness_.Recreate(name));
  }
  void Free() {
    const uint64_t name = SomeObject();
    const FreeMode mode = OneIn(3) ? FreeMode::kEvictFirst : FreeMode::kNow;
    Trace("free %" PRIu64 " mode %d", name, static_cast<int>(mode));
    Compare(model_.FreeExplicitly(name, mode), harness_.FreeExplicitly(name, mode));
  }
  void AddReference() {
    const uint64_t name = SomeObject();
    const uint32_t kind = Below(3);
    const uint32_t count = OneIn(10) ? UINT32_MAX - Below(3) : Below(3);
    Trace("add %u to %" PRIu64 " %u", kind, name, count);
    if (kind == 0) Compare(model_.AddHandle(name), harness_.AddHandle(name));
    if (kind == 1) Compare(model_.AddById(name, count), harness_.AddById(name, count));
    if (kind == 2) Compare(model_.AddTask(name), harness_.AddTask(name));
  }
  void DropReference() {
    const uint64_t name = SomeObject();
    const auto at = model_.objects().find(name);
    const uint32_t kind = Below(3);
    if (kind == 1) {
      const bool all = at != model_.objects().end() && !OneIn(4);
      const uint32_t count = all ? static_cast<uint32_t>(at->second.by_id) : Below(3);
      Trace("remove %u by id from %" PRIu64, count, name);
      return Compare(model_.RemoveById(name, count), harness_.RemoveById(name, count));
    }
    if (at == model_.objects().end()) return;
    Trace("drop %u of %" PRIu64, kind, name);
    if (kind == 0 && at->second.handles > 0) {
      DropHandle(name);
    } else if (kind == 2 && at->second.tasks > 0) {
      Compare(model_.DropTask(name), harness_.DropTask(name));
    }
  }
  void DropHandle(uint64_t name) {
    harness_.DropHandle(name);
    Compare(model_.DropHandle(name), Verdict::kOk);
  }
  // Outer objects have lower numbers: a value cannot contain itself.
  void Nest() {
    const uint64_t outer = SomeObject();
    if (outer + 1 >= next_) return;
    std::vector<InnerRef> inners;
    std::vector<uint64_t> names;
    for (uint32_t i = Below(4); i > 0; --i) {
      const uint64_t name = outer + 1 + Below(static_cast<uint32_t>(next_ - 1 - outer));
      Trace("hold %" PRIu64 " for %" PRIu64, name, outer);
      RecordIndex index = kNoRecord;
      const Expected expected = model_.AddNestedHold(name);
      Compare(expected, harness_.AddNestedHold(name, &index));
      if (expected.verdict != Verdict::kOk) continue;
      inners.push_back({0, index});
      names.push_back(name);
    }
    std::vector<InnerRef> back;
    std::vector<uint64_t> expected_back;
    Trace("add the inners to %" PRIu64, outer);
    const Expected expected = model_.AddInners(outer, names, &expected_back);
    Compare(expected, harness_.AddInners(outer, inners, &back));
    ASSERT_EQ(back.size(), expected_back.size());
    if (expected.verdict != Verdict::kOk) back = inners;
    harness_.effects.inners = std::move(back);
    DropInners();
  }
  uint32_t SomeGeneration(uint64_t name) {
    const auto at = model_.objects().find(name);
    const uint32_t present = at == model_.objects().end() ? Below(2) : at->second.generation;
    if (OneIn(12)) return present + 1;
    return present > 0 && OneIn(3) ? present - 1 : present;
  }
  void Report() {
    const uint64_t name = SomeObject();
    const PeerIndex node = Below(kNodes);
    const uint32_t generation = SomeGeneration(name);
    core::Report report;
    report.role = OneIn(2) ? CopyRole::kPrimary : CopyRole::kSecondary;
    report.in_memory = OneIn(2);
    report.spilled = OneIn(3);
    report.prospective = !report.in_memory && !report.spilled;
    report.merge = OneIn(2);
    report.size = Below(4);
    if (report.spilled && !OneIn(4)) report.url = "file-" + std::to_string(Below(1000));
    Trace("report %" PRIu64 " g%u on %u memory %d spilled %d merge %d", name, generation, node,
          report.in_memory, report.spilled, report.merge);
    Compare(model_.SetLocation(name, node, generation, report),
            harness_.SetLocation(name, node, generation, report));
  }
  void Remove() {
    const uint64_t name = SomeObject();
    const PeerIndex node = Below(kNodes);
    const uint32_t generation = SomeGeneration(name);
    Trace("remove %" PRIu64 " g%u on %u", name, generation, node);
    Compare(model_.RemoveLocation(name, node, generation),
            harness_.RemoveLocation(name, node, generation));
  }
  void Pull() {
    const PeerIndex node = Below(kNodes);
    PullFrom(node, OneIn(2) ? Below(3) : UINT32_MAX);
  }
  void PullFrom(PeerIndex node, uint32_t records_max) {
    Trace("pull up to %u for %u", records_max, node);
    const std::vector<FreedCopy> pulled = harness_.Pull(node, records_max);
    EXPECT_TRUE(model_.Sent(node, records_max, pulled, harness_.more_to_pull));
    for (const FreedCopy& copy : pulled) asked_.emplace_back(node, copy);
    Compare(Expected(), Verdict::kOk);
  }
  // From who is the primary, mostly.
  void MovePrimary() {
    const uint64_t name = SomeObject();
    const uint32_t generation = SomeGeneration(name);
    const PeerIndex node = Below(kNodes);
    PeerIndex from = OneIn(4) ? kNoPeer : Below(kNodes);
    if (!OneIn(3)) {
      for (const auto& [other, facts] : harness_.Copies(name)) {
        if (facts.role == CopyRole::kPrimary) from = other;
      }
    }
    Trace("move %" PRIu64 " g%u to %u from %u", name, generation, node, from);
    const uint64_t number = ++moves_;
    Compare(model_.MovePrimary(name, node, from, number, generation),
            harness_.MovePrimary(name, node, from, number, generation));
  }
  void PullMoves(PeerIndex node, uint32_t items_max) {
    Trace("pull up to %u words of moves for %u", items_max, node);
    bool more = false;
    const std::vector<MoveWord> expected = model_.PullMoves(node, items_max, &more);
    EXPECT_EQ(harness_.PullMoves(node, items_max), expected);
    EXPECT_EQ(harness_.more_to_pull, more);
    for (const MoveWord& word : expected) ++met_.answers[static_cast<int>(std::get<3>(word))];
    Compare(Expected(), Verdict::kOk);
  }
  // What was asked for, mostly; some answers come twice, some to nothing.
  void Answer() {
    uint64_t name = SomeObject();
    uint32_t generation = SomeGeneration(name);
    PeerIndex node = Below(kNodes);
    if (!asked_.empty() && !OneIn(5)) {
      const size_t at = Below(static_cast<uint32_t>(asked_.size()));
      node = asked_[at].first;
      name = asked_[at].second.first;
      generation = asked_[at].second.second;
    }
    const auto result = static_cast<FreeResult>(OneIn(2) ? 0 : Below(4));
    AnswerWith(name, node, result, generation);
  }
  void AnswerWith(uint64_t name, PeerIndex node, FreeResult result, uint32_t generation) {
    Trace("answer %d for %" PRIu64 " g%u on %u", static_cast<int>(result), name, generation, node);
    Compare(model_.Answer(name, node, result, generation),
            harness_.Answer(name, node, result, generation));
  }
  // In pieces, with other steps in between.
  void Exclude() {
    if (excluding_ == kNoPeer) excluding_ = Below(kNodes);
    const uint32_t records_max = OneIn(8) ? UINT32_MAX : Below(4);
    Trace("exclude %u, up to %u", excluding_, records_max);
    bool more = false;
    const Expected expected = model_.Exclude(excluding_, records_max, &more);
    // What is queued in vain is a piece of work as well.
    const bool more_in_table = harness_.Exclude(excluding_, records_max);
    EXPECT_TRUE(more_in_table || !more);
    EXPECT_FALSE(more_in_table && records_max == UINT32_MAX);
    Compare(expected, Verdict::kOk);
    if (!more_in_table) excluding_ = kNoPeer;
  }
  void Callbacks() {
    const uint64_t name = SomeObject();
    const uint32_t kind = Below(6);
    if (kind < 3) {
      const Token token = ++last_token_;
      const auto moment = static_cast<Moment>(kind);
      Trace("register %" PRIu64 " for moment %u, token %" PRIu64, name, kind, token);
      const Expected expected = model_.Register(name, moment, token, token);
      if (expected.verdict == Verdict::kOk) ++taken_;
      return Compare(expected, harness_.Register(name, moment, token, token));
    }
    if (kind == 3) {
      const Token token = ++last_token_;
      Trace("subscribe %" PRIu64 ", token %" PRIu64, name, token);
      const Expected expected = model_.Subscribe(name, token, token);
      if (expected.verdict == Verdict::kOk) ++subscribed_;
      return Compare(expected, harness_.Subscribe(name, token, token));
    }
    const uint64_t number = OneIn(2) && last_token_ > 0 ? last_token_ - Below(3) : Below(40);
    Trace("cancel %" PRIu64 " at %" PRIu64, number, name);
    Token token = 0;
    const Expected expected = model_.Cancel(name, number);
    Compare(expected, harness_.Cancel(name, number, &token));
    EXPECT_EQ(token, expected.cancelled);
    if (token != 0) {
      EXPECT_TRUE(both_.tokens_over.insert(token).second) << "cancelled after it had fired";
    }
  }

  // Whatever has happened: references dropped and frees answered, nothing must be left.
  void End() {
    while (excluding_ != kNoPeer && !testing::Test::HasFailure()) Exclude();
    while (!model_.objects().empty() && !testing::Test::HasFailure()) {
      std::vector<uint64_t> names;
      for (const auto& [name, object] : model_.objects()) names.push_back(name);
      for (const uint64_t name : names) LetGo(name);
      for (PeerIndex node = 0; node < kNodes; ++node) PullFrom(node, UINT32_MAX);
      const auto asked = std::move(asked_);
      asked_.clear();
      for (const auto& [node, copy] : asked) {
        AnswerWith(copy.first, node, FreeResult::kDeleted, copy.second);
      }
    }
    for (PeerIndex node = 0; node < kNodes; ++node) PullFrom(node, UINT32_MAX);
    EXPECT_EQ(harness_.objects(), 0u);
    EXPECT_EQ(harness_.table.unanswered_frees(), 0u);
    EXPECT_EQ(harness_.table.counters().callbacks, 0u);
    size_t gone = 0;
    for (const auto& [token, replica] : both_.replicas) {
      gone += replica.gone;
      EXPECT_NE(replica.gone, both_.tokens_over.count(token) != 0) << "gone or cancelled, not both";
    }
    EXPECT_EQ(both_.tokens_over.size() + gone, taken_ + subscribed_) << "each once";
  }
  void LetGo(uint64_t name) {
    const auto at = model_.objects().find(name);
    const auto here = [&] { return model_.objects().count(name) != 0; };
    while (here() && at->second.handles > 0) DropHandle(name);
    while (here() && at->second.tasks > 0) {
      Compare(model_.DropTask(name), harness_.DropTask(name));
    }
    if (here() && at->second.by_id > 0) {
      const auto count = static_cast<uint32_t>(at->second.by_id);
      Compare(model_.RemoveById(name, count), harness_.RemoveById(name, count));
    }
  }

  const bool trace_;
  internal::SplitMix64 random_;
  Met& met_;
  ComparedTables both_;
  ObjectTableHarness& harness_;
  ObjectTableModel& model_;
  uint64_t next_ = 0;  // object to declare
  std::vector<std::pair<PeerIndex, FreedCopy>> asked_;
  PeerIndex excluding_ = kNoPeer;
  Token last_token_ = 0;
  uint64_t moves_ = 0;
  size_t taken_ = 0;
  size_t subscribed_ = 0;
};

void ExpectMetEverything(const Met& met) {
  for (const Verdict verdict :
       {Verdict::kOk, Verdict::kUnchanged, Verdict::kNotFound, Verdict::kAlreadyExists,
        Verdict::kOutOfScope, Verdict::kNotHeld, Verdict::kCountFull, Verdict::kNodeExcluded,
        Verdict::kWrongState, Verdict::kMomentPassed, Verdict::kToBeFreed,
        Verdict::kUnknownGeneration}) {
    EXPECT_GT(met.verdicts[static_cast<int>(verdict)], 50u) << VerdictName(verdict);
  }
  EXPECT_GT(met.fired, 5000u);
  EXPECT_GT(met.lost, 500u);
  EXPECT_GT(met.inners, 500u);
  EXPECT_GT(met.ready, 5000u);
  for (const FreeOutcome outcome :
       {FreeOutcome::kSettled, FreeOutcome::kNodeExcluded, FreeOutcome::kStoreFailed}) {
    EXPECT_GT(met.outcomes[static_cast<int>(outcome)], 500u);
  }
  for (const uint64_t answers : met.answers) EXPECT_GT(answers, 50u);
  EXPECT_GE(met.generations_most, 3u);
  EXPECT_EQ(met.copies_most, kNodes);
  EXPECT_GT(met.asked_again, 100u);
}

TEST(ObjectTableModel, RandomRunsMatchStepByStep) {
  const char* const one = std::getenv("FREEHOLD_MODEL_SEED");
  const uint64_t first = one == nullptr ? 0 : std::strtoull(one, nullptr, 10);
  const uint64_t end = one == nullptr ? kSeeds : first + 1;
  Met met;
  const auto before = std::signal(SIGABRT, PrintSeed);
  for (uint64_t seed = first; seed < end && !HasFailure(); ++seed) {
    current_seed = static_cast<int>(seed);
    SCOPED_TRACE("FREEHOLD_MODEL_SEED=" + std::to_string(seed));
    ModelRun(seed, one != nullptr, &met).Run();
  }
  std::signal(SIGABRT, before);
  if (one == nullptr && !HasFailure()) ExpectMetEverything(met);
}

}  // namespace
}  // namespace freehold::core
