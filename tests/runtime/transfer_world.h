// A small world for tests of transfers: 1 owns, 2 is the next owner, 3 borrows, 4 comes later.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_TRANSFER_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_TRANSFER_WORLD_H_

#include <string>
#include <utility>
#include <vector>

#include "freehold/transfer.h"
#include "gtest/gtest.h"
#include "tests/runtime/creation_world.h"

namespace freehold {

class TransferTest : public ::testing::Test {
 protected:
  explicit TransferTest(const ReferenceCounterOptions& options = {}) : world(4, options) {}
  void Transfer(uint64_t object, uint64_t from, uint64_t to) {
    TransferOptions options;
    options.on_answer = [this](const ObjectId&, const absl::Status& status) {
      answers.push_back(NameOf(status));
    };
    const ObjectId id = Object(object);
    const absl::Status begun =
        Ownership(world[from]).Transfer({&id, 1}, Process(to), std::move(options));
    ASSERT_TRUE(begun.ok()) << begun;
  }
  virtual void Settle() {
    for (int i = 0; i < 3; ++i) {
      world.Settle();
      world.executor->RunAll();
    }
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
    }
  }

  SharingWorld world;
  std::vector<std::string> answers;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_TRANSFER_WORLD_H_
