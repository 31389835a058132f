// The steps of an ObjectTable that concern pins.
//
// A pinned object is in scope although nothing refers to it: one count of `nested_in` says so. An
// explicit free of it waits, as a mark beside its pins, and is done when the last pin goes.
//
// Thread safety: thread-compatible, like the table. Costs: O(1) and the names that pin one object.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_PINS_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_PINS_H_

#include <cstdint>
#include <string_view>

#include "src/core/object_table.h"

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
  Verdict Step(const event::Pin& e);
  // kNotFound, kNotHeld (it is not pinned by that name).
  Verdict Step(const event::Unpin& e, Effects* effects);

  // --- For the table's own steps -------------------------------------------------------------

  // An explicit free. True: the value is pinned, and is freed with the last pin.
  bool Postpone(const ObjectRecord& record, FreeMode mode);
  // The value is made again: the free that waited was of the former one.
  void ForgetFree(const ObjectRecord& record);

  // Null: it is not pinned.
  static const ValuePins::Pinned* Of(const ObjectTable& table, const ObjectRecord& record) {
    return table.pins_ == nullptr || record.nested_in == 0
               ? nullptr
               : table.pins_->Find(RecordSlabs::IndexOf(record));
  }
  // How much of `nested_in` is no outer object: its scope and its pins.
  static uint32_t NotNested(const ObjectTable& table, const ObjectRecord& record);
  static size_t CountPinned(const ObjectTable& table) {
    return table.pins_ == nullptr ? 0 : table.pins_->size();
  }

 private:
  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_PINS_H_
