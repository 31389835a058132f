// LocationQueries: what this end has asked owners elsewhere, and whom it tells the answers.
//
// Shared by ReferenceCounter and NodeAgent. A query waits until it is sent, then for its answer; a
// subscription until its object or its owner is gone. Answers are matched by number, owner and
// object; what matches nothing is refused or, after a cancellation, ignored.
//
// Thread safety: thread-safe; OnView, OnBarrier, OnAnswer and Fill are the pump role's. Nothing of
// the host's is called with the lock held.
// Ownership: owns the callables until they can hear nothing more.

#ifndef FREEHOLD_SRC_RUNTIME_LOCATION_QUERIES_H_
#define FREEHOLD_SRC_RUNTIME_LOCATION_QUERIES_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/callback_executor.h"
#include "freehold/callbacks.h"
#include "freehold/log.h"
#include "src/base/mutex.h"
#include "src/core/codec.h"
#include "src/core/peer.h"

namespace freehold::runtime {

struct LocationSubscription;

class LocationQueries {
 public:
  LocationQueries(std::shared_ptr<CallbackExecutor> executor, Logger* logger)
      : executor_(std::move(executor)), logger_(*logger) {}

  // Answers the query's number; the caller then marks the owner ready. Errors: InvalidArgument (an
  // empty callable), FailedPrecondition (no executor), Unavailable (the owner has died).
  absl::StatusOr<uint64_t> Ask(core::PeerIndex owner, const LocationQuery& query,
                               LocationCallback callback);
  // False: it has ended. Otherwise `*owner` is to be marked ready.
  bool Cancel(uint64_t number, core::PeerIndex* owner);
  uint64_t pending() const;
  // Questions and cancellations that have not left.
  uint64_t to_send() const;
  // Destroys every callable. Nothing is told afterwards.
  void Close();

  // Moves what waits for `owner` into the writer. True: more waits.
  bool Fill(core::PeerIndex owner, core::PayloadWriter* writer);
  // False: it came from one who may not send it.
  bool OnAnswer(core::PeerIndex from, const core::LocationAnswerItem& item);
  void OnView(uint64_t version, const std::vector<core::PeerIndex>& excluded);
  void OnBarrier(uint64_t version);
  // This end is excluded: each query hears it, and none can be asked any more.
  void OnSelfExcluded();

 private:
  struct Query {
    ObjectId object;
    core::PeerIndex owner = core::kNoPeer;
    bool subscribe = false;
    NodeId fetch_to;
    std::shared_ptr<LocationSubscription> subscription;
  };
  struct ToSend {
    uint64_t number = 0;
    ObjectId object;  // of a cancellation, whose query is gone
    bool cancel = false;
  };
  void Tell(const std::shared_ptr<LocationSubscription>& to, const ObjectId& object,
            LocationUpdate update);

  const std::shared_ptr<CallbackExecutor> executor_;
  Logger& logger_;

  mutable internal::Mutex mutex_;
  uint64_t last_number_ FREEHOLD_GUARDED_BY(mutex_) = 0;
  bool closed_ FREEHOLD_GUARDED_BY(mutex_) = false;
  bool excluded_ FREEHOLD_GUARDED_BY(mutex_) = false;
  absl::btree_map<uint64_t, Query> queries_ FREEHOLD_GUARDED_BY(mutex_);
  absl::btree_map<core::PeerIndex, std::deque<ToSend>> to_send_ FREEHOLD_GUARDED_BY(mutex_);
  absl::btree_set<core::PeerIndex> dead_ FREEHOLD_GUARDED_BY(mutex_);  // their barrier has come

  // Pump role. Views whose barrier has not come, oldest first.
  std::deque<std::pair<uint64_t, std::vector<core::PeerIndex>>> open_views_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_LOCATION_QUERIES_H_
