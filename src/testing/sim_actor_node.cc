// What the hosts of nodes do, and how their stores behave.

#include <algorithm>
#include <string>
#include <utility>

#include "src/base/random.h"
#include "src/testing/sim_actor.h"
#include "src/testing/sim_evict_first.h"
#include "src/testing/sim_files.h"
#include "src/testing/sim_misuse.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Long enough that few spill reports fit an envelope, so that windows fill.
constexpr size_t kLongUrlBytes = 3000;

}  // namespace

bool Actor::ActNode(const Action& action) {
  const Numbers& n = action.numbers;
  Node* node = s_.node(n[0]);
  if (node == nullptr) return false;
  if (action.verb == Verb::kBreak || action.verb == Verb::kMend) {
    const bool breaks = action.verb == Verb::kBreak;
    if (breaks && (n[1] < 1 || n[1] > static_cast<int64_t>(Store::Answer::kThrow))) return false;
    node->fault = breaks ? static_cast<Store::Answer>(n[1]) : Store::Answer::kDelete;
    return true;
  }
  if (action.verb == Verb::kClose) return Close(node, n[1]);
  if (action.verb == Verb::kDrainNode) return node->usable() && BeginDrain(node, 0);
  if (action.verb == Verb::kDrainNodeWith) {
    return node->usable() && action.numbers[1] != 0 && BeginDrain(node, action.numbers[1]);
  }
  Object* object = s_.object(n[1]);
  const auto generation = static_cast<uint32_t>(n[2]);
  if (!node->usable() || object == nullptr) return false;
  if (action.verb == Verb::kRead) return Read(node, object, n[2]);
  if (n[2] > object->generation) return false;
  if (action.verb == Verb::kMisuseCopy) {
    return MisuseCopy(&oracle_, &s_, node, *object, generation);
  }
  switch (action.verb) {
    case Verb::kStore:
    case Verb::kStorePrimary:
      if (IsFetching(*node, *object, generation)) return false;
      return StoreCopy(
          node, object, generation,
          action.verb == Verb::kStorePrimary ? CopyRole::kPrimary : CopyRole::kSecondary);
    case Verb::kFetch:
      return BeginFetch(node, object, generation);
    case Verb::kFetched:
    case Verb::kAbort:
      return EndFetch(node, object, generation, action.verb == Verb::kFetched);
    case Verb::kSpill:
    case Verb::kSpillKeeping:
    case Verb::kSpillShared:
      return Spill(node, object, generation, action.verb);
    case Verb::kRestore:
      return Restore(node, object, generation);
    case Verb::kEvict:
      return Evict(node, object, generation);
    case Verb::kMove:
      return ActMove(&oracle_, &s_, action);
    default:
      return false;
  }
}

void Actor::CheckNode(Verb verb, const Node& node, const Object& object, uint32_t generation,
                      const absl::Status& status) {
  Note(verb, status);
  const std::string details =
      Format(PatternOf(verb), {-node.end, object.number, generation}) + ", " + status.ToString();
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return;
    case absl::StatusCode::kAborted:
      return oracle_.Expect(oracle_.MayDelete(node, object, generation),
                            "S6: a node says that a copy was freed", details);
    case absl::StatusCode::kFailedPrecondition:
      return oracle_.Expect(node.knows() || PastOwner(s_, node, object), "a node refuses a copy",
                            details);
    case absl::StatusCode::kInvalidArgument:
      // Its host has heard of another owner than the one before.
      return oracle_.Expect(WasGivenAway(object), "a node answers something else", details);
    default:
      return oracle_.Violate("a node answers something else", details);
  }
}

// --- Bytes come ----------------------------------------------------------------------------------

bool Actor::IsFetching(const Node& node, const Object& object, uint32_t generation) const {
  const std::array<int64_t, 3> fetch = {-node.end, object.number, generation};
  return std::find(s_.fetches.begin(), s_.fetches.end(), fetch) != s_.fetches.end();
}

absl::Status Actor::StoreAt(Node* node, const NodeCopy& copy) {
  node->store.Put({copy.object, copy.generation}, copy.size);
  absl::Status status = node->agent->AddCopy(copy);
  if (!status.ok() && !absl::IsAborted(status)) {
    node->store.Remove({copy.object, copy.generation});
  }
  return status;
}

