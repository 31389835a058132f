// GivingAway: a drain gives away what its process owns, as long as there is some.
//
// Thread safety: thread-compatible; several may be at work for one counter, each in its own thread.
// Ownership: on the stack of its drain; the counter is borrowed. No lock is held between two calls.

#ifndef FREEHOLD_SRC_RUNTIME_GIVING_AWAY_H_
#define FREEHOLD_SRC_RUNTIME_GIVING_AWAY_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/clock.h"
#include "freehold/drain.h"
#include "freehold/object_ref.h"
#include "src/core/object_table_heirs.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

class GivingAway {
 public:
  GivingAway(CounterImpl* counter, const DrainOptions& options, Time deadline)
      : counter_(*counter), next_owner_(options.next_owner), deadline_(deadline) {
    counter_.transfers().refused().Open(options.blockers_max);
  }
  ~GivingAway() { counter_.transfers().refused().Close(); }

  // Called about once per millisecond. What could not be given away is tried again now and then:
  // its copies may have been deleted, or everybody has heard how it came here.
  void Step() {
    if (next_owner_.IsNil() || turns_++ % kTurns != 0) return;
    if (counter_.transfers().pending() > 0) {
      turns_ = 0;
      return;
    }
    const absl::StatusOr<core::PeerIndex> next_owner =
        counter_.transfers().CheckNextOwner(next_owner_);
    error_ = next_owner.status();
    if (next_owner.ok()) error_ = counter_.transfers().Give(Owned(), *next_owner);
  }

  // Why none was given away; Ok: one by one.
  const absl::Status& error() const { return error_; }
  bool is_on() const { return !next_owner_.IsNil(); }
  const ProcessId& next_owner() const { return next_owner_; }

 private:
  static constexpr uint64_t kTurns = 32;

  // All of it, since what was made of each other goes best together; but at the deadline what was
  // found so far.
  std::vector<ObjectRef> Owned() {
    std::vector<ObjectRef> owned;
    for (const std::unique_ptr<Shard>& shard : counter_.shards()) {
      core::RecordIndex resume = 0;
      while (resume != core::kNoRecord) {
        resume = TakePiece(*shard, resume, &owned);
        if (counter_.clock().Now() >= deadline_) return owned;
      }
    }
    return owned;
  }
  core::RecordIndex TakePiece(const Shard& shard, core::RecordIndex from,
                              std::vector<ObjectRef>* owned) {
    std::vector<ObjectId> here;
    std::vector<ObjectId> with_heirs;  // given away when those have been dismissed
    const core::RecordIndex resume = shard.VisitPiece(
        from, CounterImpl::kPieceMax,
        [&](const core::ObjectTable& table, const core::ObjectRecord& record) {
          if (!record.in_scope() || record.borrowed) return;
          (core::HeirSteps::Has(table, record) ? with_heirs : here).push_back(record.id());
        });
    (void)counter_.transfers().heirs().Dismiss(with_heirs, {});
    for (const ObjectId& object : here) {
      if (absl::StatusOr<ObjectRef> ref = counter_.GetRef(object); ref.ok()) {
        owned->push_back(*std::move(ref));
      }
    }
    return resume;
  }

  CounterImpl& counter_;
  const ProcessId next_owner_;
  const Time deadline_;
  uint64_t turns_ = 0;
  absl::Status error_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_GIVING_AWAY_H_
