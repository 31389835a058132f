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

}  // namespace freehold::testing::sim
