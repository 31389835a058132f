// GeneratorKeeper: the shell around the GeneratorTable — its lock, and its way to the shards.
//
// A generator is marked in its shard like an object with lineage, so that its end is told here,
// after the shard's lock was released. The lock here and any other are never held together.
//
// Thread safety: thread-safe. Ownership: part of its LineageKeeper.

#ifndef FREEHOLD_SRC_RUNTIME_GENERATOR_KEEPER_H_
#define FREEHOLD_SRC_RUNTIME_GENERATOR_KEEPER_H_

#include <atomic>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/ids.h"
#include "freehold/object_ref.h"
#include "freehold/stats.h"
#include "src/base/mutex.h"
#include "src/core/generator_table.h"

namespace freehold::runtime {

class CounterImpl;

class GeneratorKeeper {
 public:
  explicit GeneratorKeeper(CounterImpl* counter) : counter_(counter) {}

  // As in freehold/generator.h.
  absl::Status Open(const ObjectId& generator, const TaskId& task);
  absl::StatusOr<ObjectRef> Take(const ObjectId& generator);
  size_t CountYielded(const ObjectId& generator) const;
  absl::Status CheckOpen(const ObjectId& generator) const;
  // From now on the generator holds the object, to which the caller has a handle.
  absl::Status Add(const ObjectId& generator, const ObjectId& object);

  // It is a generator.
  bool IsOpen(const ObjectId& object) const;
  // An object that was marked is out of scope.
  void OnEnded(const ObjectId& object);
  void AddTo(ReferenceCounterStats* stats) const;

 private:
  static absl::Status NotOpen(const ObjectId& generator);

  CounterImpl* const counter_;
  mutable internal::Mutex mutex_;
  core::GeneratorTable table_ FREEHOLD_GUARDED_BY(mutex_);
  std::atomic<bool> used_{false};  // one was ever opened
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_GENERATOR_KEEPER_H_