bool Actor::StoreCopy(Node* node, Object* object, uint32_t generation, CopyRole role) {
  if (node->store.Find({object->id, generation}) != nullptr) return false;
  object->touched |= PlaceOf(node->end);
  if (generation == object->generation && IsEvictable(*object)) {
    s_.coverage.Count("evict-first: its bytes come to another node");
  }
  const absl::Status status = StoreAt(
      node,
      {object->id, generation, OwnerForNode(s_, *node, object, generation), role, object->size});
  CheckNode(Verb::kStore, *node, *object, generation, status);
  return true;
}

bool Actor::BeginFetch(Node* node, Object* object, uint32_t generation) {
  if (node->store.Find({object->id, generation}) != nullptr ||
      IsFetching(*node, *object, generation)) {
    return false;
  }
  object->touched |= PlaceOf(node->end);
  const absl::Status status =
      node->agent->BeginFetch({object->id, generation, OwnerForNode(s_, *node, object, generation),
                               CopyRole::kSecondary, 0});
  CheckNode(Verb::kFetch, *node, *object, generation, status);
  if (status.ok()) s_.fetches.push_back({-node->end, object->number, generation});
  return true;
}

bool Actor::EndFetch(Node* node, Object* object, uint32_t generation, bool arrives) {
  const std::array<int64_t, 3> fetch = {-node->end, object->number, generation};
  const auto found = std::find(s_.fetches.begin(), s_.fetches.end(), fetch);
  if (found == s_.fetches.end()) return false;
  s_.fetches.erase(found);
  if (arrives) return StoreCopy(node, object, generation, CopyRole::kSecondary);
  const absl::Status status = node->agent->AbortFetch(object->id, generation);
  CheckNode(Verb::kAbort, *node, *object, generation, status);
  return true;
}

// --- Files ---------------------------------------------------------------------------------------

bool Actor::Spill(Node* node, Object* object, uint32_t generation, Verb verb) {
  const bool keeping = verb == Verb::kSpillKeeping;
  const Store::Key key(object->id, generation);
  Store::Stored* stored = node->store.Find(key);
  // The agent may know another file, which the store has deleted without saying so.
  if (stored == nullptr || node->store.IsUnsure(key) || (keeping && !stored->in_memory)) {
    return false;
  }
  if (verb == Verb::kSpillShared && !stored->url.empty() && !stored->shared) return false;
  const bool shared = stored->shared || verb == Verb::kSpillShared;
  std::string url = stored->url;
  if (url.empty() && shared) {
    url = SharedUrl(*node, *stored);
  } else if (url.empty()) {
    url = "file:///spill/" + std::to_string(stored->instance);
    if (object->number % 3 == 0) url.resize(kLongUrlBytes, '.');
  }
  const absl::Status status = node->agent->MarkSpilled(
      object->id, generation, url, keeping, shared ? FileReach::kShared : FileReach::kNode);
  CheckNode(verb, *node, *object, generation, status);
  // Freed meanwhile: the agent deletes all that it knows of.
  if (status.ok()) stored->in_memory = keeping;
  if (!status.ok() && !absl::IsAborted(status)) return true;
  if (shared && stored->url.empty()) FileWritten(&s_, url, *object, generation, *node);
  if (stored->url.empty()) object->url_bytes += url.size();
  stored->url = url;
  stored->shared = shared;
  object->was_in_shared_file = object->was_in_shared_file || shared;
  return true;
}

bool Actor::Restore(Node* node, Object* object, uint32_t generation) {
  Store::Stored* stored = node->store.Find({object->id, generation});
  if (stored == nullptr || stored->url.empty()) return false;
  const absl::Status status = node->agent->MarkRestored(object->id, generation);
  CheckNode(Verb::kRestore, *node, *object, generation, status);
  if (status.ok() || absl::IsAborted(status)) stored->in_memory = true;
  return true;
}

