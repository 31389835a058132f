// What the generator draws of processes that drain (PROTOCOL.md, step 11; drain.h): what is in the
// way of one, what comes while it waits, and who goes meanwhile.

#include <algorithm>

#include "src/testing/sim_generator.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

Action Generator::DrawDrain(Verb verb) {
  const auto drains = [](const auto& process) { return process->drain.on; };
  if (verb != Verb::kGoOn) return {verb, {AnyProcess(), AnyProcess()}};
  const auto found = std::find_if(s_.processes.begin(), s_.processes.end(), drains);
  return {verb, {found == s_.processes.end() ? 0 : (*found)->end}};
}

Action Generator::DrawRetirement() {
  const auto is_live = [](const auto& process) { return process->live(); };
  const auto live = std::count_if(s_.processes.begin(), s_.processes.end(), is_live);
  const auto fewer = static_cast<int64_t>(2 + random_.Below(3));  // the service included
  return {Verb::kRetire, {std::max<int64_t>(1, live - fewer), AnyProcess()}};
}

// The host of one that drains lets go of what it has, so that it can leave.
Action Generator::LetGo() {
  const auto drains = [](const auto& process) { return process->drain.on; };
  const auto found = std::find_if(s_.processes.begin(), s_.processes.end(), drains);
  if (found == s_.processes.end()) return {Verb::kDrop, {}};
  const int64_t process = (*found)->end;
  std::vector<Action> choice;
  for (const auto& [number, object] : s_.objects) {
    if (object.owner == process && !object.pins.empty()) {
      choice.push_back({Verb::kUnpin, {process, number, object.pins.begin()->first}});
    }
    const auto mine = object.holdings.find(process);
    if (mine == object.holdings.end()) continue;
    if (!mine->second.handles.empty()) choice.push_back({Verb::kDrop, {process, number}});
    if (mine->second.by_id > 0) {
      choice.push_back({Verb::kRemove, {process, mine->second.by_id, number}});
    }
  }
  for (const auto& [number, task] : s_.tasks) {
    if (task.process == process) choice.push_back({Verb::kEnd, {process, number}});
  }
  for (const auto& [number, token] : s_.tokens) {
    if (token.from != process || !s_.IsUnderWay(token)) continue;
    choice.push_back({Verb::kImport, {token.to, number}});
    if (random_.Percent(30)) choice.push_back({Verb::kCancel, {process, number}});
  }
  for (const auto& [number, scope] : s_.scopes) {
    if (scope.process == process && scope.part_of == 0 && !scope.ended) {
      choice.push_back({Verb::kScopeEnd, {process, number}});
    }
  }
  for (const auto& [number, stream] : s_.streams) {
    if (stream.open && !stream.untaken.empty() && s_.objects.at(number).owner == process) {
      choice.push_back({Verb::kTake, {process, number}});
    }
  }
  if (choice.empty()) return {Verb::kDrop, {}};
  return choice[random_.Below(choice.size())];
}

// What comes while the first of the four waits, or gives away.
void Generator::ThenMeanwhile(const std::vector<int64_t>& four, int64_t node, int64_t object) {
  const int64_t drains = four[0];
  switch (random_.Below(8)) {
    case 0:
      return Then(Verb::kDeclareOn, {drains, plan_object_++, node});
    case 1:
      return Then(Verb::kDeclareFor, {four[2], plan_object_++, drains});
    case 2:
      return Then(Verb::kDrainTo, {drains, four.back()});
    case 3: {
      const int64_t late = plan_object_++;
      Then(Verb::kDeclareOn, {four[2], late, node});
      Then(Verb::kTransfer, {four[2], late, drains});
      ThenPass(late, four[2], drains);
      if (random_.Percent(50)) ThenPass(late, drains, four[1]);
      return Then(Verb::kDrop, {drains, late});
    }
    case 4:
      if (crashes_) return ThenEnd(random_.Percent(40) ? drains : four[1 + random_.Below(2)]);
      return Then(Verb::kDrain, {drains});
    case 5:
      return Then(Verb::kPartition,
                  {drains, random_.Percent(50) ? four[1 + random_.Below(2)] : EndOfNode(node)});
    case 6: {
      const int64_t token = plan_token_++;
      Then(Verb::kExport, {four[2], object, four.back(), token});
      ThenPause();
      return Then(Verb::kImport, {four.back(), token});
    }
    default:
      return Then(Verb::kGoOn, {drains});
  }
}

