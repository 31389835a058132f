// What the generator draws of references that cross processes: single actions, and plans that bring
// about the orders of events in which known shortcuts break (PROTOCOL.md, steps 3 to 8).

#include <algorithm>

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

// --- Single actions ------------------------------------------------------------------------------

Action Generator::DrawQuery(Verb verb) {
  if (verb == Verb::kUnask) {
    const int64_t number = AnyNumber(s_.queries);
    return {verb, {number == 0 ? 1 : s_.queries.find(number)->second.end, number}};
  }
  const Object* object = AnyObject();
  if (object == nullptr) return {verb, {1}};
  const bool of_node = random_.Percent(50);
  const int64_t node = AnyNode();
  const int64_t asker = of_node               ? EndOfNode(node)
                        : random_.Percent(50) ? AnyHolder(*object)
                                              : AnyProcess();
  if (verb != Verb::kAskFor) return {verb, {asker, object->number, NextNumber(s_.queries)}};
  return {verb, {asker, object->number, node, NextNumber(s_.queries)}};
}

Action Generator::DrawSharing(Verb verb) {
  if (verb >= Verb::kAsk) return DrawQuery(verb);
  if (verb == Verb::kImport || verb == Verb::kCancel) {
    // Mostly one that is under way; now and then any other, again or late.
    int64_t number = 0;
    for (int attempt = 0; attempt < 4; ++attempt) {
      number = AnyNumber(s_.tokens);
      if (number == 0) return {verb, {}};
      const Token& token = s_.tokens.find(number)->second;
      if (!token.redeemed || random_.Percent(verb == Verb::kImport ? 15 : 50)) break;
    }
    const Token& token = s_.tokens.find(number)->second;
    if (verb == Verb::kCancel) return {verb, {token.from, number}};
    return {verb, {random_.Percent(2) ? AnyProcess() : token.to, number}};
  }
  const Object* object = AnyObject();
  if (object == nullptr) return {verb, {}};
  const int64_t holder = AnyHolder(*object);
  const bool reads = verb == Verb::kMisread || verb == Verb::kReadNested;
  if (reads && holder == object->owner) return {verb, {}};
  if (verb == Verb::kMisread) {
    const int64_t latest = s_.objects.rbegin()->first;
    for (int attempt = 0; attempt < 20; ++attempt) {
      const auto back = static_cast<int64_t>(random_.Below(30));
      const auto found = s_.objects.find(latest - back);
      if (found == s_.objects.end() || !found->second.ended) continue;
      return {verb, {holder, found->first, object->number}};
    }
    return {verb, {}};
  }
  if (verb == Verb::kReadNested) {
    if (object->inners.empty()) return {verb, {}};
    return {verb, {holder, object->inners[random_.Below(object->inners.size())], object->number}};
  }
  return {verb, {holder, object->number, AnyProcess(), NextNumber(s_.tokens)}};
}

// --- Plans ---------------------------------------------------------------------------------------

// Processes that take calls, `count` different ones, the first one `first` if that is not 0. Empty
// where there are not so many.
std::vector<int64_t> Generator::Some(size_t count, int64_t first) {
  std::vector<int64_t> chosen;
  if (first != 0) chosen.push_back(first);
  for (int attempt = 0; attempt < 20 && chosen.size() < count; ++attempt) {
    const int64_t process = AnyProcess();
    if (process != 0 && std::find(chosen.begin(), chosen.end(), process) == chosen.end()) {
      chosen.push_back(process);
    }
  }
  if (chosen.size() < count) chosen.clear();
  return chosen;
}

void Generator::Plan() {
  // Numbers that nothing else will take meanwhile, mostly.
  plan_object_ = NextNumber(s_.objects) + 7;
  plan_token_ = NextNumber(s_.tokens) + 7;
  rush_ = random_.Percent(50) ? 70 : random_.Percent(50) ? 30 : 0;
  if (hearsay_ && random_.Percent(40)) return PlanHearsay();
  if (transfers_ && random_.Percent(25)) {
    return random_.Percent(25) ? PlanLineageMoves() : PlanTransfer();
  }
  if (heirs_ && random_.Percent(25)) return PlanHeir();
  if (drains_ && random_.Percent(50)) {
    const uint64_t draw = random_.Below(8);
    return draw == 0 ? PlanYieldOnBehalf() : draw < 3 ? PlanRetirement() : PlanDrain();
  }
  switch (random_.Below(27)) {
    case 26:
      return PlanNodeDrain();
    case 25:
    case 24:
      return PlanScopes();
    case 23:
    case 22:
      return PlanEvictFirst();
    case 21:
    case 20:
      return PlanStateful();
    case 19:
      return PlanCreation();
    case 18:
    case 17:
      return PlanStream();
    case 16:
    case 15:
      return PlanLineage();
    case 14:
      return PlanForgotten();
    case 13:
      return PlanEndMidway();
    case 12:
      return PlanOldMoves();
    case 11:
    case 10:
      return PlanMoves();
    case 9:
      return PlanForeignNested();
    case 8:
      return PlanGone();
    case 0:
    case 1:
      return PlanChain();
    case 2:
      return PlanTwoDeaths();
    case 3:
      return PlanReturn();
    case 4:
      return PlanOldTokens();
    case 5:
      return PlanSuspect();
    case 6:
      return PlanNested();
    case 7:
      return PlanThirdParty();
  }
}

