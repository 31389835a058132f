// HeirKeeper: heirs (transfer.h), between the calls, the tables and the wire.
//
// Thread safety: thread-safe, but for Take and Work, which are the pump role's. No shard's lock is
// taken, and nothing of the host's is called or destroyed, with the lock here held.
// Ownership: part of its TransferKeeper.

#ifndef FREEHOLD_SRC_RUNTIME_HEIR_KEEPER_H_
#define FREEHOLD_SRC_RUNTIME_HEIR_KEEPER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "freehold/transfer.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"
#include "src/core/event.h"
#include "src/core/peer.h"
#include "src/core/transfer_item.h"
#include "src/runtime/contained_keeper.h"

namespace freehold::runtime {

class CounterImpl;

class HeirKeeper {
 public:
  explicit HeirKeeper(CounterImpl* counter) : counter_(counter) {}

  absl::Status Name(absl::Span<const ObjectId> objects, absl::Span<const ProcessId> heirs,
                    HeirOptions options);
  absl::Status Dismiss(absl::Span<const ObjectId> objects, HeirOptions options);
  // Every callable is destroyed; answers for how many objects.
  uint64_t Close();

  // Steps what waits, in pieces. True: more could be done at once.
  bool Work();
  // What became of the heirs of what is owned here.
  void OnNotices(const std::vector<core::HeirNotice>& notices);
  // Another process makes this one its heir, or tells what has changed.
  void Take(core::PeerIndex from, const core::ShadowItem& item);
  // A snapshot of some object in that shard fits no message any more.
  void NoteOvergrown() {
    overgrown_.store(true, std::memory_order_relaxed);
    WakeWork();
  }
  // This process is about to leave, and may be asked to stay.
  void GiveUp();
  // This process is excluded: nobody inherits anything from it that is not on its way.
  void OnSelfExcluded();

 private:
  // The host's callable, for each object of one call.
  struct Answer {
    explicit Answer(TransferCallback call) : callback(std::move(call)) {}
    TransferCallback callback;
  };
  class AnswerBody;
  struct Batch {
    std::vector<ObjectId> objects;
    size_t next = 0;
    std::vector<core::PeerIndex> heirs;  // the first one, and who comes after it; none: dismissed
    std::shared_ptr<Answer> answer;      // null: nobody asks
  };
  struct One {
    ObjectId object;
    std::vector<core::PeerIndex> heirs;
    std::shared_ptr<Answer> answer;
    ContainedKeeper::Handing handing;
    bool goes_on = false;  // the next one is named, as a notice has said
  };
  struct FixedHash {
    size_t operator()(const ObjectId& id) const { return static_cast<size_t>(id.Hash()); }
  };
  // Of those that are not answered. One object's heir may be dismissed by several calls.
  using Answers = absl::flat_hash_map<ObjectId, std::vector<std::shared_ptr<Answer>>, FixedHash>;

  struct Waiting {
    std::deque<Batch> batches;
    Answers answers[2];
  };

  Waiting TakeAll();  // it is the caller's from now on, and nothing is begun any more
  absl::Status Begin(absl::Span<const ObjectId> objects, std::vector<core::PeerIndex> heirs,
                     HeirOptions options);
  absl::Status CheckOptions(const HeirOptions& options) const;
  void WakeWork();
  bool TakeNext(One* one);
  // Costs `*left`, at least one; what is not done then waits to be gone on with.
  void Step(One one, uint64_t* left);
  void StepNext(One one, uint64_t* left);
  void PassOver(const ObjectId& object, core::PeerIndex heir);
  core::Verdict StepNaming(One* one, uint64_t* left, core::Immovable* why);
  core::Verdict StepDismissal(const ObjectId& object, uint64_t* left);
  bool GoOnLater(One* one);
  void NameNext(const ObjectId& object, core::PeerIndex heir);
  absl::Status WhyNot(core::Verdict verdict, core::Immovable why, const ObjectId& object) const;
  std::unique_ptr<core::Contained> Contain(const std::vector<core::InnerRef>& inners);
  void EndOvergrown();
  void Tell(const std::shared_ptr<Answer>& answer, const ObjectId& object,
            const absl::Status& status);
  void TellAll(Answers* answers, const ObjectId& object, const absl::Status& status);
  absl::Status Explain(const core::HeirNotice& notice) const;
  void LogLoss(const core::HeirNotice& notice);

  CounterImpl* const counter_;
  std::atomic<bool> overgrown_{false};
  internal::Mutex mutex_;
  std::deque<Batch> batches_ FREEHOLD_GUARDED_BY(mutex_);
  bool closed_ FREEHOLD_GUARDED_BY(mutex_) = false;  // nothing is begun any more
  Answers naming_ FREEHOLD_GUARDED_BY(mutex_);
  Answers dismissing_ FREEHOLD_GUARDED_BY(mutex_);
  std::optional<One> begun_ FREEHOLD_GUARDED_BY(mutex_);  // goes before all others
  // Objects that have lost their heirs, and who is to be named next; they go before the batches.
  std::deque<std::pair<ObjectId, core::PeerIndex>> next_ FREEHOLD_GUARDED_BY(mutex_);
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_HEIR_KEEPER_H_
