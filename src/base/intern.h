// Interning: a long name becomes a dense number, handed out from 0 in order of first sight.
//
// AddressInterner turns the addresses of peers into indices that records can pack into 24 bits;
// StringInterner keeps one copy of each call site, however many objects were declared there.
// Nothing is ever removed: both are bounded by a maximum, and size() is their gauge.
//
// Thread safety: thread-safe. A thread that has an index, or knows that an address was interned,
// finds it: the look-ups acquire what interning released.
// Ownership: the interner owns its entries; a reference to one stays good until its destruction.
// Blocks: AddressInterner::Intern takes a lock for an address that is new, StringInterner::Intern
// always; the other methods are lock-free.

#ifndef FREEHOLD_SRC_BASE_INTERN_H_
#define FREEHOLD_SRC_BASE_INTERN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "freehold/ids.h"
#include "src/base/mutex.h"
#include "src/base/segmented_array.h"

namespace freehold::internal {

class AddressInterner {
 public:
  static constexpr uint32_t kNotFound = UINT32_MAX;

  // Interns at most `size_max` addresses.
  explicit AddressInterner(uint32_t size_max);
  ~AddressInterner();
  AddressInterner(const AddressInterner&) = delete;
  AddressInterner& operator=(const AddressInterner&) = delete;

  // The index of `address`, given at first sight; kNotFound when it is new and there is no room.
  uint32_t Intern(const Address& address);
  // The same of a node's address. For a node that was asked for recently this is a comparison.
  uint32_t InternNode(const NodeId& node) {
    const uint32_t recent = FindRecentNode(node);
    return recent != kNotFound ? recent : InternOtherNode(node);
  }
  // kNotFound: it was not asked for recently, or never.
  uint32_t FindRecentNode(const NodeId& node) const {
    // acquire: pairs with the release that published the entry.
    const Entry* entry = recent_[RecentSlot(node.data())].load(std::memory_order_acquire);
    return entry != nullptr && SameId(entry->bytes(), node.data()) ? entry->index : kNotFound;
  }
  // kNotFound when it was never interned.
  uint32_t Find(const Address& address) const;
  // REQUIRES: `index` was answered by this interner.
  const Address& At(uint32_t index) const { return entries_.At(index).address; }
  uint32_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  struct Table;
  struct Entry {
    Address address;
    uint32_t index = 0;
    const uint8_t* bytes() const {
      return reinterpret_cast<const uint8_t*>(address.id_bytes().data());
    }
  };
  // Entries of nodes that were asked for last, each at the one slot where it may be.
  static constexpr uint32_t kRecentBits = 8;

  // Ids of nodes are random, or count in their last bytes.
  static size_t RecentSlot(const uint8_t* id) {
    return static_cast<size_t>(((LoadLittle64(id) ^ LoadLittle64(id + 20)) * kHashSecret[0]) >>
                               (64 - kRecentBits));
  }
  uint32_t InternOtherNode(const NodeId& node);
  static uint32_t FindIn(const Table& table, const SegmentedArray<Entry>& entries,
                         const Address& address, uint64_t hash);
  static void Insert(Table* table, uint64_t hash, uint32_t index);
  Table* Grow() FREEHOLD_REQUIRES(mutex_);

  const uint32_t size_max_;
  SegmentedArray<Entry> entries_;
  std::atomic<const Entry*> recent_[size_t{1} << kRecentBits] = {};
  std::atomic<uint32_t> size_{0};
  // The newest of tables_. Look-ups read it without a lock, so the older ones stay until the end;
  // as tables double, all of them together are at most as large as the newest.
  std::atomic<Table*> table_;
  Mutex mutex_;  // held while an address is added
  std::vector<std::unique_ptr<Table>> tables_ FREEHOLD_GUARDED_BY(mutex_);
};

class StringInterner {
 public:
  // Of the empty string, from the start.
  static constexpr uint32_t kEmpty = 0;

  // Interns at most `size_max` strings, the empty one included. REQUIRES: size_max > 0.
  explicit StringInterner(uint32_t size_max);
  StringInterner(const StringInterner&) = delete;
  StringInterner& operator=(const StringInterner&) = delete;

  // The index of `text`, given at first sight; kEmpty when it is new and there is no room.
  uint32_t Intern(std::string_view text);
  // REQUIRES: `index` was answered by this interner.
  const std::string& At(uint32_t index) const { return strings_.At(index); }
  uint32_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  const uint32_t size_max_;
  SegmentedArray<std::string> strings_;
  std::atomic<uint32_t> size_{0};
  Mutex mutex_;
  // The keys point into strings_. Only looked up in, never walked.
  std::unordered_map<std::string_view, uint32_t> indices_ FREEHOLD_GUARDED_BY(mutex_);
};

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_INTERN_H_
