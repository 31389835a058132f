// Bytes become events of a CopyTable whose invariants are checked after each. Beside it stands a
// model of what an owner must hear: every Free that was taken ends in exactly one final result or
// in its owner's exclusion, and nothing is left when all has ended.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "src/base/check.h"
#include "src/core/copy_table.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kOwners = 4;
constexpr uint64_t kObjects = 6;
constexpr uint32_t kGenerations = 3;

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}
  bool empty() const { return data_ == end_; }
  uint8_t Byte() { return empty() ? 0 : *data_++; }

 private:
  const uint8_t* data_;
  const uint8_t* const end_;
};

using Key = std::pair<ObjectId, uint32_t>;

// The final results that an owner waits for, of one key.
struct Owed {
  uint32_t unknowns = 0;  // one for each Free of what was not here
  bool deleted = false;   // one for all frees of a copy
  bool any() const { return unknowns > 0 || deleted; }
};

class Harness {
 public:
  explicit Harness(Input input) : input_(input), table_(Options()) {}

  void Run() {
    while (!input_.empty()) {
      OneEvent();
      table_.CheckInvariants();
    }
    EndAll();
  }

 private:
  // Applies what an owner hears.
  class Listener final : public ReportSink {
   public:
    Listener(Harness* harness, PeerIndex owner, uint32_t room)
        : harness_(*harness), owner_(owner), room_(room) {}
    bool Add(const FreeResultItem& item) override {
      if (room_ == 0) return false;
      --room_;
      const Key key{item.object, item.generation};
      Owed& owed = harness_.owed_[owner_][key];
      // Nothing is answered that was not asked.
      if (item.result == FreeResult::kUnknown) {
        FREEHOLD_CHECK(owed.unknowns > 0);
        --owed.unknowns;
      } else {
        FREEHOLD_CHECK(owed.deleted);
        if (item.result == FreeResult::kDeleted) owed = Owed();
      }
      FREEHOLD_CHECK((item.result == FreeResult::kFailed) == !item.why.empty());
      return true;
    }
    bool Add(const LocationItem& item) override {
      if (room_ == 0) return false;
      --room_;
      const bool spilled = item.change == LocationChange::kSpilled;
      FREEHOLD_CHECK(spilled == !item.url.empty());
      return true;
    }
    bool Add(const MovePrimaryItem& item) override {
      if (room_ == 0) return false;
      --room_;
      harness_.asked_.emplace_back(owner_, item);
      return true;
    }
    bool Add(const SharingItem& /*item*/) override { FREEHOLD_CHECK(false); }  // nothing moves here

   private:
    Harness& harness_;
    const PeerIndex owner_;
    uint32_t room_;
  };

  static CopyTable::Options Options() {
    CopyTable::Options options;
    options.retry_delay_min = Duration(4);
    options.retry_delay_max = Duration(32);
    options.copies_max = 12;
    return options;
  }

  template <typename Event>
  CopyVerdict Step(const Event& event) {
    return table_.Step(event, &effects_);
  }
  PeerIndex Owner() { return input_.Byte() % kOwners; }
  Key AnyKey() {
    const uint8_t byte = input_.Byte();
    return {ObjectId::FromNumber(byte % kObjects), (byte / kObjects) % kGenerations};
  }

  void OneEvent() {
    switch (input_.Byte() % 18) {
      case 0:
      case 1: {
        const Key key = AnyKey();
        (void)Step(copy_event::AddCopy{key.first, key.second, Owner(), CopyRole::kPrimary, 3});
        break;
      }
      case 2: {
        const Key key = AnyKey();
        (void)Step(copy_event::BeginFetch{key.first, key.second, Owner(), CopyRole::kPrimary, 5});
        break;
      }
      case 3: {
        const Key key = AnyKey();
        (void)Step(copy_event::AbortFetch{key.first, key.second});
        break;
      }
      case 4: {
        const Key key = AnyKey();
        const uint8_t byte = input_.Byte();
        (void)Step(copy_event::MarkSpilled{key.first, key.second, byte % 8 == 0 ? "g" : "f",
                                           byte % 2 == 0, byte % 16 == 3});
        break;
      }
      case 5: {
        const Key key = AnyKey();
        (void)Step(copy_event::MarkRestored{key.first, key.second});
        break;
      }
      case 6: {
        const Key key = AnyKey();
        (void)Step(copy_event::DropCopy{key.first, key.second});
        break;
      }
      case 7: {
        const ObjectId object = AnyKey().first;
        if (Step(copy_event::BeginRead{object}) != CopyVerdict::kOk) break;
        ++readers_[{object, effects_.generation}];
        break;
      }
      case 8:
        EndRead(AnyKey());
        break;
      case 9:
      case 10:
        Free();
        break;
      case 11:
        Delete(input_.Byte());
        break;
      case 12:
        Exclusion();
        break;
      case 13:
        (void)Step(copy_event::Sweep{1u + input_.Byte() % 4});
        break;
      case 14: {
        const PeerIndex owner = Owner();
        Listener listener(this, owner, input_.Byte() % 4);
        (void)table_.PullReports(owner, input_.Byte() % 4, &listener);
        break;
      }
      case 15: {
        // An answer of the store to what it was not asked.
        const Key key = AnyKey();
        const CopyVerdict verdict = Step(copy_event::Deleted{key.first, key.second});
        FREEHOLD_CHECK(verdict == CopyVerdict::kNotHere);
        break;
      }
      case 16: {
        const Key key = AnyKey();
        (void)Step(copy_event::MovePrimary{key.first, key.second, NodeId(), ++moves_});
        break;
      }
      case 17:
        AnswerMove(input_.Byte());
        break;
    }
  }

