// Objects that move between owners at random, against a naive model: who owns which copy, what each
// owner has heard, and that every free and every Moved has its one answer.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/copy_table_transfer_testing.h"

namespace freehold::core::copy_testing {
namespace {

using Key = std::pair<ObjectId, uint32_t>;

constexpr PeerIndex kPeers = 4;
constexpr uint64_t kObjects = 3;
constexpr uint32_t kGenerations = 2;
constexpr uint64_t kSeeds = 300;

class CopyTableTransferModel : public testing::Test {
 protected:
  // A copy as the model knows it, while it is here.
  struct Copy {
    PeerIndex owner = kNoPeer;
    uint32_t term = kFirstTerm;
    bool freed = false;
    bool held = false;
    uint32_t told = 0;  // in which term its present owner has heard of it last
  };
  // What an owner has heard, and waits for.
  struct Owner {
    bool excluded = false;
    bool past_barrier = false;
    std::set<Key> known;
    std::map<Key, uint32_t> terms;  // in which it has heard of them last
    std::map<Key, int> unknowns;  // answers that frees of what is not here, or another's, wait for
    std::map<Key, int> results;   // of copies that it has freed
    std::map<std::pair<ObjectId, uint32_t>, int> acks;  // by object and term
  };

  // A move of the primary that has not ended.
  struct PendingMove {
    ObjectId object;
    PeerIndex owner = kNoPeer;
    uint32_t term = kFirstTerm;
  };

  class Listener final : public ReportSink {
   public:
    Listener(CopyTableTransferModel* world, PeerIndex peer, size_t room)
        : world_(*world), owner_(world->owners_[peer]), peer_(peer), room_(room) {}
    bool Add(const FreeResultItem& item) override {
      if (room_ == 0) return false;
      --room_;
      const Key key{item.object, item.generation};
      if (item.result == FreeResult::kDoomed || item.result == FreeResult::kFailed) {
        EXPECT_GT(owner_.results[key], 0);
        return true;
      }
      if (item.result == FreeResult::kDeleted) {
        EXPECT_GT(owner_.results[key]--, 0) << "nobody waits for it";
      } else {
        EXPECT_GT(owner_.unknowns[key]--, 0) << "nobody waits for it";
      }
      owner_.known.erase(key);
      return true;
    }
    bool Add(const LocationItem& item) override {
      if (room_ == 0) return false;
      --room_;
      const Key key{item.object, item.generation};
      if (item.change == LocationChange::kRemoved) {
        owner_.known.erase(key);
        return true;
      }
      const auto copy = world_.copies_.find(key);
      EXPECT_TRUE(copy != world_.copies_.end() && copy->second.owner == peer_);
      EXPECT_EQ(item.term, world_.table_.Find(key.first, key.second)->term);
      copy->second.told = owner_.terms[key] = item.term;
      owner_.known.insert(key);
      return true;
    }
    bool Add(const MovePrimaryItem& item) override {
      if (room_ == 0) return false;
      --room_;
      world_.asked_[item.number] = {
          peer_, item.object, item.generation, item.number, MoveAnswer::kSecondary, NodeId()};
      return true;
    }
    bool Add(const SharingItem& item) override {
      if (room_ == 0) return false;
      --room_;
      EXPECT_GT((owner_.acks[{item.object, item.term}]--), 0);
      bool here = false;
      for (uint32_t g = 0; g < kGenerations; ++g) {
        // What it has heard of in an earlier term alone is not there.
        const Key key{item.object, g};
        if (owner_.terms[key] < item.term) owner_.known.erase(key);
        const auto copy = world_.copies_.find({item.object, g});
        if (copy == world_.copies_.end() || copy->second.freed) continue;
        if (copy->second.owner != peer_) continue;
        here = true;
        // What is here has been said before.
        EXPECT_TRUE(!copy->second.held || owner_.known.count({item.object, g}));
        EXPECT_TRUE(!copy->second.held || copy->second.told >= item.term) << "it does not count";
      }
      EXPECT_EQ(item.answer, here ? 1 : 0);
      return true;
    }

   private:
    CopyTableTransferModel& world_;
    Owner& owner_;
    const PeerIndex peer_;
    size_t room_;
  };

