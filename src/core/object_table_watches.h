// The steps of an ObjectTable that concern watches: callbacks of other processes.
//
// A watch is an entry beside the object's record, (watcher, number, moment), and nothing else: it
// holds nothing, it fires where a callback that is registered here does, and whoever takes the
// object over can be given it. It has exactly one answer, which waits with all others that the
// watcher is sent: what came of it, or that it was called off.
//
// Thread safety: thread-compatible, like the table. Costs: O(1), at a moment O(watches that fire),
// of which no peer can have more than a limit.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_WATCHES_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_WATCHES_H_

#include <cstdint>

#include "src/core/object_table.h"

namespace freehold::core {

namespace event {

// From the wire; so is the number, which is the watcher's own.
struct Watch {
  Key key;
  PeerIndex from;
  uint64_t number;
  Moment moment;
};
struct StopWatching {
  Key key;
  PeerIndex from;
  uint64_t number;
  Moment moment;
};

}  // namespace event

class WatchSteps {
 public:
  explicit WatchSteps(ObjectTable* table) : table_(*table) {}

  // Answered at once: kNotFound, kMomentPassed, kCountFull (it has too many). Not answered:
  // kWrongState (nobody watches for that moment, or gives that number), kAlreadyExists.
  Verdict Step(const event::Watch& e, Effects* effects);
  // Answered, but for kNotFound: that one has its answer, or was never there.
  Verdict Step(const event::StopWatching& e, Effects* effects);

  // --- For the table's own steps, and for callbacks that are registered here -----------------

  // The moment of the object has come. REQUIRES: it has askers.
  void Fire(ObjectRecord* record, Moment moment, EndReason reason, Effects* effects);
  static bool HasPassed(const ObjectTable& table, const ObjectRecord& record, Moment moment) {
    switch (moment) {
      case Moment::kOutOfScope:
        return record.is_over();
      case Moment::kReclaimed:
        return record.is_over() && !HasCopies(table, record);
      case Moment::kErased:
        return false;
      case Moment::kFailed:
        return record.state() == ObjectState::kFailed || !record.in_scope();
    }
    return true;
  }
  // Why a moment of the object that has passed came.
  static EndReason WhyEnded(const ObjectTable& table, const Key& key) {
    const ObjectRecord* record = table.Find(key);
    return record == nullptr ? EndReason::kGone : WhyEnded(*record);
  }

 private:
  static EndReason WhyEnded(const ObjectRecord& record) {
    return record.was_freed ? EndReason::kFreed : EndReason::kOutOfScope;
  }
  static bool HasCopies(const ObjectTable& table, const ObjectRecord& record) {
    const Rare* rare = table.FindRare(record);
    return record.copies > 0 || (rare != nullptr && rare->ghost != kNoRecord);
  }
  void Answer(PeerIndex to, const ObjectId& object, uint64_t number, WatchAnswer answer,
              Effects* effects);

  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_WATCHES_H_
