#include "src/core/digest.h"

#include <algorithm>
#include <iterator>

namespace freehold::core {

DigestTally::DigestTally(absl::Span<const DigestRange> ranges, size_t keys_max)
    : keys_max_(keys_max), parts_(ranges.size()) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    parts_[i].range = ranges[i];
    if (ranges[i].can_be_divided()) parts_[i].children.resize(kDigestChildren);
  }
}

void DigestTally::Add(const DigestKey& key, uint64_t key_hash) {
  for (Part& part : parts_) {
    if (!part.range.Contains(key_hash)) continue;
    part.sum.Add(key_hash);
    if (!part.children.empty()) part.children[part.range.ChildOf(key_hash)].Add(key_hash);
    if (part.keys.size() < keys_max_) part.keys.push_back(key);
  }
}

std::vector<DigestKey> DigestDifference(const std::vector<DigestKey>& a,
                                        const std::vector<DigestKey>& b) {
  std::vector<DigestKey> difference;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(difference));
  return difference;
}

}  // namespace freehold::core
