#include "src/core/interval_set.h"

#include <algorithm>
#include <iterator>

#include "src/base/check.h"

namespace freehold::core {

namespace {

// The first interval that does not end before `number`.
template <typename Iterator>
Iterator LowerBound(Iterator begin, Iterator end, uint64_t number) {
  return std::lower_bound(begin, end, number,
                          [](const IntervalSet::Interval& interval, uint64_t wanted) {
                            return interval.last < wanted;
                          });
}

}  // namespace

bool IntervalSet::Insert(uint64_t number) {
  // In order, as most come.
  if (!intervals_.empty() && number > 0 && intervals_.back().last == number - 1) {
    intervals_.back().last = number;
    return true;
  }
  const auto after = LowerBound(intervals_.begin(), intervals_.end(), number);
  if (after != intervals_.end() && after->first <= number) return false;
  // `after` begins behind the number, what is before it ends in front; so neither sum overflows.
  const bool joins_after = after != intervals_.end() && after->first == number + 1;
  const bool joins_before = after != intervals_.begin() && std::prev(after)->last + 1 == number;
  if (joins_before && joins_after) {
    std::prev(after)->last = after->last;
    intervals_.erase(after);
  } else if (joins_before) {
    std::prev(after)->last = number;
  } else if (joins_after) {
    after->first = number;
  } else {
    intervals_.insert(after, {number, number});
  }
  return true;
}

void IntervalSet::InsertHole(const Interval& hole) {
  // From its ends to one interval: what lies between them is not looked at.
  (void)Insert(hole.first);
  const auto at = LowerBound(intervals_.begin(), intervals_.end(), hole.first);
  if (hole.last == hole.first) return;
  const auto after = std::next(at);
  FREEHOLD_CHECK(at->last == hole.first && (after == intervals_.end() || after->first > hole.last));
  at->last = hole.last;
  if (after != intervals_.end() && after->first - 1 == hole.last) {
    at->last = after->last;
    intervals_.erase(after);
  }
}

IntervalSet::Interval IntervalSet::FillLowestHole() {
  FREEHOLD_CHECK(intervals_.size() >= 2);
  const Interval hole = {intervals_[0].last + 1, intervals_[1].first - 1};
  intervals_[1].first = intervals_[0].first;
  DropLowest();
  return hole;
}

bool IntervalSet::Contains(uint64_t number) const {
  const auto at = LowerBound(intervals_.begin(), intervals_.end(), number);
  return at != intervals_.end() && at->first <= number;
}

void IntervalSet::CheckInvariants() const {
  for (size_t i = 0; i < intervals_.size(); ++i) {
    FREEHOLD_CHECK(intervals_[i].first <= intervals_[i].last);
    if (i == 0) continue;
    // At least one number is missing in between; in this order nothing wraps around.
    FREEHOLD_CHECK(intervals_[i - 1].last < intervals_[i].first);
    FREEHOLD_CHECK(intervals_[i].first - intervals_[i - 1].last >= 2);
  }
}

}  // namespace freehold::core