bool Actor::Evict(Node* node, Object* object, uint32_t generation) {
  const Store::Key key(object->id, generation);
  const Store::Stored* stored = node->store.Find(key);
  if (stored == nullptr || stored->shared) return false;  // such a file goes when it is freed
  const bool moves = SurelyMoves(s_, *node, *object, generation);
  const absl::Status status = node->agent->DropCopy(object->id, generation);
  Note(Verb::kEvict, status);
  if (status.ok()) {
    oracle_.Expect(!moves, "a copy is evicted to which the primary moves", NameOf(*object));
    EvictMoving(&s_, *node, *object, generation);
    object->evicted = true;
    // It has said so, and counts as who fetches no more, whatever it asked before.
    for (auto& [number, query] : s_.queries) {
      if (query.object == object->number && query.end == node->end) query.fetch_to = 0;
    }
    oracle_.Expect(stored->readers == 0, "a copy with readers may be evicted", NameOf(*object));
    node->store.Remove(key);
  } else {
    const bool may =
        stored->readers > 0 || node->knows() || MayMove(s_, *node, *object, generation);
    oracle_.Expect(absl::IsFailedPrecondition(status) && may, "an eviction is refused",
                   status.ToString());
  }
  return true;
}

// --- Readers -------------------------------------------------------------------------------------

bool Actor::Read(Node* node, Object* object, int64_t number) {
  const Store::Key* newest = node->store.Newest(object->id);
  if (newest == nullptr || number <= 0 || s_.readers.count(number) > 0) return false;
  const Store::Key key = *newest;
  absl::StatusOr<ReadLease> lease = node->agent->Read(object->id);
  Note(Verb::kRead, lease.status());
  if (lease.ok()) {
    ++node->store.Find(key)->readers;
    Reader& reader = s_.readers[number];
    reader.node = -node->end;
    reader.key = key;
    reader.lease = *std::move(lease);
    return true;
  }
  // A newer value may be here that the store has deleted without saying so.
  bool freed = false;
  for (uint32_t generation = key.second; generation <= object->generation; ++generation) {
    freed = freed || oracle_.MayDelete(*node, *object, generation);
  }
  oracle_.Expect((absl::IsAborted(lease.status()) && freed) ||
                     (absl::IsFailedPrecondition(lease.status()) && node->knows()),
                 "a reader is refused", NameOf(*object) + ", " + lease.status().ToString());
  return true;
}

bool Actor::Close(Node* node, int64_t number) {
  const auto found = s_.readers.find(number);
  if (found == s_.readers.end() || found->second.node != -node->end) return false;
  Reader reader = std::move(found->second);
  s_.readers.erase(found);
  Store::Stored* stored = node->store.Find(reader.key);
  oracle_.Expect(stored != nullptr && stored->readers > 0, "a copy went under its readers",
                 NameOf(*node));
  if (stored != nullptr) --stored->readers;
  reader.lease.Release();
  return true;
}

// --- The store's own troubles --------------------------------------------------------------------

Store::Answer Actor::AnswerDelete(Node* node, const CopyToDelete& copy,
                                  const Store::Stored* stored) {
  oracle_.OnDelete(node, copy, stored);
  ++node->deletes;
  // Now and then it works all the same.
  const bool works = node->fault == Store::Answer::kDelete || node->deletes % 4 == 0;
  const Store::Answer answer = works ? Store::Answer::kDelete : node->fault;
  if (works || answer == Store::Answer::kDeleteAndFail) s_.files.erase(copy.spilled_url);
  if (works) return answer;
  node->has_failed = true;
  s_.coverage.Count("store failure " + std::to_string(static_cast<int>(node->fault)));
  return answer;
}

// Now and then, bytes of what was just deleted come from elsewhere before the agent hears that it
// was.
void Actor::ReturnDuringDelete(Node* node, absl::Span<const CopyToDelete> copies) {
  if (s_.finishing || !node->usable() || node->deletes % 16 != 5) return;
  const CopyToDelete& copy = copies[0];
  if (Store::IsShared(copy.spilled_url)) return;  // it may have been a file alone
  Object* object = s_.Find(copy.object);
  const Store::Key key(copy.object, copy.generation);
  if (object == nullptr || node->store.Find(key) != nullptr) return;
  s_.coverage.Count("bytes return during their deletion");
  s_.trace.Add("bytes of O G return to E", {object->number, copy.generation, node->end});
  node->store.MarkUnsure(key);
  (void)StoreCopy(node, object, copy.generation, CopyRole::kSecondary);
}

}  // namespace freehold::testing::sim
