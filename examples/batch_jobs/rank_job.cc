#include "rank_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ranking.h"

namespace batch_jobs {
namespace {

// Ranks are whole numbers, so that they are the same on every machine. Together they are this much.
constexpr uint64_t kAllRanks = uint64_t{1} << 31;

}  // namespace

RankJob::RankJob(const Graph* graph) : graph_(graph), links_(graph->words()) {
  for (uint32_t from = 0; from < graph->words(); ++from) {
    const uint64_t all = graph->WeightOf(from);
    for (const Neighbour& to : graph->NeighboursOf(from)) {
      const uint64_t share = (uint64_t{to.weight} << 32) / all;
      links_[to.word].push_back(
          {from, static_cast<uint32_t>(std::min(share, uint64_t{UINT32_MAX}))});
    }
  }
}

std::string RankJob::Describe() const {
  return absl::StrCat("the rank of every word, ", kRounds, " rounds over ", kParts, " parts");
}

std::vector<size_t> RankJob::InputsOf(size_t value) const {
  if (value < kParts) return {};
  const size_t round = value / kParts;  // from 1; the result is in one of its own
  std::vector<size_t> inputs;
  if (value != result()) inputs.push_back(value % kParts);
  for (size_t part = 0; round > 1 && part < kParts; ++part) {
    inputs.push_back((round - 1) * kParts + part);
  }
  return inputs;
}

std::string RankJob::Make(size_t value, absl::Span<const std::string_view> inputs) const {
  if (value < kParts) return LinksInto(value);
  if (value == result()) return RankWords(JoinRanks(inputs));
  return NewRanks(inputs[0], JoinRanks(inputs.subspan(1)));
}

// Of each word: how many links, then these.
std::string RankJob::LinksInto(size_t part) const {
  std::string bytes;
  for (size_t word = BeginOf(part); word < BeginOf(part + 1); ++word) {
    Append(InLink{static_cast<uint32_t>(links_[word].size()), 0}, &bytes);
    for (const InLink& link : links_[word]) Append(link, &bytes);
  }
  return bytes;
}

std::string RankJob::NewRanks(std::string_view links, const std::vector<uint64_t>& ranks) const {
  std::string bytes;
  for (size_t at = 0; at < CountOf<InLink>(links);) {
    const size_t count = At<InLink>(links, at++).from;
    uint64_t rank = 0;
    for (const size_t end = at + count; at < end; ++at) {
      const auto link = At<InLink>(links, at);
      rank += ranks[link.from] * link.share >> 32;
    }
    // As usual: 15 % of all ranks are spread evenly.
    Append(rank * 85 / 100 + kAllRanks * 15 / 100 / graph_->words(), &bytes);
  }
  return bytes;
}

std::vector<uint64_t> RankJob::JoinRanks(absl::Span<const std::string_view> parts) const {
  if (parts.empty()) {
    return std::vector<uint64_t>(graph_->words(), kAllRanks / graph_->words());
  }
  std::vector<uint64_t> ranks;
  ranks.reserve(graph_->words());
  for (const std::string_view part : parts) {
    for (size_t i = 0; i < CountOf<uint64_t>(part); ++i) ranks.push_back(At<uint64_t>(part, i));
  }
  return ranks;
}

std::string RankJob::Explain(std::string_view result) const {
  return ExplainRanking(*graph_, result);
}

}  // namespace batch_jobs
