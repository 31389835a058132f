// GeneratorTable: what open generators have yielded and nobody has taken, oldest first.
//
// Each object is held by a count of `nested_in`, like an inner object; whoever takes a hold out of
// this table owns it.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_GENERATOR_TABLE_H_
#define FREEHOLD_SRC_CORE_GENERATOR_TABLE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "freehold/ids.h"
#include "src/base/mutant.h"
#include "src/core/inner_list.h"

namespace freehold::core {

class GeneratorTable {
 public:
  using Holds = std::deque<InnerRef>;

  // False: it is open already.
  bool Open(const ObjectId& generator, const TaskId& task) {
    return generators_.try_emplace(generator, Generator{task, {}}).second;
  }
  // The task of one that is open; nil: it has none.
  std::optional<TaskId> TaskOf(const ObjectId& generator) const {
    const auto found = generators_.find(generator);
    if (found == generators_.end()) return std::nullopt;
    return found->second.task;
  }
  // False: it is not open, and the hold is still the caller's.
  bool Add(const ObjectId& generator, const InnerRef& hold) {
    const auto found = generators_.find(generator);
    if (found == generators_.end()) return false;
    found->second.holds.push_back(hold);
    ++yielded_;
    return true;
  }
  std::optional<InnerRef> Take(const ObjectId& generator) {
    const auto found = generators_.find(generator);
    if (found == generators_.end() || found->second.holds.empty()) return std::nullopt;
    Holds& holds = found->second.holds;
    if (internal::IsMutant(internal::Mutant::kTakenLatestFirst))
      std::swap(holds.front(), holds.back());
    const InnerRef hold = holds.front();
    holds.pop_front();
    --yielded_;
    return hold;
  }
  // What nobody took.
  Holds End(const ObjectId& generator) {
    const auto found = generators_.find(generator);
    if (found == generators_.end()) return {};
    Holds left = std::move(found->second.holds);
    yielded_ -= left.size();
    if (!internal::IsMutant(internal::Mutant::kYieldedAfterTheEnd)) generators_.erase(found);
    return left;
  }
  size_t CountYielded(const ObjectId& generator) const {
    const auto found = generators_.find(generator);
    return found == generators_.end() ? 0 : found->second.holds.size();
  }
  size_t size() const { return generators_.size(); }
  size_t yielded() const { return yielded_; }

 private:
  struct Generator {
    TaskId task;
    Holds holds;
  };
  absl::flat_hash_map<ObjectId, Generator> generators_;  // only asked, never iterated
  size_t yielded_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_GENERATOR_TABLE_H_
