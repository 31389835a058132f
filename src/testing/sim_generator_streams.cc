// What the generator plans of generators (PROTOCOL.md, step 17): tasks that yield objects, of which
// some are taken, while the one who wants them loses interest, the task fails, or somebody dies.

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

Action Generator::DrawStream(Verb verb) {
  if (verb == Verb::kStream) {
    const Object* object = AnyObject();
    return object == nullptr ? Action{verb, {}} : Action{verb, {object->owner, object->number}};
  }
  const int64_t stream = AnyNumber(s_.streams);
  if (stream == 0) return {verb, {}};
  const int64_t process = s_.objects.find(stream)->second.owner;
  const int64_t next = NextNumber(s_.objects);
  if (verb == Verb::kYield) return {verb, {process, next, stream}};
  if (verb == Verb::kYieldOn) return {verb, {process, next, AnyNode(), stream}};
  return {verb, {process, stream}};
}

void Generator::PlanStream() {
  const std::vector<int64_t> two = Some(2, 0);
  const int64_t node = AnyNode();
  if (two.empty() || node == 0) return PlanChain();
  const int64_t process = two[0];
  const int64_t stream = plan_object_++;
  Then(Verb::kDeclare, {process, stream});
  Then(Verb::kStream, {process, stream});
  // Perhaps somebody else wants it, and lets go of it too.
  const bool borrowed = random_.Percent(25);
  if (borrowed) ThenPass(stream, process, two[1]);
  const uint64_t count = 3 + random_.Below(4);
  const uint64_t dropped_after = 1 + random_.Below(count);
  const uint64_t fails_after = random_.Percent(40) ? random_.Below(count) : count;
  for (uint64_t yields = 0; yields < count; ++yields) {
    const int64_t object = plan_object_++;
    if (random_.Percent(70)) {
      Then(Verb::kYieldOn, {process, object, node, stream});
    } else {
      Then(Verb::kYield, {process, object, stream});
    }
    if (random_.Percent(40)) Then(Verb::kTake, {process, stream});
    if (random_.Percent(20)) Then(Verb::kDrop, {process, object});
    if (random_.Percent(25)) ThenPause();
    if (yields == fails_after) Then(Verb::kStreamFail, {process, stream});
    if (yields + 1 != dropped_after) continue;
    Then(Verb::kDrop, {process, stream});
    if (borrowed) Then(Verb::kDrop, {two[1], stream});
    if (random_.Percent(30)) Then(Verb::kTake, {process, stream});
  }
  if (random_.Percent(30)) Then(Verb::kStreamEnd, {process, stream});
  if (crashes_ && random_.Percent(15)) ThenEnd(random_.Percent(50) ? process : EndOfNode(node));
}

// What nobody has taken yet.
void Generator::PlanEndWithYielded(int64_t process) {
  const int64_t stream = plan_object_++;
  Then(Verb::kDeclare, {process, stream});
  Then(Verb::kStream, {process, stream});
  for (uint64_t yields = 1 + random_.Below(3); yields > 0; --yields) {
    Then(Verb::kYieldOn, {process, plan_object_++, AnyNode(), stream});
  }
  ThenEnd(process);
}

}  // namespace freehold::testing::sim
