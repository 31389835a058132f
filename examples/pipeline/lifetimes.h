// When each object was made, let go, out of scope and gone: the lifetime report, and what the job
// waits for before it takes up more input.
//
// Thread safety: thread-safe. Blocks: only WaitUntilAlive. Memory: one entry per object that is not
// reclaimed, and 16 bytes per object that is.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_LIFETIMES_H_
#define FREEHOLD_EXAMPLES_PIPELINE_LIFETIMES_H_

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "freehold/ids.h"
#include "kinds.h"

namespace pipeline {

class Lifetimes {
 public:
  using Clock = std::chrono::steady_clock;

  // Of one kind of objects.
  struct Summary {
    uint64_t declared = 0;
    uint64_t reclaimed = 0;
    Clock::duration life_median{0};     // declared to reclaimed
    Clock::duration reclaim_median{0};  // the last reference dropped to the last copy gone
    Clock::duration reclaim_p99{0};
  };

  // `contains`: what the object holds in scope while it is.
  void Declared(const freehold::ObjectId& object, std::vector<freehold::ObjectId> contains);
  // A reference is about to be dropped, and with it perhaps the hold on what the object contains;
  // for each object the last drop counts.
  void Dropping(const freehold::ObjectId& object);
  // From the callbacks.
  void OutOfScope(const freehold::ObjectId& object);
  void Reclaimed(const freehold::ObjectId& object);

  // Waits until at most `count` objects have a copy left, the deadline has passed, or WakeAll was
  // called. True: at most `count` are left.
  bool WaitUntilAlive(uint64_t count, Clock::time_point deadline);
  void WakeAll();

  // One object that is not reclaimed; for the error message of who waited in vain.
  std::optional<freehold::ObjectId> AnyAlive() const;
  uint64_t declared() const;
  uint64_t callbacks() const;  // that ran, both kinds
  // Every object so far had each of its two callbacks exactly once.
  bool EachCallbackRanOnce() const;
  std::array<Summary, kKinds> Summarize() const;

 private:
  struct Life {
    Clock::time_point declared;
    Clock::time_point dropped;
    bool out_of_scope = false;
    std::vector<freehold::ObjectId> contains;
  };
  struct Ended {
    uint64_t declared = 0;
    std::vector<Clock::duration> lives;
    std::vector<Clock::duration> reclaims;
  };
  Ended& EndedOf(const freehold::ObjectId& object) {
    return ended_[static_cast<size_t>(KindOf(object))];
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<freehold::ObjectId, Life> alive_;  // guarded by mutex_, like all below
  std::array<Ended, kKinds> ended_;
  uint64_t declared_ = 0;
  uint64_t out_of_scope_ = 0;
  uint64_t reclaimed_ = 0;
  uint64_t unexpected_ = 0;  // callbacks that came twice, or out of order
  bool woken_ = false;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_LIFETIMES_H_
