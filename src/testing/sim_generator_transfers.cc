// What the generator draws of transfers of ownership (PROTOCOL.md, step 11): objects that are
// passed on, stored, watched and asked about, and whoever goes while they move.

#include "src/testing/sim_generator.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

Action Generator::DrawTransfer(const Object* object) {
  return {Verb::kTransfer, {object->owner, object->number, AnyProcess()}};
}

// Some of those around it go before, at, or after an arrow.
void Generator::ThenTransfer(int64_t object, int64_t from, int64_t to,
                             const std::vector<int64_t>& others) {
  const uint64_t dies = crashes_ && random_.Percent(60) ? random_.Below(5) : 5;
  const auto may_end = [&](uint64_t arrow) {
    if (dies != arrow) return;
    const uint64_t who = random_.Below(10);
    ThenEnd(who < 4 ? from : who < 8 ? to : others[random_.Below(others.size())]);
  };
  may_end(0);
  Then(Verb::kTransfer, {from, object, to});
  may_end(1);
  Then(Verb::kPump, {from});
  if (random_.Percent(40)) Then(Verb::kDrop, {from, object});
  may_end(2);
  Then(Verb::kTick, {1'000'000, -1, 0, 0});
  may_end(3);
  Then(Verb::kTick, {10'000'000, -1, 0, 0});
  may_end(4);
}

void Generator::ThenPins(int64_t owner, int64_t object) {
  Then(Verb::kPin, {owner, object, 1});
  if (random_.Percent(30))
    Then(Verb::kPin, {owner, object, 1 + static_cast<int64_t>(random_.Below(2))});
  if (random_.Percent(30)) Then(Verb::kFree, {owner, object});
  if (random_.Percent(20)) Then(Verb::kEvictFirst, {owner, object});
}

// Whoever owns it then; what is none of theirs is skipped.
void Generator::ThenUnpin(int64_t object, const std::vector<int64_t>& owners) {
  for (const int64_t by : {1, 1, 2}) {
    for (const int64_t owner : owners) Then(Verb::kUnpin, {owner, object, by});
  }
}

// Of the one that will own the outer object, or passed to it.
void Generator::ThenInner(int64_t inner, const std::vector<int64_t>& four, int64_t node) {
  const int64_t owner = random_.Percent(50) ? four[0] : four[random_.Below(four.size())];
  Then(Verb::kDeclareOn, {owner, inner, node});
  if (owner != four[0]) ThenPass(inner, owner, four[0]);
}

// The scope that a plan declares an object in.
struct Generator::Home {
  int64_t owner = 0;
  int64_t scope = 0;  // of that owner
  int64_t in = 0;     // that, or the declarer's part of it; 0: in none
};

Generator::Home Generator::ThenHome(int64_t declarer, int64_t owner, int percent) {
  if (!random_.Percent(percent)) return {};
  plan_scope_ = NextNumber(s_.scopes) + 7;
  Home home{owner, plan_scope_++, plan_scope_};
  Then(Verb::kScope, {owner, home.scope});
  if (owner == declarer) {
    home.in = home.scope;
    return home;
  }
  Then(Verb::kScopeShare, {owner, home.scope, declarer});
  Then(Verb::kScopeJoin, {declarer, home.scope, home.in});
  return home;
}

void Generator::ThenDeclareAt(int64_t declarer, int64_t object, int64_t node, const Home& home) {
  if (home.in == 0) return Then(Verb::kDeclareOn, {declarer, object, node});
  Then(Verb::kDeclareOnIn, {declarer, object, node, home.in});
}

void Generator::ThenEndHome(const Home& home, int percent) {
  if (home.in != 0 && random_.Percent(percent)) Then(Verb::kScopeEnd, {home.owner, home.scope});
}

Action Generator::DrawHeir(Verb verb, const Object* object) {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const bool fits = verb == Verb::kDismissHeir ? !object->heirs.empty()
                                                 : !object->recorded && object->heirs.empty();
    if (fits) break;
    if (const Object* other = AnyObject(); other != nullptr) object = other;
  }
  Action action{verb, {object->owner}};
  const size_t heirs = HeirsIn(verb);
  for (size_t i = 1; i <= heirs; ++i) action.numbers[i] = AnyProcess();
  action.numbers[1 + heirs] = object->number;
  return action;
}

