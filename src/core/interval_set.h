// IntervalSet: a set of 64-bit numbers as sorted intervals, for numbers that come nearly in order.
//
// Memory is the number of intervals, not of members: what counts up without holes is one interval,
// however long. An insertion costs the search and the intervals behind the place, which for numbers
// that come nearly in order are few; the next number in order costs O(1) amortised.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_INTERVAL_SET_H_
#define FREEHOLD_SRC_CORE_INTERVAL_SET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace freehold::core {

class IntervalSet {
 public:
  // Both ends are members.
  struct Interval {
    uint64_t first;
    uint64_t last;

    friend bool operator==(const Interval& a, const Interval& b) {
      return a.first == b.first && a.last == b.last;
    }
  };

  // False: it was a member already.
  bool Insert(uint64_t number);
  // REQUIRES: no member lies in it, and it begins before or after all members, or in a hole.
  void InsertHole(const Interval& hole);
  // Closes the lowest hole and answers what was missing. REQUIRES: two intervals or more.
  Interval FillLowestHole();
  // REQUIRES: not empty.
  void DropLowest() { intervals_.erase(intervals_.begin()); }
  // O(log intervals).
  bool Contains(uint64_t number) const;

  bool empty() const { return intervals_.empty(); }
  // In rising order; between two of them at least one number is missing.
  const std::vector<Interval>& intervals() const { return intervals_; }
  size_t bytes() const { return intervals_.capacity() * sizeof(Interval); }

  // For tests; aborts on a violation.
  void CheckInvariants() const;

 private:
  std::vector<Interval> intervals_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_INTERVAL_SET_H_
