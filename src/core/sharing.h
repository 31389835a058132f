// Sharing: what an ObjectTable knows of references that cross processes.
//
// Made when the first one does: a table of objects that stay at home has none of it. The rules are
// in object_table_sharing.cc and PROTOCOL.md, steps 3 to 8 and 10.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_SHARING_H_
#define FREEHOLD_SRC_CORE_SHARING_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "freehold/callbacks.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "src/core/borrow_index.h"
#include "src/core/handoff_ledger.h"
#include "src/core/holder_index.h"
#include "src/core/item.h"
#include "src/core/peer_queue.h"
#include "src/core/rare.h"
#include "src/core/transfers.h"

namespace freehold::core {

// What the runtime knows and the core does not: the ids behind interned indices.
class NodeNames {
 public:
  virtual ~NodeNames() = default;
  virtual NodeId NodeAt(PeerIndex node) const = 0;
  virtual ProcessId ProcessAt(PeerIndex process) const = 0;
  virtual bool IsNode(PeerIndex peer) const = 0;
};

// What goes into the token of an exported reference.
struct Exported {
  PeerIndex owner = kNoPeer;  // kNoPeer: this process
  uint32_t term = kFirstTerm;
  uint64_t number = 0;  // of the handoff
};

// Borrowers that could not be listed yet, first come, first served. Each is in it once for each
// object, with its latest registration: so it grows no further than the list that is full would.
class UnlistedBorrowers {
 public:
  void Add(PeerIndex borrower, const ObjectId& object, uint64_t registration) {
    const auto [at, is_new] = registrations_.insert_or_assign({borrower, object}, registration);
    if (is_new) order_.push_back(at->first);
  }
  // REQUIRES: not empty. The key of the event is the caller's to make of `*object`.
  void TakeFirst(PeerIndex* borrower, ObjectId* object, uint64_t* registration) {
    const auto at = registrations_.find(order_.front());
    *borrower = at->first.first;
    *object = at->first.second;
    *registration = at->second;
    registrations_.erase(at);
    order_.pop_front();
  }
  bool empty() const { return order_.empty(); }
  size_t size() const { return order_.size(); }
  size_t bytes() const {
    return order_.size() * sizeof(Borrower) + registrations_.capacity() * (sizeof(Borrower) + 9);
  }

 private:
  using Borrower = std::pair<PeerIndex, ObjectId>;
  std::deque<Borrower> order_;
  absl::flat_hash_map<Borrower, uint64_t> registrations_;  // only asked, never iterated
};

struct Sharing {
  // A pin whose token must have arrived by `ends`, in order of export. Its pin may be gone.
  struct TokenLife {
    Time ends;
    ObjectId object;
    PeerIndex receiver = kNoPeer;
    uint64_t number = 0;
  };

  // An answer that no later change touches.
  struct SettledAnswer {
    ObjectId object;
    uint64_t number = 0;
    LocationAnswerState state = LocationAnswerState::kGone;
    bool final = true;
    uint32_t generation = 0;
  };

  // What a node is told of its copy: the answer to its move, or that it is the primary now.
  struct MoveNews {
    ObjectId object;
    uint64_t number = 0;
    uint32_t generation = 0;
    MoveAnswer answer = MoveAnswer::kMoved;
    PeerIndex primary = kNoPeer;
  };

  HolderIndex borrowers;  // of owned objects; number 0
  // Those for whom there was no room in it. They have no answer, hence acknowledge no handoff: what
  // holds the object for them stays.
  UnlistedBorrowers unlisted;
  HolderIndex pins;       // (object, receiver, handoff number): handoffs that have not ended
  HolderIndex cancelled;  // of the pins, those whose cancellation was asked for
  // (object, sender, OwedNumber): what ends once the borrow of the object is confirmed or fails.
  HolderIndex owed;
  // (object, record of an outer one, its shard): of what is owed, the ids that were read out of
  // outer objects, found by these.
  HolderIndex readings;
  BorrowIndex borrows;
  HandoffLedger ledger;
  HandoffNumbers numbers;
  PeerQueue<SharingItem> outbox;
  std::deque<TokenLife> token_lives;
  // (object, asker, WatchNumber): subscriptions; what is to be answered, each once however often
  // the object has changed since; and answers about what is gone, or was when they were asked.
  HolderIndex watches;
  HolderIndex due;
  PeerQueue<SettledAnswer> settled_answers;
  PeerQueue<MoveNews> move_news;
  HolderIndex moments;         // (object, watcher, MomentNumber): watches that have not fired
  uint64_t registrations = 0;  // ever sent; numbers them
  std::unique_ptr<Transfers> transfers;  // null: no ownership has moved

