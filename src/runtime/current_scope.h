// Which scope is bound to the calling thread, for each counter.
//
// Thread safety: thread-safe; each thread sees its own. Costs: one thread-local load where nothing
// is bound.

#ifndef FREEHOLD_SRC_RUNTIME_CURRENT_SCOPE_H_
#define FREEHOLD_SRC_RUNTIME_CURRENT_SCOPE_H_

#include "freehold/scope_options.h"

namespace freehold::runtime {

class CounterImpl;

extern thread_local unsigned scopes_bound_here;
ScopeId FindBoundScope(const CounterImpl* counter);

// Nil: none is.
inline ScopeId BoundScope(const CounterImpl* counter) {
  return scopes_bound_here == 0 ? ScopeId() : FindBoundScope(counter);
}
// Nil unbinds. Answers what was bound before.
ScopeId BindScope(const CounterImpl* counter, ScopeId scope);

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_CURRENT_SCOPE_H_
