#include "src/testing/sim_uses.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "freehold/scope.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_streams.h"

namespace freehold::testing::sim {

namespace {

// Which scopes, and which of their uses, may be part of what is looked for.
enum class Which : uint8_t { kAll, kEnded, kLeft };

using ScopeSet = std::set<int64_t>;

bool Counts(const State& state, int64_t scope, Which which) {
  return which == Which::kAll || !ScopeRuns(state, scope);
}

// The scope uses something of that one.
bool Uses(const State& state, const SimScope& user, int64_t scope, Which which) {
  return std::any_of(user.uses.begin(), user.uses.end(), [&](int64_t object) {
    const bool counts = which != Which::kLeft || user.let_go.count(object) == 0;
    return counts && state.objects.at(object).scope == scope;
  });
}

// The scopes that it waits for, directly or through others; with `parts`, in other processes too.
ScopeSet AwaitedBy(const State& state, int64_t scope, Which which, bool parts = false) {
  ScopeSet seen;
  std::vector<int64_t> open = {scope};
  while (!open.empty()) {
    const int64_t at = open.back();
    open.pop_back();
    for (const auto& [number, other] : state.scopes) {
      const bool inside = other.parent == at || (parts && other.part_of == at);
      if (!inside && !Uses(state, other, at, which)) continue;
      if (Counts(state, number, which) && seen.insert(number).second) open.push_back(number);
    }
  }
  return seen;
}

// The scopes with which it waits in a ring; empty: there is none.
ScopeSet RingOf(const State& state, int64_t scope, Which which) {
  if (scope == 0 || !Counts(state, scope, which)) return {};
  ScopeSet ring = AwaitedBy(state, scope, which);
  if (ring.count(scope) == 0) return {};
  for (auto at = ring.begin(); at != ring.end();) {
    at = AwaitedBy(state, *at, which).count(scope) > 0 ? std::next(at) : ring.erase(at);
  }
  return ring;
}

// It ends when its host says so, alone.
bool EndsAtOnce(const State& state, int64_t number) {
  const SimScope& scope = state.scopes.at(number);
  return scope.parent == 0 && scope.part_of == 0 && scope.deadline == kInfiniteFuture &&
         std::none_of(state.scopes.begin(), state.scopes.end(),
                      [number](const auto& other) { return other.second.parent == number; });
}

// Others end in an order that only the library knows, and so close smaller rings first, or not.
bool EndAtOnce(const State& state, const ScopeSet& ring) {
  return std::all_of(ring.begin(), ring.end(),
                     [&state](int64_t scope) { return EndsAtOnce(state, scope); });
}

enum class Use : uint8_t { kNone, kPerhaps, kLasts };

// Of an object by a scope that has ended, as far as rings go, and what has come into it since.
Use UseOf(const State& state, int64_t user, const Object& object) {
  const SimScope& scope = state.scopes.at(user);
  if (scope.let_go.count(object.number) > 0) return Use::kNone;
  if (scope.let_go_perhaps.count(object.number) > 0) return Use::kPerhaps;
  const ScopeSet ring = RingOf(state, user, Which::kEnded);
  if (ring.count(object.scope) == 0 || EndAtOnce(state, ring)) return Use::kLasts;
  return Use::kPerhaps;
}

// If the scope was the last one in a ring to end, what they use of each other is let go of.
void CloseRing(State* state, int64_t scope) {
  const ScopeSet ring = RingOf(*state, scope, Which::kLeft);
  if (!EndAtOnce(*state, ring)) return;
  for (const int64_t number : ring) {
    SimScope& user = state->scopes.at(number);
    for (const int64_t used : user.uses) {
      if (ring.count(state->object(used)->scope) > 0) user.let_go.insert(used);
    }
  }
}

// What is left when every scope has ended and nobody holds anything: taken away piece by piece.
class Ending {
 public:
  explicit Ending(const State& state) : s_(state) {
    for (const auto& [number, object] : s_.objects) {
      if (!object.ended) objects_.insert(number);
    }
    for (const auto& [number, scope] : s_.scopes) {
      scopes_.insert(number);
      for (const int64_t used : scope.uses) {
        if (objects_.count(used) > 0) uses_.insert({used, number});
      }
    }
  }

