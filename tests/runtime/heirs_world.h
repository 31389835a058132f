// A small world for tests of heirs: 1 owns, 2 is the heir, 3 borrows, 4 comes later.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_HEIRS_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_HEIRS_WORLD_H_

#include <string>
#include <utility>
#include <vector>

#include "freehold/transfer.h"
#include "tests/runtime/transfer_world.h"

namespace freehold {

class HeirsTest : public TransferTest {
 protected:
  explicit HeirsTest(const SessionOptions& session = {}) : TransferTest(GivingTo(this, session)) {}

  HeirOptions Answering() {
    HeirOptions options;
    options.on_answer = [this](const ObjectId&, const absl::Status& status) {
      answers.push_back(NameOf(status));
    };
    return options;
  }
  void Name(uint64_t object, uint64_t owner, uint64_t heir) {
    const ObjectId id = Object(object);
    const absl::Status begun =
        Ownership(world[owner]).NameHeir({&id, 1}, Process(heir), Answering());
    ASSERT_TRUE(begun.ok()) << begun;
  }
  void Dismiss(uint64_t object, uint64_t owner) {
    const ObjectId id = Object(object);
    const absl::Status begun = Ownership(world[owner]).DismissHeir({&id, 1}, Answering());
    ASSERT_TRUE(begun.ok()) << begun;
  }
  // The heir is prepared.
  void Prepare(uint64_t object, uint64_t owner = 1, uint64_t heir = 2) {
    Name(object, owner, heir);
    Settle();
    ASSERT_EQ(TakeAnswers(), "ok");
  }
  std::string TakeAnswers() {
    std::string all;
    for (const std::string& answer : std::exchange(answers, {})) {
      all += (all.empty() ? "" : "; ") + answer;
    }
    return all;
  }
  void CutOff(uint64_t process) { world.transport.unreachable[Process(process)] = true; }
  void Reach(uint64_t process) {
    world.transport.unreachable.erase(Process(process));
    world.SettleFor(std::chrono::seconds(5));
    Settle();
  }
  void Die(uint64_t process) {
    world.Crash(process);
    world.Exclude(process);
  }
  void ExpectNothingLeft() {
    TransferTest::ExpectNothingLeft();
    for (const auto& [number, counter] : world.counters) {
      const ReferenceCounterStats stats = counter->GetStats();
      EXPECT_EQ(stats.heirs, 0u) << "process " << number;
      EXPECT_EQ(stats.heir_of, 0u) << "process " << number;
    }
  }

  // What was given to the hosts, and by whom.
  std::vector<std::pair<ObjectRef, ProcessId>> given;

 private:
  static ReferenceCounterOptions GivingTo(HeirsTest* test, const SessionOptions& session) {
    ReferenceCounterOptions options;
    options.session = session;
    options.on_transferred = [test](ObjectRef ref, const ProcessId& from) {
      test->given.emplace_back(std::move(ref), from);
    };
    return options;
  }
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_HEIRS_WORLD_H_
