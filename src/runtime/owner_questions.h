// OwnerQuestions: what this end has asked owners elsewhere, by number, until the last answer.
//
// What LocationQueries and Watches have in common: a question waits until it is sent, then for its
// answers; it ends with the last one, by a cancellation, with its owner, or with this end.
// `What` is the rest of a question, moved out of it when it ends. `What::kCancellationAnswered`
// says whether an owner answers a cancellation: then a question that was sent stays, empty, until
// that has come, and every answer matches one.
//
// Thread safety: thread-safe; OnView, OnBarrier, OnAnswer and Fill are the pump role's. What is
// passed to them is called with the lock held, but for `fail`; nothing of the host's is, or is
// destroyed, with the lock held.
// Ownership: owns each What until it ends.

#ifndef FREEHOLD_SRC_RUNTIME_OWNER_QUESTIONS_H_
#define FREEHOLD_SRC_RUNTIME_OWNER_QUESTIONS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/error_reason.h"
#include "freehold/ids.h"
#include "src/base/mutex.h"
#include "src/core/peer.h"

namespace freehold::runtime {

template <typename What>
class OwnerQuestions {
 public:
  struct Question {
    ObjectId object;
    core::PeerIndex owner = core::kNoPeer;
    What what;
    bool sent = false;
    bool cancelled = false;  // waits for the answer to that
  };

  // Answers its number; the caller then marks the owner ready. Errors: FailedPrecondition (this end
  // was shut down, or excluded), Unavailable (the owner has died).
  absl::StatusOr<uint64_t> Ask(core::PeerIndex owner, const ObjectId& object, What what) {
    internal::MutexLock lock(&mutex_);
    if (closed_) {
      return WithReason(absl::FailedPreconditionError("this end was shut down"),
                        ErrorReason::kShutDown);
    }
    if (excluded_) {
      return WithReason(absl::FailedPreconditionError("this end was excluded"),
                        ErrorReason::kExcluded);
    }
    if (dead_.contains(owner)) {
      return WithReason(absl::UnavailableError("the owner of object " + object.ToHex() + " died"),
                        ErrorReason::kOwnerDied);
    }
    const uint64_t number = ++last_number_;
    questions_[number] = {object, owner, std::move(what)};
    to_send_[owner].push_back({number, object, false});
    return number;
  }

  // The question ends; nothing: it has. `*owner` is to be marked ready.
  std::optional<What> Cancel(uint64_t number, core::PeerIndex* owner) {
    internal::MutexLock lock(&mutex_);
    const auto at = questions_.find(number);
    if (at == questions_.end() || at->second.cancelled) return std::nullopt;
    Question& question = at->second;
    *owner = question.owner;
    std::optional<What> what(std::move(question.what));
    // Of one that has not left nobody hears.
    if (question.sent) to_send_[*owner].push_back({number, question.object, true});
    if (question.sent && What::kCancellationAnswered) {
      question.cancelled = true;
    } else {
      questions_.erase(at);
    }
    return what;
  }

  // Not answered for the last time.
  uint64_t pending() const {
    internal::MutexLock lock(&mutex_);
    return questions_.size();
  }
  // Questions and cancellations that have not left.
  uint64_t to_send() const {
    internal::MutexLock lock(&mutex_);
    uint64_t sum = 0;
    for (const auto& [owner, waiting] : to_send_) sum += waiting.size();
    return sum;
  }

  // Moves what waits for `owner` out, by `write(number, object, question, cancel)`, which answers
  // false when there is no room; the question is null for a cancellation that is not answered.
  // True: more waits.
  template <typename Write>
  bool Fill(core::PeerIndex owner, Write write) {
    internal::MutexLock lock(&mutex_);
    const auto waiting = to_send_.find(owner);
    if (waiting == to_send_.end()) return false;
    for (std::deque<ToSend>& queue = waiting->second; !queue.empty(); queue.pop_front()) {
      const ToSend& next = queue.front();
      const auto at = questions_.find(next.number);
      Question* question = at == questions_.end() ? nullptr : &at->second;
      if (question == nullptr && !next.cancel) continue;  // cancelled before it left
      if (!write(next.number, next.object, question, next.cancel)) return true;
      if (question != nullptr) question->sent = true;
    }
    to_send_.erase(waiting);
    return false;
  }

