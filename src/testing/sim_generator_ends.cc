// Plans in which an end goes while something is under way at it that is so for a moment only: by a
// crash, by an exclusion that it does not know of, or by leaving.

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

void Generator::ThenEnd(int64_t end) {
  static constexpr Verb kWays[] = {Verb::kCrash, Verb::kSuspect, Verb::kLeave};
  Then(kWays[random_.Below(3)], {end});
  ThenPause();
}

void Generator::PlanEndMidway() {
  const std::vector<int64_t> three = Some(3, 0);
  if (three.empty() || !crashes_) return PlanReturn();
  rush_ = 100;
  switch (random_.Below(6)) {
    case 0:
      return PlanEndWithDrops(three[0]);
    case 1:
      return PlanEndWhileFlushing(three);
    case 2:
      return PlanEndWithCallbacks(three[0]);
    case 3:
      return PlanEndWithAnswers(three);
    case 4:
      return PlanEndWithYielded(three[0]);
    default:
      return PlanEndWithDeletions(three[0]);
  }
}

// What a drop leaves to the pump.
void Generator::PlanEndWithDrops(int64_t process) {
  int64_t outer = plan_object_++;
  Then(Verb::kDeclare, {process, outer});
  for (uint64_t depth = 2 + random_.Below(3); depth > 0; --depth) {
    const int64_t inner = outer;
    outer = plan_object_++;
    Then(Verb::kDeclareWith, {process, outer, inner});
    Then(Verb::kDrop, {process, inner});
  }
  Then(Verb::kDrop, {process, outer});
  ThenEnd(process);
}

// A registration that a view waits for cannot reach the owner.
void Generator::PlanEndWhileFlushing(const std::vector<int64_t>& three) {
  const int64_t object = ThenDeclare(three[0]);
  ThenPass(object, three[0], three[1]);
  Then(Verb::kTick, {20'000'000, -1, 0, 0});
  Then(Verb::kPartition, {three[0], three[2]});
  ThenPass(object, three[1], three[2]);
  Then(Verb::kExclude, {three[1]});
  Then(Verb::kHear, {three[2]});
  Then(Verb::kPump, {three[2]});
  ThenEnd(three[2]);
  Then(Verb::kHealAll, {});
}

void Generator::PlanEndWithCallbacks(int64_t process) {
  const int64_t object = ThenDeclare(process);
  Then(Verb::kWatchOut, {process, object, NextNumber(s_.registrations) + 11});
  Then(Verb::kWatchErased, {AnyProcess(), object, NextNumber(s_.registrations) + 12});
  Then(Verb::kDrop, {process, object});
  ThenEnd(process);
}

// A reference comes back to its owner, or to who borrows it already: the acknowledgement waits.
void Generator::PlanEndWithAnswers(const std::vector<int64_t>& three) {
  const int64_t object = ThenDeclare(three[0]);
  ThenPass(object, three[0], three[1]);
  for (int ticks = 0; ticks < 3; ++ticks) Then(Verb::kTick, {20'000'000, -1, 0, 0});
  const bool back = random_.Percent(50);
  ThenPass(object, three[back ? 1 : 0], three[back ? 0 : 1]);
  ThenEnd(three[back ? 0 : 1]);
}

// A store that fails: the agent tries again later.
void Generator::PlanEndWithDeletions(int64_t process) {
  const int64_t node = AnyNode();
  const int64_t object = plan_object_++;
  Then(Verb::kBreak, {node, static_cast<int64_t>(1 + random_.Below(5))});
  Then(Verb::kDeclareOn, {process, object, node});
  Then(Verb::kTick, {20'000'000, -1, 0, 0});
  Then(Verb::kDrop, {process, object});
  for (int ticks = 0; ticks < 2; ++ticks) Then(Verb::kTick, {20'000'000, -1, 0, 0});
  ThenEnd(EndOfNode(node));
}

}  // namespace freehold::testing::sim
