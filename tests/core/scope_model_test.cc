// Scopes at random, against an account of them that is naive: sets of objects, and the words of
// scope.h.
//
// The two halves, a ScopeTable and one shard's ObjectTable, are driven as the runtime drives them,
// but what a shard tells of its members, arrivals of what moves included, may come late, in any
// order, as if from threads that are slow.

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table_scopes.h"
#include "src/core/scope_table.h"
#include "tests/core/scope_model.h"

namespace freehold::core {
namespace {

// The real one, as the runtime drives it; what is `late` waits until it is delivered.
class Real {
 public:
  // What a thread is about to tell the table.
  using Word = std::function<void(ScopeEffects*)>;

  static ObjectTableConfig Config() {
    ObjectTableConfig config;
    config.settle_at_once = true;
    return config;
  }
  static ScopeId IdOf(uint64_t scope) { return scope == 0 ? ScopeId::Root() : ScopeId(scope); }

  void Follow(Effects effects) {
    for (const ScopeChange& change : effects.scopes) {
      late.emplace_back([change, this](ScopeEffects* after) { scopes.Step(change, after); });
    }
    for (const InnerRef& inner : effects.TakeInners()) Unhold(inner);
  }
  void Follow(const ScopeEffects& effects) {
    for (const ScopeEffects::Release& release : effects.release) work.push_back(release);
    for (const ScopeEffects::Forget& forget : effects.forget) {
      scopes.Forgotten(forget.scope, ScopeSteps(&table).Forget(forget.scope));
    }
    for (const InnerRef& inner : effects.inners) Unhold(inner);
    for (const ScopeEffects::Told& told : effects.ended) ended.push_back(told.token);
  }
  void Unhold(const InnerRef& inner) {
    Effects effects;
    (void)table.Step(event::DropNestedHold{inner.record}, &effects);
    Follow(std::move(effects));
  }
  void Deliver(size_t which) {
    const Word word = std::move(late[which]);
    late.erase(late.begin() + static_cast<ptrdiff_t>(which));
    ScopeEffects effects;
    word(&effects);
    Follow(effects);
  }
  bool WorkOne(uint64_t budget) {
    ScopeEffects more;
    if (scopes.HasMore()) (void)scopes.EndMore(static_cast<uint32_t>(budget), &more);
    Follow(more);
    if (work.empty()) return scopes.HasMore();
    ScopeEffects::Release release = work.front();
    Effects effects;
    const bool left = release.force ? ScopeSteps(&table).Force(release.scope, &budget, &effects)
                                    : ScopeSteps(&table).Release(release.scope, &budget, &effects);
    if (!left) work.erase(work.begin());
    Follow(std::move(effects));
    ScopeEffects after;
    if (!left) scopes.Released(release.scope, &after);
    Follow(after);
    return true;
  }
  void Quiet() {
    while (WorkOne(1000) || !late.empty()) {
      while (!late.empty()) Deliver(late.size() - 1);
    }
  }
  void Check() const {
    table.CheckInvariants();
    scopes.CheckInvariants();
  }
  Verdict Declare(uint64_t number, uint64_t scope, int64_t size, bool copy) {
    const ObjectId id = ObjectId::FromNumber(number);
    event::AdmitToScope admit{IdOf(scope), 0};
    admit.copies = copy ? 1 : 0;
    admit.bytes = size;
    Admission admission;
    ScopeEffects effects;
    const ScopeVerdict admitted = scopes.Step(admit, &admission, &effects);
    Follow(effects);
    if (admitted != ScopeVerdict::kOk) return Verdict::kScopeEnded;
    event::Declare e{{id, id.Hash()}, static_cast<uint64_t>(size), copy ? 1u : kNoPeer};
    e.scope = admission.scope;
    e.hold = admission.hold;
    // Of the root a member, not a plain object, so that both account for it.
    e.label = admission.scope == kRootScope ? 1 : kNoLabel;
    ObjectRecord* record = nullptr;
    const Verdict verdict = table.Step(e, &record);
    if (verdict == Verdict::kOk) records[number] = record;
    ScopeEffects after;
    if (verdict == Verdict::kOk) {
      scopes.Entered(admit, admission, &after);
    } else {
      scopes.Withdraw(admit, admission, &after);
    }
    Follow(after);
    return verdict;
  }
  void Drop(uint64_t number) {
    ObjectRecord* record = records.at(number);
    records.erase(number);
    (void)record->cell.DropUnderLock();
    Effects effects;
    (void)table.Step(event::DropLastHandle{record}, &effects);
    Follow(std::move(effects));
  }
  bool Move(uint64_t number, uint64_t from, uint64_t to) {
    const ObjectId id = ObjectId::FromNumber(number);
    event::AdmitToScope admit{IdOf(to), 0};
    admit.moves = true;
    Admission admission;
    ScopeEffects effects;
    if (scopes.Step(admit, &admission, &effects) != ScopeVerdict::kOk) return false;
    MovedMember moved;
    const event::MoveToScope e{
        {id, id.Hash()}, scopes.IndexOf(IdOf(from)), admission.scope, admission.hold};
    const Verdict verdict = ScopeSteps(&table).Step(e, &moved);
    ScopeChange out, in;
    if (verdict == Verdict::kOk) {
      out.scope = moved.from;
      in.scope = admission.scope;
      out.label = in.label = moved.label;
      if (moved.counted) out = {out.scope, out.label, -1, -moved.copies, -moved.bytes};
      if (moved.counts) in = {in.scope, in.label, 1, moved.copies, moved.bytes};
    }
    InnerRef ref;
    ref.record = moved.record;
    late.emplace_back(
        [=](ScopeEffects* after) { scopes.Arrived(admission, ref, moved.number, out, in, after); });
    return verdict == Verdict::kOk;
  }
  bool Use(uint64_t by, uint64_t number) {
    const ObjectId id = ObjectId::FromNumber(number);
    InnerRef ref;
    if (table.Step(event::AddNestedHold{{id, id.Hash()}}, &ref.record) != Verdict::kOk)
      return false;
    if (scopes.Use(IdOf(by), ref) != ScopeVerdict::kOk) {
      Unhold(ref);
      return false;
    }
    const WhoseObject whose = ScopeSteps::WhoseIs(table, ref.record);
    late.emplace_back([=](ScopeEffects* after) { scopes.UsedOf(IdOf(by), ref, whose, after); });
    return true;
  }
  bool Knows(uint64_t number) const {
    const ObjectId id = ObjectId::FromNumber(number);
    const ObjectRecord* record = table.Find({id, id.Hash()});
    return record != nullptr && record->in_scope();
  }

