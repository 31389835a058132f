#include "src/core/object_table_watches.h"

#include "absl/container/inlined_vector.h"
#include "src/base/mutant.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

namespace {

WatchAnswer AnswerOf(EndReason reason) {
  return reason == EndReason::kFreed ? WatchAnswer::kFreed : WatchAnswer::kOutOfScope;
}

}  // namespace

Verdict WatchSteps::Step(const event::Watch& e, Effects* effects) {
  if (e.number == 0 || e.number > MomentNumber::kNumberMax || e.moment > Moment::kErased) {
    return Verdict::kWrongState;
  }
  Sharing& sharing = table_.Share();
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr || record->borrowed) {
    if (TransferSteps(&table_).Redirect(e.key, e.from, /*by_node=*/false, effects)) {
      return Verdict::kUnchanged;
    }
    Answer(e.from, e.key.id, e.number, WatchAnswer::kGone, effects);
    return Verdict::kNotFound;
  }
  if (HasPassed(table_, *record, e.moment)) {
    if (IsMutant(Mutant::kPassedWatchUnanswered)) return Verdict::kMomentPassed;
    Answer(e.from, e.key.id, e.number, AnswerOf(WhyEnded(*record)), effects);
    return Verdict::kMomentPassed;
  }
  const RecordIndex index = table_.IndexOf(*record);
  const uint64_t watch = MomentNumber::Make(e.number, e.moment);
  if (sharing.moments.CountOfPeer(e.from) < table_.config_.moment_watches_per_peer_max) {
    const HolderIndex::Added added = sharing.moments.Add(index, e.from, watch);
    if (added == HolderIndex::Added::kPresent) {
      // Asked again because the object has moved.
      const bool moved = TransferSteps(&table_).HasTenure(index);
      return moved ? Verdict::kUnchanged : Verdict::kAlreadyExists;
    }
    if (added == HolderIndex::Added::kAdded) {
      record->has_askers = 1;
      HeirSteps(&table_).Changed(index, effects);
      return Verdict::kOk;
    }
  }
  ++table_.counters_.watches_refused;
  Answer(e.from, e.key.id, e.number, WatchAnswer::kRefused, effects);
  return Verdict::kCountFull;
}

Verdict WatchSteps::Step(const event::StopWatching& e, Effects* effects) {
  const ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr || table_.sharing_ == nullptr) return Verdict::kNotFound;
  const RecordIndex index = table_.IndexOf(*record);
  const uint64_t watch = MomentNumber::Make(e.number & MomentNumber::kNumberMax, e.moment);
  if (table_.sharing_->moments.Remove(index, e.from, watch) == HolderIndex::Removed::kAbsent) {
    return Verdict::kNotFound;
  }
  table_.RefreshAskers(index);
  Answer(e.from, e.key.id, e.number, WatchAnswer::kCancelled, effects);
  return Verdict::kOk;
}

void WatchSteps::Fire(ObjectRecord* record, Moment moment, EndReason reason, Effects* effects) {
  Sharing& sharing = *table_.sharing_;
  const RecordIndex index = table_.IndexOf(*record);
  absl::InlinedVector<HolderIndex::Holder, 4> due;
  sharing.moments.ForEachOf(index, [&](const HolderIndex::Holder& watch) {
    // Moments come in order: none is left behind when the record goes.
    if (MomentNumber::MomentOf(watch.number) <= moment || IsMutant(Mutant::kWatchMomentIgnored)) {
      due.push_back(watch);
    }
    return true;
  });
  for (const HolderIndex::Holder& watch : due) {
    (void)sharing.moments.Remove(index, watch.peer, watch.number);
    const bool is_last = MomentNumber::MomentOf(watch.number) == Moment::kErased;
    if (is_last && IsMutant(Mutant::kErasedWatchForgotten)) continue;
    Answer(watch.peer, record->id(), MomentNumber::NumberOf(watch.number), AnswerOf(reason),
           effects);
  }
  table_.RefreshAskers(index);
}

void WatchSteps::Answer(PeerIndex to, const ObjectId& object, uint64_t number, WatchAnswer answer,
                        Effects* effects) {
  table_.Answer(to, SharingKind::kWatchFired, object, number, static_cast<uint8_t>(answer),
                effects);
}

}  // namespace freehold::core
