// What the generator draws of stateful tasks (PROTOCOL.md, step 17), and of values that were freed
// evict-first (step 8): single actions; calls whose returns are let go of and lost before they are
// run again; values whose last copies go while somebody frees, moves, fetches or makes them anew.

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

// --- Stateful tasks ------------------------------------------------------------------------------

// What the process could have a call return, mostly: nothing is known of how it was made.
const Object* Generator::AnyUnmade(int64_t process, int64_t after) {
  const Object* any = nullptr;
  for (auto at = s_.alive.rbegin(); at != s_.alive.rend() && *at > after; ++at) {
    const Object& object = s_.objects.find(*at)->second;
    if (object.owner != process || object.recorded || object.was_argument) continue;
    if (any == nullptr || random_.Percent(40)) any = &object;
  }
  return any;
}

Action Generator::DrawStateful(Verb verb) {
  if (verb == Verb::kOpenStateful || verb == Verb::kOpenFragile) {
    return {verb, {AnyProcess(), NextNumber(s_.statefuls)}};
  }
  if (verb == Verb::kAskReplay) {
    const Object* object = AnyObject();
    for (int attempt = 0; attempt < 6 && object != nullptr && object->stateful == 0; ++attempt) {
      object = AnyObject();
    }
    return object == nullptr ? Action{verb, {}} : Action{verb, {object->owner, object->number}};
  }
  int64_t number = AnyNumber(s_.statefuls);
  if (number == 0) return {Verb::kOpenStateful, {AnyProcess(), NextNumber(s_.statefuls)}};
  for (int attempt = 0; attempt < 4 && s_.statefuls.find(number)->second.ended; ++attempt) {
    number = AnyNumber(s_.statefuls);
  }
  const SimStateful& stateful = s_.statefuls.find(number)->second;
  const int64_t process = stateful.process;
  const auto calls = static_cast<uint64_t>(stateful.calls.size());
  if (verb == Verb::kCheckpoint) {
    const uint64_t state = calls == 0 || random_.Percent(50) ? calls : random_.Below(calls + 2);
    return {verb, {process, number, static_cast<int64_t>(state)}};
  }
  if (verb != Verb::kCall && verb != Verb::kCallOf) return {verb, {process, number}};
  const Object* made = AnyUnmade(process, stateful.calls.empty() ? 0 : stateful.calls.back());
  if (made == nullptr) return {Verb::kDeclareOn, {process, NextNumber(s_.objects), AnyNode()}};
  if (verb == Verb::kCall) return {verb, {process, number, made->number}};
  const Object* argument = AnyObjectOf(process);
  for (int attempt = 0; attempt < 4; ++attempt) {
    if (argument != nullptr && argument->number < made->number && argument->recorded) break;
    argument = AnyObjectOf(process);
  }
  return {verb, {process, number, made->number, argument == nullptr ? 0 : argument->number}};
}

// Declared, and returned by the next call; perhaps out of what an earlier one of the plan returned.
void Generator::ThenCalls(const StatefulPlan& plan) {
  for (int64_t object = plan.first; object <= plan.last; ++object) {
    Then(Verb::kDeclareOn, {plan.process, object, plan.node});
    const auto before = static_cast<uint64_t>(object - plan.first);
    if (before == 0 || random_.Percent(50)) {
      Then(Verb::kCall, {plan.process, plan.stateful, object});
    } else {
      const int64_t argument = object - 1 - static_cast<int64_t>(random_.Below(before));
      Then(Verb::kCallOf, {plan.process, plan.stateful, object, argument});
    }
    if (before > 0 && random_.Percent(50)) Then(Verb::kDrop, {plan.process, object - 1});
    if (random_.Percent(20)) {
      Then(Verb::kCheckpoint, {plan.process, plan.stateful, static_cast<int64_t>(before) + 1});
    }
    if (random_.Percent(20)) ThenPause();
  }
}

// From the last call to the first; then they run, from the first one to the last.
void Generator::ThenReplay(const StatefulPlan& plan, int64_t node) {
  Then(Verb::kAskReplay, {plan.process, plan.last});
  Then(Verb::kAskLatest, {plan.process, plan.stateful});
  const int64_t tasks = NextNumber(s_.tasks) + 7;
  for (int64_t object = plan.last; object >= plan.first; --object) {
    Then(Verb::kRemake, {plan.process, object, tasks + object - plan.first});
  }
  if (random_.Percent(30)) ThenPause();
  for (int64_t object = plan.first; object <= plan.last; ++object) {
    if (random_.Percent(85)) Then(Verb::kStorePrimary, {node, object, 1});
    Then(Verb::kEnd, {plan.process, tasks + object - plan.first});
    if (random_.Percent(15)) ThenPause();
  }
}

