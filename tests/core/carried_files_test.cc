// CarriedFiles: what a node looks after for owners whose nodes are gone.

#include "src/core/carried_files.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/owner_payload.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kOwner = 1;
constexpr PeerIndex kOther = 2;
constexpr Time kStart = Time(std::chrono::seconds(5));

FileItem File(FileItemKind kind, uint64_t number, const std::string& url = "a") {
  return {ObjectId::FromNumber(9), number, 0, kind, 7, url};
}
FileItem Carry(uint64_t number, const std::string& url = "a") {
  return File(FileItemKind::kCarry, number, url);
}
FileItem Delete(uint64_t number, const std::string& url = "a") {
  return File(FileItemKind::kDelete, number, url);
}

class CarriedFilesTest : public ::testing::Test {
 protected:
  // Owner and number of what the store is to delete, in order.
  std::vector<std::pair<PeerIndex, uint64_t>> Take(Time now = kStart, uint32_t files_max = 100) {
    std::vector<std::pair<PeerIndex, uint64_t>> taken;
    files_.TakeDeletes(now, files_max, [&](const CarriedFiles::Key& key, const FileItem&) {
      taken.emplace_back(key.owner, key.number);
    });
    return taken;
  }
  std::vector<uint64_t> Answers(PeerIndex owner) {
    struct Sink : StraySink {
      void OnFile(const FileItem& item) override {
        EXPECT_EQ(item.kind, FileItemKind::kGone);
        numbers.push_back(item.number);
      }
      std::vector<uint64_t> numbers;
    } sink;
    PayloadWriter writer(kEnvelopeBytesMost);
    EXPECT_FALSE(files_.Fill(owner, &writer));
    if (writer.empty()) return {};
    const std::string payload = writer.Take();
    EXPECT_EQ(ReadPayload(payload, &sink), CodecError::kOk);
    return sink.numbers;
  }

  using Keys = std::vector<std::pair<PeerIndex, uint64_t>>;
  CarriedFiles files_{{std::chrono::milliseconds(100), std::chrono::milliseconds(400), 3}};
};

TEST_F(CarriedFilesTest, AFileIsKeptUntilItsOwnerHasItDeleted) {
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(1)));
  EXPECT_EQ(files_.NextWork(), kInfiniteFuture);
  EXPECT_EQ(Take(), Keys{});
  ASSERT_TRUE(files_.OnItem(kOwner, Delete(1)));
  EXPECT_EQ(files_.NextWork(), kInfinitePast);
  EXPECT_EQ(Take(), (Keys{{kOwner, 1}}));
  EXPECT_TRUE(files_.OnDeleted({kOwner, 1})) << "its owner is to be marked ready";
  EXPECT_EQ(Answers(kOwner), std::vector<uint64_t>{1});
  EXPECT_EQ(files_.stats().files, 0u);
}

TEST_F(CarriedFilesTest, WhatWasNeverCarriedIsDeletedAllTheSame) {
  ASSERT_TRUE(files_.OnItem(kOwner, Delete(1)));
  EXPECT_EQ(Take(), (Keys{{kOwner, 1}}));
}

TEST_F(CarriedFilesTest, ARepeatedWordChangesNothing) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(files_.OnItem(kOwner, Carry(1)));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(files_.OnItem(kOwner, Delete(1)));
  EXPECT_EQ(Take(), (Keys{{kOwner, 1}}));
  EXPECT_TRUE(files_.OnItem(kOwner, Delete(1))) << "while the store has it";
  EXPECT_EQ(Take(), Keys{});
}

TEST_F(CarriedFilesTest, ALyingOwnerIsRefused) {
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(1)));
  EXPECT_FALSE(files_.OnItem(kOwner, Delete(1, "another"))) << "the number names another file";
  EXPECT_FALSE(files_.OnItem(kOwner, File(FileItemKind::kGone, 1)));
  EXPECT_EQ(Take(), Keys{});
  EXPECT_TRUE(files_.OnItem(kOther, Delete(1, "its own")));
  EXPECT_EQ(Take(), (Keys{{kOther, 1}}))
      << "numbers of two owners have nothing to do with each other";
}

TEST_F(CarriedFilesTest, BeyondTheBoundNoneIsCarriedButAnyIsDeleted) {
  for (uint64_t number = 1; number <= 3; ++number) {
    ASSERT_TRUE(files_.OnItem(kOwner, Carry(number)));
  }
  EXPECT_FALSE(files_.OnItem(kOwner, Carry(4)));
  EXPECT_TRUE(files_.OnItem(kOwner, Delete(5)));
  EXPECT_EQ(Take(), (Keys{{kOwner, 5}}));
}

TEST_F(CarriedFilesTest, WhatFailsIsTriedAgainEachTimeLater) {
  ASSERT_TRUE(files_.OnItem(kOwner, Delete(1)));
  Time now = kStart;
  for (const int delay : {100, 200, 400, 400}) {
    EXPECT_EQ(Take(now), (Keys{{kOwner, 1}}));
    EXPECT_EQ(files_.OnFailed({kOwner, 1}, "full", now, 0), delay == 100) << "news once";
    EXPECT_EQ(files_.NextWork(), now + std::chrono::milliseconds(delay));
    EXPECT_EQ(Take(files_.NextWork() - Duration(1)), Keys{});
    now = files_.NextWork();
  }
  ASSERT_EQ(files_.Undeleted().size(), 1u);
  EXPECT_EQ(files_.Undeleted()[0].second, "full");
  EXPECT_EQ(Take(now), (Keys{{kOwner, 1}}));
  EXPECT_TRUE(files_.OnFailed({kOwner, 1}, "another reason", now, 0)) << "news again";
}