  // What is left waits in rings. Those of one process end.
  bool EndsAll() {
    while (TakeObjects() || TakeScopes()) {
    }
    while (LeaveOutObjects() || LeaveOutScopes()) {
    }
    return std::none_of(objects_.begin(), objects_.end(),
                        [this](int64_t object) { return IsInObject(s_.objects.at(object)); }) &&
           std::none_of(scopes_.begin(), scopes_.end(), [this](int64_t scope) {
             return scopes_.count(s_.scopes.at(scope).part_of) > 0;
           });
  }

 private:
  bool IsInObject(const Object& object) const {
    return objects_.count(object.stream) > 0 ||
           std::any_of(object.outers.begin(), object.outers.end(),
                       [this](int64_t outer) { return objects_.count(outer) > 0; });
  }
  bool IsUsed(int64_t object) const {
    const auto use = uses_.lower_bound({object, 0});
    return use != uses_.end() && use->first == object;
  }
  bool HasObjects(int64_t scope) const {
    return std::any_of(objects_.begin(), objects_.end(),
                       [&](int64_t object) { return s_.objects.at(object).scope == scope; });
  }

  bool TakeObjects() {
    const size_t before = objects_.size();
    for (auto at = objects_.begin(); at != objects_.end();) {
      const bool held = IsUsed(*at) || IsInObject(s_.objects.at(*at));
      at = held ? std::next(at) : objects_.erase(at);
    }
    return objects_.size() < before;
  }

  // One that waits for other processes alone lets go of what it uses.
  bool TakeScopes() {
    const size_t before = scopes_.size() + uses_.size();
    for (auto at = scopes_.begin(); at != scopes_.end();) {
      const int64_t number = *at;
      bool has_inner = HasObjects(number);
      bool has_parts = false;
      for (const int64_t other : scopes_) {
        has_inner = has_inner || s_.scopes.at(other).parent == number;
        has_parts = has_parts || s_.scopes.at(other).part_of == number;
      }
      if (!has_inner) DropUses(number);
      at = has_inner || has_parts ? std::next(at) : scopes_.erase(at);
    }
    return scopes_.size() + uses_.size() < before;
  }

  void DropUses(int64_t scope) {
    for (auto use = uses_.begin(); use != uses_.end();) {
      use = use->second == scope ? uses_.erase(use) : std::next(use);
    }
  }

  // What nothing waits for is in no ring, but behind one.
  bool LeaveOutObjects() {
    const size_t before = objects_.size();
    for (auto at = objects_.begin(); at != objects_.end();) {
      const bool awaited =
          scopes_.count(s_.objects.at(*at).scope) > 0 ||
          std::any_of(objects_.begin(), objects_.end(), [&](int64_t other) {
            const Object& inner = s_.objects.at(other);
            return inner.stream == *at || std::count(inner.outers.begin(), inner.outers.end(), *at);
          });
      at = awaited ? std::next(at) : objects_.erase(at);
    }
    return objects_.size() < before;
  }

  bool LeaveOutScopes() {
    const size_t before = scopes_.size();
    for (auto at = scopes_.begin(); at != scopes_.end();) {
      const SimScope& scope = s_.scopes.at(*at);
      const bool awaited = scopes_.count(scope.parent) > 0 || scopes_.count(scope.part_of) > 0 ||
                           std::any_of(uses_.begin(), uses_.end(), [&](const auto& use) {
                             return use.second == *at && objects_.count(use.first) > 0;
                           });
      at = awaited ? std::next(at) : scopes_.erase(at);
    }
    return scopes_.size() < before;
  }

