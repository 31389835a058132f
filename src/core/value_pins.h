// ValuePins: which objects of one table are pinned, by whom and since when.
//
// Pins are rare, so they lie beside the records: a pinned object is one more count of `nested_in`,
// whatever the number of its pins, and everything else about them is here.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_VALUE_PINS_H_
#define FREEHOLD_SRC_CORE_VALUE_PINS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "freehold/location.h"
#include "freehold/pin.h"
#include "src/core/object_record.h"

namespace freehold::core {

class ValuePins {
 public:
  struct Pinned {
    std::vector<PinHolder> holders;       // in order of the first pin; never empty
    bool free_waits = false;              // its value is to be freed with the last pin
    FreeMode free_mode = FreeMode::kNow;  // how; the stronger one of those that wait
  };

  // Null: it is not pinned.
  Pinned* Find(RecordIndex record) {
    const auto found = pinned_.find(record);
    return found == pinned_.end() ? nullptr : &found->second;
  }
  const Pinned* Find(RecordIndex record) const {
    return const_cast<ValuePins*>(this)->Find(record);
  }
  // Of one that is pinned; null: not by that name.
  static PinHolder* HolderOf(Pinned* pinned, std::string_view by) {
    const auto at = std::find_if(pinned->holders.begin(), pinned->holders.end(),
                                 [by](const PinHolder& holder) { return holder.by == by; });
    return at == pinned->holders.end() ? nullptr : &*at;
  }
  // False: a count is full.
  bool Add(RecordIndex record, std::string_view by, Time now) {
    Pinned& pinned = pinned_[record];
    if (PinHolder* holder = HolderOf(&pinned, by); holder != nullptr) {
      if (holder->count == UINT32_MAX) return false;
      ++holder->count;
      return true;
    }
    if (pinned.holders.size() == kPinHoldersMax) return false;
    pinned.holders.push_back({std::string(by), 1, now});
    return true;
  }
  // REQUIRES: it is pinned by that name. True: that was the last pin of the object.
  bool Remove(RecordIndex record, std::string_view by) {
    Pinned* pinned = Find(record);
    PinHolder* holder = HolderOf(pinned, by);
    if (--holder->count > 0) return false;
    pinned->holders.erase(pinned->holders.begin() + (holder - pinned->holders.data()));
    if (!pinned->holders.empty()) return false;
    pinned_.erase(record);
    return true;
  }
  // REQUIRES: it is not pinned.
  void Put(RecordIndex record, const Pinned& pinned) { pinned_.emplace(record, pinned); }
  // False: it was not pinned.
  bool Erase(RecordIndex record) { return pinned_.erase(record) > 0; }
  size_t size() const { return pinned_.size(); }
  size_t bytes() const { return pinned_.capacity() * (sizeof(RecordIndex) + sizeof(Pinned) + 1); }

 private:
  absl::flat_hash_map<RecordIndex, Pinned> pinned_;  // only asked, never iterated
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_VALUE_PINS_H_
