// A small world for tests of heirs of objects that contain others.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_HEIRS_CONTAINED_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_HEIRS_CONTAINED_WORLD_H_

#include <utility>
#include <vector>

#include "tests/runtime/heirs_world.h"

namespace freehold {

// 1 owns object 8, which contains 7; 2 is its heir, 3 reads.
class HeirsContained : public HeirsTest {
 protected:
  explicit HeirsContained(const SessionOptions& session = {}) : HeirsTest(session) {}

  absl::Status Put(uint64_t inner, uint64_t outer, uint64_t process = 1) {
    const ObjectId id = Object(inner);
    return world[process].AddNested(Object(outer), {id});
  }
  void Contain(uint64_t inner, uint64_t outer, uint64_t process = 1) {
    const absl::Status put = Put(inner, outer, process);
    ASSERT_TRUE(put.ok()) << put;
  }
  // 8 contains 7, which `owner` owns, and nobody else holds.
  void ContainOf(uint64_t owner) {
    const ObjectRef inner = world.Declare(owner, 7);
    const ObjectRef passed = owner == 1 ? ObjectRef() : world.Pass(owner, 7, 1);
    Settle();
    Contain(7, 8);
  }
  ErrorReason Read(uint64_t reader, uint64_t inner, uint64_t outer, uint64_t inner_owner) {
    absl::StatusOr<ObjectRef> read =
        world[reader].ImportNested(Object(outer), Object(inner), Process(inner_owner));
    if (read.ok()) read_.push_back(*std::move(read));
    return ReasonOf(read.status());
  }
  void OwnerDies(uint64_t owner = 1) {
    Die(owner);
    own.Reset();
    Settle();
  }
  void ExpectAllEnds() {
    given.clear();
    read_.clear();
    own.Reset();
    borrowed.Reset();
    ExpectNothingLeft();
  }
  uint64_t NestedAt(uint64_t process, uint64_t object) {
    return world.Counts(process, object).nested_in;
  }

  ObjectRef own = world.Declare(1, 8);
  ObjectRef borrowed;
  std::vector<ObjectRef> read_;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_HEIRS_CONTAINED_WORLD_H_
