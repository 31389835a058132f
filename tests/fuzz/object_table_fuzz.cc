// Fuzzes ObjectTable with events in any order, next to the model of tests/core: each step must
// answer the same, keep the invariants, and in the end nothing must be left.
//
// Input: one byte of options, then three bytes per step: what to do, to which object on which node,
// and how.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "tests/core/object_table_harness.h"
#include "tests/core/object_table_model.h"

using namespace freehold::core;  // NOLINT(google-build-using-namespace)

namespace {

constexpr uint32_t kObjects = 8;
constexpr freehold::core::PeerIndex kNodes = 5;

class Fuzzed {
 public:
  explicit Fuzzed(const ObjectTable::Config& config)
      : harness_(config), model_(config.settle_at_once) {}

  void Step(uint8_t action, uint8_t where, uint8_t how) {
    name_ = where % kObjects;
    node_ = (where / kObjects) % kNodes;
    const auto at = model_.objects().find(name_);
    object_ = at == model_.objects().end() ? nullptr : &at->second;
    const uint32_t present = object_ == nullptr ? 0 : object_->generation;
    // The present generation, the one before, or the next.
    generation_ = how / 64 == 0                  ? present + 1
                  : how / 64 == 1 && present > 0 ? present - 1
                                                 : present;
    switch (action % 18) {
      case 0:
        return Declare(how);
      case 1:
        return Same(model_.Recreate(name_), harness_.Recreate(name_));
      case 2:
        return Same(model_.FreeExplicitly(name_), harness_.FreeExplicitly(name_));
      case 3:
        return Same(model_.AddHandle(name_), harness_.AddHandle(name_));
      case 4:
        return DropHandle();
      case 5:
        return ById(how);
      case 6:
        return Same(model_.AddTask(name_), harness_.AddTask(name_));
      case 7:
        return DropTask();
      case 8:
        return Nest(how);
      case 9:
      case 10:
        return Report(how);
      case 11:
        return Same(model_.RemoveLocation(name_, node_, generation_),
                    harness_.RemoveLocation(name_, node_, generation_));
      case 12:
        return Answer(static_cast<FreeResult>(how % 4));
      case 13:
        return Pull(node_, how % 8);
      case 14:
        return Exclude(how);
      case 15:
        return Callback(how);
      case 16:
        return Move(how);
      case 17:
        return PullMoves(node_, how % 4);
    }
  }

  void Finish() {
    if (excluding_ != kNoPeer) Exclude(UINT8_MAX);
    std::vector<uint64_t> names;
    for (const auto& [name, object] : model_.objects()) names.push_back(name);
    for (const uint64_t name : names) LetGo(name);
    // Answers bring forth more to free: contained objects have been let go of meanwhile, and a node
    // that asked for a value again while its copy was let go of is asked once more.
    do {
      for (PeerIndex node = 0; node < kNodes; ++node) Pull(node, UINT32_MAX);
    } while (AnswerAll());
    FREEHOLD_CHECK(harness_.objects() == 0);
    FREEHOLD_CHECK(harness_.table.unanswered_frees() == 0);
    FREEHOLD_CHECK(harness_.table.counters().callbacks == 0);
    FREEHOLD_CHECK(harness_.table.TakeAllTokens().empty());
  }