  bool HasWorkFor(PeerIndex peer) const {
    return !outbox.empty(peer) || borrows.FirstToSend(peer) != kNone ||
           due.FirstOfPeer(peer) != nullptr || !settled_answers.empty(peer) ||
           !move_news.empty(peer) || (transfers != nullptr && transfers->HasWorkFor(peer));
  }
  // To whoever asked or told something, not sent yet.
  uint64_t answers_waiting() const {
    return uint64_t{outbox.size()} + due.size() + settled_answers.size() + move_news.size();
  }
  size_t bytes() const {
    return sizeof(*this) + borrowers.bytes() + pins.bytes() + cancelled.bytes() + owed.bytes() +
           readings.bytes() + borrows.bytes() + outbox.bytes() + ledger.bytes() + watches.bytes() +
           due.bytes() + settled_answers.bytes() + unlisted.bytes() + move_news.bytes() +
           moments.bytes() + (transfers == nullptr ? 0 : transfers->bytes());
  }
};

// What a table knows of excluded processes.
class Fences {
 public:
  // A view excludes it: nothing of its is taken any more.
  bool IsFenced(PeerIndex peer) const { return StateOf(peer) != State::kMember; }
  // And the barrier has come: what it held is let go.
  bool IsClosed(PeerIndex peer) const { return StateOf(peer) == State::kClosed; }
  // False: it was so already.
  bool Fence(PeerIndex peer) {
    if (IsFenced(peer)) return false;
    states_.At(peer) = State::kFenced;
    return true;
  }
  void Close(PeerIndex peer) { states_.At(peer) = State::kClosed; }

 private:
  enum class State : uint8_t { kMember, kFenced, kClosed };
  State StateOf(PeerIndex peer) const {
    const State* state = states_.Find(peer);
    return state == nullptr ? State::kMember : *state;
  }
  PeerMap<State> states_;
};

// What is owed for one way in which a borrowed reference came: the acknowledgement of a handoff, or
// the hold on the outer object out of which the id was read. In an owed entry's number the highest
// bit says which.
class OwedNumber {
 public:
  static uint64_t ForHandoff(uint64_t number) { return number & ~kOuter; }
  static uint64_t ForOuter(const InnerRef& outer) {
    return kOuter | (uint64_t{outer.shard} << 32) | outer.record;
  }
  static bool IsOuter(uint64_t owed) { return (owed & kOuter) != 0; }
  static InnerRef OuterOf(uint64_t owed) {
    InnerRef outer;
    outer.shard = static_cast<uint32_t>((owed & ~kOuter) >> 32);
    outer.record = static_cast<RecordIndex>(owed);
    return outer;
  }

 private:
  static constexpr uint64_t kOuter = uint64_t{1} << 63;
};

// The number of a location query, and whether it asked for more than one answer.
class WatchNumber {
 public:
  static constexpr uint64_t kNumberMax = (uint64_t{1} << 63) - 1;
  static uint64_t Make(uint64_t number, bool subscribed) {
    return number | (subscribed ? kSubscribed : 0);
  }
  static bool IsSubscribed(uint64_t watch) { return (watch & kSubscribed) != 0; }
  static uint64_t NumberOf(uint64_t watch) { return watch & kNumberMax; }

 private:
  static constexpr uint64_t kSubscribed = uint64_t{1} << 63;
};

// The number of a watch, and its moment.
class MomentNumber {
 public:
  static constexpr uint64_t kNumberMax = (uint64_t{1} << 62) - 1;
  static uint64_t Make(uint64_t number, Moment moment) {
    return number | (static_cast<uint64_t>(moment) << kMomentAt);
  }
  static Moment MomentOf(uint64_t watch) { return static_cast<Moment>(watch >> kMomentAt); }
  static uint64_t NumberOf(uint64_t watch) { return watch & kNumberMax; }

 private:
  static constexpr int kMomentAt = 62;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SHARING_H_
