// ObjectTable: owners before hear whose an object is for good, when the task that made it went
// along and its next owner has given it on.

#include <memory>
#include <string>
#include <vector>

#include "src/core/object_table_lineage.h"
#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

std::unique_ptr<const TaskRecord> SomeTask() {
  return std::make_unique<const TaskRecord>(TaskRecord{TaskId::FromNumber(1), 10, 1, {}});
}

std::string Line(SharingKind kind) { return "sharing " + std::to_string(static_cast<int>(kind)); }

class ObjectTableFollowed : public ObjectTableHeirs {
 protected:
  template <typename Event>
  Verdict Transfers(const Event& e) {
    return Do([&](Effects* effects) { return TransferSteps(&table_).Step(e, effects); });
  }
  // kFirst has owned it, and kOwner gives it away, in the third term.
  void Take(bool with_task = true) {
    OwnedSnapshot snapshot;
    snapshot.formers = {kFirst};
    if (with_task) snapshot.task = SomeTask();
    ASSERT_EQ(Do([&](Effects* effects) {
                const event::TakeOver e{key(), kOwner, 3, snapshot};
                return TransferSteps(&table_).Step(e, effects, &record_);
              }),
              Verdict::kOk);
    EXPECT_EQ(Pull(kOwner), Sent{Line(SharingKind::kTransferAck)});
    EXPECT_EQ(Pull(kFirst), Sent{"moved t3"});
  }
  // An object of this table's is kHeir's, in the second term, and so is the task that made it.
  void Lend() {
    Declare();
    ASSERT_EQ(LineageSteps(&table_).Step(event::SetLineage{key()}), Verdict::kOk);
    std::unique_ptr<const TaskRecord> task = SomeTask();
    ASSERT_EQ(Do([&](Effects* effects) {
                const event::Transfer e{key(), kHeir, &names_, 0, nullptr, nullptr, &task};
                return TransferSteps(&table_).Step(e, effects, &why_);
              }),
              Verdict::kOk);
    PayloadWriter writer(64 * 1024);
    EXPECT_FALSE(table_.PullSharing(kHeir, 1000, names_, Time(), &writer));
    ASSERT_EQ(Transfers(event::TransferAnswered{key(), kHeir, 2, TransferAnswer::kTaken}),
              Verdict::kOk);
    ASSERT_EQ(Transfers(event::Settled{key(), kHeir, 2}), Verdict::kOk);
    ASSERT_EQ(LastSettled(), kHeir);
  }
  // As the step before has told; kNoPeer: it has not.
  PeerIndex LastSettled() const {
    if (effects_.rare == nullptr || effects_.rare->transferred.empty()) return kNoPeer;
    const TransferNotice& notice = effects_.rare->transferred.back();
    const bool settled = notice.outcome == TransferOutcome::kSettled && notice.lent;
    return settled ? notice.next_owner : kNoPeer;
  }
};

TEST_F(ObjectTableFollowed, OwnersBeforeHearWhenNobodyTakesItBack) {
  Take();
  ASSERT_EQ(Told(kFirst, /*holds=*/true, /*by_node=*/false, 3), Verdict::kOk);
  EXPECT_EQ(Pull(kOwner), Sent{Line(SharingKind::kSettled)});
  EXPECT_EQ(Pull(kFirst), Sent{});
  ASSERT_EQ(Transfers(event::SettledAcked{key(), kOwner, 3}), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{Line(SharingKind::kSettled)});
  EXPECT_EQ(Pull(kOwner), Sent{});
  EXPECT_EQ(Transfers(event::SettledAcked{key(), kFirst, 3}), Verdict::kUnchanged);
}

TEST_F(ObjectTableFollowed, OwnersBeforeHearWhenWhoMayTakeItBackDiesAndTheyHaveAnswered) {
  Take();
  Fence(kOwner);
  EXPECT_EQ(Pull(kFirst), Sent{});
  ASSERT_EQ(Told(kFirst, /*holds=*/true, /*by_node=*/false, 3), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{Line(SharingKind::kSettled)});
}

TEST_F(ObjectTableFollowed, OwnersBeforeHearWhenWhoMayTakeItBackDiesUnheard) {
  Take();
  ASSERT_EQ(Told(kFirst, /*holds=*/true, /*by_node=*/false, 3), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{});
  Fence(kOwner);
  EXPECT_EQ(Pull(kFirst), Sent{Line(SharingKind::kSettled)});
}

TEST_F(ObjectTableFollowed, OfWhatHasNoTaskTheyNeedNotHear) {
  Take(/*with_task=*/false);
  ASSERT_EQ(Told(kFirst, /*holds=*/true, /*by_node=*/false, 3), Verdict::kOk);
  ASSERT_EQ(Transfers(event::SettledAcked{key(), kOwner, 3}), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{});
}

TEST_F(ObjectTableFollowed, AnOwnerBeforeHearsWhoseTheTaskIs) {
  Lend();
  ASSERT_EQ(Transfers(event::Moved{key(), kFirst, kFirst, 3}), Verdict::kOk);
  EXPECT_EQ(LastSettled(), kNoPeer);  // kHeir may take it back
  EXPECT_EQ(Transfers(event::Settled{key(), kHeir, 2}), Verdict::kUnchanged);
  EXPECT_EQ(LastSettled(), kNoPeer);
  EXPECT_EQ(Transfers(event::Settled{key(), kFirst, 3}), Verdict::kOk);
  EXPECT_EQ(LastSettled(), kFirst);
}

TEST_F(ObjectTableFollowed, AnOwnerBeforeBelievesNobodyButTheOwner) {
  Lend();
  ASSERT_EQ(Transfers(event::Moved{key(), kFirst, kFirst, 3}), Verdict::kOk);
  EXPECT_EQ(Transfers(event::Settled{key(), kSecond, 3}), Verdict::kUnchanged);
  EXPECT_EQ(Transfers(event::Settled{key(), kFirst, 4}), Verdict::kUnchanged);
  EXPECT_EQ(LastSettled(), kNoPeer);
}

}  // namespace
}  // namespace freehold::core::heirs_testing