 private:
  void Same(const Expected& expected, Verdict verdict) {
    FREEHOLD_CHECK(verdict == expected.verdict);
    const Asked& effects = harness_.effects;
    FREEHOLD_CHECK(effects.fired.size() == expected.fired.size());
    for (size_t i = 0; i < effects.fired.size(); ++i) {
      FREEHOLD_CHECK(effects.fired[i].token == expected.fired[i].first);
      FREEHOLD_CHECK(effects.fired[i].reason == expected.fired[i].second);
    }
    FREEHOLD_CHECK(effects.lost.size() == expected.lost.size());
    FREEHOLD_CHECK(model_.CertainlyReady({effects.ready.begin(), effects.ready.end()}) ==
                   model_.CertainlyReady(expected.ready));
    for (PeerIndex node = 0; node < kNodes; ++node) {
      FREEHOLD_CHECK(model_.HearOfWork(node, harness_.table.HasWorkFor(node)));
    }
    FREEHOLD_CHECK(harness_.objects() == model_.objects().size());
    DropInners(harness_.effects.inners);
  }
  void DropInners(const std::vector<InnerRef>& inners) {
    for (const InnerRef& inner : std::vector<InnerRef>(inners)) {
      const uint64_t name = NumberOf(harness_.table.At(inner.record).id());
      Same(model_.DropNestedHold(name), harness_.DropNestedHold(inner.record));
    }
  }

  void Declare(uint8_t how) {
    if (object_ == nullptr && !declared_.insert(name_).second) return;  // ids are not used again
    const PeerIndex primary = how % 2 == 0 ? node_ : kNoPeer;
    const Expected expected = model_.Declare(name_, primary, how);
    if (expected.verdict != Verdict::kOk && object_ == nullptr) declared_.erase(name_);
    Same(expected, harness_.Declare(name_, primary, how));
  }
  void DropHandle() {
    if (object_ == nullptr || object_->handles == 0) return;
    harness_.DropHandle(name_);
    Same(model_.DropHandle(name_), Verdict::kOk);
  }
  void Move(uint8_t how) {
    const PeerIndex from = how % 8 < kNodes ? how % 8 : kNoPeer;
    const uint64_t number = ++moves_;
    Same(model_.MovePrimary(name_, node_, from, number, generation_),
         harness_.MovePrimary(name_, node_, from, number, generation_));
  }
  void PullMoves(PeerIndex node, uint32_t items_max) {
    bool more = false;
    const std::vector<MoveWord> expected = model_.PullMoves(node, items_max, &more);
    FREEHOLD_CHECK(harness_.PullMoves(node, items_max) == expected);
    FREEHOLD_CHECK(harness_.more_to_pull == more);
  }
  void DropTask() {
    if (object_ == nullptr || object_->tasks == 0) return;
    Same(model_.DropTask(name_), harness_.DropTask(name_));
  }
  void ById(uint8_t how) {
    const uint32_t count = how % 32 == 31 ? UINT32_MAX : how % 4;
    if (how / 32 % 2 == 0) {
      Same(model_.AddById(name_, count), harness_.AddById(name_, count));
    } else {
      Same(model_.RemoveById(name_, count), harness_.RemoveById(name_, count));
    }
  }
  // Outer objects have lower numbers: a value cannot contain itself.
  void Nest(uint8_t how) {
    const uint64_t inner = name_ + 1 + how % kObjects;
    RecordIndex index = kNoRecord;
    const Expected held = model_.AddNestedHold(inner);
    Same(held, harness_.AddNestedHold(inner, &index));
    if (held.verdict != Verdict::kOk) return;
    std::vector<uint64_t> expected_back;
    std::vector<InnerRef> back;
    const Expected expected = model_.AddInners(name_, {inner}, &expected_back);
    Same(expected, harness_.AddInners(name_, {{0, index}}, &back));
    FREEHOLD_CHECK(back.size() == expected_back.size());
    if (expected.verdict != Verdict::kOk || !back.empty()) DropInners({{0, index}});
  }
  void Report(uint8_t how) {
    freehold::core::Report report;
    report.role = how & 1 ? freehold::CopyRole::kPrimary : freehold::CopyRole::kSecondary;
    report.in_memory = how & 2;
    report.spilled = how & 4;
    report.merge = how & 8;
    report.size = how & 48;
    if (how & 16) report.url = "url";
    Same(model_.SetLocation(name_, node_, generation_, report),
         harness_.SetLocation(name_, node_, generation_, report));
  }
  void Answer(FreeResult result) {
    Same(model_.Answer(name_, node_, result, generation_),
         harness_.Answer(name_, node_, result, generation_));
  }
  // All that was asked for is deleted; whether there was anything.
  bool AnswerAll() {
    const std::vector<std::pair<PeerIndex, FreedCopy>> asked = std::exchange(asked_, {});
    for (const auto& [node, copy] : asked) {
      node_ = node;
      name_ = copy.first;
      generation_ = copy.second;
      Answer(FreeResult::kDeleted);
    }
    return !asked.empty();
  }
  void Pull(PeerIndex node, uint32_t records_max) {
    const std::vector<FreedCopy> pulled = harness_.Pull(node, records_max);
    FREEHOLD_CHECK(model_.Sent(node, records_max, pulled, harness_.more_to_pull));
    for (const FreedCopy& copy : pulled) asked_.emplace_back(node, copy);
  }
  // In pieces; one node after the other.
  void Exclude(uint8_t how) {
    if (excluding_ == kNoPeer) {
      if (how % 4 != 0) return;  // seldom
      excluding_ = node_;
    }
    const uint32_t records_max = how == UINT8_MAX ? UINT32_MAX : how % 3;
    bool more = false;
    const Expected expected = model_.Exclude(excluding_, records_max, &more);
    // What is queued in vain is a piece of work as well.
    const bool more_in_table = harness_.Exclude(excluding_, records_max);
    FREEHOLD_CHECK(more_in_table || !more);
    FREEHOLD_CHECK(!more_in_table || records_max != UINT32_MAX);
    Same(expected, Verdict::kOk);
    if (!more_in_table) excluding_ = kNoPeer;
  }
  void Callback(uint8_t how) {
    const Token token = ++last_token_;
    if (how % 8 < 3) {
      const auto moment = static_cast<freehold::Moment>(how % 8);
      Same(model_.Register(name_, moment, token, token),
           harness_.Register(name_, moment, token, token));
    } else if (how % 8 == 3) {
      Same(model_.Subscribe(name_, token, token), harness_.Subscribe(name_, token, token));
    } else {
      Token taken = 0;
      const uint64_t number = token - how / 8;
      const Expected expected = model_.Cancel(name_, number);
      Same(expected, harness_.Cancel(name_, number, &taken));
      FREEHOLD_CHECK(taken == expected.cancelled);
    }
  }

