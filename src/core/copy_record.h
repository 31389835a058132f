// One copy on this node, as the core keeps it, and the lists that run through such records.
//
// Records sit in a CopySlab: addresses are stable, indices are reused. A list is threaded through
// the records' own links, so that putting a copy on a list or taking it off allocates nothing and
// costs O(1).
//
// Thread safety: thread-compatible. Pure.

#ifndef FREEHOLD_SRC_CORE_COPY_RECORD_H_
#define FREEHOLD_SRC_CORE_COPY_RECORD_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "src/core/item.h"
#include "src/core/peer.h"

namespace freehold::core {

// The life of a copy. It passes from top to bottom; kFetching and kHeld are the only states in
// which it has not been freed.
enum class CopyState : uint8_t {
  kFetching,         // announced; the bytes are on their way
  kHeld,             // the bytes are here
  kDoomedByReaders,  // freed; waits for the last reader
  kDoomedByFetch,    // freed; waits for the fetch to end
  kToDelete,         // freed; to be handed to the store
  kDeleting,         // freed; handed to the store, which has not answered
  kDeletingAgain,    // as kDeleting, and more bytes came meanwhile: to be handed over once more
  kDeleteFailed,     // freed; the store failed, and is asked again at `retry_at`
  kGone,             // nothing is here; the record waits until its owner has been told
};
const char* CopyStateName(CopyState state);

// Freed, and not physically gone yet.
constexpr bool IsFreed(CopyState state) {
  return state != CopyState::kFetching && state != CopyState::kHeld && state != CopyState::kGone;
}

// Who had the copy freed.
enum class FreeCause : uint8_t {
  kNobody,
  kOwner,          // a Free; its owner hears the result
  kOwnerExcluded,  // the barrier after its owner's exclusion; nobody is left to hear of it
};

// What the owner has yet to be told of a copy. The words of a report are taken from the record when
// the session pulls it: a later fact supersedes an earlier one that never left.
enum class CopyReport : uint8_t {
  kNothing,
  kAdded,
  kSpilled,
  kRemoved,
  kDoomed,
  kFailed,
  kDeleted,
  kUnknown,
};

inline constexpr uint32_t kNoCopy = 0xffffffffu;

struct CopyLinks {
  uint32_t previous = kNoCopy;
  uint32_t next = kNoCopy;
};

// What most copies never have.
struct CopyRarity {
  std::string spilled_url;   // empty: not spilled
  bool shared = false;       // that file is FileReach::kShared
  std::string why;           // the store's last failure
  Time retry_at{};           // meaningful in kDeleteFailed
  uint32_t failures = 0;     // in a row
  uint64_t move = 0;         // the number of its move that is under way; 0: none
  bool evict_first = false;  // the store was told that it may go before all others
};

struct CopyRecord {
  ObjectId object;
  uint32_t generation = 0;
  PeerIndex owner = kNoPeer;
  uint64_t size = 0;           // bytes
  uint32_t term = kFirstTerm;  // of its owner, as far as is known here
  uint32_t readers = 0;
  CopyState state = CopyState::kGone;
  CopyRole role = CopyRole::kSecondary;
  FreeCause cause = FreeCause::kNobody;
  CopyReport report = CopyReport::kNothing;
  // Told before `report`: how an earlier life of this same key ended.
  CopyReport report_first = CopyReport::kNothing;
  bool in_memory = false;
  bool told = false;         // the last word to its owner was that it is here
  uint64_t freed_at = 0;     // the order of frees
  uint32_t older = kNoCopy;  // the object's next lower generation here
  CopyLinks by_owner;        // all but kGone, in order of arrival
  CopyLinks by_report;       // those with a report, in order of their first waiting one
  CopyLinks by_delete;       // those in kToDelete, in order
  std::unique_ptr<CopyRarity> rarity;

  bool waits_to_report() const {
    return report != CopyReport::kNothing || report_first != CopyReport::kNothing;
  }
  bool has_bytes() const {
    return state != CopyState::kFetching && state != CopyState::kGone &&
           state != CopyState::kDoomedByFetch;
  }
  const std::string& spilled_url() const;
  const std::string& why() const;
  bool is_shared() const { return rarity != nullptr && rarity->shared; }
  bool moving() const { return rarity != nullptr && rarity->move != 0; }
  CopyRarity& MakeRarity() {
    if (rarity == nullptr) rarity = std::make_unique<CopyRarity>();
    return *rarity;
  }
};

class CopySlab {
 public:
  CopyRecord& operator[](uint32_t index) { return records_[index]; }
  const CopyRecord& operator[](uint32_t index) const { return records_[index]; }

  // kNoCopy when `copies_max` records are in use.
  uint32_t Take(uint32_t copies_max) {
    if (!free_.empty()) {
      const uint32_t index = free_.back();
      free_.pop_back();
      return index;
    }
    if (records_.size() >= copies_max) return kNoCopy;
    records_.emplace_back();
    return static_cast<uint32_t>(records_.size() - 1);
  }
  void Return(uint32_t index) {
    records_[index] = CopyRecord();
    free_.push_back(index);
  }
  // Indices below are in use or free; a free one is in kGone and waits for nothing.
  uint32_t end() const { return static_cast<uint32_t>(records_.size()); }
  size_t in_use() const { return records_.size() - free_.size(); }

 private:
  std::deque<CopyRecord> records_;
  std::vector<uint32_t> free_;
};

// A list threaded through `Links`. The caller knows from the record's state whether it is on it.
template <CopyLinks CopyRecord::*Links>
class CopyChain {
 public:
  bool empty() const { return head_ == kNoCopy; }
  uint32_t size() const { return size_; }
  uint32_t head() const { return head_; }
  static uint32_t Next(const CopySlab& slab, uint32_t index) { return (slab[index].*Links).next; }

  void PushBack(CopySlab* slab, uint32_t index) {
    ((*slab)[index].*Links) = {tail_, kNoCopy};
    (tail_ == kNoCopy ? head_ : ((*slab)[tail_].*Links).next) = index;
    tail_ = index;
    ++size_;
  }
  void Remove(CopySlab* slab, uint32_t index) {
    CopyLinks& links = (*slab)[index].*Links;
    (links.previous == kNoCopy ? head_ : ((*slab)[links.previous].*Links).next) = links.next;
    (links.next == kNoCopy ? tail_ : ((*slab)[links.next].*Links).previous) = links.previous;
    links = CopyLinks();
    --size_;
  }

 private:
  uint32_t head_ = kNoCopy;
  uint32_t tail_ = kNoCopy;
  uint32_t size_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_COPY_RECORD_H_
