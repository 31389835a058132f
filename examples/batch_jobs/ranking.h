// Words with their shares, best first: what both kinds of jobs answer.
//
// Thread safety: pure functions.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_RANKING_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_RANKING_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph.h"
#include "job.h"

namespace batch_jobs {

inline constexpr size_t kRanked = 20;    // words in a result
inline constexpr size_t kExplained = 5;  // of these, shown to people

struct Ranked {
  uint64_t word = 0;
  uint64_t share = 0;
};

// The best words by their shares, then by number; those without any are left out.
inline std::string RankWords(const std::vector<uint64_t>& shares) {
  std::vector<Ranked> ranked;
  for (size_t word = 0; word < shares.size(); ++word) {
    if (shares[word] != 0) ranked.push_back({word, shares[word]});
  }
  const size_t kept = std::min(ranked.size(), kRanked);
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(kept),
                    ranked.end(), [](const Ranked& a, const Ranked& b) {
                      return a.share != b.share ? a.share > b.share : a.word < b.word;
                    });
  std::string bytes;
  for (size_t i = 0; i < kept; ++i) Append(ranked[i], &bytes);
  return bytes;
}

inline std::string ExplainRanking(const Graph& graph, std::string_view result) {
  std::string text;
  for (size_t i = 0; i < std::min(CountOf<Ranked>(result), kExplained); ++i) {
    const auto ranked = At<Ranked>(result, i);
    absl::StrAppend(&text, i == 0 ? "" : ", ", graph.WordOf(static_cast<uint32_t>(ranked.word)));
  }
  return text;
}

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_RANKING_H_
