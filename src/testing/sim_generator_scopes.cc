// What the generator draws of scopes: single actions, and plans in which scopes use each other's
// objects (PROTOCOL.md, "Uses"), in one process and with parts in others.

#include <algorithm>

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

namespace {

constexpr std::pair<Verb, uint64_t> kScopeWeights[] = {
    {Verb::kScopeUse, 5},
    {Verb::kScopeCancel, 1},
    {Verb::kMemberAdd, 4},
    {Verb::kMemberRemove, 1},
};

}  // namespace

void Generator::WeighScopes() {
  for (const auto& [verb, weight] : kScopeWeights) {
    if (!random_.Percent(15)) Weigh(verb, weight);
  }
}

// An object of that process, if possible one that is in a scope.
int64_t Generator::AnyInScope(int64_t process) {
  const Object* object = nullptr;
  for (int attempt = 0; attempt < 4 && (object == nullptr || object->scope == 0); ++attempt) {
    object = AnyObjectOf(process);
  }
  return object == nullptr ? 0 : object->number;
}

Action Generator::DrawScope(Verb verb) {
  const int64_t scope =
      std::max<int64_t>(AnyNumber(s_.scopes), 0);  // a part that a host has joined
  const int64_t process = scope == 0 ? AnyProcess() : s_.scopes.find(scope)->second.process;
  const int64_t next = NextNumber(s_.scopes);
  switch (verb) {
    case Verb::kScope:
      return {verb, {AnyProcess(), next}};
    case Verb::kScopeIn:
      return {verb, {process, next, scope}};
    case Verb::kScopeFor:
      return {verb, {AnyProcess(), next, static_cast<int64_t>(1 + random_.Below(400)) * 1'000'000}};
    case Verb::kDeclareIn:
      return {verb, {process, NextNumber(s_.objects), scope}};
    case Verb::kDeclareOnIn:
      return {verb, {process, NextNumber(s_.objects), AnyNode(), scope}};
    case Verb::kKeep:
    case Verb::kMoveTo: {
      const Object* object = AnyObjectOf(process);
      return {verb, {process, object == nullptr ? 0 : object->number, scope}};
    }
    case Verb::kScopeUse:
      return {verb, {process, AnyInScope(process), scope}};
    case Verb::kMemberAdd:
      return {verb, {process, NextNumber(s_.members), scope}};
    case Verb::kMemberRemove: {
      const int64_t member = AnyNumber(s_.members);
      if (member == 0) return {verb, {process}};
      const int64_t in = s_.members.find(member)->second.scope;
      return {verb, {s_.scopes.find(in)->second.process, member}};
    }
    case Verb::kScopeShare:
      return {verb, {process, scope, AnyProcess()}};
    case Verb::kScopeJoin: {
      if (scope == 0) return {verb, {process}};
      const auto& tokens = s_.scopes.find(scope)->second.tokens;
      if (tokens.empty()) return {verb, {process}};
      auto token = tokens.begin();
      std::advance(token, static_cast<ptrdiff_t>(random_.Below(tokens.size())));
      return {verb, {token->first, scope, next}};
    }
    default:
      return {verb, {process, scope}};
  }
}

// --- Plans ---------------------------------------------------------------------------------------

void Generator::PlanScopes() {
  plan_scope_ = NextNumber(s_.scopes) + 7;
  switch (random_.Below(6)) {
    case 0:
      return PlanSharedUses();
    case 1:
      return PlanStreamInScope();
    case 2:
      return PlanStreamOfTask();
    default:
      return PlanUses();
  }
}

// A scope with an object; whoever declared that lets go of it, perhaps later.
std::pair<int64_t, int64_t> Generator::ThenScope(int64_t process, int64_t around) {
  const int64_t scope = plan_scope_++;
  if (around != 0) {
    Then(Verb::kScopeIn, {process, scope, around});
  } else {
    Then(Verb::kScope, {process, scope});
  }
  return {scope, ThenDeclareIn(process, scope)};
}

int64_t Generator::ThenDeclareIn(int64_t process, int64_t scope) {
  const int64_t object = plan_object_++;
  Then(Verb::kDeclareOnIn, {process, object, AnyNode(), scope});
  return object;
}

// Scopes in a row of which each uses an object of the next one, and the last one perhaps of the
// first; they end in any order.
void Generator::PlanUses() {
  const int64_t process = AnyProcess();
  if (process == 0) return;
  std::vector<int64_t> scopes;
  std::vector<int64_t> objects;
  for (uint64_t count = 1 + random_.Below(3); count > 0; --count) {
    const int64_t around = scopes.empty() || random_.Percent(70) ? 0 : scopes.back();
    const auto [scope, object] = ThenScope(process, around);
    scopes.push_back(scope);
    objects.push_back(object);
  }
  for (size_t i = 0; i < scopes.size(); ++i) {
    if (i + 1 == scopes.size() && random_.Percent(30)) break;
    Then(Verb::kScopeUse, {process, objects[(i + 1) % objects.size()], scopes[i]});
  }
  for (const int64_t object : objects) {
    if (random_.Percent(85)) Then(Verb::kDrop, {process, object});
  }
  if (random_.Percent(25)) Then(Verb::kMoveTo, {process, objects.front(), scopes.back()});
  if (random_.Percent(50)) ThenPause();
  if (random_.Percent(50)) std::reverse(scopes.begin(), scopes.end());
  for (const int64_t scope : scopes) {
    Then(Verb::kScopeEnd, {process, scope});
    if (random_.Percent(60)) ThenPause();
  }
  for (const int64_t object : objects) Then(Verb::kDrop, {process, object});
}