  // An owner's answer, now and then from another one.
  void AnswerMove(uint8_t how) {
    const auto answer = static_cast<MoveAnswer>(how % (kMoveAnswerMax + 1));
    if (IsUnasked(answer) || asked_.empty()) {
      const Key key = AnyKey();
      const uint64_t number = IsUnasked(answer) ? 0 : how;
      (void)Step(copy_event::MoveAnswered{Owner(), key.first, key.second, number, answer, {}});
      return;
    }
    const auto [owner, item] = asked_.back();
    asked_.pop_back();
    const PeerIndex from = how % 32 == 31 ? Owner() : owner;
    const size_t ended = effects_.moves.size();
    const CopyVerdict verdict = Step(copy_event::MoveAnswered{from, item.object, item.generation,
                                                              item.number, answer, NodeId()});
    FREEHOLD_CHECK((verdict == CopyVerdict::kOk) == (effects_.moves.size() == ended + 1));
    if (from != owner) asked_.emplace_back(owner, item);
  }

  void EndRead(const Key& key) {
    uint32_t& readers = readers_[key];
    const CopyVerdict verdict = Step(copy_event::EndRead{key.first, key.second});
    FREEHOLD_CHECK((verdict == CopyVerdict::kOk) == (readers > 0));
    if (readers > 0) --readers;
  }

  void Free() {
    const Key key = AnyKey();
    const PeerIndex from = Owner();
    const uint32_t term = 1u + input_.Byte() % 3;
    const CopyRecord* copy = table_.Find(key.first, key.second);
    const bool others = copy != nullptr && copy->owner != from;
    // Of an object that has moved the sender may have been the owner, or be the next one. So may
    // whoever sends it when the owner is excluded; nobody is told anything by a node that is
    // itself.
    const bool moved = others && (copy->term > kFirstTerm || term > copy->term ||
                                  excluded_.count(copy->owner) > 0);
    const CopyVerdict verdict = Step(copy_event::Free{from, key.first, key.second, term});
    FREEHOLD_CHECK(!others || verdict == CopyVerdict::kRefused ||
                   (moved && verdict == CopyVerdict::kUnknown));
    switch (verdict) {
      case CopyVerdict::kUnknown:
        ++owed_[from][key].unknowns;
        break;
      case CopyVerdict::kOk:
      case CopyVerdict::kDoomed:
        owed_[from][key].deleted = true;
        break;
      case CopyVerdict::kFreedBefore:
        FREEHOLD_CHECK(silent_ || owed_[from][key].any());
        break;
      case CopyVerdict::kRefused:
        break;
      default:
        FREEHOLD_CHECK(false);
    }
  }

