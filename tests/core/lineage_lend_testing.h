// The fixture of the tests of tasks that go along with what they made: `here` lends, `there` takes.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_LINEAGE_LEND_TESTING_H_
#define FREEHOLD_TESTS_CORE_LINEAGE_LEND_TESTING_H_

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/lineage_testing.h"

namespace freehold::core {

inline constexpr PeerIndex kTo = 7;
inline constexpr PeerIndex kElsewhere = 8;

class LineageLend : public ::testing::Test {
 protected:
  TaskRecord Lend(uint64_t object, PeerIndex to = kTo, bool record = false) {
    TaskRecord task;
    EXPECT_EQ(At(here, event::LendReturn{Object(object), to, record}, &task), LineageVerdict::kOk);
    (void)At(here, event::LentSettled{Object(object), to});
    return task;
  }
  TaskRecord LendRecord(uint64_t object) { return Lend(object, kTo, true); }
  LineageVerdict Refused(uint64_t object) {
    TaskRecord task;
    return At(here, event::LendReturn{Object(object), kTo}, &task);
  }
  LineageVerdict Adopt(LineageHarness& table, const TaskRecord& task, uint64_t object,
                       uint32_t generation = 0) {
    const LineageVerdict verdict =
        At(table, event::AdoptReturn{task, Object(object), generation}, &adoption);
    if (verdict == LineageVerdict::kOk && adoption == Adoption::kWithTask) {
      EXPECT_EQ(At(table, event::EndTask{task.id}), LineageVerdict::kOk);
    }
    return verdict;
  }
  LineageVerdict NotTaken(LineageHarness& table, uint64_t object) {
    return At(table, event::ReturnNotTaken{Object(object), kTo, adoption});
  }
  template <typename Event, typename... Rest>
  LineageVerdict At(LineageHarness& table, const Event& event, Rest... rest) {
    const LineageVerdict verdict = table.table.Step(event, rest..., &table.effects);
    table.Work();
    return verdict;
  }
  LineageVerdict Back(uint64_t object) { return At(here, event::ReturnBack{Object(object)}); }
  LineageVerdict MovedOn(uint64_t object, PeerIndex owner) {
    return At(here, event::LentSettled{Object(object), owner});
  }
  LineageVerdict Over(uint64_t object) { return At(here, event::LentEnded{Object(object)}); }
  LineageVerdict Kept(uint64_t object) { return At(here, event::RecordKept{Object(object)}); }
  std::vector<ObjectId> Following(PeerIndex to = kTo) {
    std::vector<ObjectId> objects;
    for (const auto& one : std::exchange(here.effects.to_follow, {})) {
      EXPECT_EQ(one.to, to);
      objects.push_back(one.object);
    }
    return objects;
  }
  uint64_t away() const { return here.table.counters().away; }

  LineageHarness here;
  LineageHarness there;
  Adoption adoption = Adoption::kKnown;  // of what was adopted last
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_LINEAGE_LEND_TESTING_H_
