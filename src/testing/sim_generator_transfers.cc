// What the generator draws of transfers of ownership (PROTOCOL.md, step 11): objects that are
// passed on, stored, watched and asked about, and whoever goes while they move.

#include <algorithm>
#include <chrono>

#include "src/testing/sim_generator.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// What is not lost or held back arrives within it.
constexpr Duration kArrives = std::chrono::milliseconds(25);

}  // namespace

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

// --- Somebody hears late whose it is -------------------------------------------------------------

void Generator::PlanHearsay() {
  switch (random_.Below(4)) {
    case 0:
      return PlanPassedOn();
    case 1:
      return PlanReadOut();
    case 2:
      return PlanLateWord();
    default:
      return PlanNextHeir();
  }
}

// The first `taking` of them take objects over.
std::vector<int64_t> Generator::SomeTaking(size_t count, size_t taking) {
  std::vector<int64_t> some = Some(count, 0);
  std::stable_partition(some.begin(), some.end(), TakesTransfers);
  const auto able = std::count_if(some.begin(), some.end(), TakesTransfers);
  if (static_cast<size_t>(able) < taking) some.clear();
  return some;
}

// So long that all who are not cut off have heard from each other.
void Generator::ThenLull() {
  for (int turn = 0; turn < 8; ++turn) Then(Verb::kTick, {kArrives.count(), -1, -1, 0});
}

// It goes, and all who are not cut off from each other have dealt with that.
void Generator::ThenExclude(int64_t end) {
  ThenEnd(end);
  Then(Verb::kExclude, {end});
  ThenLull();
}

// Who has passed a reference on hears of the next owner, or is it. The receiver cannot reach the
// one that it knows of.
void Generator::PlanPassedOn() {
  const std::vector<int64_t> four = SomeTaking(3 + random_.Below(2), 1);
  const int64_t node = AnyNode();
  if (four.empty() || node == 0) return PlanTransfer();
  rush_ = 100;
  const int64_t next = four[0];
  const int64_t owner = four[1];
  const int64_t receiver = four[2];
  const int64_t sender = four.size() > 3 ? four[3] : next;
  const int64_t object = plan_object_++;
  Then(Verb::kDeclareOn, {owner, object, node});
  ThenPass(object, owner, sender);
  ThenLull();
  Then(Verb::kPartition, {owner, receiver});
  ThenPass(object, sender, receiver);
  Then(Verb::kTransfer, {owner, object, next});
  ThenLull();
  if (random_.Percent(30)) Then(Verb::kSettle, {});
  if (random_.Percent(30)) Then(Verb::kDrop, {sender, object});
  if (crashes_ && random_.Percent(70)) ThenExclude(owner);
  Then(Verb::kHealAll, {});
  ThenLull();
  for (const int64_t at : four) Then(Verb::kDrop, {at, object});
}

// An id is read out of an object that gets another owner, and its own owner cannot be reached.
void Generator::PlanReadOut() {
  const std::vector<int64_t> four = SomeTaking(4, 1);
  const int64_t node = AnyNode();
  if (four.empty() || node == 0) return PlanPassedOn();
  rush_ = 100;
  const int64_t next = four[0];
  const int64_t owner = four[1];
  const int64_t inner_owner = four[2];
  const int64_t reader = four[3];
  const int64_t inner = plan_object_++;
  const int64_t outer = plan_object_++;
  Then(Verb::kDeclareOn, {inner_owner, inner, node});
  ThenPass(inner, inner_owner, owner);
  ThenLull();
  Then(Verb::kDeclare, {owner, outer});
  Then(Verb::kNest, {owner, inner, outer});
  for (const int64_t at : {owner, inner_owner}) Then(Verb::kDrop, {at, inner});
  ThenPass(outer, owner, reader);
  ThenLull();
  Then(Verb::kPartition, {inner_owner, reader});
  Then(Verb::kReadNested, {reader, inner, outer});
  Then(Verb::kTransfer, {owner, outer, next});
  ThenLull();
  if (random_.Percent(70)) Then(Verb::kDrop, {owner, outer});
  ThenLull();
  if (crashes_) ThenExclude(random_.Percent(80) ? next : owner);
  Then(Verb::kHealAll, {});
  ThenLull();
  for (const int64_t at : four) {
    Then(Verb::kDrop, {at, outer});
    Then(Verb::kDrop, {at, inner});
  }
}

// An object is given away in vain, and while that is not known a node's word about its copy comes
// behind a digest. The node is asked for its copies in one breath with the news of the later term.
void Generator::PlanLateWord() {
  const std::vector<int64_t> two = Some(2, 0);
  const int64_t node = AnyNode();
  const auto refuses = std::find_if(s_.processes.begin(), s_.processes.end(), [](const auto& each) {
    return each->usable() && !TakesTransfers(each->end);
  });
  const bool fits = !two.empty() && node != 0 && refuses != s_.processes.end();
  if (!fits || s_.options.digest_interval == Duration::zero()) return PlanReadOut();
  rush_ = 100;
  const int64_t next = (*refuses)->end;
  const int64_t owner = two[0] == next ? two[1] : two[0];
  const int64_t end = EndOfNode(node);
  const int64_t object = plan_object_++;
  const auto then_pump = [&](int64_t one, Duration after) {
    Then(Verb::kTick, {after.count(), static_cast<int64_t>(PlaceOf(one)), 0, 0});
  };
  Then(Verb::kDeclareOn, {owner, object, node});
  if (random_.Percent(30)) Then(Verb::kEvictFirst, {owner, object});
  ThenLull();
  Then(Verb::kTransfer, {owner, object, next});
  Then(Verb::kPump, {owner});
  then_pump(next, kArrives);
  then_pump(end, s_.options.digest_interval);
  Then(random_.Percent(50) ? Verb::kSpill : Verb::kSpillKeeping, {node, object, 0});
  Then(Verb::kPump, {end});
  then_pump(owner, kArrives);
  then_pump(end, kArrives);
  ThenLull();
  if (random_.Percent(50)) Then(Verb::kDrop, {owner, object});
}

// An heir cannot hear that it is dismissed, and is not the only one that is to be the next owner.
void Generator::PlanNextHeir() {
  const std::vector<int64_t> some = SomeTaking(3, 2);
  const int64_t node = AnyNode();
  if (some.empty() || node == 0) return PlanPassedOn();
  rush_ = 100;
  const int64_t heir = some[0];
  const int64_t next = some[1];
  const int64_t owner = some[2];
  const int64_t object = plan_object_++;
  Then(Verb::kDeclareOn, {owner, object, node});
  Then(Verb::kNameHeir, {owner, heir, object});
  ThenLull();
  Then(Verb::kPartition, {owner, heir});
  Then(Verb::kDismissHeir, {owner, object});
  Then(Verb::kPump, {owner});
  if (random_.Percent(50)) {
    Then(Verb::kNameHeir, {owner, next, object});
  } else {
    Then(Verb::kTransfer, {owner, object, next});
  }
  ThenLull();
  if (crashes_) ThenExclude(owner);
  Then(Verb::kHealAll, {});
  ThenLull();
  for (const int64_t at : some) Then(Verb::kDrop, {at, object});
}

}  // namespace freehold::testing::sim
