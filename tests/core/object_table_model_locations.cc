// ObjectTableModel: locations, frees, exclusion.

#include <algorithm>

#include "tests/core/object_table_model.h"

namespace freehold::core {

void ObjectTableModel::AnswerLate(uint64_t object, PeerIndex node, uint32_t generation,
                                  Expected* expected) {
  if (settle_at_once_) return;
  if (!HasWorkFor(node)) expected->ready.insert(node);
  late_[node].emplace_back(object, generation);
}

Expected ObjectTableModel::SetLocation(uint64_t name, PeerIndex node, uint32_t generation,
                                       const Report& report) {
  Expected expected;
  if (IsExcluded(node)) {
    expected.verdict = Verdict::kNodeExcluded;
    return expected;
  }
  ModelObject* object = Find(name);
  if (object != nullptr && generation > object->generation) {
    expected.verdict = Verdict::kUnknownGeneration;
    return expected;
  }
  const bool old = object != nullptr && generation < object->generation;
  if (object == nullptr || (old && object->copies.count(generation) == 0)) {
    AnswerLate(name, node, generation, &expected);
    expected.verdict = object == nullptr ? Verdict::kNotFound : Verdict::kToBeFreed;
    return expected;
  }
  const bool unwanted = old || object->ended();
  if (unwanted) expected.verdict = Verdict::kToBeFreed;
  std::map<PeerIndex, ModelCopy>& copies = object->copies[generation];
  const bool is_new = copies.count(node) == 0;
  const bool brings_bytes = report.in_memory || report.spilled;
  if (!is_new && !brings_bytes && copies[node].real()) {
    if (!unwanted) expected.verdict = Verdict::kUnchanged;
    if (!unwanted && !copies[node].held()) copies[node].asked_again = true;
    return expected;
  }
  if (unwanted && is_new && settle_at_once_) {
    if (copies.empty()) object->copies.erase(generation);
    return expected;
  }
  bool other_primary = false;
  for (const auto& [other, copy] : copies) other_primary |= other != node && copy.primary;
  ModelCopy& copy = copies[node];
  const bool was_real = !is_new && copy.real();
  const bool evict_first = object->evict_first && !old;
  if (is_new) Enter(&copy, FreeState::kHeld);
  const bool stays_spilled = !is_new && report.merge && copy.spilled && !report.spilled;
  copy.in_memory = report.in_memory;
  copy.spilled = report.spilled || stays_spilled;
  if (!stays_spilled) copy.url = report.spilled ? report.url : "";
  const bool let_go = !unwanted && !copy.held();
  const bool stays_primary = !is_new && copy.primary;
  copy.primary = copy.real() && !let_go && !evict_first &&
                 (stays_primary || (report.role == CopyRole::kPrimary && !other_primary));
  if (!old && !let_go && report.size != 0) object->size = report.size;
  if (let_go) {
    expected.verdict = Verdict::kToBeFreed;
  } else if (unwanted) {
    if (is_new) WaitForFree(node, &copy, &expected);
    // The bytes are here, and will be freed with the copy; what is fetched after that comes late.
    copy.asked_again = false;
  } else if (copy.real()) {
    const bool comes_back = object->state == ObjectState::kLost && !copy.primary;
    object->state = ObjectState::kAvailable;
    if (evict_first && !was_real && !settle_at_once_) {
      Tell(node, {name, generation, 0, MoveAnswer::kEvictFirst, kNoPeer}, &expected);
    }
    if (comes_back) Promote(name, &expected);
  }
  return expected;
}

Expected ObjectTableModel::RemoveLocation(uint64_t name, PeerIndex node, uint32_t generation) {
  Expected expected;
  ModelObject* object = Find(name);
  if (object == nullptr) {
    expected.verdict = Verdict::kNotFound;
    return expected;
  }
  if (generation > object->generation) {
    expected.verdict = Verdict::kUnknownGeneration;
    return expected;
  }
  const auto value = object->copies.find(generation);
  if (value == object->copies.end() || value->second.count(node) == 0) {
    expected.verdict = Verdict::kUnchanged;
    return expected;
  }
  const FreeState state = value->second[node].state;
  if (state == FreeState::kSent || state == FreeState::kDoomed) {
    expected.verdict = Verdict::kUnchanged;
    return expected;
  }
  if (state == FreeState::kWaiting) {
    BeGone(name, generation, node, &expected);
  } else {
    Drop(name, generation, node, &expected);
  }
  return expected;
}

Expected ObjectTableModel::Answer(uint64_t name, PeerIndex node, FreeResult result,
                                  uint32_t generation) {
  Expected expected;
  ModelObject* object = Find(name);
  if (object == nullptr) {
    expected.verdict = Verdict::kNotFound;
    return expected;
  }
  expected.verdict = Verdict::kUnchanged;
  const auto value = object->copies.find(generation);
  if (value == object->copies.end() || value->second.count(node) == 0) return expected;
  ModelCopy& copy = value->second[node];
  if (copy.state != FreeState::kSent && copy.state != FreeState::kDoomed) return expected;
  expected.verdict = Verdict::kOk;
  if (result == FreeResult::kDeleted || result == FreeResult::kUnknown) {
    BeGone(name, generation, node, &expected);
    return expected;
  }
  if (result == FreeResult::kFailed) {
    expected.settled.emplace(name, node, FreeOutcome::kStoreFailed);
  }
  if (copy.state == FreeState::kSent) Enter(&copy, FreeState::kDoomed);
  return expected;
}

bool ObjectTableModel::HasWorkFor(PeerIndex node) const { return CountWaiting(node) > 0; }

bool ObjectTableModel::HearOfWork(PeerIndex node, bool has_work) {
  const bool has_own = HasWorkFor(node);
  in_vain_.erase(node);
  if (has_work && !has_own) in_vain_.insert(node);
  if (!has_work) perhaps_in_vain_.erase(node);
  return has_work || !has_own;
}

std::multiset<PeerIndex> ObjectTableModel::CertainlyReady(
    const std::multiset<PeerIndex>& ready) const {
  std::multiset<PeerIndex> certain;
  for (const PeerIndex node : ready) {
    if (in_vain_.count(node) == 0) certain.insert(node);
  }
  return certain;
}

// In the order in which they came.
std::vector<FreedCopy> ObjectTableModel::CopiesOn(PeerIndex node) const {
  std::map<uint64_t, FreedCopy> sorted;
  for (const auto& [name, object] : objects_) {
    for (const auto& [generation, copies] : object.copies) {
      const auto at = copies.find(node);
      if (at != copies.end()) sorted[at->second.met] = {name, generation};
    }
  }
  std::vector<FreedCopy> found;
  for (const auto& [met, copy] : sorted) found.push_back(copy);
  return found;
}

size_t ObjectTableModel::CountWaiting(PeerIndex node) const {
  if (IsExcluded(node)) return 0;
  const auto late = late_.find(node);
  size_t waiting = late == late_.end() ? 0 : late->second.size();
  for (const auto& [name, object] : objects_) {
    for (const auto& [generation, copies] : object.copies) {
      const auto at = copies.find(node);
      waiting += at != copies.end() && at->second.state == FreeState::kWaiting ? 1 : 0;
    }
  }
  return waiting;
}

Expected ObjectTableModel::Exclude(PeerIndex node, uint32_t records_max, bool* more) {
  Expected expected;
  excluded_.insert(node);
  for (std::deque<FreedCopy>& late = late_[node]; !late.empty(); late.pop_front()) {
    if (records_max-- == 0) {
      *more = true;
      return expected;
    }
  }
  for (const auto& [name, generation] : CopiesOn(node)) {
    if (records_max-- == 0) {
      *more = true;
      return expected;
    }
    if (!objects_.at(name).copies.at(generation).at(node).held()) {
      expected.settled.emplace(name, node, FreeOutcome::kNodeExcluded);
    }
    Drop(name, generation, node, &expected);
  }
  std::deque<MoveWord>& words = move_words_[node];
  for (; !words.empty() && records_max > 0; --records_max) words.pop_front();
  *more = !words.empty();
  return expected;
}

// Answers to late reports first; the others in any order.
bool ObjectTableModel::Sent(PeerIndex node, uint32_t records_max,
                            const std::vector<FreedCopy>& pulled, bool more) {
  const size_t most = std::min<size_t>(records_max, CountWaiting(node));
  const bool looks_in_vain = perhaps_in_vain_.count(node) != 0;
  if (pulled.size() > most || (pulled.size() < most && !looks_in_vain)) return false;
  std::deque<FreedCopy>& late = late_[node];
  for (const FreedCopy& copy : pulled) {
    if (!late.empty()) {
      if (copy != late.front()) return false;
      late.pop_front();
      continue;
    }
    const auto object = objects_.find(copy.first);
    if (object == objects_.end() || object->second.copies.count(copy.second) == 0) return false;
    std::map<PeerIndex, ModelCopy>& copies = object->second.copies.at(copy.second);
    const auto at = copies.find(node);
    if (at == copies.end() || at->second.state != FreeState::kWaiting) return false;
    Enter(&at->second, FreeState::kSent);
  }
  const bool is_left = HasWorkFor(node);
  if (records_max == UINT32_MAX) return !is_left && !more;
  return looks_in_vain ? more || !is_left : more == is_left;
}

}  // namespace freehold::core