// The second of the four is the first one.
void Generator::ThenNameHeirs(const std::vector<int64_t>& four, int64_t object) {
  const uint64_t heirs = random_.Below(four.size()) + 1;
  if (heirs == 1) return Then(Verb::kNameHeir, {four[0], four[1], object});
  if (heirs == 2) return Then(Verb::kNameTwoHeirs, {four[0], four[1], four.back(), object});
  if (four.size() == 3) return Then(Verb::kNameTwoHeirs, {four[0], four[1], four[2], object});
  Then(Verb::kNameThreeHeirs, {four[0], four[1], four[2], four[3], object});
}

// An owner that dies, or somebody else, around what its heir is told.
void Generator::PlanHeir() {
  const std::vector<int64_t> four = Some(3 + random_.Below(2), 0);
  const std::vector<int64_t> nodes = SomeNodes(2);
  if (four.empty() || nodes.empty()) return PlanReturn();
  rush_ = random_.Percent(50) ? 100 : 60;
  const int64_t inner = random_.Percent(50) ? plan_object_++ : 0;
  const int64_t object = plan_object_++;
  if (inner != 0) ThenInner(inner, four, nodes[1]);
  const Home home = ThenHome(four[0], four[0], 25);
  ThenDeclareAt(four[0], object, nodes[0], home);
  if (inner != 0) Then(Verb::kNest, {four[0], inner, object});
  ThenPass(object, four[0], four[2]);
  if (random_.Percent(30)) ThenPass(object, four[2], four[1]);
  if (random_.Percent(60)) ThenPause();
  if (random_.Percent(30)) ThenPins(four[0], object);
  ThenNameHeirs(four, object);
  // What it contains is read, let go of, and gets an heir, too, before the death and after it.
  const auto use_inner = [&] {
    if (inner == 0) return;
    const int64_t at = four[random_.Below(four.size())];
    if (random_.Percent(50)) Then(Verb::kReadNested, {at, inner, object});
    if (random_.Percent(40)) Then(Verb::kDrop, {at, inner});
    if (random_.Percent(30)) Then(Verb::kNameHeir, {four[0], four[random_.Below(2) + 1], inner});
  };
  use_inner();
  if (random_.Percent(80)) ThenPause();
  const int64_t watch = NextNumber(s_.registrations) + 13;
  if (random_.Percent(30)) Then(Verb::kWatchErased, {four[2], object, watch});
  if (random_.Percent(30)) Then(Verb::kPin, {four[0], object, 2});
  const int64_t token = plan_token_++;
  if (random_.Percent(50)) {
    Then(Verb::kExport, {four[random_.Below(3)], object, four[random_.Below(four.size())], token});
  }
  if (random_.Percent(50)) Then(Verb::kStore, {nodes[1], object, 0});
  if (random_.Percent(30)) Then(Verb::kMove, {nodes[1], object, 0, nodes[0]});
  if (random_.Percent(40)) Then(Verb::kTick, {1'000'000, -1, 0, 0});
  for (const int64_t at : four) {
    if (random_.Percent(30)) Then(Verb::kImport, {at, token});
  }
  if (random_.Percent(40)) Then(Verb::kTick, {1'000'000, -1, 0, 0});
  if (random_.Percent(20)) Then(Verb::kDismissHeir, {four[0], object});
  if (random_.Percent(15)) Then(Verb::kPin, {four[0], object, 1});
  use_inner();
  ThenEndHome(home, 20);
  if (crashes_ && random_.Percent(70)) {
    ThenEnd(random_.Percent(70) ? four[0] : four[random_.Below(four.size())]);
  }
  if (random_.Percent(50)) Then(Verb::kTick, {10'000'000, -1, 0, 0});
  for (const int64_t at : four) {
    if (random_.Percent(30)) Then(Verb::kImport, {at, token});
  }
  ThenPause();
  use_inner();
  if (crashes_ && random_.Percent(30)) ThenEnd(four[1]);
  if (random_.Percent(30)) {
    Then(Verb::kHealAll, {});
    Then(Verb::kSettle, {});
  }
  for (const int64_t at : four) {
    Then(Verb::kDrop, {at, object});
    if (inner != 0) Then(Verb::kDrop, {at, inner});
  }
  ThenPause();
}

