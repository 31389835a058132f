// Watches: the moments of objects elsewhere that this process waits for, and whom it tells.
//
// A watch has exactly one answer: the owner's, which says that the moment has come, or that it was
// called off, or why it cannot come; or the end of its owner or of this process. One that was
// called off is remembered until its answer has come, so that an answer which matches no watch is a
// violation.
//
// Thread safety: thread-safe; OnView, OnBarrier, OnFired and Fill are the pump role's. Nothing of
// the host's is called, or destroyed, with the lock held.
// Ownership: owns the callables until they are posted, cancelled or dropped.

#ifndef FREEHOLD_SRC_RUNTIME_WATCHES_H_
#define FREEHOLD_SRC_RUNTIME_WATCHES_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "freehold/callback_executor.h"
#include "freehold/callbacks.h"
#include "freehold/log.h"
#include "src/core/codec.h"
#include "src/core/peer.h"
#include "src/runtime/host_jobs.h"
#include "src/runtime/owner_questions.h"

namespace freehold::runtime {

class Watches {
 public:
  Watches(std::shared_ptr<CallbackExecutor> executor, Logger* logger)
      : executor_(std::move(executor)), logger_(*logger) {}

  // A watch's number as that of a registration, among those of callbacks of this process.
  static uint64_t Mark(uint64_t number) { return number | kMark; }
  static uint64_t Unmark(uint64_t registration) { return registration & ~kMark; }
  static bool IsMarked(uint64_t registration) { return (registration & kMark) != 0; }

  // Answers the watch's number; the caller then marks the owner ready. Errors: FailedPrecondition
  // (this end was shut down, or excluded), Unavailable (the owner has died).
  absl::StatusOr<uint64_t> Ask(core::PeerIndex owner, const ObjectId& object, Moment moment,
                               std::unique_ptr<ObjectCallbackBody> body);
  // The object has gone to that owner, and with it a callback that was registered here.
  void Go(core::PeerIndex owner, const ObjectId& object, Moment moment, uint64_t registration,
          std::unique_ptr<ObjectCallbackBody> body);
  // The number of the watch that such a callback has become; 0: there is none.
  uint64_t FindMoved(const ObjectId& object, uint64_t registration) const;
  bool OnMoved(core::PeerIndex from, const ObjectId& object, core::PeerIndex owner, uint32_t term) {
    const bool any = questions_.OnMoved(from, object, owner, term);
    questions_.EndDead(owner, [this](Question& question) {
      Post(std::move(question.what.body), EndReason::kOwnerDied);
    });
    return any;
  }
  struct Taken {
    Moment moment;
    std::unique_ptr<ObjectCallbackBody> body;
    uint64_t registration = 0;  // under which its host knows it
  };
  // What `from` was asked about an object that has come from there.
  std::vector<Taken> TakeOf(core::PeerIndex from, const ObjectId& object);
  // False: it has its answer. Otherwise it runs no more, and `*owner` is to be marked ready.
  bool Cancel(uint64_t number, core::PeerIndex* owner);
  uint64_t pending() const { return questions_.pending(); }
  // Watches and cancellations that have not left.
  uint64_t to_send() const { return questions_.to_send(); }
  // Destroys every callable, and answers how many. Nothing is told afterwards.
  uint64_t Close() { return questions_.Close().size(); }

  // Moves what waits for `owner` into the writer. True: more waits.
  bool Fill(core::PeerIndex owner, core::PayloadWriter* writer);
  // False: it answers no watch of that sender's. REQUIRES: its kind is kWatchFired.
  bool OnFired(core::PeerIndex from, const core::SharingItem& item);
  void OnView(uint64_t version, const std::vector<core::PeerIndex>& excluded) {
    questions_.OnView(version, excluded);
  }
  void OnBarrier(uint64_t version);
  // This process is excluded: each watch hears it, and none can be asked any more.
  void OnSelfExcluded();

 private:
  static constexpr uint64_t kMark = uint64_t{1} << 63;

  struct Watch {
    static constexpr bool kCancellationAnswered = true;
    Moment moment = Moment::kOutOfScope;
    std::unique_ptr<ObjectCallbackBody> body;
    uint64_t registration = 0;  // under which it was known while the object was owned here
  };
  using Question = OwnerQuestions<Watch>::Question;

  void Post(std::unique_ptr<ObjectCallbackBody> body, EndReason reason);

  const std::shared_ptr<CallbackExecutor> executor_;
  Logger& logger_;
  OwnerQuestions<Watch> questions_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_WATCHES_H_
