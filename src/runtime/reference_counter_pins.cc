// ReferenceCounter: pins.

#include "absl/strings/str_cat.h"
#include "freehold/reference_counter.h"
#include "src/core/object_table_pins.h"
#include "src/runtime/counter_impl.h"

namespace freehold {

using core::PinSteps;
using core::Verdict;
using runtime::Shard;

namespace {

absl::Status ValidateName(std::string_view by) {
  if (by.empty()) return absl::InvalidArgumentError("a pin needs a name: who pins");
  if (by.size() > kPinnedByBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name of a pin is longer than ", kPinnedByBytesMax, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReferenceCounter::Pin(const ObjectId& object, std::string_view by) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  if (absl::Status valid = ValidateName(by); !valid.ok()) return valid;
  const core::Key key = impl_->KeyOf(object);
  const Time now = impl_->clock().Now();
  const Verdict verdict =
      impl_->Apply(impl_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return PinSteps(&table).Step(core::event::Pin{key, by, now}, effects);
      });
  return impl_->ToStatus(verdict, object);
}

absl::Status ReferenceCounter::Unpin(const ObjectId& object, std::string_view by) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  const core::Key key = impl_->KeyOf(object);
  const Verdict verdict =
      impl_->Apply(impl_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return PinSteps(&table).Step(core::event::Unpin{key, by}, effects);
      });
  if (verdict == Verdict::kOk) return absl::OkStatus();
  // Who unpins may not have heard that it was given away.
  if (verdict == Verdict::kNotOwner) return impl_->ToStatus(verdict, object);
  return impl_->Misuse(verdict, key, "Unpin");
}

absl::StatusOr<std::vector<PinHolder>> ReferenceCounter::GetPins(const ObjectId& object) const {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  const core::Key key = impl_->KeyOf(object);
  Shard& shard = impl_->ShardOf(key);
  Verdict verdict;
  {
    internal::MutexLock lock(&shard.mutex);
    verdict = PinSteps(&shard.table).CheckOwned(key);
    if (verdict == Verdict::kOk) {
      const auto* pinned = PinSteps::Of(shard.table, *shard.table.Find(key));
      return pinned == nullptr ? std::vector<PinHolder>() : pinned->holders;
    }
  }
  return impl_->ToStatus(verdict, object);
}

}  // namespace freehold
