// The graph: words are its vertices, and words that stand near each other are neighbours.
//
// Two different words of which one stands at most kWindow words behind the other, in one text, are
// linked; how often that is so is the link's weight. Each word keeps its heaviest neighbours, up to
// a maximum, so that links are directed: a frequent word is a neighbour of many that are not its.
//
// Thread safety: immutable once made. Errors: InvalidArgument when no word has as many neighbours.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_GRAPH_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_GRAPH_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "corpus.h"

namespace batch_jobs {

struct Neighbour {
  uint32_t word = 0;
  uint32_t weight = 0;
};

class Graph {
 public:
  static constexpr size_t kWindow = 15;

  // REQUIRES: neighbours_max > 0.
  static absl::StatusOr<Graph> Make(const Corpus& corpus, size_t neighbours_max);

  size_t words() const { return words_.size(); }
  size_t links() const { return neighbours_.size(); }
  const std::string& WordOf(uint32_t word) const { return words_[word]; }
  // Heaviest first, then by number. Every word that is a neighbour has some.
  absl::Span<const Neighbour> NeighboursOf(uint32_t word) const {
    return absl::MakeConstSpan(neighbours_)
        .subspan(begins_[word], begins_[word + 1] - begins_[word]);
  }
  // The sum of the weights of its neighbours.
  uint64_t WeightOf(uint32_t word) const { return weights_[word]; }
  // The words that have as many neighbours as a word can; not empty.
  const std::vector<uint32_t>& hubs() const { return hubs_; }

 private:
  explicit Graph(std::vector<std::string> words) : words_(std::move(words)) {}

  std::vector<std::string> words_;
  std::vector<Neighbour> neighbours_;  // of one word after the other
  std::vector<size_t> begins_;         // of each word's neighbours; one more at the end
  std::vector<uint64_t> weights_;
  std::vector<uint32_t> hubs_;
};

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_GRAPH_H_
