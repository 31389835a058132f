// A small world for tests of heirs: 1 owns, 2 is the heir, 3 borrows, 4 comes later.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_HEIRS_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_HEIRS_WORLD_H_

#include <string>
#include <utility>
#include <vector>

#include "freehold/transfer.h"
#include "gtest/gtest.h"
#include "tests/runtime/creation_world.h"

namespace freehold {

class HeirsTest : public ::testing::Test {
 protected:
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
  void Transfer(uint64_t object, uint64_t from, uint64_t to) {
    TransferOptions options;
    options.on_answer = Answering().on_answer;
    const ObjectId id = Object(object);
    const absl::Status begun =
        Ownership(world[from]).Transfer({&id, 1}, Process(to), std::move(options));
    ASSERT_TRUE(begun.ok()) << begun;
  }
  std::string TakeAnswers() {
    std::string all;
    for (const std::string& answer : std::exchange(answers, {})) {
      all += (all.empty() ? "" : "; ") + answer;
    }
    return all;
  }
  virtual void Settle() {
    for (int i = 0; i < 3; ++i) {
      world.Settle();
      world.executor->RunAll();
    }
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
  ProcessId OwnerAt(uint64_t process, uint64_t object) {
    const auto owner = world[process].OwnerOf(Object(object));
    return owner.ok() ? *owner : ProcessId();
  }
  ReferenceCounterStats Stats(uint64_t process) { return world[process].GetStats(); }
  void ExpectNothingLeft() {
    Settle();
    world.ExpectClean();
    for (const auto& [number, counter] : world.counters) {
      const ReferenceCounterStats stats = counter->GetStats();
      EXPECT_EQ(stats.transfers_pending, 0u) << "process " << number;
      EXPECT_EQ(stats.transfers_untold, 0u) << "process " << number;
      EXPECT_EQ(stats.formerly_owned, 0u) << "process " << number;
      EXPECT_EQ(stats.heirs, 0u) << "process " << number;
      EXPECT_EQ(stats.heir_of, 0u) << "process " << number;
    }
  }

  // What was given to the hosts, and by whom.
  std::vector<std::pair<ObjectRef, ProcessId>> given;
  SharingWorld world{4, [this] {
                       ReferenceCounterOptions options;
                       options.on_transferred = [this](ObjectRef ref, const ProcessId& from) {
                         given.emplace_back(std::move(ref), from);
                       };
                       return options;
                     }()};
  std::vector<std::string> answers;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_HEIRS_WORLD_H_
