// Reports of copies whose frees are under way were counted as answers owed to their node, although
// no further free goes out for them. After 4,096 of them the owner took nothing from that node any
// more, the answers to its frees included: the copies were never settled.

#include <vector>

#include "gtest/gtest.h"
#include "tests/sim/free_world.h"

namespace freehold::sim {
namespace {

TEST(ReportFlood, ReportsThatCrossTheirFreesDoNotShutTheDoorOnTheNode) {
  constexpr uint64_t kObjects = 6'000;
  FreeWorld world(FreeWorldOptions{});
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= kObjects; ++i) {
    const ObjectId id = ObjectId::FromNumber(i);
    refs.push_back(*world.counter(0).Declare(id));
    ASSERT_TRUE(world.Store(0, 0, id, CopyRole::kPrimary).ok());
  }
  ASSERT_TRUE(world.Settle(std::chrono::seconds(10)));

  // All frees leave the owner while all spill reports leave the node.
  refs.clear();
  for (uint64_t i = 1; i <= kObjects; ++i) {
    const ObjectId id = ObjectId::FromNumber(i);
    ASSERT_TRUE(world.agent(0).MarkSpilled(id, 0, "file:///spill", false).ok());
    FakeStore::Stored* stored = world.node(0).store.Find({id, 0});
    stored->in_memory = false;
    stored->url = "file:///spill";
  }
  world.Pump(0);
  world.PumpNode(0);
  ASSERT_TRUE(world.Settle(std::chrono::seconds(10)));
  EXPECT_EQ(world.node(0).store.copies().size(), 0u);
  EXPECT_EQ(world.counter(0).GetStats().objects, 0u);
}

}  // namespace
}  // namespace freehold::sim
