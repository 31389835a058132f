// A ScopeTable that is stepped, each step with its invariants checked and its effects alone.

#ifndef FREEHOLD_TESTS_CORE_SCOPE_TABLE_HARNESS_H_
#define FREEHOLD_TESTS_CORE_SCOPE_TABLE_HARNESS_H_

#include <cstdint>

#include "gtest/gtest.h"
#include "src/core/scope_table.h"

namespace freehold::core {

inline Time At(int seconds) { return Time(std::chrono::seconds(seconds)); }

class ScopeTableHarness {
 public:
  ScopeVerdict Open(uint64_t id, uint64_t parent = 0) {
    event::OpenScope e;
    e.id = ScopeId(id);
    e.parent = ScopeId(parent);
    e.now = At(1);
    return Open(e);
  }
  ScopeVerdict Open(event::OpenScope e) {
    return Checked([&] { return table.Step(e, &last_id, &effects); });
  }
  ScopeVerdict Admit(uint64_t id, int64_t bytes = 1, uint32_t shard = 0, LabelIndex label = 0) {
    event::AdmitToScope e{ScopeId(id), shard, label};
    e.copies = 1;
    e.bytes = bytes;
    return Checked([&] {
      const ScopeVerdict verdict = table.Step(e, &admission, &effects);
      if (verdict == ScopeVerdict::kOk) table.Entered(e, admission, &effects);
      return verdict;
    });
  }
  // An object of one copy that was admitted has been erased.
  void Gone(uint64_t id, int64_t bytes = 1, LabelIndex label = 0) {
    const ScopeIndex index = table.IndexOf(ScopeId(id));
    (void)Checked([&] {
      table.Step(ScopeChange{index, label, -1, -1, -bytes, 1}, &effects);
      return ScopeVerdict::kOk;
    });
  }
  ScopeVerdict End(uint64_t id, ScopeEnd why = ScopeEnd::kEnded) {
    return Checked([&] { return table.Step(event::EndScope{ScopeId(id), why}, &effects); });
  }
  void Released(uint64_t id) {
    const ScopeIndex index = table.IndexOf(ScopeId(id));
    (void)Checked([&] {
      table.Released(index, &effects);
      return ScopeVerdict::kOk;
    });
  }
  bool EndMore(uint32_t steps = UINT32_MAX) {
    bool more = false;
    (void)Checked([&] {
      more = table.EndMore(steps, &effects);
      return ScopeVerdict::kOk;
    });
    return more;
  }
  void Use(uint64_t by, uint64_t of, RecordIndex object) {
    InnerRef ref;
    ref.record = object;
    ASSERT_EQ(Checked([&] { return table.Use(ScopeId(by), ref); }), ScopeVerdict::kOk);
    (void)Checked([&] {
      table.UsedOf(ScopeId(by), ref, {table.IndexOf(ScopeId(of)), 0}, &effects);
      return ScopeVerdict::kOk;
    });
  }
  // An object of no copies and no bytes is about to move there.
  Admission Leave(uint64_t to) {
    event::AdmitToScope move{ScopeId(to), 0};
    move.moves = true;
    Admission on_its_way;
    EXPECT_EQ(Checked([&] { return table.Step(move, &on_its_way, &effects); }), ScopeVerdict::kOk);
    return on_its_way;
  }
  // And is there, by that move of its shard.
  void Arrive(const Admission& at, uint64_t from, RecordIndex object, uint64_t move) {
    InnerRef ref;
    ref.record = object;
    ScopeChange out{table.IndexOf(ScopeId(from)), 0, -1, 0, 0};
    if (out.scope == kRootScope) out.objects = 0;
    (void)Checked([&] {
      table.Arrived(at, ref, move, out, ScopeChange{at.scope, 0, 1, 0, 0}, &effects);
      return ScopeVerdict::kOk;
    });
  }
  bool IsDone(uint64_t id) const {
    const ScopeRecord* scope = table.Find(ScopeId(id));
    return scope == nullptr || scope->state == ScopeState::kDone;
  }

  template <typename Do>
  ScopeVerdict Checked(Do step) {
    effects = ScopeEffects();
    const ScopeVerdict verdict = step();
    table.CheckInvariants();
    return verdict;
  }

  ScopeTable table{At(0)};
  ScopeEffects effects;
  Admission admission;
  ScopeId last_id;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_SCOPE_TABLE_HARNESS_H_
