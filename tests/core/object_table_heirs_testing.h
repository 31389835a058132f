// The fixture of the tests of heirs: one table owns, or is the heir; the other end is the test.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_OBJECT_TABLE_HEIRS_TESTING_H_
#define FREEHOLD_TESTS_CORE_OBJECT_TABLE_HEIRS_TESTING_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table_heirs.h"
#include "tests/core/owner_payload.h"

namespace freehold::core::heirs_testing {

inline constexpr PeerIndex kOwner = 1;
inline constexpr PeerIndex kHeir = 2;
inline constexpr PeerIndex kFirst = 3;  // two borrowers
inline constexpr PeerIndex kSecond = 4;
inline constexpr PeerIndex kNode = 20;  // and nodes from here on
inline constexpr PeerIndex kOtherNode = 21;

struct Names : NodeNames {
  NodeId NodeAt(PeerIndex at) const override { return NodeId::FromNumber(at); }
  ProcessId ProcessAt(PeerIndex at) const override { return ProcessId::FromNumber(at); }
  bool IsNode(PeerIndex at) const override { return at >= kNode; }
};

template <typename Id>
std::string NameOf(const Id& id) {
  return std::to_string(internal::LoadLittle<uint64_t>(id.data() + 20));
}

// What is sent, a line each.
struct Lines : StraySink {
  void OnFrees(uint32_t, uint32_t, std::string_view) override { lines.emplace_back("free"); }
  void OnSharing(const SharingItem& item) override {
    switch (item.kind) {
      case SharingKind::kRegisterAck:
        lines.push_back("registered " + std::to_string(item.number) + " answer " +
                        std::to_string(item.answer));
        return;
      case SharingKind::kShadowAck:
        lines.push_back("kept " + std::to_string(item.number) + " answer " +
                        std::to_string(item.answer) + " t" + std::to_string(item.term));
        return;
      case SharingKind::kShadowEnd:
        lines.push_back("heir no more t" + std::to_string(item.term));
        return;
      case SharingKind::kMovedEnded:
        lines.emplace_back("ended");
        return;
      default:
        lines.push_back("sharing " + std::to_string(static_cast<int>(item.kind)));
    }
  }
  void OnMovePrimaryAck(const MovePrimaryAckItem& item) override {
    lines.push_back("move " + std::to_string(item.number) + " answer " +
                    std::to_string(static_cast<int>(item.answer)));
  }
  void OnMoved(const MovedItem& item) override {
    lines.push_back("moved t" + std::to_string(item.term) +
                    (item.owner.IsNil() ? "" : " to " + NameOf(item.owner)));
  }
  void OnContained(const ContainedItem& item) override {
    lines.push_back("contains " + std::to_string(item.inners.size()) + " from " +
                    std::to_string(item.inners[0].number) + " t" + std::to_string(item.term));
  }
  void OnShadow(const ShadowItem& item) override {
    std::string line = "shadow " + std::to_string(item.version) + " t" +
                       std::to_string(item.snapshot.term) + " g" +
                       std::to_string(item.snapshot.generation) + " state " +
                       std::to_string(static_cast<int>(item.snapshot.state));
    for (const auto& at : item.snapshot.nodes) {
      line += std::string(at.primary ? " primary " : " node ") + NameOf(at.node);
    }
    for (const ProcessId& process : item.snapshot.processes) line += " process " + NameOf(process);
    for (const ProcessId& former : item.snapshot.formers) line += " former " + NameOf(former);
    for (const ProcessId& heir : item.snapshot.heirs) line += " then " + NameOf(heir);
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

class ObjectTableHeirs : public ::testing::Test {
 protected:
  template <typename Call>
  Verdict Do(Call call) {
    effects_ = Effects();
    const Verdict verdict = call(&effects_);
    table_.CheckInvariants();
    for (const PeerIndex peer : effects_.ready) ready_.push_back(peer);
    if (effects_.rare != nullptr) {
      for (const HeirNotice& notice : effects_.rare->heirs) notices_.push_back(notice.outcome);
      for (const TransferNotice& notice : effects_.rare->transferred) {
        transferred_.push_back(notice.outcome);
      }
    }
    return verdict;
  }
  template <typename Event>
  Verdict Step(const Event& e) {
    return Do([&](Effects* effects) { return table_.Step(e, effects); });
  }
  template <typename Event>
  Verdict Heir(const Event& e) {
    return Do([&](Effects* effects) { return HeirSteps(&table_).Step(e, effects); });
  }
  void Declare() {
    ObjectRecord* record = nullptr;
    ASSERT_EQ(table_.Step(event::Declare{key(), 0, kNode}, &record), Verdict::kOk);
    record_ = record;
  }
  void Drop() {
    ASSERT_EQ(Do([&](Effects* effects) {
                (void)record_->cell.DropUnderLock();
                return table_.Step(event::DropLastHandle{record_}, effects);
              }),
              Verdict::kOk);
  }
  Verdict Name(PeerIndex heir = kHeir) {
    return Do([&](Effects* effects) {
      return HeirSteps(&table_).Step(event::NameHeir{key(), heir, &names_}, effects, &why_);
    });
  }
  Verdict Ack(uint64_t version, ShadowAnswer answer = ShadowAnswer::kKept, uint32_t term = 2) {
    return Heir(event::ShadowAcked{key(), kHeir, term, version, answer});
  }
  void Prepare() {
    ASSERT_EQ(Name(), Verdict::kOk);
    ASSERT_EQ(Pull(kHeir).size(), 1u);
    ASSERT_EQ(Ack(1), Verdict::kOk);
  }
  Verdict Register(PeerIndex borrower, uint64_t number = 1) {
    return Step(event::BorrowerRegistered{key(), borrower, number});
  }
  Verdict Report(PeerIndex node, CopyRole role = CopyRole::kSecondary, uint32_t generation = 0) {
    event::SetLocation report{key(), node, generation, 0, role};
    report.in_memory = true;
    report.merge = true;
    report.term = kFirstTerm + 1;
    return Step(report);
  }
  // What waits for the peer, which was said to have some.
  std::vector<std::string> Pull(PeerIndex peer) {
    PayloadWriter writer(64 * 1024);
    EXPECT_FALSE(table_.PullMoves(peer, 1000, names_, &writer));
    EXPECT_FALSE(table_.PullFrees(peer, 1000, &writer));
    EXPECT_FALSE(table_.PullSharing(peer, 1000, names_, Time(), &writer));
    table_.CheckInvariants();
    Lines lines;
    if (!writer.empty()) {
      EXPECT_EQ(ReadPayload(writer.Take(), &lines), CodecError::kOk);
      bool was_ready = false;
      for (const PeerIndex ready : ready_) was_ready |= ready == peer;
      EXPECT_TRUE(was_ready) << "nobody would have pulled";
    }
    ready_.erase(std::remove(ready_.begin(), ready_.end(), peer), ready_.end());
    return lines.lines;
  }
  // At the heir: the owner is kOwner, in its first term.
  Verdict Shadow(uint64_t version, std::vector<PeerIndex> processes = {},
                 std::vector<PeerIndex> nodes = {}, uint32_t term = 2,
                 ShadowAnswer refusal = ShadowAnswer::kKept, PeerIndex from = kOwner) {
    return Do([&](Effects* effects) {
      auto snapshot = std::make_unique<OwnedSnapshot>();
      snapshot->state = nodes.empty() ? TransferState::kPending : TransferState::kAvailable;
      snapshot->processes = processes;
      for (const PeerIndex node : nodes) {
        OwnedSnapshot::At at;
        at.node = node;
        at.in_memory = true;
        at.primary = node == nodes[0];
        snapshot->nodes.push_back(at);
      }
      return HeirSteps(&table_).Step(
          event::Shadow{key(), from, term, version, std::move(snapshot), refusal}, effects);
    });
  }
  void Fence(PeerIndex process) {
    bool more = true;
    while (more) {
      ASSERT_EQ(Do([&](Effects* effects) {
                  more = table_.FenceProcess(process, 1, effects);
                  return Verdict::kOk;
                }),
                Verdict::kOk);
    }
  }
  void Close(PeerIndex process) {
    bool more = true;
    while (more) {
      ASSERT_EQ(Do([&](Effects* effects) {
                  more = table_.CloseProcess(process, 1, effects);
                  return Verdict::kOk;
                }),
                Verdict::kOk);
    }
  }
  Verdict Told(PeerIndex peer, bool holds, bool by_node = false, uint32_t term = 2) {
    return Do([&](Effects* effects) {
      return TransferSteps(&table_).Step(event::MovedAcked{key(), peer, term, holds, by_node},
                                         effects);
    });
  }
  Key key() const { return {id_, id_.Hash()}; }
  using Sent = std::vector<std::string>;

  const ObjectId id_ = ObjectId::FromNumber(7);
  Names names_;
  ObjectTable table_{ObjectTable::Config()};
  ObjectRecord* record_ = nullptr;
  Effects effects_;
  Immovable why_ = Immovable::kNo;
  std::vector<PeerIndex> ready_;
  std::vector<HeirOutcome> notices_;
  std::vector<TransferOutcome> transferred_;
};

}  // namespace freehold::core::heirs_testing

#endif  // FREEHOLD_TESTS_CORE_OBJECT_TABLE_HEIRS_TESTING_H_