void Generator::PlanTransfer() {
  const std::vector<int64_t> four = Some(3 + random_.Below(2), 0);
  const std::vector<int64_t> nodes = SomeNodes(2);
  if (four.empty() || nodes.empty()) return PlanReturn();
  rush_ = random_.Percent(50) ? 100 : 60;
  const int64_t inner = random_.Percent(50) ? plan_object_++ : 0;
  const int64_t object = plan_object_++;
  if (inner != 0) ThenInner(inner, four, nodes[1]);
  const Home home = ThenHome(four[0], four[random_.Below(four.size())], 40);
  ThenDeclareAt(four[0], object, nodes[0], home);
  if (inner != 0) Then(Verb::kNest, {four[0], inner, object});
  ThenPass(object, four[0], four[2]);
  if (random_.Percent(30)) ThenPass(object, four[2], four[1]);
  const int64_t watch = NextNumber(s_.registrations) + 13;
  if (random_.Percent(30)) Then(Verb::kWatchOut, {four[0], object, watch});
  if (random_.Percent(30)) Then(Verb::kWatchErased, {four[1], object, watch + 1});
  if (random_.Percent(30)) Then(Verb::kWatchReclaimed, {four[2], object, watch + 2});
  if (random_.Percent(60)) Then(Verb::kStore, {nodes[1], object, 0});
  const bool pinned = random_.Percent(35);
  if (pinned) ThenPins(four[0], object);
  if (random_.Percent(70)) ThenPause();
  // What was on its way before, and comes after.
  const int64_t token = plan_token_++;
  if (random_.Percent(50)) {
    Then(Verb::kExport, {four[random_.Below(3)], object, four[random_.Below(four.size())], token});
  }
  if (random_.Percent(30)) Then(Verb::kFetch, {nodes[1], object, 0});
  const int64_t query = NextNumber(s_.queries) + 7;
  if (random_.Percent(20)) Then(Verb::kAskAlways, {four[1], object, query});
  if (random_.Percent(20)) Then(Verb::kAskFor, {EndOfNode(nodes[1]), object, nodes[1], query + 1});
  const bool cut = random_.Percent(20);
  if (cut) Then(Verb::kPartition, {four[random_.Below(3)], EndOfNode(nodes[random_.Below(2)])});
  if (crashes_ && random_.Percent(15)) Then(Verb::kExclude, {AnyEnd()});
  const std::vector<int64_t> others = {four[2], four.back(), EndOfNode(nodes[0]),
                                       EndOfNode(nodes[1])};
  // What it contains is read, let go of, and given away, too, before and after.
  const auto use_inner = [&] {
    if (inner == 0) return;
    const int64_t at = four[random_.Below(four.size())];
    if (random_.Percent(40)) Then(Verb::kReadNested, {at, inner, object});
    if (random_.Percent(30)) Then(Verb::kDrop, {four[random_.Below(four.size())], inner});
    if (random_.Percent(15)) Then(Verb::kTransfer, {four[0], inner, at});
  };
  use_inner();
  ThenEndHome(home, 10);
  ThenTransfer(object, four[0], four[1], others);
  ThenEndHome(home, 30);
  use_inner();
  for (const int64_t at : four) {
    if (random_.Percent(30)) Then(Verb::kImport, {at, token});
  }
  if (random_.Percent(20)) Then(Verb::kFetched, {nodes[1], object, 0});
  if (random_.Percent(20)) Then(Verb::kMove, {nodes[1], object, 0, nodes[0]});
  if (random_.Percent(20)) Then(Verb::kStore, {nodes[1], object, 0});
  if (random_.Percent(50)) ThenPause();
  if (cut) Then(Verb::kHealAll, {});
  ThenEndHome(home, 20);
  // On, or back again.
  if (random_.Percent(60)) {
    ThenPause();
    ThenTransfer(object, four[1], random_.Percent(50) ? four[0] : four[2], others);
    ThenPause();
  }
  if (random_.Percent(20)) Then(Verb::kFree, {four[1], object});
  use_inner();
  if (pinned && random_.Percent(70)) ThenUnpin(object, four);
  for (const int64_t at : four) {
    Then(Verb::kDrop, {at, object});
    if (inner != 0) Then(Verb::kDrop, {at, inner});
  }
  ThenPause();
}

}  // namespace freehold::testing::sim