TEST_F(CarriedFilesTest, ADeadOwnersFilesGoAtTheBarrierInPieces) {
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(1, "a")));
  ASSERT_TRUE(files_.OnItem(kOther, Carry(1, "b")));
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(2, "c")));
  const PeerIndex dead[] = {kOwner};
  files_.OnView(4, dead);
  EXPECT_FALSE(files_.OnItem(kOwner, Carry(3))) << "it is fenced";
  EXPECT_EQ(Take(), Keys{}) << "somebody may have adopted what it owned";
  files_.OnBarrier(3);
  EXPECT_EQ(Take(), Keys{});
  files_.OnBarrier(4);
  EXPECT_EQ(files_.NextWork(), kInfinitePast);
  EXPECT_EQ(Take(kStart, 1), (Keys{{kOwner, 1}}));
  EXPECT_EQ(Take(kStart, 1), (Keys{{kOwner, 2}}));
  EXPECT_EQ(Take(), Keys{});
  EXPECT_FALSE(files_.OnDeleted({kOwner, 1})) << "nobody is left to hear of it";
  EXPECT_FALSE(files_.OnDeleted({kOwner, 2}));
  EXPECT_EQ(files_.NextWork(), kInfiniteFuture);
  EXPECT_EQ(files_.stats().files, 1u) << "the other owner's";
}

TEST_F(CarriedFilesTest, WhatADeadOwnerLeavesIsNamedUntilItIsDeleted) {
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(1)));
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(UINT64_MAX)));
  EXPECT_TRUE(files_.Undeleted().empty());
  const PeerIndex dead[] = {kOwner};
  files_.OnView(1, dead);
  EXPECT_EQ(files_.Undeleted().size(), 2u) << "before the barrier too";
  EXPECT_FALSE(files_.deleting());
  files_.OnBarrier(1);
  EXPECT_TRUE(files_.deleting()) << "although none has been looked at yet";
  EXPECT_EQ(Take(kStart, 1), (Keys{{kOwner, 1}}));
  EXPECT_EQ(Take(kStart, 1), (Keys{{kOwner, UINT64_MAX}}));
  EXPECT_EQ(files_.NextWork(), kInfiniteFuture) << "no number is the last one for ever";
  for (const uint64_t number : {uint64_t{1}, UINT64_MAX}) {
    EXPECT_FALSE(files_.OnDeleted({kOwner, number}));
  }
  EXPECT_FALSE(files_.deleting());
  EXPECT_TRUE(files_.Undeleted().empty());
}

TEST_F(CarriedFilesTest, ManyThatFailedAreTriedAgainInPieces) {
  for (uint64_t number = 1; number <= 5; ++number) {
    ASSERT_TRUE(files_.OnItem(kOwner, Delete(number)));
  }
  EXPECT_EQ(Take().size(), 5u);
  for (uint64_t number = 1; number <= 5; ++number) {
    (void)files_.OnFailed({kOwner, number}, "full", kStart, 0);
  }
  const Time later = kStart + std::chrono::seconds(1);
  EXPECT_EQ(Take(later, 2).size(), 2u);
  EXPECT_LE(files_.NextWork(), later);
  EXPECT_EQ(Take(later).size(), 3u);
}

TEST_F(CarriedFilesTest, ABarrierThatComesAgainChangesNothing) {
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(1)));
  files_.OnBarrier(4);
  files_.OnBarrier(2);
  const PeerIndex dead[] = {kOwner};
  files_.OnView(3, dead);
  EXPECT_EQ(Take(), (Keys{{kOwner, 1}})) << "its barrier has come";
}

TEST_F(CarriedFilesTest, AViewThatIsHeardAfterItsBarrierIsClosed) {
  ASSERT_TRUE(files_.OnItem(kOwner, Carry(1)));
  files_.OnBarrier(4);
  const PeerIndex dead[] = {kOwner};
  files_.OnView(4, dead);
  EXPECT_EQ(Take(), (Keys{{kOwner, 1}}));
}

TEST_F(CarriedFilesTest, AnExcludedOwnerIsToldNothing) {
  ASSERT_TRUE(files_.OnItem(kOwner, Delete(1)));
  ASSERT_TRUE(files_.OnItem(kOwner, Delete(2)));
  EXPECT_EQ(Take().size(), 2u);
  EXPECT_TRUE(files_.OnDeleted({kOwner, 1}));
  const PeerIndex dead[] = {kOwner};
  files_.OnView(1, dead);
  EXPECT_FALSE(files_.OnDeleted({kOwner, 2}));
  EXPECT_EQ(files_.stats().answers, 0u);
  EXPECT_EQ(Answers(kOwner), std::vector<uint64_t>{});
}

TEST_F(CarriedFilesTest, AnExcludedNodeTellsNobodyAnything) {
  ASSERT_TRUE(files_.OnItem(kOwner, Delete(1)));
  EXPECT_EQ(Take().size(), 1u);
  files_.OnSelfExcluded();
  EXPECT_FALSE(files_.OnDeleted({kOwner, 1}));
  EXPECT_FALSE(files_.OnItem(kOwner, Carry(2)));
}

}  // namespace
}  // namespace freehold::core