  void LetGo(uint64_t name) {
    const auto find = [&] {
      const auto at = model_.objects().find(name);
      name_ = name;
      object_ = at == model_.objects().end() ? nullptr : &at->second;
      return object_ != nullptr;
    };
    while (find() && object_->handles > 0) DropHandle();
    while (find() && object_->tasks > 0) DropTask();
    if (find() && object_->by_id > 0) {
      const auto count = static_cast<uint32_t>(object_->by_id);
      Same(model_.RemoveById(name, count), harness_.RemoveById(name, count));
    }
  }

  ObjectTableHarness harness_;
  ObjectTableModel model_;
  std::set<uint64_t> declared_;
  uint64_t moves_ = 0;
  std::vector<std::pair<PeerIndex, FreedCopy>> asked_;
  PeerIndex excluding_ = kNoPeer;
  Token last_token_ = 0;
  // What the present step is about.
  uint64_t name_ = 0;
  PeerIndex node_ = 0;
  uint32_t generation_ = 0;
  const ModelObject* object_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  ObjectTable::Config config;
  config.settle_at_once = data[0] & 1;
  config.observe_frees = data[0] & 2;
  Fuzzed fuzzed(config);
  // More steps find nothing new and cost much: everything is checked after each.
  const size_t end = std::min<size_t>(size, 1024);
  for (size_t at = 1; at + 2 < end; at += 3) fuzzed.Step(data[at], data[at + 1], data[at + 2]);
  fuzzed.Finish();
  return 0;
}