  enum class Matched : uint8_t {
    kNone,   // there is no such question
    kOther,  // that was asked of somebody else, or about something else
    kYes,
  };
  // Calls `use(question)` with the one that is answered; if it answers true it ends.
  template <typename Use>
  Matched OnAnswer(core::PeerIndex from, uint64_t number, const ObjectId& object, Use use) {
    internal::MutexLock lock(&mutex_);
    const auto at = questions_.find(number);
    if (at == questions_.end()) return Matched::kNone;
    const Question& question = at->second;
    if (question.owner != from || question.object != object || !question.sent) {
      return Matched::kOther;
    }
    if (use(&at->second)) questions_.erase(at);
    return Matched::kYes;
  }

  void OnView(uint64_t version, const std::vector<core::PeerIndex>& excluded) {
    open_views_.emplace_back(version, excluded);
  }
  // The owners that the closed views exclude have died: calls `fail(question)` for each question to
  // one of them, in order.
  template <typename Fail>
  void OnBarrier(uint64_t version, Fail fail) {
    for (; !open_views_.empty() && open_views_.front().first <= version; open_views_.pop_front()) {
      for (const core::PeerIndex owner : open_views_.front().second) {
        {
          internal::MutexLock lock(&mutex_);
          dead_.insert(owner);
          to_send_.erase(owner);
        }
        uint64_t resume = 0;
        do {
          for (Question& question : TakeSome(owner, &resume)) {
            if (!question.cancelled) fail(question);
          }
        } while (resume != 0);
      }
    }
  }

  // Every question ends, and none can be asked any more: this end is excluded, or shut down.
  std::vector<Question> OnSelfExcluded() {
    internal::MutexLock lock(&mutex_);
    excluded_ = true;
    return TakeAll();
  }
  std::vector<Question> Close() {
    internal::MutexLock lock(&mutex_);
    closed_ = true;
    return TakeAll();
  }

 private:
  struct ToSend {
    uint64_t number = 0;
    ObjectId object;  // of a cancellation, whose question may be gone
    bool cancel = false;
  };
  // So many questions are looked at in one hold of the lock.
  static constexpr size_t kPieceMax = 2048;

  // Takes those to `owner` out of a piece from `*resume` on; 0 there: that was the last one.
  std::vector<Question> TakeSome(core::PeerIndex owner, uint64_t* resume) {
    std::vector<Question> taken;
    internal::MutexLock lock(&mutex_);
    auto at = questions_.lower_bound(*resume);
    for (size_t looked = 0; at != questions_.end() && looked < kPieceMax; ++looked) {
      if (at->second.owner != owner) {
        ++at;
        continue;
      }
      taken.push_back(std::move(at->second));
      at = questions_.erase(at);
    }
    *resume = at == questions_.end() ? 0 : at->first;
    return taken;
  }
  // Without those that were cancelled.
  std::vector<Question> TakeAll() FREEHOLD_REQUIRES(mutex_) {
    std::vector<Question> taken;
    for (auto& [number, question] : questions_) {
      if (!question.cancelled) taken.push_back(std::move(question));
    }
    questions_.clear();
    to_send_.clear();
    return taken;
  }

  mutable internal::Mutex mutex_;
  uint64_t last_number_ FREEHOLD_GUARDED_BY(mutex_) = 0;
  bool closed_ FREEHOLD_GUARDED_BY(mutex_) = false;
  bool excluded_ FREEHOLD_GUARDED_BY(mutex_) = false;
  absl::btree_map<uint64_t, Question> questions_ FREEHOLD_GUARDED_BY(mutex_);
  absl::btree_map<core::PeerIndex, std::deque<ToSend>> to_send_ FREEHOLD_GUARDED_BY(mutex_);
  absl::btree_set<core::PeerIndex> dead_ FREEHOLD_GUARDED_BY(mutex_);  // their barrier has come

  // Pump role. Views whose barrier has not come, oldest first.
  std::deque<std::pair<uint64_t, std::vector<core::PeerIndex>>> open_views_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_OWNER_QUESTIONS_H_
