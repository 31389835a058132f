// The steps of an ObjectTable that concern pins.
//
// A pinned object is in scope although nothing refers to it: one count of `nested_in` says so. An
// explicit free of it waits, as a mark beside its pins, and is done when the last pin goes. Both go
// along when the object gets another owner, whatever the way.
//
// When a pin was made is a time of the clock here. Between two owners its age is said instead, and
// the next one counts back from when it heard that: what the message took is not in it.
//
// Thread safety: thread-compatible, like the table. Costs: O(1) and the names that pin one object.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_PINS_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_PINS_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "src/core/object_table.h"
#include "src/core/transfer_item.h"

namespace freehold::core {

namespace event {

struct Pin {
  Key key;
  std::string_view by;
  Time now;
};
struct Unpin {
  Key key;
  std::string_view by;
};

}  // namespace event

class PinSteps {
 public:
  explicit PinSteps(ObjectTable* table) : table_(*table) {}

  // kNotFound, kOutOfScope, kNotOwner, kCountFull.
  Verdict Step(const event::Pin& e, Effects* effects);
  // kNotFound, kNotOwner, kNotHeld (it is not pinned by that name).
  Verdict Step(const event::Unpin& e, Effects* effects);
  // Of an object that is owned here: kOk, or kNotFound; kNotOwner: also of what was given away.
  Verdict CheckOwned(const Key& key) const;

  // --- For the table's own steps -------------------------------------------------------------

  // An explicit free. True: the value is pinned, and is freed with the last pin.
  bool Postpone(const ObjectRecord& record, FreeMode mode, Effects* effects);
  // The value is made again: the free that waited was of the former one.
  void ForgetFree(const ObjectRecord& record);
  // The object has come with these. REQUIRES: it is owned here, and not pinned.
  void Install(ObjectRecord* record, const ValuePins::Pinned& pinned);
  // The object is given away, and its pins with it. It may be held by nothing now.
  void Strip(ObjectRecord* record);
  // As another process is told them, and as this one is; null: none.
  static void Tell(const ValuePins::Pinned& pinned, Time now, TransferItem* item);
  static std::unique_ptr<const ValuePins::Pinned> Told(const TransferItem& item, Time now);

  // Null: it is not pinned.
  static const ValuePins::Pinned* Of(const ObjectTable& table, const ObjectRecord& record) {
    return table.pins_ == nullptr || record.nested_in == 0
               ? nullptr
               : table.pins_->Find(RecordSlabs::IndexOf(record));
  }
  // How much of `nested_in` is no outer object: its scope and its pins.
  static uint32_t NotNested(const ObjectTable& table, const ObjectRecord& record);
  // From zero to kPinAgeMax.
  static Duration AgeOf(const PinHolder& holder, Time now) {
    if (holder.since >= now) return Duration::zero();
    const bool too_old = SaturatingAdd(holder.since, kPinAgeMax) <= now;
    return too_old ? kPinAgeMax : now - holder.since;
  }
  static size_t CountPinned(const ObjectTable& table) {
    return table.pins_ == nullptr ? 0 : table.pins_->size();
  }

 private:
  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_PINS_H_
