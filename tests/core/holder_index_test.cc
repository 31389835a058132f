#include "src/core/holder_index.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"

namespace freehold::core {
namespace {

using Added = HolderIndex::Added;
using Removed = HolderIndex::Removed;
using Entry = std::tuple<RecordIndex, PeerIndex, uint64_t>;

std::vector<Entry> Of(const HolderIndex& index, RecordIndex record) {
  std::vector<Entry> entries;
  index.ForEachOf(record, [&](const HolderIndex::Holder& holder) {
    entries.emplace_back(holder.record, holder.peer, holder.number);
    return true;
  });
  return entries;
}

TEST(HolderIndex, WhoeverIsThereIsNotAddedAgain) {
  HolderIndex index;
  EXPECT_EQ(index.Add(1, 10, 0), Added::kAdded);
  EXPECT_EQ(index.Add(1, 10, 0), Added::kPresent) << "the only one";
  EXPECT_EQ(index.Add(1, 11, 0), Added::kAdded);
  EXPECT_EQ(index.Add(1, 11, 0), Added::kPresent) << "a later one";
  EXPECT_EQ(index.Add(1, 10, 1), Added::kAdded) << "another number";
  EXPECT_EQ(index.Add(2, 10, 0), Added::kAdded) << "another record";
  EXPECT_EQ(index.size(), 4u);
  index.CheckInvariants();
}

TEST(HolderIndex, TheLastOneOfARecordSaysSo) {
  HolderIndex index;
  for (const PeerIndex peer : {10, 11, 12}) EXPECT_EQ(index.Add(1, peer, 0), Added::kAdded);
  EXPECT_EQ(index.Add(2, 10, 0), Added::kAdded);
  EXPECT_EQ(index.Remove(1, 13, 0), Removed::kAbsent);
  EXPECT_EQ(index.Remove(3, 10, 0), Removed::kAbsent);
  EXPECT_EQ(index.Remove(1, 10, 0), Removed::kOthersLeft) << "the oldest";
  EXPECT_EQ(index.Remove(1, 10, 0), Removed::kAbsent);
  EXPECT_EQ(index.Remove(1, 12, 0), Removed::kOthersLeft) << "the newest";
  index.CheckInvariants();
  EXPECT_EQ(index.Remove(1, 11, 0), Removed::kLast);
  EXPECT_EQ(index.FirstOf(1), nullptr);
  EXPECT_EQ(index.Remove(2, 10, 0), Removed::kLast);
  EXPECT_EQ(index.size(), 0u);
  index.CheckInvariants();
}

TEST(HolderIndex, AgreesWithAListWhateverIsAddedAndRemoved) {
  HolderIndex index;
  std::vector<Entry> list;  // in order of addition
  internal::SplitMix64 random(1);
  for (int step = 0; step < 20'000; ++step) {
    const RecordIndex record = static_cast<RecordIndex>(random.Next() % 8);
    const PeerIndex peer = static_cast<PeerIndex>(random.Next() % 5);
    const uint64_t number = random.Next() % 3;
    const Entry entry(record, peer, number);
    const auto at = std::find(list.begin(), list.end(), entry);
    ASSERT_EQ(index.Contains(record, peer, number), at != list.end());
    // More often added than removed, and the other way round, in turns.
    if (random.Next() % 8 < (step / 1'000 % 2 == 0 ? 6 : 2)) {
      ASSERT_EQ(index.Add(record, peer, number),
                at == list.end() ? Added::kAdded : Added::kPresent);
      if (at == list.end()) list.push_back(entry);
    } else {
      const Removed removed = index.Remove(record, peer, number);
      ASSERT_EQ(removed == Removed::kAbsent, at == list.end());
      if (at != list.end()) list.erase(at);
      const bool left = std::any_of(list.begin(), list.end(), [&](const Entry& other) {
        return std::get<0>(other) == record;
      });
      ASSERT_TRUE(removed == Removed::kAbsent || left == (removed == Removed::kOthersLeft));
    }
    std::vector<Entry> of_record;
    std::copy_if(list.begin(), list.end(), std::back_inserter(of_record),
                 [&](const Entry& other) { return std::get<0>(other) == record; });
    ASSERT_EQ(Of(index, record), of_record);
    if (step % 64 == 0) index.CheckInvariants();
  }
}

}  // namespace
}  // namespace freehold::core
