// The inside of Endpoint: what endpoint.cc (doors, wake-ups), endpoint_role.cc (who pumps, the end)
// and endpoint_turn.cc (one pump turn) share. Nobody else includes it.
//
// Thread safety: as Endpoint says; each member names what guards it. Three locks: `mutex_` for the
// pump role and who waits, `arrivals_mutex_` for what comes in, `stats_mutex_` for figures. They
// are never held together, and never while anything external is called.

#ifndef FREEHOLD_SRC_RUNTIME_ENDPOINT_IMPL_H_
#define FREEHOLD_SRC_RUNTIME_ENDPOINT_IMPL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "src/base/intern.h"
#include "src/base/mutex.h"
#include "src/base/random.h"
#include "src/base/segmented_array.h"
#include "src/core/session_table.h"
#include "src/runtime/endpoint.h"

namespace freehold::runtime {

class Endpoint::Impl : public std::enable_shared_from_this<Endpoint::Impl> {
 public:
  Impl(const Config& config, Client* client, uint64_t seed);
  ~Impl();

  // Makes the doors, joins the membership. The second half of Create.
  absl::Status Join();
  absl::Status StartThread();
  // Makes up for wake-ups before the caller of Create had its endpoint.
  void OpenForHook();

  PeerIndex Intern(const Address& address);
  PeerIndex Find(const Address& address) const;
  internal::AddressInterner& interner() { return interner_; }
  const Address& AddressOf(PeerIndex peer) const { return interner_.At(peer); }
  bool IsExcluded(PeerIndex peer) const;
  bool self_excluded() const { return self_excluded_.load(std::memory_order_acquire); }

  void MarkReady(PeerIndex peer);
  void Wake();
  const std::shared_ptr<Inbox>& inbox() const { return inbox_; }
  void Pump(Time now);
  Time NextDeadline() const;
  bool Idle() const;
  uint64_t unacked_envelopes() const { return unacked_.load(std::memory_order_acquire); }
  void ForEachUnacked(absl::FunctionRef<void(PeerIndex, uint32_t)> visit) const;
  SessionStats GetStats() const;
  void Stop(bool leave_membership);
  // The pump thread destroys its own endpoint: it cannot be joined, and ends by itself.
  void DetachIfPumpThread();

 private:
  class Door;
  class Listener;

  struct PeerState {
    std::atomic<uint32_t> unacked{0};   // envelopes; the pump role writes it
    std::atomic<bool> ready{false};     // in ready_, or about to be
    std::atomic<bool> excluded{false};  // never taken back
    bool waits_for_window = false;      // pump role: has more for Fill once its window opens
  };

  struct MembershipEvent {
    bool is_barrier = false;
    View view;  // of a barrier only the version
  };

  // A view whose barrier comes at a time of its own.
  struct Grace {
    uint64_t version = 0;
    Time ends = kInfinitePast;  // while no time has passed yet for this end
  };

  enum class ThreadState : uint8_t { kNone, kRunning, kJoining, kEnded };

  // --- endpoint.cc ---
  void Deliver(Envelope envelope);
  void OnMembership(MembershipEvent event);
  // Whether on_wake is to be called; if so, CallHook must follow, without the lock.
  bool EnterHook() FREEHOLD_REQUIRES(mutex_);
  void CallHook();
  void LogThrown(const char* what, const std::string& thrown);

  // --- endpoint_role.cc ---
  void ThreadMain();
  void Wait() FREEHOLD_REQUIRES(mutex_);
  void NotifyWaiters() FREEHOLD_REQUIRES(mutex_);
  // Whether a Stop called by `self` has somebody inside to wait for.
  bool MustWait(std::thread::id self) const FREEHOLD_REQUIRES(mutex_);
  void JoinThread(std::thread::id self) FREEHOLD_REQUIRES(mutex_);
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  // --- endpoint_turn.cc; pump role ---
  void RunTurn(Time now);
  void HandleMembership(const std::vector<MembershipEvent>& events);
  void HandleView(const View& view);
  void PassGraces(Time now);
  void PassBarrier(uint64_t version);
  void ReportFlushed();
  void Fence(PeerIndex peer, const Address& address);
  void HandleArrived(std::vector<Envelope>* arrived, Time now);
  void HandleEnvelope(const Envelope& envelope, Time now);
  PeerIndex PeerOf(const Envelope& envelope);
  bool Peek(const Envelope& envelope, core::Frame* frame);
  void LogGarbage(const Envelope& envelope, uint64_t count);
  uint64_t FillReady(Time now);
  void FillPeer(PeerIndex peer, PeerState* state, Time now);
  void NoteUnacked(PeerIndex peer, PeerState* state) {
    state->unacked.store(static_cast<uint32_t>(sessions_.unacked_envelopes(peer)),
                         std::memory_order_relaxed);
  }
  void Publish(Time now, Time work_deadline);
  void SendAll();
  bool carries_traffic() const { return config_.transport != nullptr && !self_excluded(); }

