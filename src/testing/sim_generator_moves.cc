// What the generator plans of primary moves (PROTOCOL.md, step 9): consumers that fetch at once,
// and whoever dies, frees or recreates in between.

#include <algorithm>

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

// Nodes that take calls, different ones; empty where there are not so many.
std::vector<int64_t> Generator::SomeNodes(size_t count) {
  std::vector<int64_t> chosen;
  for (int attempt = 0; attempt < 20 && chosen.size() < count; ++attempt) {
    const int64_t node = AnyNode();
    if (node != 0 && std::find(chosen.begin(), chosen.end(), node) == chosen.end()) {
      chosen.push_back(node);
    }
  }
  if (chosen.size() < count) chosen.clear();
  return chosen;
}

// All but the first one ask to take over from it; some evict at once.
void Generator::ThenMoves(int64_t object, const std::vector<int64_t>& nodes) {
  for (size_t i = 1; i < nodes.size(); ++i) {
    Then(Verb::kMove, {nodes[i], object, 0, nodes[0]});
    if (random_.Percent(15)) Then(Verb::kEvict, {nodes[i], object, 0});
    if (random_.Percent(20)) ThenPause();
  }
}

void Generator::PlanMoves() {
  const int64_t owner = AnyProcess();
  const std::vector<int64_t> nodes = SomeNodes(2 + random_.Below(2));
  if (owner == 0 || nodes.empty()) return PlanChain();
  const int64_t object = plan_object_++;
  Then(Verb::kDeclareOn, {owner, object, nodes[0]});
  if (random_.Percent(20)) Then(Verb::kRead, {nodes[0], object, NextNumber(s_.readers) + 7});
  // Perhaps the producer hears late that it may let go.
  const bool cut = random_.Percent(35);
  if (cut) Then(Verb::kPartition, {owner, EndOfNode(nodes[0])});
  for (size_t i = 1; i < nodes.size(); ++i) Then(Verb::kStore, {nodes[i], object, 0});
  if (random_.Percent(50)) ThenPause();
  ThenMoves(object, nodes);
  if (random_.Percent(60)) ThenPause();
  const int64_t ends[] = {EndOfNode(nodes[0]), EndOfNode(nodes[1]), owner};
  const uint64_t fate = random_.Below(8);
  if (fate < 4 && crashes_) {
    const int64_t end = ends[std::min<uint64_t>(fate, 2)];
    if (random_.Percent(60)) Then(Verb::kCrash, {end});
    if (random_.Percent(30)) ThenPause();
    Then(Verb::kExclude, {end});
  } else if (fate == 4) {
    Then(Verb::kFree, {owner, object});
  } else if (fate == 5 && nodes.size() > 2) {
    // On to the next one, whoever has won.
    Then(Verb::kMove, {nodes[2], object, 0, nodes[1]});
    Then(Verb::kMove, {nodes[1], object, 0, nodes[2]});
  } else if (fate == 6) {
    Then(Verb::kEvict, {nodes[1], object, 0});
  }
  ThenPause();
  if (cut) Then(Verb::kHealAll, {});
  ThenPause();
  Then(Verb::kDrop, {owner, object});
}

// A copy of an old value asks when the new one is where it was.
void Generator::PlanOldMoves() {
  const int64_t owner = AnyProcess();
  const std::vector<int64_t> nodes = SomeNodes(2);
  if (owner == 0 || nodes.empty()) return PlanChain();
  rush_ = 90;
  const int64_t object = plan_object_++;
  Then(Verb::kDeclareOn, {owner, object, nodes[0]});
  Then(Verb::kStore, {nodes[1], object, 0});
  ThenPause();
  Then(Verb::kFree, {owner, object});
  Then(Verb::kRecreate, {owner, object});
  Then(Verb::kStorePrimary, {nodes[0], object, 1});
  if (random_.Percent(50)) Then(Verb::kTold, {owner, object, nodes[0], 1});
  Then(Verb::kStore, {nodes[1], object, 1});
  if (random_.Percent(50)) Then(Verb::kTold, {owner, object, nodes[1], 1});
  Then(Verb::kMove, {nodes[1], object, 0, nodes[0]});
  ThenPause();
  if (random_.Percent(50)) Then(Verb::kMove, {nodes[1], object, 1, nodes[0]});
  ThenPause();
}

// A node is emptied, and mostly removed then.
void Generator::PlanNodeDrain() {
  const int64_t owner = AnyProcess();
  const std::vector<int64_t> nodes = SomeNodes(2);
  if (owner == 0 || nodes.empty()) return PlanChain();
  const int64_t alone = plan_object_++;
  const int64_t shared = plan_object_++;
  Then(Verb::kDeclareOn, {owner, alone, nodes[0]});
  Then(Verb::kDeclareOn, {owner, shared, nodes[0]});
  Then(Verb::kStore, {nodes[1], shared, 0});
  if (random_.Percent(30)) Then(Verb::kSpill, {nodes[0], alone, 0});
  if (random_.Percent(30)) Then(Verb::kPartition, {owner, EndOfNode(nodes[random_.Below(2)])});
  ThenDrainNode(nodes[0], owner);
  if (random_.Percent(50)) ThenPause();
  const uint64_t meanwhile = random_.Below(6);
  if (meanwhile == 0) Then(Verb::kFree, {owner, alone});
  if (meanwhile == 1) Then(Verb::kEvict, {nodes[1], shared, 0});
  if (meanwhile == 2) Then(Verb::kDeclareOn, {owner, plan_object_++, nodes[0]});
  if (meanwhile == 3) Then(Verb::kDrop, {owner, shared});
  if (meanwhile == 4 && crashes_)
    Then(Verb::kCrash, {random_.Percent(50) ? owner : EndOfNode(nodes[1])});
  if (meanwhile == 5) Then(Verb::kMove, {nodes[1], shared, 0, nodes[0]});
  ThenPause();
  Then(Verb::kHealAll, {});
  Then(Verb::kSettle, {});
  if (crashes_ && random_.Percent(60)) {
    Then(Verb::kCrash, {EndOfNode(nodes[0])});
    Then(Verb::kExclude, {EndOfNode(nodes[0])});
    ThenPause();
  }
  Then(Verb::kDrop, {owner, alone});
}

}  // namespace freehold::testing::sim
