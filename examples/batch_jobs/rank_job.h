// The long job: how central is each word (PageRank, by rounds)?
//
// The words are cut into parts. First it makes, for each part, the links that lead into it; then in
// each round for each part the new ranks, from those links and all ranks of the round before. The
// links are read in every round: they are old values that are still needed, which is what a store
// that throws out the oldest cannot know. The result names the best words.
//
// Thread safety: immutable once made. Ownership: the graph is borrowed.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_RANK_JOB_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_RANK_JOB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "graph.h"
#include "job.h"

namespace batch_jobs {

class RankJob final : public Job {
 public:
  static constexpr size_t kParts = 32;
  static constexpr size_t kRounds = 6;

  explicit RankJob(const Graph* graph);

  std::string Describe() const override;
  size_t values() const override { return kParts + kRounds * kParts + 1; }
  std::vector<size_t> InputsOf(size_t value) const override;
  std::string Make(size_t value, absl::Span<const std::string_view> inputs) const override;
  std::string Explain(std::string_view result) const override;

 private:
  struct InLink {
    uint32_t from = 0;
    uint32_t share = 0;  // of what `from` hands on, in parts of 2^32
  };
  size_t BeginOf(size_t part) const { return graph_->words() * part / kParts; }
  std::string LinksInto(size_t part) const;
  std::string NewRanks(std::string_view links, const std::vector<uint64_t>& ranks) const;
  // Of the round before; without any, those to begin with.
  std::vector<uint64_t> JoinRanks(absl::Span<const std::string_view> parts) const;

  const Graph* const graph_;
  std::vector<std::vector<InLink>> links_;  // of each word
};

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_RANK_JOB_H_