void Generator::PlanDrain() {
  const std::vector<int64_t> four = SomeTaking(3 + random_.Below(2), 2);
  const std::vector<int64_t> nodes = SomeNodes(2);
  if (four.empty() || nodes.empty()) return PlanReturn();
  rush_ = random_.Percent(50) ? 100 : 60;
  const int64_t drains = four[0];
  const int64_t object = plan_object_++;
  const int64_t freed = plan_object_++;
  const int64_t borrowed = plan_object_++;
  const bool nests = random_.Percent(40);
  Then(Verb::kDeclareOn, {drains, freed, nodes[1]});
  Then(Verb::kDeclareOn, {drains, object, nodes[0]});
  if (nests) Then(Verb::kNest, {drains, freed, object});
  ThenPass(object, drains, four[2]);
  if (random_.Percent(50)) ThenPass(object, four[2], four[1]);
  if (random_.Percent(50)) {
    Then(Verb::kDeclareOn, {four[2], borrowed, nodes[1]});
    ThenPass(borrowed, four[2], drains);
    if (random_.Percent(50)) ThenPass(borrowed, drains, four[1]);
  }
  if (random_.Percent(50)) Then(Verb::kStore, {nodes[1], object, 0});
  const int64_t watch = NextNumber(s_.registrations) + 13;
  if (random_.Percent(30)) Then(Verb::kWatchErased, {four[2], object, watch});
  if (random_.Percent(30)) Then(Verb::kWatchOut, {drains, object, watch + 1});
  if (random_.Percent(50)) ThenPause();
  // Nobody answers what is freed.
  const bool cut = random_.Percent(25);
  if (cut) Then(Verb::kPartition, {drains, EndOfNode(nodes[1])});
  if (random_.Percent(15)) Then(Verb::kBreak, {nodes[1], 1});
  if (random_.Percent(60)) Then(Verb::kDrop, {drains, freed});
  if (random_.Percent(70)) {
    Then(Verb::kDrainTo, {drains, four[1]});
  } else {
    Then(Verb::kDrain, {drains});
  }
  if (random_.Percent(50)) ThenMeanwhile(four, nodes[0], object);
  for (const int64_t mine : {object, freed, borrowed}) Then(Verb::kDrop, {drains, mine});
  if (random_.Percent(50)) Then(Verb::kTick, {10'000'000, -1, 0, 0});
  if (random_.Percent(40)) ThenMeanwhile(four, nodes[0], object);
  ThenLull();
  if (cut || random_.Percent(50)) Then(Verb::kHealAll, {});
  if (random_.Percent(30)) Then(Verb::kMend, {nodes[1]});
  if (random_.Percent(50)) {
    for (const int64_t at : four) Then(Verb::kDrop, {at, object});
  }
  ThenLull();
  if (random_.Percent(50)) ThenPass(object, four[2], four.back());
  for (const int64_t at : four) {
    Then(Verb::kDrop, {at, object});
    Then(Verb::kDrop, {at, borrowed});
  }
  ThenPause();
}

// New workers make something for others, and idle.
void Generator::PlanRetirement() {
  const std::vector<int64_t> three = SomeTaking(3, 1);
  const int64_t node = AnyNode();
  if (three.empty() || node == 0) return PlanReturn();
  rush_ = 60;
  for (size_t i = 1; i < three.size(); ++i) {
    const int64_t object = plan_object_++;
    Then(Verb::kDeclareOn, {three[i], object, node});
    ThenPass(object, three[i], three[0]);
    if (random_.Percent(70)) Then(Verb::kDrop, {three[i], object});
    if (random_.Percent(30)) Then(Verb::kSubmit, {three[i], NextNumber(s_.tasks) + 3, object});
  }
  ThenLull();
  const auto live = static_cast<int64_t>(s_.processes.size());
  Then(Verb::kRetire, {std::max<int64_t>(1, live - 3), three[0]});
  if (crashes_ && random_.Percent(30)) ThenEnd(three[random_.Below(3)]);
  ThenLull();
  Then(Verb::kRetire, {std::max<int64_t>(1, live - 5), three[0]});
  ThenLull();
  ThenPause();
}

// A worker yields for its caller, who owns what it yields, and leaves.
void Generator::PlanYieldOnBehalf() {
  const std::vector<int64_t> two = Some(2, 0);
  const int64_t node = AnyNode();
  if (two.empty() || node == 0) return PlanReturn();
  rush_ = 60;
  const int64_t stream = plan_object_++;
  Then(Verb::kDeclare, {two[0], stream});
  Then(Verb::kStream, {two[0], stream});
  for (uint64_t yields = 1 + random_.Below(3); yields > 0; --yields) {
    const int64_t object = plan_object_++;
    Then(Verb::kDeclareFor, {two[1], object, two[0]});
    ThenPause();
    ThenLull();
    Then(Verb::kStorePrimary, {node, object, 0});
    Then(Verb::kYieldDeclared, {two[0], object, stream});
    if (random_.Percent(70)) Then(Verb::kDrop, {two[1], object});
    if (random_.Percent(30)) Then(Verb::kTake, {two[0], stream});
  }
  Then(Verb::kDrain, {two[1]});
  if (crashes_ && random_.Percent(20)) ThenEnd(two[random_.Below(2)]);
  ThenLull();
  Then(Verb::kTake, {two[0], stream});
  if (random_.Percent(40)) Then(Verb::kDrop, {two[0], stream});
  ThenPause();
}

// The one that owns objects is on that node, perhaps, and goes with it.
void Generator::ThenDrainNode(int64_t node, int64_t owner) {
  if (!drains_ || random_.Percent(40)) return Then(Verb::kDrainNode, {node});
  const int64_t to = AnyProcess();
  if (random_.Percent(80)) Then(Verb::kDrainTo, {owner, to == owner ? 0 : to});
  Then(Verb::kDrainNodeWith, {node, owner});
}

}  // namespace freehold::testing::sim
