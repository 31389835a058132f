#include "src/runtime/contained_keeper.h"

#include <algorithm>
#include <optional>

#include "freehold/object_ref.h"
#include "src/base/mutant.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/declarations.h"

namespace freehold::runtime {

using core::PeerIndex;
using core::Verdict;
using internal::IsMutant;
using internal::Mutant;

// --- Who gives away ------------------------------------------------------------------------------

Verdict ContainedKeeper::StepWith(const core::Key& outer, PeerIndex to, uint64_t* left,
                                  Handing* handing, core::Immovable* why,
                                  absl::FunctionRef<Verdict()> step) {
  while (true) {
    --*left;
    *why = core::Immovable::kNo;
    const Verdict verdict = step();
    if (*why != core::Immovable::kContains || *left == 0) return verdict;
    const size_t before = handing->looked_at;
    const Verdict passed = PassOn(outer, to, *left, handing);
    *left -= std::min<uint64_t>(*left, handing->looked_at - before);
    if (passed != Verdict::kOk) {
      *why = core::Immovable::kNo;
      return passed;
    }
    if (*left == 0) return Verdict::kWrongState;
  }
}

// What is not passed on yet, at most `items_max`.
Verdict ContainedKeeper::PassOn(const core::Key& outer, PeerIndex to, size_t items_max,
                                Handing* handing) {
  std::vector<core::InnerRef> inners;
  const size_t piece = std::min<size_t>(items_max, CounterImpl::kPieceMax);
  const Verdict listed =
      counter_->ApplyQuietly(counter_->ShardOf(outer), [&](core::ObjectTable& table) {
        inners = core::TransferSteps(&table).InnersOf(outer, handing->looked_at, piece);
        return Verdict::kOk;
      });
  if (listed != Verdict::kOk) return listed;
  for (const core::InnerRef& inner : inners) {
    core::HandedInner handed;
    core::Exported exported;
    const auto pass_on = [&](core::ObjectTable& table, core::Effects* effects) {
      handed.object = table.At(inner.record).id();
      const core::Key key = counter_->KeyOf(handed.object);
      // The session loses no item: no end is set to it.
      const Verdict answer = table.Step(core::event::Export{key, to, kInfiniteFuture}, &exported);
      (void)core::HeirSteps(&table).Step(core::event::Exported{key}, effects);
      return answer;
    };
    const Verdict verdict = counter_->Apply(counter_->ShardAt(inner.shard), pass_on);
    ++handing->looked_at;
    switch (verdict) {
      case Verdict::kOk:
        handed.number = exported.number;
        handed.term = exported.term;
        handed.owner = exported.owner;
        handing->handed.push_back(handed);
        break;
      case Verdict::kGone:
      case Verdict::kOwnerDied:
        break;
      default:
        return verdict;
    }
  }
  return Verdict::kOk;
}

void ContainedKeeper::CancelAll(PeerIndex to, const std::vector<core::HandedInner>& handed) {
  for (const core::HandedInner& inner : handed) {
    if (inner.object.IsNil()) continue;  // it was sent
    const core::Key key = counter_->KeyOf(inner.object);
    (void)counter_->Apply(
        counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
          return table.Step(core::event::CancelHandoff{key, to, inner.number}, effects);
        });
  }
}

// --- Who takes over ------------------------------------------------------------------------------

namespace {

// Of one sender: each of its shards passes on what one object contains at a time, to its next owner
// and to its heir.
constexpr size_t kStagedMax = 2 * 64;

}  // namespace

bool ContainedKeeper::OnContained(PeerIndex from, const core::ContainedItem& item) {
  Staged staged = Take(from, item.outer, item.term);
  staged.term = item.term;
  // An object that contained itself would never end.
  for (const core::ContainedItem::Inner& inner : item.inners) {
    staged.failed = staged.failed || inner.object == item.outer;
  }
  staged.failed = staged.failed || !counter_->options().takes_transfers;
  for (const core::ContainedItem::Inner& inner : item.inners) {
    core::InnerRef held;
    const Verdict verdict = staged.failed ? Verdict::kTableFull : Hold(from, inner, &held);
    switch (verdict) {
      case Verdict::kOk:
        staged.inners.push_back(held);
        break;
      case Verdict::kGone:
      case Verdict::kOwnerDied:
      case Verdict::kAlreadyRedeemed:
      case Verdict::kRefused:
        break;  // it has ended
      case Verdict::kPeerExcluded:
        counter_->ReleaseInners(std::move(staged.inners));
        return true;
      default:
        staged.failed = true;
        Refuse(from, inner);
    }
  }
  if (staged.failed || IsMutant(Mutant::kContainedLost)) {
    counter_->ReleaseInners(std::exchange(staged.inners, {}));
  }
  // Whoever takes none refuses the object as well.
  if (staged.inners.empty() && (!staged.failed || !counter_->options().takes_transfers))
    return true;
  {
    internal::MutexLock lock(&mutex_);
    size_t others = 0;
    for (auto at = staged_.lower_bound({from, ObjectId()});
         at != staged_.end() && at->first.first == from && others < kStagedMax; ++at) {
      ++others;
    }
    if (others < kStagedMax) {
      staged_[{from, item.outer}] = std::move(staged);
      return true;
    }
  }
  counter_->ReleaseInners(std::move(staged.inners));
  return false;
}

