#include "src/core/object_table_pins.h"

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_scopes.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

Verdict PinSteps::Step(const event::Pin& e) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  const bool first = Of(table_, *record) == nullptr;
  if (first && record->nested_in == UINT32_MAX) return Verdict::kCountFull;
  if (table_.pins_ == nullptr) table_.pins_ = std::make_unique<ValuePins>();
  if (!table_.pins_->Add(table_.IndexOf(*record), e.by, e.now)) return Verdict::kCountFull;
  if (first) ++record->nested_in;
  return Verdict::kOk;
}

Verdict PinSteps::Step(const event::Unpin& e, Effects* effects) {
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  const RecordIndex index = table_.IndexOf(*record);
  ValuePins::Pinned* pinned = table_.pins_ == nullptr ? nullptr : table_.pins_->Find(index);
  if (pinned == nullptr || ValuePins::HolderOf(pinned, e.by) == nullptr) return Verdict::kNotHeld;
  const bool free_waits = pinned->free_waits && !IsMutant(Mutant::kPinnedFreeForgotten);
  const FreeMode mode = IsMutant(Mutant::kPinnedFreeNow) ? FreeMode::kNow : pinned->free_mode;
  if (!table_.pins_->Remove(index, e.by)) return Verdict::kOk;
  FREEHOLD_CHECK(record->nested_in > 0);
  // While it is held still, so that who refers to it hears that it was freed.
  if (free_waits) (void)table_.Step(event::FreeExplicitly{e.key, mode}, effects);
  --record->nested_in;
  table_.EndIfNotHeld(record, effects);
  return Verdict::kOk;
}

bool PinSteps::Postpone(const ObjectRecord& record, FreeMode mode) {
  if (table_.pins_ == nullptr || IsMutant(Mutant::kFreeDespitePins)) return false;
  ValuePins::Pinned* pinned = table_.pins_->Find(table_.IndexOf(record));
  if (pinned == nullptr) return false;
  const bool now_waits = pinned->free_waits && pinned->free_mode == FreeMode::kNow;
  pinned->free_mode = now_waits ? FreeMode::kNow : mode;
  pinned->free_waits = true;
  return true;
}

void PinSteps::ForgetFree(const ObjectRecord& record) {
  if (table_.pins_ == nullptr) return;
  ValuePins::Pinned* pinned = table_.pins_->Find(table_.IndexOf(record));
  if (pinned != nullptr) pinned->free_waits = false;
}

uint32_t PinSteps::NotNested(const ObjectTable& table, const ObjectRecord& record) {
  return (ScopeSteps::IsHeldByScope(table, record) ? 1u : 0u) +
         (Of(table, record) != nullptr ? 1u : 0u);
}

}  // namespace freehold::core
