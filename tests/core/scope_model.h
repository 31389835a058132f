// A naive account of scopes and their objects, to hold the real ones against: sets, and the words
// of scope.h.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_SCOPE_MODEL_H_
#define FREEHOLD_TESTS_CORE_SCOPE_MODEL_H_

#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace freehold::core {

struct ScopeModelObject {
  uint64_t scope = 0;  // 0: the root
  bool held = false;   // by its scope
  bool handle = true;
  std::set<uint64_t> users;  // scopes
  int copies = 0;
  int64_t size = 0;
  bool alive() const { return held || handle || !users.empty(); }
};

struct ScopeModelScope {
  uint64_t parent = 0;
  bool hold = false;
  bool ended = false;
  bool forced = false;
};

class ScopeAccount {
 public:
  // What is not alive any more goes; a scope that ended and has nothing left is done.
  void Settle() {
    for (bool changed = true; changed;) {
      changed = false;
      for (auto at = objects.begin(); at != objects.end();) {
        const bool gone = !at->second.alive();
        changed |= gone;
        at = gone ? objects.erase(at) : std::next(at);
      }
      for (auto at = scopes.begin(); at != scopes.end();) {
        const bool done = IsDone(at->first);
        changed |= done;
        if (done) {
          for (auto& [number, object] : objects) object.users.erase(at->first);
        }
        at = done ? scopes.erase(at) : std::next(at);
      }
      changed |= BreakRings();
    }
  }
  bool IsDone(uint64_t id) const {
    if (!scopes.at(id).ended) return false;
    for (const auto& [number, object] : objects) {
      if (object.scope == id) return false;
    }
    for (const auto& [other, scope] : scopes) {
      if (scope.parent == id) return false;
    }
    return true;
  }
  std::set<uint64_t> WaitsFor(uint64_t id) const {
    std::set<uint64_t> awaited;
    for (const auto& [other, scope] : scopes) {
      if (scope.parent == id) awaited.insert(other);
    }
    for (const auto& [number, object] : objects) {
      if (object.scope == id) awaited.insert(object.users.begin(), object.users.end());
    }
    return awaited;
  }
  // Over scopes that have ended only.
  bool Reaches(uint64_t from, uint64_t to) const {
    std::set<uint64_t> seen;
    std::vector<uint64_t> open = {from};
    while (!open.empty()) {
      const uint64_t at = open.back();
      open.pop_back();
      for (const uint64_t next : WaitsFor(at)) {
        if (!scopes.at(next).ended || !seen.insert(next).second) continue;
        if (next == to) return true;
        open.push_back(next);
      }
    }
    return false;
  }
  bool BreakRings() {
    std::vector<std::pair<uint64_t, uint64_t>> drop;  // object, user
    for (const auto& [number, object] : objects) {
      for (const uint64_t user : object.users) {
        if (object.scope == 0 || !scopes.at(user).ended || !scopes.at(object.scope).ended) continue;
        if (Reaches(user, object.scope) && Reaches(object.scope, user)) {
          drop.emplace_back(number, user);
        }
      }
    }
    for (const auto& [number, user] : drop) objects.at(number).users.erase(user);
    return !drop.empty();
  }
  // Scopes one by one, from the outside in: each may close a ring.
  void End(uint64_t id, bool forced) {
    std::deque<uint64_t> open = {id};
    for (; !open.empty(); open.pop_front()) {
      if (!EndOne(open.front(), forced)) continue;
      (void)BreakRings();
      for (const auto& [inner, other] : scopes) {
        if (other.parent == open.front()) open.push_back(inner);
      }
    }
  }
  bool EndOne(uint64_t id, bool forced) {
    ScopeModelScope& scope = scopes.at(id);
    if (scope.ended && (scope.forced || !forced)) return false;
    scope.ended = true;
    scope.forced = forced;
    for (auto& [number, object] : objects) {
      if (object.scope != id) continue;
      object.held = false;
      if (forced) object.copies = 0;
    }
    return true;
  }
  uint64_t KeeperOf(uint64_t id) const {
    uint64_t at = scopes.at(id).parent;
    while (at != 0 && scopes.at(at).ended) at = scopes.at(at).parent;
    return at;
  }

  std::map<uint64_t, ScopeModelObject> objects;
  std::map<uint64_t, ScopeModelScope> scopes;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_SCOPE_MODEL_H_
