// A process that drains, and two others.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_DRAIN_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_DRAIN_WORLD_H_

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "freehold/drain.h"
#include "gtest/gtest.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {

class DrainTest : public ::testing::Test {
 protected:
  DrainTest() : world_(3) {}

  // Drains process 1. Nobody else has a thread: while it waits, each millisecond of the clock
  // `meanwhile(tick)` happens, and then the others are pumped.
  DrainReport Drain(Duration timeout, const std::function<void(int)>& meanwhile = nullptr,
                    DrainOptions options = {}) {
    options.timeout = timeout;
    options.interrupted = [&, tick = 0]() mutable {
      world_.clock.Advance(std::chrono::milliseconds(1));
      if (meanwhile != nullptr) meanwhile(tick);
      ++tick;
      world_.Settle({2, 3});
      return false;
    };
    return world_[1].Drain(options);
  }
  static std::vector<std::string> Texts(const DrainReport& report) {
    std::vector<std::string> texts;
    for (const DrainBlocker& blocker : report.blockers) texts.push_back(blocker.ToString());
    return texts;
  }
  DrainReport GiveTo(uint64_t next_owner, size_t blockers_max = 100) {
    DrainOptions options;
    options.next_owner = Process(next_owner);
    options.blockers_max = blockers_max;
    return Drain(std::chrono::milliseconds(100), nullptr, options);
  }
  static std::string Name(uint64_t process) { return Address(Process(process)).ToString(); }
  static std::string NotAcknowledgedBy(uint64_t process) {
    return "1 envelopes not acknowledged by " + Name(process);
  }
  static std::string Hex(uint64_t object) { return Object(object).ToHex(); }

  SharingWorld world_;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_DRAIN_WORLD_H_
