#include "src/runtime/current_scope.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace freehold::runtime {

thread_local unsigned scopes_bound_here = 0;

namespace {

struct Bound {
  const CounterImpl* counter;
  ScopeId scope;
};

// One entry for each counter that has a scope bound: nearly always none or one.
std::vector<Bound>& Bindings() {
  thread_local std::vector<Bound> bindings;
  return bindings;
}

std::vector<Bound>::iterator Find(const CounterImpl* counter) {
  std::vector<Bound>& all = Bindings();
  return std::find_if(all.begin(), all.end(),
                      [counter](const Bound& bound) { return bound.counter == counter; });
}

}  // namespace

ScopeId FindBoundScope(const CounterImpl* counter) {
  const auto at = Find(counter);
  return at == Bindings().end() ? ScopeId() : at->scope;
}

ScopeId BindScope(const CounterImpl* counter, ScopeId scope) {
  const auto at = Find(counter);
  ScopeId before;
  if (at != Bindings().end()) {
    before = at->scope;
    if (scope.IsNil()) {
      Bindings().erase(at);
    } else {
      at->scope = scope;
    }
  } else if (!scope.IsNil()) {
    Bindings().push_back({counter, scope});
  }
  scopes_bound_here = static_cast<unsigned>(Bindings().size());
  return before;
}

}  // namespace freehold::runtime
