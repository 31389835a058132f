#include "src/base/intern.h"

#include "src/base/check.h"

namespace freehold::internal {

// Open addressing with linear probing, at most half full. A slot is empty (0), or holds the upper
// half of the hash above the index plus one; it is written once. The hash bits spare most
// comparisons of 29 bytes in another cache line.
struct AddressInterner::Table {
  explicit Table(size_t capacity)
      : mask(capacity - 1), slots(new std::atomic<uint64_t>[capacity]()) {}

  const size_t mask;
  const std::unique_ptr<std::atomic<uint64_t>[]> slots;
};

namespace {

constexpr size_t kFirstCapacity = 64;
constexpr uint64_t kTagMask = ~uint64_t{0} << 32;

}  // namespace

AddressInterner::AddressInterner(uint32_t size_max) : size_max_(size_max) {
  FREEHOLD_CHECK(size_max < kNotFound);
  tables_.push_back(std::make_unique<Table>(kFirstCapacity));
  table_.store(tables_.back().get(), std::memory_order_release);
}

AddressInterner::~AddressInterner() = default;

uint32_t AddressInterner::FindIn(const Table& table, const SegmentedArray<Entry>& entries,
                                 const Address& address, uint64_t hash) {
  for (size_t at = hash & table.mask;; at = (at + 1) & table.mask) {
    // acquire: pairs with Insert's release; the address behind the index is written.
    const uint64_t slot = table.slots[at].load(std::memory_order_acquire);
    if (slot == 0) return kNotFound;
    if ((slot & kTagMask) != (hash & kTagMask)) continue;
    const uint32_t index = static_cast<uint32_t>(slot) - 1;
    if (entries.At(index).address == address) return index;
  }
}

void AddressInterner::Insert(Table* table, uint64_t hash, uint32_t index) {
  size_t at = hash & table->mask;
  while (table->slots[at].load(std::memory_order_relaxed) != 0) at = (at + 1) & table->mask;
  table->slots[at].store((hash & kTagMask) | (index + 1), std::memory_order_release);
}

uint32_t AddressInterner::Find(const Address& address) const {
  return FindIn(*table_.load(std::memory_order_acquire), entries_, address, address.Hash());
}

uint32_t AddressInterner::Intern(const Address& address) {
  const uint32_t known = Find(address);
  if (known != kNotFound) return known;

  const uint64_t hash = address.Hash();
  MutexLock lock(&mutex_);
  Table* table = tables_.back().get();
  const uint32_t raced = FindIn(*table, entries_, address, hash);
  if (raced != kNotFound) return raced;
  const uint32_t index = size_.load(std::memory_order_relaxed);
  if (index >= size_max_) return kNotFound;
  if ((uint64_t{index} + 1) * 2 > table->mask + 1) table = Grow();
  Entry& entry = entries_.Reach(index);
  entry.address = address;
  entry.index = index;
  size_.store(index + 1, std::memory_order_release);
  Insert(table, hash, index);
  return index;
}

uint32_t AddressInterner::InternOtherNode(const NodeId& node) {
  const uint32_t index = Intern(Address(node));
  if (index == kNotFound) return index;
  // release: whoever finds the entry here sees what is in it.
  recent_[RecentSlot(node.data())].store(&entries_.At(index), std::memory_order_release);
  return index;
}

AddressInterner::Table* AddressInterner::Grow() {
  auto grown = std::make_unique<Table>((tables_.back()->mask + 1) * 2);
  const uint32_t size = size_.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < size; ++i) Insert(grown.get(), entries_.At(i).address.Hash(), i);
  tables_.push_back(std::move(grown));
  // release: a look-up that sees the new table sees what was copied into it.
  table_.store(tables_.back().get(), std::memory_order_release);
  return tables_.back().get();
}

StringInterner::StringInterner(uint32_t size_max) : size_max_(size_max) {
  FREEHOLD_CHECK(size_max > 0);
  const uint32_t empty = Intern("");
  FREEHOLD_CHECK(empty == kEmpty);
}

uint32_t StringInterner::Intern(std::string_view text) {
  MutexLock lock(&mutex_);
  const auto known = indices_.find(text);
  if (known != indices_.end()) return known->second;
  const uint32_t index = size_.load(std::memory_order_relaxed);
  if (index >= size_max_) return kEmpty;
  std::string& kept = strings_.Reach(index);
  kept.assign(text.data(), text.size());
  indices_.emplace(kept, index);
  size_.store(index + 1, std::memory_order_release);
  return index;
}

}  // namespace freehold::internal
