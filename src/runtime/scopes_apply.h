// Scopes::Apply, for the files that step its table.

#ifndef FREEHOLD_SRC_RUNTIME_SCOPES_APPLY_H_
#define FREEHOLD_SRC_RUNTIME_SCOPES_APPLY_H_

#include <memory>

#include "src/runtime/counter_impl.h"
#include "src/runtime/scopes.h"

namespace freehold::runtime {

template <typename StepFunction>
core::ScopeVerdict Scopes::Apply(StepFunction step) {
  core::ScopeEffects effects;
  bool must_post = false;
  core::ScopeVerdict verdict;
  {
    internal::MutexLock lock(&mutex_);
    if (closed_) return core::ScopeVerdict::kNotFound;
    verdict = step(table_, &effects);
    if (effects.empty()) return verdict;
    Prepare(&effects, &must_post);
  }
  // An executor that runs callbacks at once may let one of them end the counter.
  const std::shared_ptr<CounterImpl> keep = counter_->shared_from_this();
  Act(&effects, must_post);
  return verdict;
}

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_SCOPES_APPLY_H_
