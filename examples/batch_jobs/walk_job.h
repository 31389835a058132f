// A short job: which words are near a word, three hops wide?
//
// The first hop is one value, the neighbours of the start; the second one value for each of these,
// its neighbours; the third, for a sample of those, theirs. With 300 neighbours at each hop that is
// 1, 300 and 90,000 values, if nothing were sampled. A value is a list of words with the share of
// the start's weight that reached them. The result adds up the third hop and names the best words.
//
// Thread safety: immutable once made. Ownership: the graph is borrowed.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_WALK_JOB_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_WALK_JOB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "graph.h"
#include "job.h"

namespace batch_jobs {

class WalkJob final : public Job {
 public:
  // `sample`: of the neighbours of a word of the second hop, how many the third follows; `seed`
  // says which.
  WalkJob(const Graph* graph, uint32_t start, size_t sample, uint64_t seed);

  std::string Describe() const override;
  size_t values() const override { return 1 + second_ + third_.size() + 1; }
  std::vector<size_t> InputsOf(size_t value) const override;
  std::string Make(size_t value, absl::Span<const std::string_view> inputs) const override;
  std::string Explain(std::string_view result) const override;

 private:
  struct Followed {
    size_t parent = 0;  // a value of the second hop
    size_t entry = 0;   // in it
  };
  // The neighbours of `word`, with their parts of `share`.
  std::string Spread(uint32_t word, uint32_t share) const;
  std::string Best(absl::Span<const std::string_view> third) const;

  const Graph* const graph_;
  const uint32_t start_;
  const size_t second_;  // values of the second hop
  std::vector<Followed> third_;
};

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_WALK_JOB_H_