// Imports it, and holds it as what an object contains.
Verdict ContainedKeeper::Hold(PeerIndex from, const core::ContainedItem::Inner& inner,
                              core::InnerRef* held) {
  PeerIndex owner = from;
  if (inner.owner == counter_->options().process) {
    owner = core::kNoPeer;
  } else if (!inner.owner.IsNil()) {
    owner = counter_->endpoint().Intern(Address(inner.owner));
    if (owner == core::kNoPeer) return Verdict::kTableFull;
  }
  const core::Key key = counter_->KeyOf(inner.object);
  Shard& shard = counter_->ShardOf(key);
  held->shard = shard.number;
  ObjectRef handle;  // until it is held
  return counter_->Apply(shard, [&](core::ObjectTable& table,
                                    core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    if (shard.draining || !shard.is_open) return Verdict::kShutDown;
    core::ObjectRecord* record = nullptr;
    const Verdict verdict = table.Step(
        core::event::Import{key, owner, from, inner.number, inner.term}, effects, &record);
    if (verdict != Verdict::kOk) return verdict;
    handle = Declarations::AddHandle(&shard, record);
    if (!handle) return Verdict::kCountFull;
    return table.Step(core::event::AddNestedHold{key}, &held->record);
  });
}

void ContainedKeeper::Refuse(PeerIndex from, const core::ContainedItem::Inner& inner) {
  const core::Key key = counter_->KeyOf(inner.object);
  (void)counter_->Apply(
      counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return table.Step(core::event::HandoffCancelled{key, from, inner.number}, effects);
      });
}

ContainedKeeper::Staged ContainedKeeper::TakeAny(PeerIndex from, const ObjectId& outer) {
  internal::MutexLock lock(&mutex_);
  const auto at = staged_.find({from, outer});
  if (at == staged_.end()) return {};
  Staged staged = std::move(at->second);
  staged_.erase(at);
  return staged;
}

ContainedKeeper::Staged ContainedKeeper::Take(PeerIndex from, const ObjectId& outer,
                                              uint32_t term) {
  Staged staged = TakeAny(from, outer);
  if (staged.term == term) return staged;
  counter_->ReleaseInners(std::move(staged.inners));
  return {};
}

void ContainedKeeper::Drop(PeerIndex from, const ObjectId& outer) {
  counter_->ReleaseInners(TakeAny(from, outer).inners);
}

void ContainedKeeper::OnFenced(PeerIndex process) {
  std::vector<core::InnerRef> inners;
  {
    internal::MutexLock lock(&mutex_);
    const auto first = staged_.lower_bound({process, ObjectId()});
    auto at = first;
    for (; at != staged_.end() && at->first.first == process; ++at) {
      inners.insert(inners.end(), at->second.inners.begin(), at->second.inners.end());
    }
    staged_.erase(first, at);
  }
  counter_->ReleaseInners(std::move(inners));
}

// --- What was read out of it ---------------------------------------------------------------------

// Whatever is there by now, its readers count on the owner that it has by now.
void ContainedKeeper::OnOuterMoved(const core::InnerRef& outer) {
  PeerIndex to = core::kNoPeer;
  (void)counter_->ApplyQuietly(counter_->ShardAt(outer.shard), [&](core::ObjectTable& table) {
    const core::ObjectRecord& record = table.At(outer.record);
    to = record.in_use && record.borrowed ? table.BorrowOf(record).owner : core::kNoPeer;
    return Verdict::kOk;
  });
  if (to == core::kNoPeer) return;
  const core::event::OuterMoved event{outer, to};
  for (const std::unique_ptr<Shard>& shard : counter_->shards()) {
    std::optional<uint32_t> left;
    do {
      const uint32_t before = left.value_or(0);
      const bool counted = left.has_value();
      left = 0;  // a shard that is closed has none
      (void)counter_->Apply(*shard, [&](core::ObjectTable& table, core::Effects* effects) {
        core::TransferSteps steps(&table);
        const uint32_t all = counted ? before : steps.ReadingsOf(outer);
        const uint32_t piece = std::min(all, CounterImpl::kPieceMax);
        steps.Step(event, piece, effects);
        left = all - piece;
        return Verdict::kOk;
      });
    } while (*left > 0);
  }
}

void ContainedKeeper::OnRead(const core::Key& outer, const core::InnerRef& record,
                             PeerIndex owner) {
  PeerIndex now = owner;
  (void)counter_->ApplyQuietly(counter_->ShardAt(record.shard), [&](core::ObjectTable& table) {
    const core::ObjectRecord* const found = table.Find(outer);
    if (found != nullptr && found->borrowed && found == &table.At(record.record)) {
      now = table.BorrowOf(*found).owner;
    }
    return Verdict::kOk;
  });
  if (now != owner) OnOuterMoved(record);
}

}  // namespace freehold::runtime
