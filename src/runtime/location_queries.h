// LocationQueries: where this end has asked owners elsewhere that their objects are, and whom it
// tells the answers.
//
// Shared by ReferenceCounter and NodeAgent. A query ends with its answer; a subscription with its
// object or its owner. Answers that match nothing are refused or, after a cancellation, ignored.
//
// Thread safety: thread-safe; OnView, OnBarrier, OnAnswer and Fill are the pump role's. Nothing of
// the host's is called with the lock held.
// Ownership: owns the callables until they can hear nothing more.

#ifndef FREEHOLD_SRC_RUNTIME_LOCATION_QUERIES_H_
#define FREEHOLD_SRC_RUNTIME_LOCATION_QUERIES_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "freehold/callback_executor.h"
#include "freehold/callbacks.h"
#include "freehold/log.h"
#include "src/core/codec.h"
#include "src/core/peer.h"
#include "src/runtime/owner_questions.h"

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
  // As those of Watches.
  bool OnMoved(core::PeerIndex from, const ObjectId& object, core::PeerIndex owner, uint32_t term) {
    const bool any = questions_.OnMoved(from, object, owner, term);
    questions_.EndDead(owner, [this](const Question& question) {
      Fail(question, LocationUpdate::Kind::kOwnerDied);
    });
    return any;
  }
  // `from` was asked about an object that has come from there: told what `locations` answers, once.
  // A subscription ends with that: this process can have one of its own.
  void AnswerHere(core::PeerIndex from, const ObjectId& object,
                  absl::FunctionRef<ObjectLocations()> locations);
  // False: it has ended. Otherwise `*owner` is to be marked ready.
  bool Cancel(uint64_t number, core::PeerIndex* owner);
  uint64_t pending() const { return questions_.pending(); }
  // Questions and cancellations that have not left.
  uint64_t to_send() const { return questions_.to_send(); }
  // Destroys every callable. Nothing is told afterwards.
  void Close();

  // Moves what waits for `owner` into the writer. True: more waits.
  bool Fill(core::PeerIndex owner, core::PayloadWriter* writer);
  // False: it came from one who may not send it.
  bool OnAnswer(core::PeerIndex from, const core::LocationAnswerItem& item);
  void OnView(uint64_t version, const std::vector<core::PeerIndex>& excluded) {
    questions_.OnView(version, excluded);
  }
  void OnBarrier(uint64_t version);
  // This end is excluded: each query hears it, and none can be asked any more.
  void OnSelfExcluded();

 private:
  struct Query {
    static constexpr bool kCancellationAnswered = false;
    bool subscribe = false;
    NodeId fetch_to;
    std::shared_ptr<LocationSubscription> subscription;
  };
  using Question = OwnerQuestions<Query>::Question;

  void Tell(const std::shared_ptr<LocationSubscription>& to, const ObjectId& object,
            LocationUpdate update);
  // Its last message.
  void Fail(const Question& question, LocationUpdate::Kind kind);

  const std::shared_ptr<CallbackExecutor> executor_;
  Logger& logger_;
  OwnerQuestions<Query> questions_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_LOCATION_QUERIES_H_