// A scope of each of two processes, joined by the other one: each scope uses an object of the part
// beside it, or the part one of the scope.
void Generator::PlanSharedUses() {
  const std::vector<int64_t> two = Some(2, 0);
  if (two.empty()) return PlanUses();
  int64_t scopes[2];
  int64_t parts[2];
  int64_t objects[2];
  for (size_t i = 0; i < 2; ++i) {
    scopes[i] = plan_scope_++;
    Then(Verb::kScope, {two[i], scopes[i]});
  }
  for (size_t i = 0; i < 2; ++i) {
    parts[i] = plan_scope_++;
    Then(Verb::kScopeShare, {two[1 - i], scopes[1 - i], two[i]});
    Then(Verb::kScopeJoin, {two[i], scopes[1 - i], parts[i]});
  }
  for (size_t i = 0; i < 2; ++i) {
    // The whole uses what is in the part beside it; or sometimes the part what is in the whole.
    const bool whole = random_.Percent(70);
    objects[i] = ThenDeclareIn(two[i], whole ? parts[i] : scopes[i]);
    Then(Verb::kScopeUse, {two[i], objects[i], whole ? scopes[i] : parts[i]});
    if (random_.Percent(30)) {
      const int64_t own = ThenDeclareIn(two[i], scopes[i]);
      Then(Verb::kScopeUse, {two[i], own, parts[i]});
      Then(Verb::kDrop, {two[i], own});
    }
    if (random_.Percent(85)) Then(Verb::kDrop, {two[i], objects[i]});
  }
  ThenPause();
  for (size_t i = 0; i < 2; ++i) {
    Then(Verb::kScopeEnd, {two[i], scopes[i]});
    if (random_.Percent(60)) ThenPause();
  }
  if (crashes_ && random_.Percent(15)) ThenEnd(two[random_.Below(2)]);
  for (size_t i = 0; i < 2; ++i) Then(Verb::kDrop, {two[i], objects[i]});
}

// A generator whose scope ends while it yields; perhaps somebody else holds it, or a scope uses it.
void Generator::PlanStreamInScope() {
  const int64_t process = AnyProcess();
  const int64_t node = AnyNode();
  if (process == 0 || node == 0) return PlanUses();
  const int64_t scope = plan_scope_++;
  const int64_t stream = plan_object_++;
  Then(Verb::kScope, {process, scope});
  Then(Verb::kDeclareIn, {process, stream, scope});
  Then(Verb::kStream, {process, stream});
  const bool used = random_.Percent(30);
  const int64_t user = plan_scope_++;
  if (used) {
    Then(Verb::kScope, {process, user});
    Then(Verb::kScopeUse, {process, stream, user});
  }
  const uint64_t count = 3 + random_.Below(3);
  const uint64_t ends_after = random_.Below(count);
  if (random_.Percent(60)) Then(Verb::kDrop, {process, stream});
  for (uint64_t yields = 0; yields < count; ++yields) {
    Then(Verb::kYieldOn, {process, plan_object_++, node, stream});
    if (random_.Percent(30)) Then(Verb::kTake, {process, stream});
    if (random_.Percent(25)) ThenPause();
    if (yields == ends_after) Then(Verb::kScopeEnd, {process, scope});
  }
  if (random_.Percent(30)) Then(Verb::kStreamFail, {process, stream});
  if (used) Then(Verb::kScopeEnd, {process, user});
  Then(Verb::kDrop, {process, stream});
}

// A generator that a recorded task returned: what it yielded is made again with it, also as an
// argument that nobody refers to any more.
void Generator::PlanStreamOfTask() {
  const int64_t process = AnyProcess();
  const int64_t node = AnyNode();
  if (process == 0 || node == 0) return PlanUses();
  const int64_t argument = ThenDeclare(process);
  const int64_t stream = plan_object_++;
  Then(Verb::kDeclare, {process, stream});
  Then(Verb::kMake, {process, stream, argument});
  Then(Verb::kStream, {process, stream});
  std::vector<int64_t> yielded;
  for (uint64_t count = 2 + random_.Below(3); count > 0; --count) {
    yielded.push_back(plan_object_);
    Then(Verb::kYieldOn, {process, plan_object_++, node, stream});
    if (random_.Percent(50)) Then(Verb::kTake, {process, stream});
  }
  const int64_t last = plan_object_++;
  Then(Verb::kDeclareOn, {process, last, node});
  Then(Verb::kMake, {process, last, yielded.front()});
  if (random_.Percent(50)) ThenPause();
  if (random_.Percent(60)) Then(Verb::kFree, {process, yielded.back()});
  if (random_.Percent(50)) Then(Verb::kTake, {process, stream});
  if (random_.Percent(60)) Then(Verb::kDrop, {process, stream});
  if (random_.Percent(60)) Then(Verb::kDrop, {process, yielded.front()});
  if (random_.Percent(40)) ThenPause();
  const int64_t task = NextNumber(s_.tasks) + 7;
  if (random_.Percent(60)) Then(Verb::kRemake, {process, last, task});
  Then(Verb::kRemake, {process, yielded.front(), task + 1});
  if (random_.Percent(50)) Then(Verb::kStorePrimary, {node, yielded.front(), 1});
  Then(Verb::kRemake, {process, yielded.back(), task + 2});
  if (random_.Percent(40)) Then(Verb::kStreamFail, {process, stream});
  if (random_.Percent(50)) ThenPause();
  for (int64_t ends = task; ends < task + 3; ++ends) Then(Verb::kEnd, {process, ends});
  if (random_.Percent(50)) Then(Verb::kDrop, {process, last});
}

}  // namespace freehold::testing::sim