// Declared for another owner, stored, passed on; the declarer or the owner goes at some arrow.
void Generator::PlanCreation() {
  const std::vector<int64_t> three = Some(3, 0);
  if (three.empty()) return;
  const int64_t owner = three[0];
  const int64_t declarer = three[1];
  const int64_t object = plan_object_++;
  rush_ = 100;
  const uint64_t dies = crashes_ ? random_.Below(8) : 7;
  const auto may_end = [&](uint64_t arrow) {
    if (dies == arrow) ThenEnd(random_.Percent(70) ? declarer : owner);
  };
  const bool cut = random_.Percent(40);
  if (cut) Then(Verb::kPartition, {owner, declarer});
  Then(Verb::kDeclareFor, {declarer, object, owner});
  if (random_.Percent(40)) Then(Verb::kExport, {declarer, object, three[2], plan_token_++});
  may_end(0);
  Then(Verb::kPump, {declarer});
  if (random_.Percent(20)) Then(Verb::kDrop, {declarer, object});
  may_end(1);
  if (cut) Then(Verb::kHealAll, {});
  ThenPause();
  may_end(2);
  ThenPause();
  Then(Verb::kStorePrimary, {AnyNode(), object, 0});
  may_end(3);
  const int64_t token = plan_token_++;
  Then(Verb::kExport, {declarer, object, three[2], token});
  may_end(4);
  Then(Verb::kImport, {three[2], token});
  if (random_.Percent(50)) Then(Verb::kDrop, {declarer, object});
  may_end(5);
  ThenPause();
}

// A host takes its only copy for lost and makes the value anew, beside the old one.
void Generator::PlanForgotten() {
  const std::vector<int64_t> owner = Some(1, 0);
  const int64_t node = AnyNode();
  if (owner.empty() || node == 0) return;
  Then(Verb::kDeclareOn, {owner[0], plan_object_, node});
  ThenPause();
  Then(Verb::kForget, {owner[0], plan_object_, node});
  Then(Verb::kRecreate, {owner[0], plan_object_});
  Then(Verb::kStorePrimary, {node, plan_object_, 1});
  ThenPause();
}

void Generator::Then(Verb verb, const Numbers& numbers) { plan_.push_back({verb, numbers}); }

// Time in which much happens at once: everybody hears, sends, receives.
void Generator::ThenPause() {
  for (uint64_t ticks = random_.Below(4); ticks > 0; --ticks) {
    Then(Verb::kTick, {20'000'000, -1, random_.Percent(50) ? -1 : 0, 0});
  }
}

int64_t Generator::ThenDeclare(int64_t owner) {
  const int64_t number = plan_object_++;
  if (random_.Percent(70)) {
    Then(Verb::kDeclareOn, {owner, number, AnyNode()});
  } else {
    Then(Verb::kDeclare, {owner, number});
  }
  return number;
}

// `from` passes the object to `to`, who takes it; answers the token.
int64_t Generator::ThenPass(int64_t object, int64_t from, int64_t to) {
  const int64_t token = plan_token_++;
  Then(Verb::kExport, {from, object, to, token});
  Then(Verb::kImport, {to, token});
  return token;
}

// O→A→B, or one hop further; somebody in the middle dies, others drop theirs.
void Generator::PlanChain() {
  const std::vector<int64_t> chain = Some(3 + random_.Below(2), 0);
  if (chain.empty()) return;
  const int64_t object = ThenDeclare(chain[0]);
  // Perhaps the last ones cannot reach the owner meanwhile: they register late.
  const bool cut = random_.Percent(40);
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    if (cut && i > 0) Then(Verb::kPartition, {chain[0], chain[i + 1]});
    const int64_t token = ThenPass(object, chain[i], chain[i + 1]);
    // A cancellation that comes when the token has been taken.
    if (random_.Percent(15)) Then(Verb::kCancel, {chain[i], token});
    if (random_.Percent(30)) ThenPause();
    // Whoever passed it on need not keep it.
    if (random_.Percent(i == 0 ? 50 : 60)) Then(Verb::kDrop, {chain[i], object});
  }
  const size_t middle = 1 + random_.Below(chain.size() - 2);
  if (crashes_ && random_.Percent(80)) {
    Then(Verb::kCrash, {chain[middle]});
    if (random_.Percent(30)) ThenPause();
    Then(Verb::kExclude, {chain[middle]});
    if (random_.Percent(50)) ThenPause();
  }
  Then(Verb::kDrop, {chain[0], object});
  if (random_.Percent(50)) Then(Verb::kDrop, {chain[middle], object});
  ThenPause();
  if (!cut) return;
  ThenPause();
  Then(Verb::kHealAll, {});
  ThenPause();
}

