// LineageTable: what is true between any two steps.

#include <array>

#include "absl/container/flat_hash_map.h"
#include "src/base/check.h"
#include "src/core/lineage_table.h"

namespace freehold::core {

void LineageTable::CheckInvariants() const {
  size_t kept = 0;
  uint64_t bytes = 0;
  uint64_t away = 0;
  absl::flat_hash_map<uint32_t, std::array<uint32_t, 2>> counts;  // by object
  Places lent_at;
  Places away_at;
  for (uint32_t at = oldest_, older = kNone; at != kNone; older = at, at = tasks_.At(at).next) {
    const Task& task = tasks_.At(at);
    FREEHOLD_CHECK(task.state == State::kKept && task.older == older && FindTask(task.id) == at);
    ++kept;
    bytes += task.bytes;
    uint32_t needed = 0;
    uint32_t lent = 0;
    uint32_t unsettled = 0;
    for (const uint32_t made : task.returns) {
      const Object& object = objects_.At(made);
      if (object.lent_by == at) {
        lent += object.lent == Lent::kOver ? 0 : 1;
        unsettled += object.lent == Lent::kUnsettled ? 1 : 0;
        if (object.lent == Lent::kSettled) lent_at[at].Add(object.lent_to);
        continue;
      }
      FREEHOLD_CHECK(object.task == at && object.made);
      FREEHOLD_CHECK(object.checkpointed || !object.persisted);
      needed += NeedsMaker(object) ? 1 : 0;
    }
    FREEHOLD_CHECK(task.needed == needed && task.lent == lent && needed + lent > 0);
    FREEHOLD_CHECK(task.unsettled == unsettled);
    away += IsAway(task) ? 1 : 0;
    FREEHOLD_CHECK(task.let_go <= task.arguments.size());
    for (size_t i = 0; i < task.arguments.size(); ++i) {
      auto& [dependents, let_go] = counts[task.arguments[i]];
      ++dependents;
      let_go += i < task.let_go ? 1 : 0;
      if (IsAway(task)) away_at[task.arguments[i]].Add(WhereAway(at));
      const Object& argument = objects_.At(task.arguments[i]);
      FREEHOLD_CHECK(FindObject(argument.id) == task.arguments[i]);
      FREEHOLD_CHECK(dependents <= argument.dependents && let_go <= argument.let_go);
    }
  }
  FREEHOLD_CHECK(bytes <= counters_.bytes);  // those of a busy task count too
  FREEHOLD_CHECK(away == counters_.away);
  if (kept != tasks() || !pieces_.empty()) return;
  // Nobody is busy, nothing waits: there is nothing else that counts.
  for (const auto& [object, count] : counts) {
    FREEHOLD_CHECK(count[0] == objects_.At(object).dependents);
    FREEHOLD_CHECK(count[1] == objects_.At(object).let_go);
  }
  FREEHOLD_CHECK(lent_at == lent_at_ && away_at == away_at_);
  FREEHOLD_CHECK(bytes == counters_.bytes);
  FREEHOLD_CHECK(tasks_.in_use() == kept && objects_.in_use() == objects());
}

}  // namespace freehold::core