  // Hands over up to four copies; bits of `how` say which the store fails on.
  void Delete(uint8_t how) {
    std::vector<Key> keys;
    table_.TakeDeletes(now_, 1u + how % 4, [&](const CopyRecord& copy) {
      FREEHOLD_CHECK(copy.readers == 0);
      keys.emplace_back(copy.object, copy.generation);
    });
    table_.CheckInvariants();
    for (const Key& key : keys) {
      if ((how & 0x30) == 0x30) {  // bytes come while the store deletes
        const PeerIndex owner = table_.Find(key.first, key.second)->owner;
        const CopyVerdict verdict =
            Step(copy_event::AddCopy{key.first, key.second, owner, CopyRole::kPrimary, 9});
        FREEHOLD_CHECK(verdict == CopyVerdict::kFreed);
      }
      how = static_cast<uint8_t>(how * 5 + 1);
      if (how % 4 == 0) {
        const std::string why = how % 8 == 0 ? "disk" : "fire";
        (void)Step(copy_event::DeleteFailed{key.first, key.second, why, now_, how});
      } else {
        const CopyVerdict verdict = Step(copy_event::Deleted{key.first, key.second});
        FREEHOLD_CHECK(verdict == CopyVerdict::kOk);
      }
      table_.CheckInvariants();
    }
    now_ += Duration(how % 16);
  }

  void Exclusion() {
    const uint8_t byte = input_.Byte();
    if (byte < 32) {
      const PeerIndex owner = byte % kOwners;
      (void)Step(copy_event::View{++view_, absl::MakeConstSpan(&owner, 1), byte >= 28});
      owed_[owner].clear();
      excluded_.insert(owner);
    } else if (byte < 64) {
      (void)Step(copy_event::Barrier{view_ - std::min<uint64_t>(view_, byte % 2)});
    } else if (byte == 255) {
      (void)Step(copy_event::SelfExcluded{});
      for (auto& owed : owed_) owed.clear();
      silent_ = true;
    }
  }

  // Every move is answered, or its owner's barrier comes.
  void EndMoves() {
    for (PeerIndex owner = 0; owner < kOwners; ++owner) {
      Listener listener(this, owner, UINT32_MAX);
      (void)table_.PullReports(owner, UINT32_MAX, &listener);
    }
    for (const auto& [owner, item] : asked_) {
      (void)Step(copy_event::MoveAnswered{owner, item.object, item.generation, item.number,
                                          MoveAnswer::kSecondary, NodeId()});
    }
    (void)Step(copy_event::Barrier{UINT64_MAX});
    FREEHOLD_CHECK(table_.stats().moves == 0);
  }

  // Lets everything end that was freed, and sees that it does.
  void EndAll() {
    for (auto& [key, readers] : readers_) {
      while (readers > 0) EndRead(key);
    }
    EndMoves();
    uint64_t kept = 0;  // by a shared file that nobody may free any more; some may be swept yet
    for (uint64_t object = 0; object < kObjects; ++object) {
      for (uint32_t generation = 0; generation < kGenerations; ++generation) {
        const Key key{ObjectId::FromNumber(object), generation};
        (void)Step(copy_event::AbortFetch{key.first, generation});
        if (Step(copy_event::DropCopy{key.first, generation}) != CopyVerdict::kSharedFile) continue;
        const PeerIndex owner = table_.Find(key.first, generation)->owner;
        const CopyVerdict verdict = Step(copy_event::Free{owner, key.first, generation, 1});
        FREEHOLD_CHECK(verdict == CopyVerdict::kOk || verdict == CopyVerdict::kRefused);
        if (verdict == CopyVerdict::kOk) {
          owed_[owner][key].deleted = true;
        } else {
          ++kept;
        }
      }
    }
    while (table_.sweeping()) (void)Step(copy_event::Sweep{2});
    while (table_.NextWork() != kInfiniteFuture) {
      now_ = std::max(now_, table_.NextWork());
      Delete(1);
    }
    for (PeerIndex owner = 0; owner < kOwners; ++owner) {
      Listener listener(this, owner, UINT32_MAX);
      const PullVerdict verdict = table_.PullReports(owner, UINT32_MAX, &listener);
      FREEHOLD_CHECK(verdict == PullVerdict::kEmpty);
      if (silent_) continue;
      for (const auto& [key, owed] : owed_[owner]) FREEHOLD_CHECK(!owed.any());
    }
    table_.CheckInvariants();
    FREEHOLD_CHECK(table_.stats().copies <= kept && table_.stats().reports_waiting == 0);
  }

  Input input_;
  CopyTable table_;
  std::vector<std::pair<PeerIndex, MovePrimaryItem>> asked_;  // and not answered
  uint64_t moves_ = 0;
  CopyEffects effects_;
  Time now_{};
  uint64_t view_ = 0;
  std::set<PeerIndex> excluded_;
  bool silent_ = false;
  std::map<Key, uint32_t> readers_;
  std::map<Key, Owed> owed_[kOwners];
};

}  // namespace
}  // namespace freehold::core

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  freehold::core::Harness(freehold::core::Input(data, size)).Run();
  return 0;
}