  ObjectTable table{Config()};
  ScopeTable scopes{Time()};
  std::vector<Word> late;
  std::vector<ScopeEffects::Release> work;
  std::vector<Token> ended;
  std::map<uint64_t, ObjectRecord*> records;
};

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : random_(seed) {}

  void Step() {
    switch (Pick(10)) {
      case 0:
        return Open();
      case 1:
      case 2:
      case 3:
        return Declare();
      case 4:
        return Drop();
      case 5:
      case 6:
        return MoveAndUse();
      case 7:
        return End();
      case 8:
        if (!real_.late.empty()) real_.Deliver(Pick(real_.late.size()));
        return;
      case 9:
        (void)real_.WorkOne(1 + Pick(3));
        return;
    }
  }
  // What is open in both is the same, object by object and byte by byte.
  void Compare() {
    real_.Quiet();
    model_.Settle();
    real_.Check();
    for (const auto& [number, object] : model_.objects) {
      ASSERT_TRUE(real_.Knows(number)) << "object " << number << " went too early";
    }
    uint64_t known = 0;
    real_.table.Visit(0, SIZE_MAX, [&](const ObjectRecord&) { ++known; });
    ASSERT_EQ(known, model_.objects.size()) << "objects are left behind";
    ASSERT_EQ(real_.scopes.size(), model_.scopes.size() + 1);
    std::map<uint64_t, ScopeUsage> usage;
    for (const auto& [number, object] : model_.objects) {
      ScopeUsage& of = usage[object.scope];
      ++of.objects;
      of.bytes += static_cast<uint64_t>(object.size);
      of.copies += static_cast<uint64_t>(object.copies);
    }
    for (const auto& [id, scope] : model_.scopes) {
      const ScopeRecord* record = real_.scopes.Find(ScopeId(id));
      ASSERT_NE(record, nullptr);
      ASSERT_EQ(record->state == ScopeState::kRunning, !scope.ended);
      ASSERT_EQ(record->objects, static_cast<int64_t>(usage[id].objects));
      ASSERT_EQ(record->bytes, static_cast<int64_t>(usage[id].bytes));
      ASSERT_EQ(record->copies, static_cast<int64_t>(usage[id].copies));
    }
  }
  void EndAll() {
    for (auto& [number, object] : model_.objects) object.handle = false;
    const auto records = real_.records;
    for (const auto& [number, record] : records) real_.Drop(number);
    ASSERT_NO_FATAL_FAILURE(Compare());
    while (!model_.scopes.empty()) {
      const auto open = std::find_if(model_.scopes.begin(), model_.scopes.end(),
                                     [](const auto& one) { return !one.second.ended; });
      ASSERT_NE(open, model_.scopes.end()) << "all have ended, and some wait for ever";
      EndOne(open->first, false);
      ASSERT_NO_FATAL_FAILURE(Compare());
    }
    // What was kept by the root goes when that lets go.
    for (const auto& [number, object] : model_.objects) {
      const ObjectId id = ObjectId::FromNumber(number);
      Effects effects;
      ASSERT_EQ(
          ScopeSteps(&real_.table).Step(event::StopHolding{{id, id.Hash()}, kRootScope}, &effects),
          Verdict::kOk);
      real_.Follow(std::move(effects));
    }
    model_.objects.clear();
    ASSERT_NO_FATAL_FAILURE(Compare());
    EXPECT_EQ(real_.scopes.At(kRootScope).bytes_all, 0);
    EXPECT_EQ(real_.scopes.UsageOf(1).objects, 0u);
    std::sort(real_.ended.begin(), real_.ended.end());
    EXPECT_EQ(real_.ended.size(), last_scope_) << "each was told";
    EXPECT_EQ(std::unique(real_.ended.begin(), real_.ended.end()), real_.ended.end()) << "once";
  }

