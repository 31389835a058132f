#include "src/base/intern.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"

namespace freehold::internal {
namespace {

Address ProcessNumber(uint64_t number) { return ProcessId::FromNumber(number); }
Address NodeNumber(uint64_t number) { return NodeId::FromNumber(number); }

TEST(AddressInterner, GivesDenseIndicesInOrderOfFirstSight) {
  AddressInterner interner(1000);
  EXPECT_EQ(interner.Intern(ProcessNumber(70)), 0u);
  EXPECT_EQ(interner.Intern(ProcessNumber(3)), 1u);
  EXPECT_EQ(interner.Intern(ProcessNumber(70)), 0u);
  EXPECT_EQ(interner.Intern(ProcessNumber(9)), 2u);
  EXPECT_EQ(interner.size(), 3u);
  EXPECT_EQ(interner.At(1), ProcessNumber(3));
}

TEST(AddressInterner, FindNeverAdds) {
  AddressInterner interner(1000);
  EXPECT_EQ(interner.Find(ProcessNumber(1)), AddressInterner::kNotFound);
  EXPECT_EQ(interner.size(), 0u);
  interner.Intern(ProcessNumber(1));
  EXPECT_EQ(interner.Find(ProcessNumber(1)), 0u);
  EXPECT_EQ(interner.Find(ProcessNumber(2)), AddressInterner::kNotFound);
}

TEST(AddressInterner, AProcessAndANodeWithTheSameBytesAreTwo) {
  AddressInterner interner(1000);
  EXPECT_EQ(interner.Intern(ProcessNumber(5)), 0u);
  EXPECT_EQ(interner.Intern(NodeNumber(5)), 1u);
  EXPECT_EQ(interner.Find(NodeNumber(5)), 1u);
}

TEST(AddressInterner, TheNilIdIsAnAddressLikeAnother) {
  AddressInterner interner(10);
  EXPECT_EQ(interner.Find(Address()), AddressInterner::kNotFound);
  EXPECT_EQ(interner.Intern(Address()), 0u);
  EXPECT_EQ(interner.Find(Address()), 0u);
}

TEST(AddressInterner, ANodeAskedForAgainAndAgainKeepsItsIndexAmongMany) {
  AddressInterner interner(3000);
  // More than are remembered, so that they push each other out.
  for (int round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < 1000; ++i) {
      ASSERT_EQ(interner.InternNode(NodeId::FromNumber(i)), i);
      ASSERT_EQ(interner.InternNode(NodeId::FromNumber(i)), i);
    }
  }
  EXPECT_EQ(interner.Intern(ProcessNumber(5)), 1000u) << "not the node of the same bytes";
  EXPECT_EQ(interner.InternNode(NodeId::FromNumber(5)), 5u);
  EXPECT_EQ(interner.size(), 1001u);
}

TEST(AddressInterner, ANodeThatDoesNotFitIsRefusedEachTime) {
  AddressInterner interner(1);
  EXPECT_EQ(interner.InternNode(NodeId::FromNumber(1)), 0u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(interner.InternNode(NodeId::FromNumber(2)), AddressInterner::kNotFound);
  }
}

TEST(AddressInterner, RefusesWhatExceedsItsMaximumAndKeepsWhatItHas) {
  AddressInterner interner(2);
  EXPECT_EQ(interner.Intern(ProcessNumber(1)), 0u);
  EXPECT_EQ(interner.Intern(ProcessNumber(2)), 1u);
  EXPECT_EQ(interner.Intern(ProcessNumber(3)), AddressInterner::kNotFound);
  EXPECT_EQ(interner.Find(ProcessNumber(3)), AddressInterner::kNotFound);
  EXPECT_EQ(interner.Intern(ProcessNumber(2)), 1u);
  EXPECT_EQ(interner.size(), 2u);
}

TEST(AddressInterner, GrowsAndKeepsReferencesStable) {
  constexpr uint32_t kCount = 100000;
  AddressInterner interner(kCount);
  interner.Intern(ProcessNumber(0));
  const Address* first = &interner.At(0);
  for (uint32_t i = 1; i < kCount; ++i) ASSERT_EQ(interner.Intern(ProcessNumber(i)), i);
  EXPECT_EQ(&interner.At(0), first);
  for (uint32_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(interner.Find(ProcessNumber(i)), i);
    ASSERT_EQ(interner.At(i), ProcessNumber(i));
  }
}

TEST(AddressInterner, ThreadsThatRaceForTheSameAddressesAgree) {
  static constexpr uint32_t kCount = 5000;
  constexpr int kThreads = 4;
  AddressInterner interner(kCount);
  std::vector<std::vector<uint32_t>> seen(kThreads, std::vector<uint32_t>(kCount));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&interner, &seen, t] {
      for (uint32_t i = 0; i < kCount; ++i) {
        const uint32_t number = t % 2 == 0 ? i : kCount - 1 - i;
        const uint32_t index = interner.Intern(ProcessNumber(number));
        ASSERT_LT(index, kCount);
        ASSERT_EQ(interner.At(index), ProcessNumber(number));
        ASSERT_EQ(interner.Find(ProcessNumber(number)), index);
        seen[static_cast<size_t>(t)][number] = index;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(interner.size(), kCount);
  for (int t = 1; t < kThreads; ++t) EXPECT_EQ(seen[static_cast<size_t>(t)], seen[0]);
}

TEST(AddressInterner, AReaderFindsEveryIndexItWasTold) {
  constexpr uint32_t kCount = 20000;
  AddressInterner interner(kCount);
  std::atomic<uint32_t> told{0};
  std::thread writer([&] {
    for (uint32_t i = 0; i < kCount; ++i) {
      interner.Intern(ProcessNumber(i));
      told.store(i + 1, std::memory_order_release);
    }
  });
  for (uint32_t upto = 0; upto < kCount;) {
    upto = told.load(std::memory_order_acquire);
    for (uint32_t i = upto > 10 ? upto - 10 : 0; i < upto; ++i) {
      ASSERT_EQ(interner.Find(ProcessNumber(i)), i);
    }
  }
  writer.join();
}

TEST(StringInterner, KeepsOneCopyOfEachString) {
  StringInterner interner(100);
  const uint32_t a = interner.Intern("train.cc:17");
  const uint32_t b = interner.Intern("load.cc:4");
  EXPECT_NE(a, b);
  EXPECT_EQ(interner.Intern(std::string("train.cc:17")), a);
  EXPECT_EQ(interner.At(a), "train.cc:17");
  EXPECT_EQ(interner.At(b), "load.cc:4");
  EXPECT_EQ(interner.size(), 3u);  // with the empty one
}

TEST(StringInterner, TheEmptyStringIsThereFromTheStart) {
  StringInterner interner(1);
  EXPECT_EQ(interner.Intern(""), StringInterner::kEmpty);
  EXPECT_EQ(interner.At(StringInterner::kEmpty), "");
}

TEST(StringInterner, AnswersTheEmptyStringWhenItIsFull) {
  StringInterner interner(2);
  const uint32_t a = interner.Intern("a");
  EXPECT_EQ(interner.Intern("b"), StringInterner::kEmpty);
  EXPECT_EQ(interner.Intern("a"), a);
  EXPECT_EQ(interner.size(), 2u);
}

TEST(StringInterner, ReferencesStayGoodWhileItGrowsAndThreadsAgree) {
  StringInterner interner(10000);
  const std::string& first = interner.At(interner.Intern("first"));
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&interner] {
      for (int i = 0; i < 3000; ++i) {
        const std::string text = "site " + std::to_string(i);
        ASSERT_EQ(interner.At(interner.Intern(text)), text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first, "first");
  EXPECT_EQ(interner.size(), 3002u);
}

// From the reference implementation by S. Vigna (https://prng.di.unimi.it/splitmix64.c).
TEST(SplitMix64, GivesTheNumbersOfTheReferenceImplementation) {
  SplitMix64 random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  EXPECT_EQ(random.Next(), 9817491932198370423u);
}

}  // namespace
}  // namespace freehold::internal
