// The entries of a hash map in order of their keys, where whoever hears of them could tell the
// difference: the same run hears of them in the same order.
//
// Thread safety: thread-compatible. Costs: a sort.

#ifndef FREEHOLD_SRC_BASE_IN_ORDER_H_
#define FREEHOLD_SRC_BASE_IN_ORDER_H_

#include <algorithm>
#include <vector>

namespace freehold::internal {

// Pointers into the map, good as long as it does not change.
template <typename Map>
std::vector<const typename Map::value_type*> InOrder(const Map& map) {
  std::vector<const typename Map::value_type*> entries;
  entries.reserve(map.size());
  for (const auto& entry : map) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  return entries;
}

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_IN_ORDER_H_
