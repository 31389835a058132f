#include "graph.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace batch_jobs {
namespace {

// Every two words that stand near each other, once for each time, the smaller one in the upper
// half; sorted.
std::vector<uint64_t> FindPairs(const Corpus& corpus) {
  std::vector<uint64_t> pairs;
  for (const std::vector<uint32_t>& text : corpus.texts) {
    for (size_t i = 0; i < text.size(); ++i) {
      for (size_t j = i + 1; j < text.size() && j <= i + Graph::kWindow; ++j) {
        if (text[i] == text[j]) continue;
        const auto [small, large] = std::minmax(text[i], text[j]);
        pairs.push_back(uint64_t{small} << 32 | large);
      }
    }
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace

absl::StatusOr<Graph> Graph::Make(const Corpus& corpus, size_t neighbours_max) {
  Graph graph(corpus.words);
  std::vector<std::vector<Neighbour>> all(graph.words());
  const std::vector<uint64_t> pairs = FindPairs(corpus);
  for (size_t begin = 0; begin < pairs.size();) {
    size_t end = begin;
    while (end < pairs.size() && pairs[end] == pairs[begin]) ++end;
    const auto one = static_cast<uint32_t>(pairs[begin] >> 32);
    const auto other = static_cast<uint32_t>(pairs[begin]);
    const auto weight = static_cast<uint32_t>(end - begin);
    all[one].push_back({other, weight});
    all[other].push_back({one, weight});
    begin = end;
  }
  size_t most = 0;
  graph.begins_.push_back(0);
  for (uint32_t word = 0; word < all.size(); ++word) {
    std::vector<Neighbour>& neighbours = all[word];
    most = std::max(most, neighbours.size());
    std::sort(neighbours.begin(), neighbours.end(), [](const Neighbour& a, const Neighbour& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.word < b.word;
    });
    if (neighbours.size() >= neighbours_max) {
      neighbours.resize(neighbours_max);
      graph.hubs_.push_back(word);
    }
    uint64_t weight = 0;
    for (const Neighbour& neighbour : neighbours) weight += neighbour.weight;
    graph.weights_.push_back(weight);
    graph.neighbours_.insert(graph.neighbours_.end(), neighbours.begin(), neighbours.end());
    graph.begins_.push_back(graph.neighbours_.size());
  }
  if (graph.hubs_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the text is too small: of its ", graph.words(), " different words none has ",
        neighbours_max, " neighbours, the best one ", most, " (--neighbours asks for fewer)"));
  }
  return graph;
}

}  // namespace batch_jobs