void Generator::PlanStateful() {
  StatefulPlan plan;
  plan.process = AnyProcess();
  plan.node = AnyNode();
  if (plan.process == 0 || plan.node == 0) return PlanChain();
  plan.stateful = NextNumber(s_.statefuls) + 3;
  plan.first = plan_object_;
  plan.last = plan.first + static_cast<int64_t>(2 + random_.Below(4));
  plan_object_ = plan.last + 1;
  Then(random_.Percent(8) ? Verb::kOpenFragile : Verb::kOpenStateful,
       {plan.process, plan.stateful});
  ThenCalls(plan);
  if (random_.Percent(60)) ThenPause();
  const uint64_t fate = random_.Below(6);
  if (fate < 2 && crashes_) {
    Then(Verb::kCrash, {EndOfNode(plan.node)});
    Then(Verb::kExclude, {EndOfNode(plan.node)});
    Then(Verb::kTick, {20'000'000, -1, -1, 0});
  } else if (fate < 4) {
    Then(Verb::kEvict, {plan.node, plan.last, 0});
    Then(Verb::kTick, {20'000'000, -1, 0, 0});
  } else {
    Then(random_.Percent(50) ? Verb::kFree : Verb::kEvictFirst, {plan.process, plan.last});
    Then(Verb::kEvict, {plan.node, plan.last, 0});
  }
  ThenPause();
  if (random_.Percent(8)) Then(Verb::kForbid, {plan.process, plan.stateful});
  if (crashes_ && random_.Percent(5)) ThenEnd(plan.process);
  ThenReplay(plan, AnyNode());
  if (random_.Percent(50)) {
    Then(Verb::kCheckpoint, {plan.process, plan.stateful, plan.last - plan.first + 1});
  }
  Then(Verb::kAskReplay, {plan.process, plan.last});
  if (random_.Percent(70)) Then(Verb::kEndStateful, {plan.process, plan.stateful});
  Then(Verb::kAskLatest, {plan.process, plan.stateful});
  for (int64_t object = plan.last; object >= plan.first; --object) {
    if (random_.Percent(60)) Then(Verb::kDrop, {plan.process, object});
  }
}

// --- Evict-first ---------------------------------------------------------------------------------

void Generator::ThenEvicts(int64_t object, const std::vector<int64_t>& nodes) {
  for (const int64_t node : nodes) {
    if (crashes_ && random_.Percent(10)) {
      Then(Verb::kCrash, {EndOfNode(node)});
      Then(Verb::kExclude, {EndOfNode(node)});
    } else {
      Then(Verb::kEvict, {node, object, 0});
    }
    if (random_.Percent(40)) ThenPause();
  }
}

void Generator::PlanEvictFirst() {
  const int64_t owner = AnyProcess();
  const std::vector<int64_t> nodes = SomeNodes(2);
  if (owner == 0 || nodes.empty()) return PlanChain();
  const int64_t object = plan_object_++;
  Then(Verb::kDeclareOn, {owner, object, nodes[0]});
  if (random_.Percent(60)) Then(Verb::kStore, {nodes[1], object, 0});
  if (random_.Percent(70)) ThenPause();
  const bool pinned = random_.Percent(20);
  if (pinned) Then(Verb::kPin, {owner, object, 1});
  if (random_.Percent(40)) {
    Then(Verb::kWatchOut, {owner, object, NextNumber(s_.registrations) + 11});
    Then(Verb::kWatchReclaimed, {AnyProcess(), object, NextNumber(s_.registrations) + 12});
  }
  // Perhaps the nodes hear late what they may do.
  const bool cut = random_.Percent(30);
  if (cut) Then(Verb::kPartition, {owner, EndOfNode(nodes[0])});
  Then(Verb::kEvictFirst, {owner, object});
  if (pinned && random_.Percent(20)) Then(Verb::kFree, {owner, object});
  if (pinned) Then(Verb::kUnpin, {owner, object, 1});
  if (random_.Percent(40)) ThenPause();
  switch (random_.Below(6)) {
    case 0:
      Then(Verb::kMove, {nodes[1], object, 0, nodes[0]});
      break;
    case 1:
      Then(Verb::kFree, {owner, object});
      break;
    case 2:
      Then(Verb::kStorePrimary, {AnyNode(), object, 0});
      break;
    case 3:
      Then(Verb::kDrop, {owner, object});
      break;
    default:
      break;
  }
  if (random_.Percent(50)) ThenPause();
  ThenEvicts(object, nodes);
  if (cut) Then(Verb::kHealAll, {});
  ThenPause();
  if (random_.Percent(60)) {
    Then(Verb::kRecreate, {owner, object});
    Then(Verb::kStorePrimary, {nodes[0], object, 1});
    if (random_.Percent(40)) Then(Verb::kEvictFirst, {owner, object});
  }
  ThenPause();
  if (random_.Percent(60)) Then(Verb::kDrop, {owner, object});
}

}  // namespace freehold::testing::sim