 private:
  size_t Pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  uint64_t SomeScope() {
    if (model_.scopes.empty() || Pick(5) == 0) return 0;
    return std::next(model_.scopes.begin(), static_cast<ptrdiff_t>(Pick(model_.scopes.size())))
        ->first;
  }
  uint64_t SomeObject() {
    if (model_.objects.empty()) return 0;
    return std::next(model_.objects.begin(), static_cast<ptrdiff_t>(Pick(model_.objects.size())))
        ->first;
  }
  bool Takes(uint64_t scope) const { return scope == 0 || !model_.scopes.at(scope).ended; }

  void Open() {
    const uint64_t parent = SomeScope();
    event::OpenScope e;
    e.id = ScopeId(last_scope_ + 1);
    e.parent = Real::IdOf(parent);
    e.hold = Pick(2) == 0;
    ScopeId id;
    ScopeEffects effects;
    const ScopeVerdict verdict = real_.scopes.Step(e, &id, &effects);
    // Inner scopes of one that ends are ended a piece at a time.
    if (verdict != ScopeVerdict::kOk) return;
    ++last_scope_;
    ASSERT_EQ(real_.scopes.OnEnded(id, last_scope_), ScopeVerdict::kOk);
    model_.scopes[last_scope_] = {parent, e.hold};
    if (!Takes(parent)) model_.End(last_scope_, model_.scopes.at(parent).forced);
  }
  void Declare() {
    const uint64_t scope = SomeScope();
    ScopeModelObject object;
    object.scope = scope;
    object.size = static_cast<int64_t>(Pick(100));
    object.copies = static_cast<int>(Pick(2));
    const uint64_t number = ++last_object_;
    const Verdict verdict = real_.Declare(number, scope, object.size, object.copies == 1);
    if (verdict != Verdict::kOk) {
      ASSERT_FALSE(Takes(scope));
      return;
    }
    object.held = scope != 0 && model_.scopes.at(scope).hold && Takes(scope);
    if (!Takes(scope) && model_.scopes.at(scope).forced) object.copies = 0;
    model_.objects[number] = object;
  }
  void Drop() {
    const uint64_t number = SomeObject();
    if (number == 0 || !model_.objects.at(number).handle) return;
    model_.objects.at(number).handle = false;
    real_.Drop(number);
  }
  // A few of each in different threads: what they tell comes in any order.
  void MoveAndUse() {
    ASSERT_NO_FATAL_FAILURE(Compare());
    const uint64_t number = SomeObject();
    if (number == 0) return;
    for (size_t left = 1 + Pick(4); left > 0; --left) {
      if (Pick(2) == 0) {
        ASSERT_NO_FATAL_FAILURE(Move(number));
      } else {
        ASSERT_NO_FATAL_FAILURE(Use(number));
      }
      if (!real_.late.empty() && Pick(4) == 0) real_.Deliver(Pick(real_.late.size()));
    }
    while (!real_.late.empty()) real_.Deliver(Pick(real_.late.size()));
    real_.Check();
  }
  void Move(uint64_t number) {
    ScopeModelObject& object = model_.objects.at(number);
    uint64_t to = SomeScope();
    if (object.scope != 0 && Pick(2) == 0) to = model_.KeeperOf(object.scope);
    const bool moved = real_.Move(number, object.scope, to);
    if (!Takes(to)) {
      ASSERT_FALSE(moved);
      return;
    }
    object.held |= to != 0 && model_.scopes.at(to).hold;
    object.scope = to;
  }
  void Use(uint64_t number) {
    const uint64_t by = SomeScope();
    if (by == 0) return;
    const bool used = real_.Use(by, number);
    ASSERT_TRUE(!used || Takes(by));
    if (used) model_.objects.at(number).users.insert(by);
  }
  void End() {
    const uint64_t id = SomeScope();
    if (id == 0 || Pick(2) == 0) return;
    ASSERT_NO_FATAL_FAILURE(EndOne(id, Pick(4) == 0));
    // Which rings there are depends on the order of the ends: in the account, too, one by one.
    for (const auto& [number, object] : model_.objects) {
      if (!object.users.empty()) return Compare();
    }
  }
  void EndOne(uint64_t id, bool forced) {
    ScopeEffects effects;
    const ScopeVerdict verdict = real_.scopes.Step(
        event::EndScope{ScopeId(id), forced ? ScopeEnd::kForced : ScopeEnd::kEnded}, &effects);
    real_.Follow(effects);
    // Not ended in the model is not ended; the other way round it may be about to.
    ASSERT_TRUE(verdict == ScopeVerdict::kOk || model_.scopes.at(id).ended);
    if (verdict == ScopeVerdict::kOk) model_.End(id, forced);
  }

  std::mt19937_64 random_;
  ScopeAccount model_;
  Real real_;
  uint64_t last_scope_ = 0;
  uint64_t last_object_ = 0;
};

TEST(ScopeModel, EveryOrderOfEventsComesToWhatANaiveAccountSays) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun run(seed);
    for (int step = 0; step < 150; ++step) {
      ASSERT_NO_FATAL_FAILURE(run.Step());
      if (step % 7 != 0) continue;
      ASSERT_NO_FATAL_FAILURE(run.Compare());
    }
    ASSERT_NO_FATAL_FAILURE(run.Compare());
    ASSERT_NO_FATAL_FAILURE(run.EndAll());
  }
}

}  // namespace
}  // namespace freehold::core