  uint32_t Pick(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  template <typename Event>
  CopyVerdict Step(const Event& event) {
    const CopyVerdict verdict = table_.Step(event, &effects_);
    table_.CheckInvariants();
    for (; moves_ended_ < effects_.moves.size(); ++moves_ended_) {
      EXPECT_EQ(moves_.erase(effects_.moves[moves_ended_].number), 1u);
    }
    return verdict;
  }

  void Arrive(const Key& key, bool held) {
    const PeerIndex named = Pick(kPeers);
    const CopyVerdict verdict =
        held ? Step(AddCopy{key.first, key.second, named, CopyRole::kSecondary, 10})
             : Step(BeginFetch{key.first, key.second, named, CopyRole::kSecondary, 10});
    if (verdict != CopyVerdict::kOk) return;
    const CopyRecord* copy = table_.Find(key.first, key.second);
    if (copies_.count(key) > 0) {
      EXPECT_FALSE(copies_[key].held);
      copies_[key].held = true;
      return;
    }
    for (uint32_t g = 0; g < kGenerations; ++g) {
      const auto other = copies_.find({key.first, g});
      if (other == copies_.end() || other->second.freed) continue;
      if (other->second.term > kFirstTerm && copy->term == kFirstTerm) {
        // Only a key that waits to tell its former owner something keeps that one.
        EXPECT_NE(copy->report_first, CopyReport::kNothing);
      }
    }
    EXPECT_TRUE(copy->owner == named || copy->term > kFirstTerm);
    copies_[key] = {copy->owner, copy->term, false, held};
  }

  void FreeOne(const Key& key) {
    const PeerIndex from = Pick(kPeers);
    const CopyRecord* record = table_.Find(key.first, key.second);
    const CopyReport owed = record == nullptr ? CopyReport::kNothing : record->report_first;
    const uint32_t term = kFirstTerm + Pick(4);
    const CopyVerdict verdict = Step(Free{from, key.first, key.second, term});
    const auto copy = copies_.find(key);
    const bool is_its = copy != copies_.end() && copy->second.owner == from;
    if (owners_[from].excluded) {
      EXPECT_EQ(verdict, CopyVerdict::kRefused);
    } else if (is_its) {
      EXPECT_NE(verdict, CopyVerdict::kRefused);
      EXPECT_NE(verdict, CopyVerdict::kUnknown);
      // One result settles what an earlier life of the key still owes as well.
      if (!copy->second.freed && owed != CopyReport::kDeleted) ++owners_[from].results[key];
      if (owed == CopyReport::kUnknown) --owners_[from].unknowns[key];
      copy->second.freed = true;
      copy->second.term = std::max(copy->second.term, term);
    } else if (copy != copies_.end()) {
      const bool may_be = copy->second.term > kFirstTerm || term > copy->second.term ||
                          owners_[copy->second.owner].excluded;
      EXPECT_EQ(verdict, may_be ? CopyVerdict::kUnknown : CopyVerdict::kRefused);
    }
    if (!is_its && verdict == CopyVerdict::kUnknown) ++owners_[from].unknowns[key];
  }

  void MoveOne(const ObjectId& object) {
    const PeerIndex owner = Pick(kPeers);
    const PeerIndex from = Pick(3) > 0 ? owner : Pick(kPeers);
    const uint32_t term = 2 + Pick(6);
    bool concerned = false;
    bool has_moved = false;
    bool entitled = from == owner;
    for (uint32_t g = 0; g < kGenerations; ++g) {
      const auto copy = copies_.find({object, g});
      if (copy == copies_.end() || copy->second.freed || copy->second.term >= term) continue;
      if (copy->second.owner == owner && from != owner) continue;  // the host has heard it before
      concerned = true;
      entitled = entitled || copy->second.owner == from;
      has_moved = has_moved || copy->second.term > kFirstTerm;
    }
    for (const auto& [number, move] : moves_) {
      if (move.object != object || move.term >= term) continue;
      if (move.owner == owner && from != owner) continue;
      concerned = true;
      entitled = entitled || move.owner == from;
      has_moved = has_moved || move.term > kFirstTerm;
    }
    const CopyVerdict verdict = Step(copy_event::Moved{from, object, owner, term});
    if (owners_[from].excluded || (concerned && !entitled)) {
      EXPECT_EQ(verdict, has_moved && !owners_[from].excluded ? CopyVerdict::kNoChange
                                                              : CopyVerdict::kRefused);
      return;
    }
    EXPECT_EQ(verdict, concerned ? CopyVerdict::kOk : CopyVerdict::kNoChange);
    if (from == owner) ++owners_[owner].acks[{object, term}];
    if (!concerned) return;
    for (auto& [number, move] : moves_) {
      if (move.object == object && move.term < term) move = {object, owner, term};
    }
    for (uint32_t g = 0; g < kGenerations; ++g) {
      const auto copy = copies_.find({object, g});
      if (copy == copies_.end() || copy->second.freed || copy->second.term >= term) continue;
      owners_[copy->second.owner].known.erase({object, g});
      copy->second.owner = owner;
      copy->second.told = 0;
      copy->second.freed = owners_[owner].past_barrier;
      copy->second.term = term;
    }
  }

  void ExcludeOne() {
    const PeerIndex peer = Pick(kPeers);
    if (owners_[peer].excluded) return;
    ++version_;
    EXPECT_EQ(Step(View{version_, {&peer, 1}}), CopyVerdict::kOk);
    owners_[peer] = Owner();
    owners_[peer].excluded = true;
    if (Pick(2) == 0) PassBarrier();
  }
  void PassBarrier() {
    (void)Step(Barrier{version_});
    while (table_.sweeping()) (void)Step(Sweep{1});
    for (Owner& owner : owners_) owner.past_barrier = owner.excluded;
    for (auto& [key, copy] : copies_) {
      const CopyRecord* record = table_.Find(key.first, key.second);
      if (owners_[copy.owner].excluded && IsFreed(record->state)) copy.freed = true;
    }
  }

  void DeleteSome() {
    std::vector<Key> keys;
    table_.TakeDeletes(Time{}, 1 + Pick(3), [&](const CopyRecord& copy) {
      EXPECT_TRUE(copies_.count({copy.object, copy.generation}));
      EXPECT_TRUE((copies_[{copy.object, copy.generation}].freed));
      keys.emplace_back(copy.object, copy.generation);
    });
    for (const Key& key : keys) {
      EXPECT_EQ(Step(Deleted{key.first, key.second}), CopyVerdict::kOk);
      copies_.erase(key);
    }
  }

  void OneStep() {
    const Key key{Object(1 + Pick(kObjects)), Pick(kGenerations)};
    switch (Pick(17)) {
      case 0:
      case 1:
        return Arrive(key, true);
      case 2:
        return Arrive(key, false);
      case 3:
        if (Step(AbortFetch{key.first, key.second}) == CopyVerdict::kOk) copies_.erase(key);
        return;
      case 4:
        if (Step(DropCopy{key.first, key.second}) == CopyVerdict::kOk) copies_.erase(key);
        return;
      case 5:
        if (Step(BeginRead{key.first}) == CopyVerdict::kOk) {
          readings_.emplace_back(key.first, effects_.generation);
        }
        return;
      case 6:
        if (readings_.empty()) return;
        EXPECT_EQ(Step(EndRead{readings_.back().first, readings_.back().second}), CopyVerdict::kOk);
        readings_.pop_back();
        return;
      case 7:
        return FreeOne(key);
      case 8:
        return DeleteSome();
      case 9:
      case 10:
        return MoveOne(key.first);
      case 11:
        if (Pick(60) == 0) ExcludeOne();
        return;
      case 12: {
        const MovePrimary move{key.first, key.second, NodeId(), last_move_ + 1};
        if (Step(move) != CopyVerdict::kOk) return;
        moves_[++last_move_] = {key.first, copies_[key].owner, copies_[key].term};
        return;
      }
      case 13:
        return AnswerOne();
      default:
        break;
    }
    const PeerIndex peer = Pick(kPeers);
    PullSome(peer, Pick(4));
  }
  // Who was asked last is the one that may answer.
  void AnswerOne() {
    if (asked_.empty()) return;
    const MoveAnswered answer = asked_.begin()->second;
    asked_.erase(asked_.begin());
    (void)Step(answer);
  }
  void PullSome(PeerIndex peer, size_t room) {
    Listener listener(this, peer, room);
    auto acks = owners_[peer].acks;
    (void)table_.PullReports(peer, 1000, &listener);
    table_.CheckInvariants();
    // What has come since the owner was heard of is its in the term that is answered.
    for (auto& [key, copy] : copies_) {
      const uint32_t term = table_.Find(key.first, key.second)->term;
      if (term == copy.term) continue;
      EXPECT_TRUE(copy.owner == peer && !copy.freed && term > copy.term);
      EXPECT_GT((acks[{key.first, term}]), 0);
      copy.term = term;
      const CopyRecord& record = *table_.Find(key.first, key.second);
      if (record.moving()) moves_.at(record.rarity->move).term = term;
    }
  }

  void Compare() {
    for (const auto& [key, copy] : copies_) {
      const CopyRecord* record = table_.Find(key.first, key.second);
      ASSERT_NE(record, nullptr);
      EXPECT_EQ(record->owner, copy.owner);
      EXPECT_EQ(record->term, copy.term);
      EXPECT_EQ(IsFreed(record->state), copy.freed);
    }
    EXPECT_EQ(table_.stats().copies, copies_.size());
  }
  // All ends: what is known is what is here, and nobody waits for anything.
  void Settle() {
    for (; !readings_.empty(); readings_.pop_back()) {
      EXPECT_EQ(Step(EndRead{readings_.back().first, readings_.back().second}), CopyVerdict::kOk);
    }
    for (uint64_t object = 1; object <= kObjects; ++object) {
      for (uint32_t g = 0; g < kGenerations; ++g) {
        if (Step(AbortFetch{Object(object), g}) == CopyVerdict::kOk) {
          copies_.erase({Object(object), g});
        }
      }
    }
    PassBarrier();
    for (int i = 0; i < 10; ++i) DeleteSome();
    std::vector<std::set<Key>> here(kPeers);
    for (const auto& [key, copy] : copies_) {
      if (!owners_[copy.owner].excluded) here[copy.owner].insert(key);
    }
    for (PeerIndex peer = 0; peer < kPeers; ++peer) {
      PullSome(peer, 1000000);
      const Owner& owner = owners_[peer];
      EXPECT_EQ(owner.known, here[peer]);
      EXPECT_EQ(owner.known.size(), table_.Told(peer).copies);
      for (const auto& [key, count] : owner.results) EXPECT_EQ(count, 0);
      for (const auto& [key, count] : owner.unknowns) EXPECT_EQ(count, 0);
      for (const auto& [object, count] : owner.acks) EXPECT_EQ(count, 0);
    }
    while (!asked_.empty()) AnswerOne();
    EXPECT_TRUE(moves_.empty());
    EXPECT_EQ(effects_.moves.size(), last_move_);
  }

  std::mt19937_64 random_;
  CopyTable table_{CopyTable::Options()};
  CopyEffects effects_;
  std::map<Key, Copy> copies_;
  std::vector<Owner> owners_{kPeers};
  std::vector<Key> readings_;
  std::map<uint64_t, MoveAnswered> asked_;  // the questions that have left, by number
  std::map<uint64_t, PendingMove> moves_;
  uint64_t last_move_ = 0;
  size_t moves_ended_ = 0;
  uint64_t version_ = 0;
};

TEST_F(CopyTableTransferModel, Agrees) {
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    random_.seed(seed);
    table_ = CopyTable(CopyTable::Options());
    copies_.clear();
    owners_.assign(kPeers, Owner());
    readings_.clear();
    asked_.clear();
    moves_.clear();
    last_move_ = 0;
    moves_ended_ = 0;
    effects_ = CopyEffects();
    version_ = 0;
    for (int i = 0; i < 250 && !HasFailure(); ++i) {
      OneStep();
      Compare();
    }
    Settle();
  }
}

}  // namespace
}  // namespace freehold::core::copy_testing
