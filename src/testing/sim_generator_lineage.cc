// What the generator plans of lineage (PROTOCOL.md, step 17): chains of objects made of each other,
// of which those in the middle are let go of before the last one is made again.

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

void Generator::PlanLineage() {
  const int64_t process = AnyProcess();
  const int64_t node = AnyNode();
  if (process == 0 || node == 0) return PlanChain();
  const int64_t first = plan_object_;
  const auto depth = static_cast<int64_t>(3 + random_.Below(2));
  plan_object_ += depth;
  const int64_t last = plan_object_ - 1;
  for (int64_t object = first; object <= last; ++object) {
    Then(Verb::kDeclareOn, {process, object, node});
    if (object > first) Then(Verb::kMake, {process, object, object - 1});
  }
  if (random_.Percent(40)) {
    const int64_t object =
        first + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(depth)));
    Then(random_.Percent(70) ? Verb::kPersist : Verb::kPersistFailing, {process, object});
    if (random_.Percent(20)) Then(Verb::kFree, {process, object});
  }
  if (random_.Percent(50)) ThenPause();
  // Perhaps the old values' frees are on their way while new ones are made.
  const bool cut = random_.Percent(40);
  if (cut) Then(Verb::kPartition, {process, EndOfNode(node)});
  for (int64_t object = first + 1; object < last; ++object) Then(Verb::kDrop, {process, object});
  if (random_.Percent(40)) ThenPause();
  if (random_.Percent(70)) Then(Verb::kFree, {process, last});
  const int64_t tasks = NextNumber(s_.tasks) + 7;
  for (int64_t object = last; object > first; --object) {
    Then(Verb::kRemake, {process, object, tasks + object - first});
    if (random_.Percent(30)) ThenPause();
  }
  for (int64_t object = first + 1; object <= last; ++object) {
    if (random_.Percent(80)) Then(Verb::kStorePrimary, {node, object, 1});
  }
  if (cut) Then(Verb::kHeal, {process, EndOfNode(node)});
  if (random_.Percent(50)) ThenPause();
  if (random_.Percent(30)) Then(Verb::kDrop, {process, last});
  for (int64_t object = first + 1; object <= last; ++object) {
    Then(Verb::kEnd, {process, tasks + object - first});
  }
  if (random_.Percent(40)) Then(Verb::kDrop, {process, last});
}

// What was made of something that is let go of, or will be, gets another owner, which makes it
// again.
void Generator::PlanLineageMoves() {
  const std::vector<int64_t> four = Some(3 + random_.Below(2), 0);
  const int64_t node = AnyNode();
  if (four.empty() || node == 0) return PlanLineage();
  const int64_t first = plan_object_;
  plan_object_ += static_cast<int64_t>(2 + random_.Below(3));
  const int64_t last = plan_object_ - 1;
  for (int64_t object = first; object <= last; ++object) {
    Then(Verb::kDeclareOn, {four[0], object, node});
    if (object > first) Then(Verb::kMake, {four[0], object, object - 1});
  }
  if (random_.Percent(40)) ThenPass(last, four[0], four[2]);
  if (random_.Percent(60)) ThenPause();
  const auto drop = [&](int percent) {
    for (int64_t object = first; object < last; ++object) {
      if (random_.Percent(percent)) Then(Verb::kDrop, {four[0], object});
    }
  };
  const auto give = [&](int64_t from, int64_t to) { ThenTransfer(last, from, to, four); };
  drop(60);
  if (random_.Percent(50)) ThenPause();
  if (random_.Percent(30)) {
    ThenTransfer(first + 1, four[0], four[random_.Percent(70) ? 1 : 2], four);
  }
  give(four[0], four[1]);
  drop(60);
  if (random_.Percent(60)) ThenPause();
  if (random_.Percent(30)) give(four[1], four[random_.Percent(50) ? 0 : 2]);
  if (random_.Percent(50)) ThenPause();
  const int64_t tasks = NextNumber(s_.tasks) + 7;
  for (const int64_t at : four) {
    if (random_.Percent(60)) Then(Verb::kFree, {at, last});
    for (int64_t object = last; object > first; --object) {
      Then(Verb::kRemake, {at, object, tasks + object - first});
      if (random_.Percent(30)) ThenPause();
    }
  }
  if (random_.Percent(50)) Then(Verb::kStorePrimary, {node, last, 1});
  for (int64_t object = first + 1; object <= last; ++object) {
    for (const int64_t at : four) Then(Verb::kEnd, {at, tasks + object - first});
  }
  drop(100);
  for (const int64_t at : four) {
    if (random_.Percent(50)) Then(Verb::kDrop, {at, last});
  }
}

}  // namespace freehold::testing::sim
