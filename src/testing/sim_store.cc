#include "src/testing/sim_store.h"

#include <stdexcept>

namespace freehold::testing::sim {

Store::Stored& Store::Put(const Key& key, uint64_t size) {
  Stored& stored = copies_[key];
  if (stored.instance == 0) {
    stored.instance = ++instances_;
    stored.first = ever_.insert(key).second;
  }
  stored.size = size;
  stored.in_memory = true;
  return stored;
}

Store::Stored* Store::Find(const Key& key) {
  const auto found = copies_.find(key);
  return found == copies_.end() ? nullptr : &found->second;
}

const Store::Key* Store::Newest(const ObjectId& object) const {
  auto after = copies_.upper_bound({object, UINT32_MAX});
  if (after == copies_.begin()) return nullptr;
  --after;
  return after->first.first == object ? &after->first : nullptr;
}

std::vector<absl::Status> Store::Delete(absl::Span<const CopyToDelete> copies) {
  std::vector<absl::Status> statuses;
  std::vector<bool> alone;  // another node's file is meant
  bool cut_short = false;
  bool throws = false;
  for (const CopyToDelete& copy : copies) {
    const Key key(copy.object, copy.generation);
    const Stored* stored = Find(key);
    alone.push_back(!copy.in_memory && IsShared(copy.spilled_url) &&
                    (stored == nullptr || stored->url != copy.spilled_url));
    if (alone.back()) stored = nullptr;
    const Answer answer = on_delete ? on_delete(copy, stored) : Answer::kDelete;
    if (!alone.back() && (answer == Answer::kDelete || answer == Answer::kDeleteAndFail)) {
      if (stored != nullptr) unsure_.insert(key);
      copies_.erase(key);
    }
    cut_short = cut_short || answer == Answer::kNoStatus;
    throws = throws || answer == Answer::kThrow;
    if (cut_short) continue;
    statuses.push_back(answer == Answer::kDelete ? absl::OkStatus()
                       : answer == Answer::kFail ? absl::UnavailableError("the disk is busy")
                                                 : absl::DataLossError("the disk is broken"));
  }
  for (size_t i = 0; i < statuses.size() && !throws; ++i) {
    if (statuses[i].ok() && !alone[i]) unsure_.erase({copies[i].object, copies[i].generation});
  }
  if (before_answer) before_answer(copies);
  if (throws) throw std::runtime_error("the store lost its temper");
  return statuses;
}

void Store::EvictFirst(absl::Span<const CopyToEvict> copies) {
  for (const CopyToEvict& copy : copies) {
    if (on_evict_first) on_evict_first(copy);
    if (Stored* stored = Find({copy.object, copy.generation}); stored != nullptr) {
      stored->told_first = true;
    }
  }
}

}  // namespace freehold::testing::sim
