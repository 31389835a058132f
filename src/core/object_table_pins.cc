#include "src/core/object_table_pins.h"

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_scopes.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

Verdict PinSteps::Step(const event::Pin& e, Effects* effects) {
  Verdict verdict = CheckOwned(e.key);
  if (verdict != Verdict::kOk) return verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  const bool first = Of(table_, *record) == nullptr;
  if (first && record->nested_in == UINT32_MAX) return Verdict::kCountFull;
  if (table_.pins_ == nullptr) table_.pins_ = std::make_unique<ValuePins>();
  if (!table_.pins_->Add(table_.IndexOf(*record), e.by, e.now)) return Verdict::kCountFull;
  if (first) ++record->nested_in;
  HeirSteps(&table_).Changed(table_.IndexOf(*record), effects);
  return Verdict::kOk;
}

Verdict PinSteps::CheckOwned(const Key& key) const {
  const ObjectRecord* record = table_.FindMutable(key);
  if (record != nullptr) return record->borrowed ? Verdict::kNotOwner : Verdict::kOk;
  const bool elsewhere = TransferSteps(&table_).FindFormer(key.id) != nullptr;
  return elsewhere ? Verdict::kNotOwner : Verdict::kNotFound;
}

Verdict PinSteps::Step(const event::Unpin& e, Effects* effects) {
  const Verdict owned = CheckOwned(e.key);
  if (owned != Verdict::kOk) return owned;
  ObjectRecord* record = table_.FindMutable(e.key);
  const RecordIndex index = table_.IndexOf(*record);
  ValuePins::Pinned* pinned = table_.pins_ == nullptr ? nullptr : table_.pins_->Find(index);
  if (pinned == nullptr || ValuePins::HolderOf(pinned, e.by) == nullptr) return Verdict::kNotHeld;
  const bool free_waits = pinned->free_waits && !IsMutant(Mutant::kPinnedFreeForgotten);
  const FreeMode mode = IsMutant(Mutant::kPinnedFreeNow) ? FreeMode::kNow : pinned->free_mode;
  const bool last = table_.pins_->Remove(index, e.by);
  HeirSteps(&table_).Changed(index, effects);
  if (!last) return Verdict::kOk;
  FREEHOLD_CHECK(record->nested_in > 0);
  // While it is held still, so that who refers to it hears that it was freed.
  if (free_waits) (void)table_.Step(event::FreeExplicitly{e.key, mode}, effects);
  --record->nested_in;
  table_.EndIfNotHeld(record, effects);
  return Verdict::kOk;
}

bool PinSteps::Postpone(const ObjectRecord& record, FreeMode mode, Effects* effects) {
  if (table_.pins_ == nullptr || IsMutant(Mutant::kFreeDespitePins)) return false;
  ValuePins::Pinned* pinned = table_.pins_->Find(table_.IndexOf(record));
  if (pinned == nullptr) return false;
  const bool now_waits = pinned->free_waits && pinned->free_mode == FreeMode::kNow;
  pinned->free_mode = now_waits ? FreeMode::kNow : mode;
  pinned->free_waits = true;
  HeirSteps(&table_).Changed(table_.IndexOf(record), effects);
  return true;
}

void PinSteps::ForgetFree(const ObjectRecord& record) {
  if (table_.pins_ == nullptr) return;
  ValuePins::Pinned* pinned = table_.pins_->Find(table_.IndexOf(record));
  if (pinned != nullptr) pinned->free_waits = false;
}

void PinSteps::Install(ObjectRecord* record, const ValuePins::Pinned& pinned) {
  if (IsMutant(Mutant::kPinsNotPassedOn)) return;
  if (table_.pins_ == nullptr) table_.pins_ = std::make_unique<ValuePins>();
  table_.pins_->Put(table_.IndexOf(*record), pinned);
  ++record->nested_in;
}

void PinSteps::Strip(ObjectRecord* record) {
  if (table_.pins_ != nullptr && table_.pins_->Erase(table_.IndexOf(*record))) --record->nested_in;
}

void PinSteps::Tell(const ValuePins::Pinned& pinned, Time now, TransferItem* item) {
  for (const PinHolder& holder : pinned.holders) {
    item->pins.push_back({holder.by, holder.count, AgeOf(holder, now)});
  }
  item->free_waits = pinned.free_waits;
  item->free_mode = pinned.free_waits ? pinned.free_mode : FreeMode::kNow;
}

std::unique_ptr<const ValuePins::Pinned> PinSteps::Told(const TransferItem& item, Time now) {
  if (item.pins.empty()) return nullptr;
  auto pinned = std::make_unique<ValuePins::Pinned>();
  for (const TransferItem::Pin& pin : item.pins) {
    const bool before_time = now.time_since_epoch() < Duration::min() + pin.age;
    pinned->holders.push_back({pin.by, pin.count, before_time ? kInfinitePast : now - pin.age});
  }
  pinned->free_waits = item.free_waits;
  pinned->free_mode = item.free_mode;
  return pinned;
}

uint32_t PinSteps::NotNested(const ObjectTable& table, const ObjectRecord& record) {
  return (ScopeSteps::IsHeldByScope(table, record) ? 1u : 0u) +
         (Of(table, record) != nullptr ? 1u : 0u);
}

}  // namespace freehold::core