  // Constant after construction.
  const Config config_;
  Client* const client_;
  std::shared_ptr<Inbox> inbox_;
  std::shared_ptr<MembershipListener> listener_;

  // Any thread.
  internal::AddressInterner interner_;
  internal::SegmentedArray<PeerState> peers_;
  std::atomic<bool> self_excluded_{false};
  std::atomic<bool> stopping_{false};                       // set under mutex_
  std::atomic<bool> work_{false};                           // a turn is needed now
  std::atomic<std::thread::id> holder_{std::thread::id()};  // of the pump role; set under mutex_
  // Written at the end of a turn. Whoever reads them in the order inbox, marked, unacknowledged,
  // which is the way things go, misses nothing that is under way between them.
  std::atomic<uint64_t> inbox_bytes_{0};  // waiting, or in the hands of the turn
  std::atomic<uint64_t> ready_count_{0};  // marked, or in the hands of the turn
  std::atomic<uint64_t> unacked_{0};
  std::atomic<Duration::rep> deadline_{kInfiniteFuture.time_since_epoch().count()};
  std::atomic<uint64_t> events_waiting_{0};  // the size of events_
  // Counted at the door.
  std::atomic<uint64_t> overflows_{0};
  std::atomic<uint64_t> fenced_at_door_{0};
  std::atomic<uint64_t> garbage_at_door_{0};

  mutable internal::Mutex mutex_;
  internal::CondVar changed_;
  uint32_t waiters_ FREEHOLD_GUARDED_BY(mutex_) = 0;      // for changed_
  bool held_ FREEHOLD_GUARDED_BY(mutex_) = false;         // the pump role
  bool again_ FREEHOLD_GUARDED_BY(mutex_) = false;        // somebody else wanted it meanwhile
  Time now_ FREEHOLD_GUARDED_BY(mutex_) = kInfinitePast;  // the latest that Pump was given
  bool hook_open_ FREEHOLD_GUARDED_BY(mutex_) = false;
  bool hook_missed_ FREEHOLD_GUARDED_BY(mutex_) = false;  // woken before hook_open_
  std::vector<std::thread::id> in_hook_ FREEHOLD_GUARDED_BY(mutex_);
  std::vector<std::thread::id> in_stop_ FREEHOLD_GUARDED_BY(mutex_);
  bool joined_membership_ FREEHOLD_GUARDED_BY(mutex_) = false;
  ThreadState thread_state_ FREEHOLD_GUARDED_BY(mutex_) = ThreadState::kNone;
  std::thread::id thread_id_ FREEHOLD_GUARDED_BY(mutex_);
  std::thread thread_ FREEHOLD_GUARDED_BY(mutex_);

  internal::Mutex arrivals_mutex_;
  std::vector<Envelope> arrived_ FREEHOLD_GUARDED_BY(arrivals_mutex_);
  std::vector<MembershipEvent> events_ FREEHOLD_GUARDED_BY(arrivals_mutex_);
  std::vector<PeerIndex> ready_ FREEHOLD_GUARDED_BY(arrivals_mutex_);

  // The last turn's figures; the lock is held for a copy of them only.
  mutable internal::Mutex stats_mutex_;
  SessionStats published_ FREEHOLD_GUARDED_BY(stats_mutex_);

  // Pump role.
  core::SessionTable sessions_;
  std::optional<uint64_t> owed_flush_;  // the latest view, until it is reported
  std::deque<uint64_t> open_views_;     // whose barrier has not come, oldest first
  std::deque<Grace> graces_;            // in order of views, and so of their ends
  internal::SplitMix64 random_;
  std::vector<core::Delivery> deliveries_;
  core::PayloadWriter writer_;  // empty between two envelopes
  std::vector<core::OutEnvelope> out_;
  uint64_t fenced_ = 0;  // before their session saw them, like the next two
  uint64_t garbage_ = 0;
  uint64_t not_taken_ = 0;
  uint64_t refused_items_ = 0;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_ENDPOINT_IMPL_H_
