// ObjectTableModel: which copy is the primary.

#include <tuple>

#include "tests/core/object_table_model.h"

namespace freehold::core {

void ObjectTableModel::Tell(PeerIndex node, const MoveWord& word, Expected* expected) {
  if (move_words_[node].empty()) expected->ready.insert(node);
  move_words_[node].push_back(word);
}

void ObjectTableModel::Promote(uint64_t name, Expected* expected) {
  ModelObject* object = Find(name);
  const auto present = object->copies.find(object->generation);
  if (present == object->copies.end()) return;
  ModelCopy* best = nullptr;
  PeerIndex best_node = kNoPeer;
  for (const int wanted : {0, 1, 2}) {
    for (auto& [node, copy] : present->second) {
      if (best != nullptr || !copy.real() || IsExcluded(node)) continue;
      const int rank = copy.state == FreeState::kWaiting ? 2
                       : !copy.held()                    ? 3
                       : copy.in_memory                  ? 0
                                                         : 1;
      if (rank != wanted) continue;
      best = &copy;
      best_node = node;
    }
  }
  if (best == nullptr) return;
  if (!best->held()) {
    perhaps_in_vain_.insert(best_node);
    Enter(best, FreeState::kHeld);
  }
  best->primary = true;
  best->asked_again = false;
  if (settle_at_once_) return;
  Tell(best_node, {name, object->generation, 0, MoveAnswer::kPromoted, kNoPeer}, expected);
}

void ObjectTableModel::MarkEvictable(uint64_t name, Expected* expected) {
  ModelObject* object = Find(name);
  if (object->evict_first) return;
  object->evict_first = true;
  for (auto& [node, copy] : object->copies[object->generation]) {
    if (!copy.real() || !copy.held()) continue;
    copy.primary = false;
    if (settle_at_once_ || IsExcluded(node)) continue;
    Tell(node, {name, object->generation, 0, MoveAnswer::kEvictFirst, kNoPeer}, expected);
  }
}

Verdict ObjectTableModel::Move(uint64_t name, PeerIndex node, PeerIndex from, uint32_t generation,
                               PeerIndex* primary, Expected* expected) {
  ModelObject* object = Find(name);
  if (object == nullptr) return Verdict::kNotFound;
  if (!object->in_scope()) return Verdict::kOutOfScope;
  if (generation > object->generation) return Verdict::kUnknownGeneration;
  if (generation < object->generation || object->state == ObjectState::kFreed) {
    return Verdict::kToBeFreed;
  }
  const auto present = object->copies.find(generation);
  if (present == object->copies.end() || present->second.count(node) == 0 ||
      !present->second[node].real()) {
    return Verdict::kWrongState;
  }
  ModelCopy& to = present->second[node];
  if (!to.held() || object->evict_first) return Verdict::kToBeFreed;
  if (to.primary) return Verdict::kOk;
  ModelCopy* former = nullptr;
  for (auto& [other, copy] : present->second) {
    if (!copy.primary) continue;
    *primary = other;
    former = &copy;
  }
  if (*primary != from) return Verdict::kUnchanged;
  *primary = kNoPeer;
  to.primary = true;
  if (former == nullptr) return Verdict::kOk;
  former->primary = false;
  if (settle_at_once_) {
    expected->settled.emplace(name, from, FreeOutcome::kSettled);
    present->second.erase(from);
  } else {
    WaitForFree(from, former, expected);
  }
  return Verdict::kOk;
}

Expected ObjectTableModel::MovePrimary(uint64_t name, PeerIndex node, PeerIndex from,
                                       uint64_t number, uint32_t generation) {
  Expected expected;
  expected.verdict = Verdict::kNodeExcluded;
  if (IsExcluded(node)) return expected;
  PeerIndex primary = kNoPeer;
  expected.verdict = Move(name, node, from, generation, &primary, &expected);
  const MoveAnswer answer = expected.verdict == Verdict::kOk          ? MoveAnswer::kMoved
                            : expected.verdict == Verdict::kUnchanged ? MoveAnswer::kSecondary
                                                                      : MoveAnswer::kRefused;
  Tell(node, {name, generation, number, answer, primary}, &expected);
  return expected;
}

std::vector<MoveWord> ObjectTableModel::PullMoves(PeerIndex node, uint32_t items_max, bool* more) {
  std::vector<MoveWord> pulled;
  std::deque<MoveWord>& words = move_words_[node];
  for (; items_max > 0 && !words.empty(); --items_max) {
    pulled.push_back(words.front());
    words.pop_front();
  }
  *more = !words.empty();
  return pulled;
}

}  // namespace freehold::core
