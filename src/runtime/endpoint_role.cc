// Who pumps an endpoint, how its thread waits, and its end.

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "src/base/guarded_call.h"
#include "src/base/mutex.h"
#include "src/runtime/endpoint_impl.h"

namespace freehold::runtime {

namespace {

using internal::CallGuarded;
using internal::MutexLock;

// Turns of one Pump call. Enough for a few round trips with an end in the same process; a waker
// that never rests gets the thread back to its host.
constexpr int kTurnsMax = 64;

// The pump thread waits in real time, whatever its clock is. At least: a clock that stands still
// just before a deadline must not make it spin. At most: what a condition variable can add to now.
constexpr Duration kWaitMin = std::chrono::milliseconds(1);
constexpr Duration kWaitMax = std::chrono::hours(1);

Duration TimeUntil(Time deadline, Time now) {
  if (deadline <= now) return Duration::zero();
  if (deadline > SaturatingAdd(now, kWaitMax)) return kWaitMax;
  return std::max(deadline - now, kWaitMin);
}

bool Contains(const std::vector<std::thread::id>& list, std::thread::id id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

}  // namespace

// --- The pump role -------------------------------------------------------------------------------

void Endpoint::Impl::Pump(Time now) {
  {
    MutexLock lock(&mutex_);
    if (stopping()) return;
    now_ = std::max(now_, now);
    if (held_) {
      again_ = true;
      return;
    }
    held_ = true;
    holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    now = now_;
  }
  for (int turns = 1;; ++turns) {
    work_.exchange(false, std::memory_order_acq_rel);
    RunTurn(now);
    MutexLock lock(&mutex_);
    now = now_;
    const bool more = again_ || work_.load(std::memory_order_acquire);
    again_ = false;
    if (more && turns < kTurnsMax && !stopping()) continue;
    if (more) work_.store(true, std::memory_order_release);
    held_ = false;
    holder_.store(std::thread::id(), std::memory_order_relaxed);
    NotifyWaiters();
    return;
  }
}

void Endpoint::Impl::ThreadMain() {
  while (!stopping()) {  // looked at first: whoever stopped us may have destroyed the clock
    const Duration::rep seen = deadline_.load(std::memory_order_acquire);
    const Duration wait = TimeUntil(Time(Duration(seen)), config_.clock->Now());
    bool due = false;
    {
      MutexLock lock(&mutex_);
      if (stopping()) return;
      if (held_) {
        // A thread of the host pumps; it tells when it is done.
        Wait();
      } else if (work_.load(std::memory_order_acquire) || wait == Duration::zero()) {
        due = true;
      } else if (deadline_.load(std::memory_order_acquire) == seen) {
        ++waiters_;
        changed_.WaitFor(&mutex_, wait);
        --waiters_;
      }
    }
    if (due) Pump(config_.clock->Now());
  }
}

void Endpoint::Impl::Wait() {
  ++waiters_;
  changed_.Wait(&mutex_);
  --waiters_;
}

void Endpoint::Impl::NotifyWaiters() {
  if (waiters_ > 0) changed_.NotifyAll();
}

// --- The end -------------------------------------------------------------------------------------

bool Endpoint::Impl::MustWait(std::thread::id self) const {
  const std::thread::id holder = holder_.load(std::memory_order_relaxed);
  // Two that are inside and both stop must not wait for each other.
  const bool inside = (held_ && holder == self) || Contains(in_hook_, self);
  std::vector<std::thread::id> others = in_hook_;
  if (held_) others.push_back(holder);
  for (const std::thread::id other : others) {
    if (other != self && !(inside && Contains(in_stop_, other))) return true;
  }
  return false;
}

void Endpoint::Impl::JoinThread(std::thread::id self) {
  if (self == thread_id_) return;
  if (thread_state_ == ThreadState::kRunning) {
    thread_state_ = ThreadState::kJoining;
    std::thread ending = std::move(thread_);
    mutex_.Unlock();
    ending.join();
    mutex_.Lock();
    thread_state_ = ThreadState::kEnded;
    NotifyWaiters();
  }
  while (thread_state_ == ThreadState::kJoining) Wait();
}

void Endpoint::Impl::Stop(bool leave_membership) {
  const std::thread::id self = std::this_thread::get_id();
  bool leave = false;
  {
    MutexLock lock(&mutex_);
    stopping_.store(true, std::memory_order_release);
    in_stop_.push_back(self);
    NotifyWaiters();
    while (MustWait(self)) Wait();
    JoinThread(self);
    in_stop_.erase(std::find(in_stop_.begin(), in_stop_.end(), self));
    if (leave_membership) {
      leave = joined_membership_ && !self_excluded();
      joined_membership_ = false;
    }
  }
  {
    MutexLock lock(&arrivals_mutex_);
    for (const Envelope& envelope : arrived_) {
      inbox_bytes_.fetch_sub(envelope.bytes.size(), std::memory_order_acq_rel);
    }
    arrived_ = {};
    events_ = {};
    events_waiting_.store(0, std::memory_order_relaxed);
  }
  if (!leave) return;
  const std::optional<std::string> thrown =
      CallGuarded([this] { config_.membership->Leave(config_.self); });
  if (thrown.has_value()) LogThrown("Membership::Leave", *thrown);
}

void Endpoint::Impl::DetachIfPumpThread() {
  MutexLock lock(&mutex_);
  if (thread_.joinable()) thread_.detach();  // Stop has joined it unless it is the caller
}

}  // namespace freehold::runtime
