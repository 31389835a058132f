// The two ends of comparing by digests, as values: when a node agent sends one, what an owner asks
// after one that differs. What is compared and why that is sound is in digest.h.
//
// A comparison costs nothing beyond one small item per pair and interval while both ends agree.
// After a digest that differs the owner asks about all keys, then about the ranges that differ, at
// most kDigestRangesMax at once, until what is left is listed; it heals as it goes along. The node
// keeps nothing of a comparison but the questions that it has not answered.
//
// Thread safety: thread-compatible; the pump role of each end has its own.
// Pure: time comes in as an argument.

#ifndef FREEHOLD_SRC_CORE_DIGEST_EXCHANGE_H_
#define FREEHOLD_SRC_CORE_DIGEST_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/types/span.h"
#include "freehold/clock.h"
#include "src/core/codec.h"
#include "src/core/digest.h"
#include "src/core/peer.h"

namespace freehold::core {

// The node agent's end, for all owners.
class DigestDesk {
 public:
  // Zero: no digests are sent, questions are answered all the same. `self`: a hash of the node.
  DigestDesk(Duration interval, uint64_t self) : interval_(interval), self_(self) {}

  // The owner has been told of copies: it is sent digests from now on, at times of its own, until
  // one says that there are none. `owner_hash` is one of its address. Answers whether that is news,
  // and NextDue has to be asked again.
  bool Watch(PeerIndex owner, uint64_t owner_hash);
  // When TakeDue has something to do next.
  Time NextDue() const { return due_.empty() ? kInfiniteFuture : due_.begin()->first; }
  // Calls visit(owner) for up to `owners_max` whose digest has become due, earliest first.
  template <typename Visitor>
  void TakeDue(Time now, uint32_t owners_max, Visitor visit) {
    Schedule(now);
    for (; owners_max > 0 && !due_.empty() && due_.begin()->first <= now; --owners_max) {
      const PeerIndex owner = due_.begin()->second;
      due_.erase(due_.begin());
      Pair& pair = pairs_.at(owner);
      pair.is_due = true;
      pair.next = NextPhase(now, pair.phase);
      due_.emplace(pair.next, owner);
      visit(owner);
    }
  }
  bool IsDue(PeerIndex owner) const {
    const auto found = pairs_.find(owner);
    return found != pairs_.end() && found->second.is_due;
  }
  void OnSent(PeerIndex owner, const DigestSum& sum);
  // Questions that were asked together. Those that were not answered yet are forgotten.
  void OnQueries(PeerIndex owner, const DigestQueryItem& query);
  // Null: it has asked nothing.
  struct Questions {
    uint64_t number = 0;
    std::vector<DigestRange> ranges;
  };
  const Questions* QuestionsOf(PeerIndex owner) const;
  // The first `count` of them were answered.
  void OnAnswered(PeerIndex owner, size_t count);
  // It is excluded.
  void Forget(PeerIndex owner);

 private:
  struct Pair {
    uint64_t phase = 0;  // within the interval
    Time next = kInfiniteFuture;
    bool is_due = false;
  };
  // Owners that Watch has seen since time last passed get their first time.
  void Schedule(Time now);
  // The earliest time after `now` with that phase: two of one pair are never closer than an
  // interval, and those of different pairs are spread over it.
  Time NextPhase(Time now, uint64_t phase) const;

  const Duration interval_;
  const uint64_t self_;
  absl::btree_map<PeerIndex, Pair> pairs_;
  absl::btree_set<std::pair<Time, PeerIndex>> due_;
  std::vector<PeerIndex> fresh_;  // watched, and in no other list
  absl::btree_map<PeerIndex, Questions> questions_;
};

// The owner's end, for one node.
class DigestExchange {
 public:
  // A digest has come. `equal`: nothing differs. Answers whether there is something to Pull.
  bool OnDigest(bool equal);
  // An answer about the range came. False: it answers no question that is open.
  bool OnAnswer(uint64_t number, const DigestRange& range);
  // What the answer showed: these differ, or that copy is to be reported once more.
  void Differs(const DigestRange& range);
  void AskAgain(const DigestKey& copy) { again_.push_back(copy); }
  // To be called when an answer has been dealt with: asks on. Answers as OnDigest.
  bool Continue();
  // Writes what waits for the node. True: the writer is full.
  bool Pull(PayloadWriter* writer);
  bool has_work() const { return !again_.empty() || unsent_ > 0; }
  // Something is being asked, or waits to be.
  bool open() const { return has_work() || !asked_.empty() || !todo_.empty(); }

 private:
  // Ranges that wait to be asked about: the next digest finds again what is left out.
  static constexpr size_t kTodoMax = 4096;

  uint64_t number_ = 0;
  bool progressed_ = false;         // since the last digest
  std::vector<DigestRange> asked_;  // and not answered; the last `unsent_` are not even sent
  size_t unsent_ = 0;
  std::vector<DigestRange> todo_;
  std::deque<DigestKey> again_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_DIGEST_EXCHANGE_H_