  const State& s_;
  std::set<int64_t> objects_;
  ScopeSet scopes_;
  std::set<std::pair<int64_t, int64_t>> uses_;  // object, scope
};

void CountRing(State* state, int64_t user, const Object& object) {
  if (object.scope == 0) return;
  if (object.scope == user) {
    state->coverage.Count("a scope uses its own");
  } else if (AwaitedBy(*state, user, Which::kAll).count(object.scope) > 0) {
    state->coverage.Count("scopes use each other's");
  } else if (AwaitedBy(*state, user, Which::kAll, /*parts=*/true).count(object.scope) > 0) {
    state->coverage.Count("scopes use each other's across processes");
  }
}

}  // namespace

bool ActUse(Oracle* oracle, State* state, Process* process, const Action& action) {
  Object* object = state->object(action.numbers[1]);
  const auto found = state->scopes.find(action.numbers[2]);
  if (object == nullptr || found == state->scopes.end()) return false;
  SimScope& scope = found->second;
  if (scope.process != process->end || object->owner != process->end) return false;
  if (object->ended || !oracle->Held(*object)) return false;
  const bool runs = ScopeRuns(*state, found->first);
  // Others may end by themselves, or in pieces.
  if (!runs && (!scope.ended || scope.parent != 0 || scope.part_of != 0)) return false;
  const bool again = std::count(scope.uses.begin(), scope.uses.end(), object->number) > 0;
  if (runs && !again) {
    scope.uses.push_back(object->number);
    if (WouldStick(*state)) {
      scope.uses.pop_back();
      state->coverage.Count("a use that would never end is not made");
      return false;
    }
    object->users.push_back(found->first);
    if (MayEndAnyTime(*state, found->first)) oracle->MakeInexact(object);
    CountRing(state, found->first, *object);
  }
  absl::StatusOr<Scope> handle = process->counter->FindScope(scope.id);
  oracle->Expect(handle.ok() || !runs, "a scope that runs is unknown", handle.status().ToString());
  if (!handle.ok()) return true;
  const BatchResult result = handle->Use({object->id});
  oracle->Expect(result.ok() == runs, "a use is answered wrongly",
                 NameOf(*object) + ", " +
                     (result.ok() ? std::string() : result.failures[0].status.ToString()));
  state->coverage.Count(!runs   ? "scope uses after its end"
                        : again ? "scope uses again"
                                : "scope uses");
  return true;
}

void EndUses(Oracle* oracle, State* state, int64_t scope) {
  for (const int64_t number : state->scopes.at(scope).uses)
    oracle->MakeInexact(state->object(number));
  CloseRing(state, scope);
  if (!RingOf(*state, scope, Which::kEnded).empty()) {
    state->coverage.Count("a ring of scopes has ended");
  }
  for (const auto& [number, object] : state->objects) {
    const bool outlives = object.scope == scope && !object.ended &&
                          std::any_of(object.users.begin(), object.users.end(),
                                      [&](int64_t user) { return ScopeRuns(*state, user); });
    if (outlives) state->coverage.Count("what a scope uses outlives its own");
  }
}

bool IsInReadersHands(const State& state, const Object& object) {
  const auto of_it = [&](const auto& move) { return move.second.object == object.number; };
  return std::any_of(state.fetches.begin(), state.fetches.end(),
                     [&](const auto& fetch) { return fetch[1] == object.number; }) ||
         std::any_of(state.readers.begin(), state.readers.end(),
                     [&](const auto& reader) { return reader.second.key.first == object.id; }) ||
         std::any_of(state.moves.begin(), state.moves.end(), of_it);
}

bool WouldStick(const State& state) {
  const bool any = std::any_of(state.scopes.begin(), state.scopes.end(),
                               [](const auto& scope) { return !scope.second.uses.empty(); });
  return any && !Ending(state).EndsAll();
}

// --- What the oracle says ------------------------------------------------------------------------

bool Oracle::IsUsed(const Object& object) const {
  return object.used_perhaps > 0 || CountUsers(object) > 0;
}

uint64_t Oracle::CountUsers(const Object& object) const {
  return object.used_perhaps + CountUsers(object, /*perhaps=*/false);
}

uint64_t Oracle::CountUsers(const Object& object, bool perhaps) const {
  return static_cast<uint64_t>(
      std::count_if(object.users.begin(), object.users.end(), [&](int64_t user) {
        if (s_.process(s_.scopes.at(user).process)->crashed) return false;
        if (ScopeRuns(s_, user)) return !perhaps;
        return UseOf(s_, user, object) == (perhaps ? Use::kPerhaps : Use::kLasts) &&
               IsWaiting(user);
      }));
}

// Something of its own process is in its way. Whatever depends on itself alone is.
bool Oracle::IsWaiting(int64_t scope) const {
  const SimScope& itself = s_.scopes.at(scope);
  if (itself.lingers || std::count(asked_.begin(), asked_.end(), scope) > 0) return true;
  asked_.push_back(scope);
  bool waits = false;
  for (auto at = s_.objects.begin(); !waits && at != s_.objects.end(); ++at) {
    const Object& object = at->second;
    waits =
        object.scope == scope && object.owner == itself.process && !object.ended && Held(object);
  }
  for (auto at = s_.scopes.begin(); !waits && at != s_.scopes.end(); ++at) {
    waits = at->second.parent == scope && !IsDone(at->first);
  }
  asked_.pop_back();
  return waits;
}

void Oracle::SeeUsesLetGo(int64_t scope) {
  for (int64_t at = scope; at != 0; at = s_.scopes.at(at).parent) {
    SimScope& around = s_.scopes.at(at);
    if (around.uses.empty() || ScopeRuns(s_, at) || IsWaiting(at)) continue;
    // What comes may have come before its process heard of the end.
    ScopeSet& let_go = MayEndAnyTime(s_, at) ? around.let_go_perhaps : around.let_go;
    let_go.insert(around.uses.begin(), around.uses.end());
  }
}

// Which processes a scope knows to have joined it is known at rest only.
bool Oracle::IsDone(int64_t scope) const {
  if (ScopeRuns(s_, scope) || IsWaiting(scope)) return false;
  return std::none_of(s_.scopes.begin(), s_.scopes.end(), [&](const auto& other) {
    const SimScope& part = other.second;
    const bool is_late = s_.scopes.at(scope).came_late.count(part.process) > 0;
    return at_rest_ && part.part_of == scope && !is_late && s_.process(part.process)->live() &&
           !IsDone(other.first);
  });
}

// --- At rest -------------------------------------------------------------------------------------

// What only the library knows, or the nodes: it must be something that may be.
void Oracle::BeginRest() {
  at_rest_ = true;
  for (auto& [number, scope] : s_.scopes) {
    const Process& process = *s_.process(scope.process);
    if (!process.live() || ScopeRuns(s_, number)) continue;
    // A file that nobody is known to delete is in its way, too.
    const bool no_agent = process.counter->GetStats().files_without_agent > 0;
    const bool may =
        std::any_of(s_.objects.begin(), s_.objects.end(), [&, in = number](const auto& object) {
          return object.second.scope == in && (IsInReadersHands(s_, object.second) ||
                                               (no_agent && object.second.was_in_shared_file));
        });
    const absl::StatusOr<Scope> handle = process.counter->FindScope(scope.id);
    if (may && handle.ok()) scope.lingers = handle->GetStatus()->usage.objects > 0;
  }
  for (bool more = true; more;) {
    more = false;
    for (auto& [number, object] : s_.objects) {
      if (object.users.empty() || object.ended || !s_.OwnerOf(object).live()) continue;
      const uint64_t most = CountUsers(object, /*perhaps=*/true);
      const auto counts = s_.OwnerOf(object).counter->GetCounts(object.id);
      if (most == object.used_perhaps || !counts.ok()) continue;
      const uint64_t known = CountOuters(object) + CountUsers(object);
      const uint64_t more_known = counts->nested_in > known ? counts->nested_in - known : 0;
      const uint64_t adopted = std::min(most, object.used_perhaps + more_known);
      more = more || adopted != object.used_perhaps;
      object.used_perhaps = adopted;
      s_.coverage.Count("a use in a larger ring is left");
    }
  }
}

void Oracle::EndRest() {
  at_rest_ = false;
  for (auto& [number, scope] : s_.scopes) scope.lingers = false;
  for (auto& [number, object] : s_.objects) object.used_perhaps = 0;
}

void Oracle::LookAtUses() {
  // A file of one of a scope's objects may wait for an agent, here or where it has a part.
  const bool files_wait =
      std::any_of(s_.processes.begin(), s_.processes.end(), [](const auto& process) {
        return process->live() && process->counter->GetStats().files_without_agent > 0;
      });
  for (const auto& [number, scope] : s_.scopes) {
    const Process& process = *s_.process(scope.process);
    if (!process.live()) continue;
    const bool is_done = IsDone(number);
    if (is_done && files_wait) continue;
    Expect(process.counter->FindScope(scope.id).ok() != is_done,
           is_done ? "L6: a scope is not done although nothing of it is left"
                   : "a scope is done although something of it is left",
           Format("S of P", {number, scope.process}));
  }
}

}  // namespace freehold::testing::sim