// The second death comes while the barrier of the first is open; of the owner, perhaps.
void Generator::PlanTwoDeaths() {
  const std::vector<int64_t> four = Some(4, 0);
  if (four.empty() || !crashes_) return PlanChain();
  const int64_t object = ThenDeclare(four[0]);
  ThenPass(object, four[0], four[1]);
  ThenPass(object, four[1], four[2]);
  const bool owner_dies = random_.Percent(40);
  if (!owner_dies) ThenPass(object, four[2], four[3]);
  Then(Verb::kExclude, {four[1]});
  if (random_.Percent(50)) Then(Verb::kHear, {four[2]});
  if (random_.Percent(50)) Then(Verb::kPump, {four[2]});
  if (random_.Percent(50)) Then(Verb::kTick, {1'000'000, -1, 0, 0});
  Then(random_.Percent(50) ? Verb::kCrash : Verb::kExclude, {owner_dies ? four[0] : four[2]});
  Then(Verb::kExclude, {owner_dies ? four[0] : four[2]});
  Then(Verb::kDrop, {four[0], object});
  ThenPause();
}

// A Release is under way when the reference comes again.
void Generator::PlanReturn() {
  const std::vector<int64_t> two = Some(2, 0);
  if (two.empty()) return;
  const int64_t object = ThenDeclare(two[0]);
  for (uint64_t times = 2 + random_.Below(3); times > 0; --times) {
    ThenPass(object, two[0], two[1]);
    if (random_.Percent(60)) ThenPause();
    Then(Verb::kDrop, {two[1], object});
    if (random_.Percent(30)) Then(Verb::kTick, {1'000'000, -1, 0, 0});
  }
  ThenPass(object, two[0], two[1]);
  Then(Verb::kDrop, {two[0], object});
  // ... and back to its owner, which has dropped its own.
  if (random_.Percent(50)) ThenPass(object, two[1], two[0]);
  if (random_.Percent(50)) Then(Verb::kDrop, {two[1], object});
  ThenPause();
}

// Tokens that come twice, late, or after they were given up.
void Generator::PlanOldTokens() {
  const std::vector<int64_t> three = Some(3, 0);
  if (three.empty()) return;
  const int64_t object = ThenDeclare(three[0]);
  const int64_t first = ThenPass(object, three[0], three[1]);
  const int64_t second = plan_token_++;
  Then(Verb::kExport, {three[0], object, three[1], second});
  if (random_.Percent(50)) Then(Verb::kImport, {three[1], first});
  Then(Verb::kDrop, {three[1], object});
  ThenPause();
  if (random_.Percent(50)) Then(Verb::kCancel, {three[0], second});
  if (random_.Percent(50)) ThenPause();
  Then(Verb::kImport, {three[1], second});
  Then(Verb::kDrop, {three[1], object});
  Then(Verb::kDrop, {three[0], object});
  ThenPause();
  Then(Verb::kImport, {three[1], first});
  Then(Verb::kImport, {three[1], second});
}

// One that is excluded and does not know it goes on: takes, passes on, drops.
void Generator::PlanSuspect() {
  const std::vector<int64_t> three = Some(3, 0);
  if (three.empty() || !crashes_) return PlanReturn();
  const int64_t object = ThenDeclare(three[0]);
  ThenPass(object, three[0], three[1]);
  if (random_.Percent(50)) ThenPause();
  const int64_t late = plan_token_++;
  if (random_.Percent(50)) Then(Verb::kExport, {three[1], object, three[2], late});
  const int64_t more = plan_token_++;
  Then(Verb::kExport, {three[0], object, three[1], more});
  Then(Verb::kSuspect, {three[1]});
  PaceOf(three[1]) = {90, 2, 40};
  if (random_.Percent(70)) Then(Verb::kImport, {three[2], late});
  ThenPause();
  Then(Verb::kImport, {three[1], more});
  const int64_t after = plan_token_++;
  Then(Verb::kExport, {three[1], object, three[2], after});
  Then(Verb::kImport, {three[2], after});
  Then(Verb::kDrop, {three[0], object});
  Then(Verb::kTick, {20'000'000, -1, 0, 0});
  Then(Verb::kDrop, {three[1], object});
  ThenPause();
}

