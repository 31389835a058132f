#include "src/base/published_slots.h"

#include <array>
#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace freehold::internal {
namespace {

TEST(PublishedSlots, DoublingRepeatsWhatIsThere) {
  std::array<int, 3> things{};
  PublishedSlots<int> slots(things.data());
  EXPECT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots.At(12345), things.data());
  slots.Double();
  slots.Set(1, &things[1]);
  slots.Double();
  ASSERT_EQ(slots.size(), 4u);
  slots.Set(2, &things[2]);
  const std::array<int*, 4> expected = {things.data(), &things[1], &things[2], &things[1]};
  for (uint64_t number = 0; number < 16; ++number) {
    EXPECT_EQ(slots.At(number), expected[number % 4]);
    EXPECT_EQ(slots.Glance(number), expected[number % 4]);
  }
}

TEST(PublishedSlots, AGlanceWhileItChangesIsOfNowOrBefore) {
  std::array<int, 2> things{};
  PublishedSlots<int> slots(things.data());
  std::atomic<bool> done{false};
  std::atomic<uint64_t> glances{0};
  std::thread looks([&] {
    for (uint64_t number = 0; !done.load(); ++number) {
      const int* const seen = slots.Glance(number);
      ASSERT_TRUE(seen == things.data() || seen == &things[1]);
      if (number % 2 == 0) ASSERT_EQ(seen, things.data());
      glances.fetch_add(1);
    }
  });
  while (glances.load() < 100) std::this_thread::yield();
  for (int doublings = 0; doublings < 14; ++doublings) {
    slots.Double();
    for (size_t slot = 1; slot < slots.size(); slot += 2) slots.Set(slot, &things[1]);
    std::this_thread::yield();
  }
  done.store(true);
  looks.join();
}

}  // namespace
}  // namespace freehold::internal
