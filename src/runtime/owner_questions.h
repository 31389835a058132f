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
    uint64_t number = 0;
    uint32_t term = 0;  // of that owner; 0: nobody has said
    bool sent = false;
    bool cancelled = false;  // waits for the answer to that
    bool moved = false;      // it was asked before: an answer to that may come yet
  };

  // Answers its number; the caller then marks the owner ready. What is not asked stays. Errors:
  // FailedPrecondition (this end was shut down, or excluded), Unavailable (the owner has died).
  absl::StatusOr<uint64_t> Ask(core::PeerIndex owner, const ObjectId& object, What* what) {
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
    questions_[number] = {object, owner, std::move(*what), number};
    by_object_.insert({object, number});
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
      Erase(at);
    }
    return what;
  }

  // The object has another owner, `from` says: what was asked of `from` is asked of that one; of
  // all, if it says so itself. True: the owner is to be marked ready.
  bool OnMoved(core::PeerIndex from, const ObjectId& object, core::PeerIndex owner, uint32_t term) {
    internal::MutexLock lock(&mutex_);
    bool any = false;
    for (const uint64_t number : NumbersOf(object)) {
      const auto question = questions_.find(number);
      Question& asked = question->second;
      if ((asked.owner != from && from != owner) || term <= asked.term) continue;
      moved_ = true;
      if (asked.cancelled) {  // nobody is left who could answer that
        Erase(question);
        continue;
      }
      asked.term = term;
      asked.moved = asked.moved || asked.sent || asked.owner != owner;
      if (!asked.sent && asked.owner == owner) continue;
      asked.owner = owner;
      asked.sent = false;
      if (dead_.contains(owner)) continue;  // see EndDead
      to_send_[owner].push_back({question->first, object, false});
      any = true;
    }
    return any;
  }
  // After OnMoved: the barrier of that owner may have come. Calls `fail(question)` likewise.
  template <typename Fail>
  void EndDead(core::PeerIndex owner, Fail fail) {
    uint64_t resume = IsDead(owner) ? 1 : 0;
    while (resume != 0) {
      for (Question& question : TakeSome(owner, &resume)) {
        if (!question.cancelled) fail(question);
      }
    }
  }
  std::vector<Question> TakeOf(core::PeerIndex from, const ObjectId& object) {
    std::vector<Question> taken;
    internal::MutexLock lock(&mutex_);
    for (const uint64_t number : NumbersOf(object)) {
      const auto question = questions_.find(number);
      if (question->second.owner != from) continue;
      moved_ = true;
      if (!question->second.cancelled) taken.push_back(std::move(question->second));
      Erase(question);
    }
    return taken;
  }
  // The number of the one about the object of which `is_it(what)`; 0: there is none.
  template <typename IsIt>
  uint64_t FindOf(const ObjectId& object, IsIt is_it) const {
    internal::MutexLock lock(&mutex_);
    for (const uint64_t number : NumbersOf(object)) {
      if (is_it(questions_.find(number)->second.what)) return number;
    }
    return 0;
  }

  uint64_t pending() const {
    internal::MutexLock lock(&mutex_);
    return questions_.size();
  }
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
      // Cancelled before it left, or asked of somebody else by now.
      if (!next.cancel && (question == nullptr || question->owner != owner)) continue;
      if (!write(next.number, next.object, question, next.cancel)) return true;
      if (question != nullptr) question->sent = true;
    }
    to_send_.erase(waiting);
    return false;
  }

  enum class Matched : uint8_t {
    kNone,   // there is no such question
    kOther,  // that was asked of somebody else, or about something else
    kLate,   // ... which somebody else is asked by now
    kYes,
  };
  // Calls `use(question)` with the one that is answered; if it answers true it ends.
  template <typename Use>
  Matched OnAnswer(core::PeerIndex from, uint64_t number, const ObjectId& object, Use use) {
    internal::MutexLock lock(&mutex_);
    const auto at = questions_.find(number);
    if (at == questions_.end()) return moved_ ? Matched::kLate : Matched::kNone;
    const Question& question = at->second;
    if (question.object == object && question.moved && question.owner != from) {
      return Matched::kLate;
    }
    const bool was_asked = question.sent || question.moved;
    if (question.owner != from || question.object != object || !was_asked) {
      return Matched::kOther;
    }
    if (use(&at->second)) Erase(at);
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
        EndDead(owner, fail);
      }
    }
  }

  // Every question ends, and none can be asked any more: this end is excluded, or shut down.
  std::vector<Question> OnSelfExcluded() { return TakeAll(&excluded_); }
  std::vector<Question> Close() { return TakeAll(&closed_); }

 private:
  using Questions = absl::btree_map<uint64_t, Question>;
  struct ToSend {
    uint64_t number = 0;
    ObjectId object;  // of a cancellation, whose question may be gone
    bool cancel = false;
  };
  static constexpr size_t kPieceMax = 2048;

  bool IsDead(core::PeerIndex owner) const {
    internal::MutexLock lock(&mutex_);
    return dead_.contains(owner);
  }
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
      at = Erase(at);
    }
    *resume = at == questions_.end() ? 0 : at->first;
    return taken;
  }
  std::vector<uint64_t> NumbersOf(const ObjectId& object) const FREEHOLD_REQUIRES(mutex_) {
    std::vector<uint64_t> numbers;
    for (auto at = by_object_.lower_bound({object, 0});
         at != by_object_.end() && at->first == object; ++at) {
      numbers.push_back(at->second);
    }
    return numbers;
  }
  typename Questions::iterator Erase(typename Questions::iterator at) FREEHOLD_REQUIRES(mutex_) {
    by_object_.erase({at->second.object, at->first});
    return questions_.erase(at);
  }
  std::vector<Question> TakeAll(bool* ended) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    std::vector<Question> taken;
    internal::MutexLock lock(&mutex_);
    *ended = true;
    for (auto& [number, question] : questions_) {
      if (!question.cancelled) taken.push_back(std::move(question));
    }
    questions_.clear();
    by_object_.clear();
    to_send_.clear();
    return taken;
  }

  mutable internal::Mutex mutex_;
  uint64_t last_number_ FREEHOLD_GUARDED_BY(mutex_) = 0;
  bool closed_ FREEHOLD_GUARDED_BY(mutex_) = false;
  bool excluded_ FREEHOLD_GUARDED_BY(mutex_) = false;
  Questions questions_ FREEHOLD_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<ObjectId, uint64_t>> by_object_ FREEHOLD_GUARDED_BY(mutex_);
  bool moved_ FREEHOLD_GUARDED_BY(mutex_) = false;  // the object of one of them, ever
  absl::btree_map<core::PeerIndex, std::deque<ToSend>> to_send_ FREEHOLD_GUARDED_BY(mutex_);
  absl::btree_set<core::PeerIndex> dead_ FREEHOLD_GUARDED_BY(mutex_);  // their barrier has come

  // Pump role. Views whose barrier has not come, oldest first.
  std::deque<std::pair<uint64_t, std::vector<core::PeerIndex>>> open_views_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_OWNER_QUESTIONS_H_