// An id is read out of a value; the outer reference goes at once.
void Generator::PlanNested() {
  const std::vector<int64_t> three = Some(3, 0);
  if (three.empty()) return;
  const int64_t inner = ThenDeclare(three[0]);
  const int64_t outer = plan_object_++;
  Then(Verb::kDeclareWith, {three[0], outer, inner});
  Then(Verb::kDrop, {three[0], inner});
  ThenPass(outer, three[0], three[1]);
  if (random_.Percent(50)) ThenPause();
  if (random_.Percent(50)) Then(Verb::kDrop, {three[0], outer});
  if (random_.Percent(40)) ThenPass(outer, three[1], three[2]);
  Then(Verb::kReadNested, {three[1], inner, outer});
  Then(Verb::kDrop, {three[1], outer});
  if (random_.Percent(50)) ThenPause();
  if (random_.Percent(40)) ThenPass(inner, three[1], three[2]);
  if (random_.Percent(50)) Then(Verb::kDrop, {three[1], inner});
  Then(Verb::kDrop, {three[0], outer});
  ThenPause();
}

// As above, but the inner object is a third party's, so that the outer one's owner is the sender.
void Generator::PlanForeignNested() {
  const std::vector<int64_t> three = Some(3, 0);
  if (three.empty()) return;
  const int64_t inner = ThenDeclare(three[0]);
  const int64_t outer = plan_object_++;
  ThenPass(inner, three[0], three[1]);
  Then(Verb::kDeclare, {three[1], outer});
  Then(Verb::kNest, {three[1], inner, outer});
  if (random_.Percent(70)) Then(Verb::kDrop, {three[1], inner});
  if (random_.Percent(70)) Then(Verb::kDrop, {three[0], inner});
  ThenPass(outer, three[1], three[2]);
  if (random_.Percent(50)) ThenPause();
  Then(Verb::kReadNested, {three[2], inner, outer});
  if (random_.Percent(50)) Then(Verb::kDrop, {three[2], outer});
  if (random_.Percent(50)) Then(Verb::kDrop, {three[1], outer});
  if (crashes_ && random_.Percent(60)) {
    Then(random_.Percent(50) ? Verb::kCrash : Verb::kExclude, {three[1]});
    Then(Verb::kExclude, {three[1]});
  }
  ThenPause();
  Then(Verb::kDrop, {three[2], outer});
}

// An id is read of an object that has ended, and passed on before the owner has said so.
void Generator::PlanGone() {
  const std::vector<int64_t> three = Some(3, 0);
  const Object* ended = nullptr;
  for (const auto& [number, object] : s_.objects) {
    const bool fits = object.ended && !three.empty() && object.owner != three[1] &&
                      object.generation == 0 && s_.OwnerOf(object).live();
    if (fits && (ended == nullptr || random_.Percent(50))) ended = &object;
  }
  if (ended == nullptr) return PlanNested();
  const int64_t outer = ThenDeclare(three[0]);
  ThenPass(outer, three[0], three[1]);
  Then(Verb::kMisread, {three[1], ended->number, outer});
  if (random_.Percent(50)) {
    Then(Verb::kWatchFailed, {three[1], ended->number, NextNumber(s_.registrations) + 7});
  }
  const int64_t third = ended->owner == three[2] ? three[0] : three[2];
  if (random_.Percent(80)) ThenPass(ended->number, three[1], third);
  if (random_.Percent(50))
    Then(Verb::kWatchFailed, {third, ended->number, NextNumber(s_.registrations) + 9});
  if (random_.Percent(50)) Then(Verb::kDrop, {three[1], ended->number});
  ThenPause();
  Then(Verb::kDrop, {third, ended->number});
  Then(Verb::kDrop, {three[1], outer});
  Then(Verb::kDrop, {three[0], outer});
}

// A Register is under way at a view; the reference is dropped and comes again from a third.
void Generator::PlanThirdParty() {
  const std::vector<int64_t> four = Some(4, 0);
  if (four.empty()) return PlanReturn();
  const int64_t object = ThenDeclare(four[0]);
  ThenPass(object, four[0], four[1]);
  ThenPass(object, four[0], four[3]);
  ThenPause();
  ThenPass(object, four[1], four[2]);
  Then(Verb::kPump, {four[2]});
  if (crashes_ && random_.Percent(60)) {
    Then(Verb::kExclude, {four[1]});
    Then(Verb::kHear, {four[2]});
    Then(Verb::kPump, {four[2]});
  }
  Then(Verb::kTick, {1'000'000, -1, 0, 0});
  Then(Verb::kDrop, {four[2], object});
  ThenPass(object, four[3], four[2]);
  Then(Verb::kDrop, {four[3], object});
  Then(Verb::kDrop, {four[0], object});
  ThenPause();
}

}  // namespace freehold::testing::sim
