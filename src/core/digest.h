// Digests: how a node agent and an owner find out, cheaply, that they believe different things
// about the copies on that node, and then which.
//
// What is compared is a set of keys (object, generation). At the node: those of which the last word
// that it has put into its stream to that owner was that it has the copy (Added, Spilled; not
// Removed, Deleted, Unknown). At the owner: those that it keeps as said by that node itself, frees
// that are not settled among them. Each word is applied in the order in which it was put, so at the
// place in the stream where the node says what its set is, the owner's must be the same: that place
// is the cut. It needs no agreement, and nothing that is in flight in either direction matters.
//
// A set is summed up by the sum of its keys' hashes, which does not depend on the order and changes
// by one addition. Where the sums differ, the keys are divided by the upper bits of their hashes
// into ranges, and those again, until a range is small enough to be listed.
//
// Thread safety: values and pure functions.

#ifndef FREEHOLD_SRC_CORE_DIGEST_H_
#define FREEHOLD_SRC_CORE_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "freehold/ids.h"
#include "freehold/internal/hash_id.h"

namespace freehold::core {

// A copy's key.
struct DigestKey {
  ObjectId object;
  uint32_t generation = 0;

  friend bool operator==(const DigestKey& a, const DigestKey& b) {
    return a.object == b.object && a.generation == b.generation;
  }
  friend bool operator<(const DigestKey& a, const DigestKey& b) {
    return a.object < b.object || (a.object == b.object && a.generation < b.generation);
  }
};

// The same at both ends, for ever: it goes over the wire. All of its bits depend on all of the
// hash's, so that ranges have nothing to do with shards.
inline uint64_t DigestHash(uint64_t object_hash, uint32_t generation) {
  return internal::MultiplyFold(object_hash ^ internal::kHashSecret[1],
                                generation ^ internal::kHashSecret[3]);
}
inline uint64_t DigestHash(const DigestKey& key) {
  return DigestHash(key.object.Hash(), key.generation);
}

// A set of keys, summed up.
struct DigestSum {
  uint64_t hash = 0;
  uint32_t copies = 0;

  void Add(uint64_t key_hash) {
    hash += key_hash;
    ++copies;
  }
  // REQUIRES: it was added.
  void Remove(uint64_t key_hash) {
    hash -= key_hash;
    --copies;
  }
  friend bool operator==(const DigestSum& a, const DigestSum& b) {
    return a.hash == b.hash && a.copies == b.copies;
  }
  friend bool operator!=(const DigestSum& a, const DigestSum& b) { return !(a == b); }
};

// The children of a range: one for each value of the next bits.
inline constexpr uint32_t kDigestChildBits = 6;
inline constexpr uint32_t kDigestChildren = 1u << kDigestChildBits;
// The smallest ranges are divided no further.
inline constexpr uint32_t kDigestBitsMax = 5 * kDigestChildBits;
// A range of so many keys is listed, not divided: fits any envelope.
inline constexpr uint32_t kDigestListMax = 200;
// Ranges that an owner asks about at once.
inline constexpr uint32_t kDigestRangesMax = 16;

// The keys whose hashes begin with these bits.
struct DigestRange {
  uint32_t prefix = 0;
  uint8_t bits = 0;  // a multiple of kDigestChildBits, at most kDigestBitsMax; 0: all keys

  bool Contains(uint64_t key_hash) const { return bits == 0 || key_hash >> (64 - bits) == prefix; }
  // REQUIRES, both: it can be divided.
  uint32_t ChildOf(uint64_t key_hash) const {
    return static_cast<uint32_t>(key_hash >> (64 - kDigestChildBits - bits)) &
           (kDigestChildren - 1);
  }
  DigestRange Child(uint32_t child) const {
    return {prefix << kDigestChildBits | child, static_cast<uint8_t>(bits + kDigestChildBits)};
  }
  bool can_be_divided() const { return bits < kDigestBitsMax; }
  bool valid() const {
    return bits <= kDigestBitsMax && bits % kDigestChildBits == 0 && prefix >> bits == 0;
  }
  friend bool operator==(const DigestRange& a, const DigestRange& b) {
    return a.prefix == b.prefix && a.bits == b.bits;
  }
};

// --- Items ---------------------------------------------------------------------------------------

// node agent → owner: what I have said that I have. Of number 0, about all keys: the digest that
// comes from time to time. Of any other: the answer to a question.
struct DigestSumsItem {
  uint64_t number = 0;
  DigestRange range;
  std::vector<DigestSum> sums;  // one: of the range; or kDigestChildren: of its children, in order
};
// node agent → owner: the answer about a range that is small.
struct DigestCopiesItem {
  uint64_t number = 0;
  DigestRange range;
  bool truncated = false;         // there are more than these
  std::vector<DigestKey> copies;  // at most kDigestListMax
};
// owner → node agent: what of this range have you said that you have?
struct DigestQueryItem {
  uint64_t number = 0;  // not 0; the same for questions that are asked together
  DigestRange range;
};
// owner → node agent: say again what you have of this copy.
struct ReportAgainItem {
  DigestKey copy;
};

// --- Sorting into ranges -------------------------------------------------------------------------

// Divides keys among ranges: of each range its sum, its children's, and its first keys.
class DigestTally {
 public:
  struct Part {
    DigestRange range;
    DigestSum sum;
    std::vector<DigestSum> children;  // kDigestChildren, or none if it cannot be divided
    std::vector<DigestKey> keys;      // the first ones
  };

  DigestTally(absl::Span<const DigestRange> ranges, size_t keys_max);
  void Add(const DigestKey& key, uint64_t key_hash);
  // In the order of the ranges.
  const std::vector<Part>& parts() const { return parts_; }
  std::vector<Part>& parts() { return parts_; }

 private:
  const size_t keys_max_;
  std::vector<Part> parts_;
};

// In `a` and not in `b`, both sorted and without duplicates.
std::vector<DigestKey> DigestDifference(const std::vector<DigestKey>& a,
                                        const std::vector<DigestKey>& b);

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_DIGEST_H_
