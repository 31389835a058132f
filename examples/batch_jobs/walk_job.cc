#include "walk_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ranking.h"

namespace batch_jobs {
namespace {

struct Reached {
  uint32_t word = 0;
  uint32_t share = 0;  // of kWhole
};
constexpr uint32_t kWhole = UINT32_MAX;

// Spreads numbers that follow each other over all 64 bits (the finalizer of MurmurHash3).
uint64_t Mix(uint64_t number) {
  number ^= number >> 33;
  number *= 0xff51afd7ed558ccdULL;
  number ^= number >> 33;
  number *= 0xc4ceb9fe1a85ec53ULL;
  return number ^ number >> 33;
}

}  // namespace

WalkJob::WalkJob(const Graph* graph, uint32_t start, size_t sample, uint64_t seed)
    : graph_(graph), start_(start), second_(graph->NeighboursOf(start).size()) {
  for (size_t i = 0; i < second_; ++i) {
    const size_t entries = graph->NeighboursOf(graph->NeighboursOf(start)[i].word).size();
    const size_t followed = std::min(sample, entries);
    const size_t first = Mix(seed << 32 | i) % entries;
    for (size_t j = 0; j < followed; ++j) {
      third_.push_back({1 + i, (first + j * entries / followed) % entries});
    }
  }
}

std::string WalkJob::Describe() const {
  return absl::StrCat("three hops from \"", graph_->WordOf(start_), "\"");
}

std::vector<size_t> WalkJob::InputsOf(size_t value) const {
  if (value == 0) return {};
  if (value <= second_) return {0};
  const size_t third = value - 1 - second_;
  if (third < third_.size()) return {third_[third].parent};
  std::vector<size_t> inputs;
  inputs.reserve(third_.size());
  for (size_t i = 0; i < third_.size(); ++i) inputs.push_back(1 + second_ + i);
  return inputs;
}

std::string WalkJob::Make(size_t value, absl::Span<const std::string_view> inputs) const {
  if (value == 0) return Spread(start_, kWhole);
  if (value == result()) return Best(inputs);
  const size_t entry = value <= second_ ? value - 1 : third_[value - 1 - second_].entry;
  const auto reached = At<Reached>(inputs[0], entry);
  return Spread(reached.word, reached.share);
}

std::string WalkJob::Spread(uint32_t word, uint32_t share) const {
  const absl::Span<const Neighbour> neighbours = graph_->NeighboursOf(word);
  const uint64_t weight = graph_->WeightOf(word);
  std::string bytes(neighbours.size() * sizeof(Reached), '\0');
  for (size_t i = 0; i < neighbours.size(); ++i) {
    const uint64_t part = uint64_t{share} * neighbours[i].weight / weight;
    Set(i, Reached{neighbours[i].word, static_cast<uint32_t>(part)}, &bytes);
  }
  return bytes;
}

std::string WalkJob::Best(absl::Span<const std::string_view> third) const {
  std::vector<uint64_t> shares(graph_->words());
  for (const std::string_view list : third) {
    for (size_t i = 0; i < CountOf<Reached>(list); ++i) {
      const auto reached = At<Reached>(list, i);
      shares[reached.word] += reached.share;
    }
  }
  shares[start_] = 0;  // it is near itself, which is no news
  return RankWords(shares);
}

std::string WalkJob::Explain(std::string_view result) const {
  return ExplainRanking(*graph_, result);
}

}  // namespace batch_jobs
