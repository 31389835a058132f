// A shard: one lock, one table, and the way of its callbacks to the executor.
//
// Callbacks of one object must reach the executor in the order in which the table fired them,
// although several threads step the table and nothing may be posted under the lock. So what fired
// goes to the shard's outbox, and one thread at a time has the posting role: it posts until the
// outbox is empty. The role is taken and given back under the lock; posting happens outside it.
//
// Thread safety: as annotated.

#ifndef FREEHOLD_SRC_RUNTIME_SHARD_H_
#define FREEHOLD_SRC_RUNTIME_SHARD_H_

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "freehold/callback_executor.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"
#include "src/core/object_table.h"

namespace freehold::runtime {

class CounterImpl;

// What the host is to be told, in order of its kind.
struct HostWork {
  std::vector<core::FiredCallback> fired;
  std::vector<core::LocationNotice> notices;
  std::vector<ObjectId> lost;
  std::vector<core::SettledFree> settled;

  bool empty() const { return fired.empty() && notices.empty() && lost.empty() && settled.empty(); }
  uint64_t size() const { return fired.size() + notices.size() + lost.size() + settled.size(); }
  void Clear() {
    fired.clear();
    notices.clear();
    lost.clear();
    settled.clear();
  }
  void Take(core::Effects* effects) {
    fired.insert(fired.end(), effects->fired.begin(), effects->fired.end());
    effects->fired.clear();
    if (effects->rare == nullptr) return;
    Append(&notices, &effects->rare->notices);
    Append(&lost, &effects->rare->lost);
    Append(&settled, &effects->rare->settled);
  }

 private:
  template <typename T>
  static void Append(std::vector<T>* to, std::vector<T>* from) {
    if (from->empty()) return;
    to->insert(to->end(), std::make_move_iterator(from->begin()),
               std::make_move_iterator(from->end()));
    from->clear();
  }
};

// What a step of one shard needs besides its answer.
struct AfterStep {
  core::Effects effects;
  bool must_post = false;  // the posting role of the shard was taken
  std::vector<std::pair<std::unique_ptr<CallbackJob::Body>, int>> told;  // of declarations
};

// How often something was answered, by verdict; kOk is not counted.
using VerdictCounts = std::array<uint64_t, core::kVerdicts>;

struct alignas(128) Shard {
  Shard(CounterImpl* owner, uint32_t shard_number, core::ObjectTable::Config config)
      : number(shard_number), counter(owner), table(WithContext(config, this)) {}

  static Shard* Of(const internal::RefCell* cell) {
    return static_cast<Shard*>(core::RecordSlabs::ContextOf(cell));
  }

  // Calls `visit(table, record)` for the next records under one hold of the lock, ghosts included;
  // answers where to go on, kNoRecord at the end.
  template <typename Visitor>
  core::RecordIndex VisitPiece(core::RecordIndex from, size_t slots_max,
                               Visitor visit) const FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    internal::MutexLock lock(&mutex);
    return table.Visit(from, slots_max,
                       [&](const core::ObjectRecord& record)
                           FREEHOLD_NO_THREAD_SAFETY_ANALYSIS { visit(table, record); });
  }

  // For a quiet step: `step(table)` answers whether it was one. False or null: nothing was changed,
  // and the whole step is to be applied. A lock that is held by somebody is not waited for, so that
  // nothing has to be kept over the wait.
  template <typename StepFunction>
  auto Quietly(StepFunction step) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    if (!mutex.TryLock()) return decltype(step(table)){};
    const auto answer = is_open ? step(table) : decltype(step(table)){};
    mutex.Unlock();
    return answer;
  }
  // The same, but answers Ok, or what `otherwise(held)` does, which calls Unlock(held) and applies
  // the whole step: so nothing is kept over that unlocking either.
  template <typename StepFunction, typename Otherwise>
  __attribute__((always_inline)) absl::Status OkQuietly(StepFunction step, Otherwise otherwise)
      FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    if (!mutex.TryLock()) return otherwise(static_cast<Shard*>(nullptr));
    if (!is_open || !step(table)) return otherwise(this);
    mutex.Unlock();
    return absl::OkStatus();
  }
  static void Unlock(Shard* held) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    if (held != nullptr) held->mutex.Unlock();
  }

  // Answers it.
  core::Verdict Count(core::Verdict verdict) FREEHOLD_REQUIRES(mutex) {
    if (verdict != core::Verdict::kOk) ++verdicts[static_cast<size_t>(verdict)];
    return verdict;
  }

  mutable internal::Mutex mutex;  // first: what is at the address itself needs none computed
  // Constant after construction.
  const uint32_t number;
  CounterImpl* const counter;

  core::ObjectTable table FREEHOLD_GUARDED_BY(mutex);
  // Cells with handles plus task references: what points into the table from outside.
  uint64_t outstanding FREEHOLD_GUARDED_BY(mutex) = 0;
  // The counter takes calls. Looked at by quiet steps instead of at the counter.
  bool is_open FREEHOLD_GUARDED_BY(mutex) = true;
  // The counter has ended; handles still let go, nothing else happens.
  bool closed FREEHOLD_GUARDED_BY(mutex) = false;
  bool draining FREEHOLD_GUARDED_BY(mutex) = false;       // nothing is declared any more
  uint64_t registrations FREEHOLD_GUARDED_BY(mutex) = 0;  // ever made; numbers them
  HostWork outbox FREEHOLD_GUARDED_BY(mutex);
  // Who waits to hear how a declaration for another process ended.
  absl::btree_map<ObjectId, std::unique_ptr<CallbackJob::Body>> declarations
      FREEHOLD_GUARDED_BY(mutex);
  VerdictCounts verdicts FREEHOLD_GUARDED_BY(mutex) = {};
  bool posting FREEHOLD_GUARDED_BY(mutex) = false;

 private:
  static core::ObjectTable::Config WithContext(core::ObjectTable::Config config, Shard* shard) {
    config.context = shard;
    return config;
  }
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_SHARD_H_
