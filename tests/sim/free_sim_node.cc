// What the hosts of nodes do.

#include <algorithm>
#include <string>
#include <utility>

#include "tests/sim/free_sim.h"

namespace freehold::sim {

namespace {

// Long enough that few spill reports fit an envelope, so that windows fill.
constexpr size_t kLongUrlBytes = 3000;

}  // namespace

bool FreeSim::Fetching(int node, int object, uint32_t generation) const {
  return std::any_of(fetches_.begin(), fetches_.end(), [&](const Fetch& fetch) {
    return fetch.node == node && fetch.object == object && fetch.generation == generation;
  });
}

const FreeSim::Key* FreeSim::AnyStored(int node) {
  const auto& copies = world_->node(node).store.copies();
  if (copies.empty()) return nullptr;
  auto at = copies.begin();
  std::advance(at, static_cast<ptrdiff_t>(random_.Below(copies.size())));
  return &at->first;
}

void FreeSim::CheckNodeAnswer(const char* what, int node, const Object& object, uint32_t generation,
                              const absl::Status& status) {
  trace_.Add(what, node, object.number, generation, static_cast<int64_t>(status.code()));
  const FreeOracle::NodeFacts& facts = oracle_.node(node);
  const std::string where = std::string(what) + ", " + status.ToString();
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return;
    case absl::StatusCode::kAborted:
      coverage_.Count("node answers Aborted");
      if (!oracle_.MayDelete(node, object, generation)) oracle_.Violate("freed early: " + where);
      return;
    case absl::StatusCode::kFailedPrecondition:
      coverage_.Count("node answers FailedPrecondition");
      if (!facts.knows && !oracle_.PastBarrier(node, object.owner)) {
        oracle_.Violate("refused: " + where);
      }
      return;
    default:
      oracle_.Violate("unexpected: " + where);
  }
}

// --- Bytes come ----------------------------------------------------------------------------------

void FreeSim::Store() {
  const int node = AnyNode();
  Object* object = AnyObject();
  if (node < 0 || object == nullptr) return;
  const uint32_t generation = AnyGeneration(*object);
  if (Fetching(node, object->number, generation)) return;
  StoreCopy(node, object, generation,
            random_.Percent(40) ? CopyRole::kPrimary : CopyRole::kSecondary);
}

void FreeSim::StoreCopy(int node, Object* object, uint32_t generation, CopyRole role) {
  if (world_->node(node).store.Find({object->id, generation}) != nullptr) return;
  object->touched |= uint64_t{1} << node;
  const absl::Status status =
      world_->Store(node, object->owner, object->id, role, generation, object->size);
  CheckNodeAnswer("store on node {} object {} generation {}: {}", node, *object, generation,
                  status);
  if (status.ok()) coverage_.Count("store");
}

void FreeSim::BeginFetch() {
  const int node = AnyNode();
  Object* object = AnyObject();
  if (node < 0 || object == nullptr) return;
  const uint32_t generation = AnyGeneration(*object);
  if (world_->node(node).store.Find({object->id, generation}) != nullptr ||
      Fetching(node, object->number, generation)) {
    return;
  }
  object->touched |= uint64_t{1} << node;
  const absl::Status status = world_->agent(node).BeginFetch(
      {object->id, generation, world_->owner(object->owner).id, CopyRole::kSecondary, 0});
  CheckNodeAnswer("begin to fetch to node {} object {} generation {}: {}", node, *object,
                  generation, status);
  if (!status.ok()) return;
  coverage_.Count("begin fetch");
  fetches_.push_back({node, object->number, generation});
}

void FreeSim::EndFetch() {
  if (!fetches_.empty()) EndOneFetch(random_.Below(fetches_.size()), random_.Percent(65));
}

void FreeSim::EndOneFetch(size_t index, bool arrives) {
  const Fetch fetch = fetches_[index];
  fetches_.erase(fetches_.begin() + static_cast<ptrdiff_t>(index));
  Object& object = oracle_.object(fetch.object);
  if (arrives) {
    coverage_.Count("fetch arrives");
    StoreCopy(fetch.node, &object, fetch.generation, CopyRole::kSecondary);
    return;
  }
  const absl::Status status = world_->agent(fetch.node).AbortFetch(object.id, fetch.generation);
  coverage_.Count("fetch aborted");
  CheckNodeAnswer("abort the fetch to node {} of object {} generation {}: {}", fetch.node, object,
                  fetch.generation, status);
}

// --- Files ---------------------------------------------------------------------------------------

void FreeSim::Spill() {
  const int node = AnyNode();
  const Key* key = node < 0 ? nullptr : AnyStored(node);
  if (key == nullptr) return;
  // The agent may know another file, which the store has deleted without saying so.
  if (world_->node(node).store.IsUnsure(*key)) return;
  FakeStore::Stored& stored = *world_->node(node).store.Find(*key);
  const Object& object = *oracle_.Find(key->first);
  std::string url = stored.url;
  if (url.empty()) {
    url = "file:///spill/" + std::to_string(stored.instance);
    if (random_.Percent(30)) url.resize(kLongUrlBytes, '.');
  }
  const bool keeps = stored.in_memory && random_.Percent(40);
  const absl::Status status = world_->agent(node).MarkSpilled(key->first, key->second, url, keeps);
  CheckNodeAnswer("spill on node {} object {} generation {}: {}", node, object, key->second,
                  status);
  // Freed meanwhile: the agent deletes all that it knows of.
  if (status.ok()) stored.in_memory = keeps;
  if (status.ok() || absl::IsAborted(status)) stored.url = url;
  coverage_.Count(absl::IsAborted(status) ? "spill of what was freed" : "spill");
}

void FreeSim::Restore() {
  const int node = AnyNode();
  const Key* key = node < 0 ? nullptr : AnyStored(node);
  if (key == nullptr) return;
  FakeStore::Stored& stored = *world_->node(node).store.Find(*key);
  if (stored.url.empty()) return;
  const absl::Status status = world_->agent(node).MarkRestored(key->first, key->second);
  CheckNodeAnswer("restore on node {} object {} generation {}: {}", node, *oracle_.Find(key->first),
                  key->second, status);
  if (status.ok() || absl::IsAborted(status)) stored.in_memory = true;
  coverage_.Count("restore");
}

void FreeSim::Evict() {
  const int node = AnyNode();
  const Key* stored_key = node < 0 ? nullptr : AnyStored(node);
  if (stored_key == nullptr) return;
  const Key key = *stored_key;
  FakeStore& store = world_->node(node).store;
  const int readers = store.Find(key)->readers;
  const absl::Status status = world_->agent(node).DropCopy(key.first, key.second);
  trace_.Add("evict on node {} object {} generation {}: {}", node, oracle_.Find(key.first)->number,
             key.second, static_cast<int64_t>(status.code()));
  if (status.ok()) {
    coverage_.Count("evict");
    oracle_.Expect(readers == 0, "a copy with readers may be evicted");
    store.Remove(key);
  } else {
    coverage_.Count("evict refused");
    oracle_.Expect(absl::IsFailedPrecondition(status) && (readers > 0 || oracle_.node(node).knows),
                   "an eviction is refused");
  }
}

// --- Readers -------------------------------------------------------------------------------------

void FreeSim::BeginRead() {
  const int node = AnyNode();
  const Key* any = node < 0 ? nullptr : AnyStored(node);
  if (any == nullptr) return;
  const Object& object = *oracle_.Find(any->first);
  const Key key = *world_->node(node).store.Newest(any->first);
  absl::StatusOr<ReadLease> lease = world_->agent(node).Read(key.first);
  trace_.Add("read on node {} object {} generation {}: {}", node, object.number, key.second,
             static_cast<int64_t>(lease.status().code()));
  if (lease.ok()) {
    coverage_.Count("read");
    ++world_->node(node).store.Find(key)->readers;
    leases_.push_back({*std::move(lease), node, key});
    return;
  }
  coverage_.Count("read refused");
  // A newer value may be here that the store has deleted without saying so.
  bool freed = false;
  for (uint32_t generation = key.second; generation <= object.generation; ++generation) {
    freed = freed || oracle_.MayDelete(node, object, generation);
  }
  oracle_.Expect((absl::IsAborted(lease.status()) && freed) ||
                     (absl::IsFailedPrecondition(lease.status()) && oracle_.node(node).knows),
                 "a reader is refused");
}

void FreeSim::EndRead() {
  if (!leases_.empty()) EndOneRead(random_.Below(leases_.size()));
}

void FreeSim::EndOneRead(size_t index) {
  Lease lease = std::move(leases_[index]);
  leases_.erase(leases_.begin() + static_cast<ptrdiff_t>(index));
  FakeStore::Stored* stored = world_->node(lease.node).store.Find(lease.key);
  trace_.Add("end of a read on node {} of object {}", lease.node,
             oracle_.Find(lease.key.first)->number);
  oracle_.Expect(stored != nullptr && stored->readers > 0, "a copy went under its readers");
  if (stored != nullptr) --stored->readers;
  lease.lease.Release();
}

// --- The store's own troubles --------------------------------------------------------------------

void FreeSim::ChangeStore() {
  const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
  auto& fault = store_faults_[static_cast<size_t>(node)];
  fault = fault == FakeStore::Answer::kDelete ? static_cast<FakeStore::Answer>(1 + random_.Below(5))
                                              : FakeStore::Answer::kDelete;
  trace_.Add("the store of node {} is now in state {}", node, static_cast<int>(fault));
}

FakeStore::Answer FreeSim::AnswerDelete(int node, const CopyToDelete& copy,
                                        const FakeStore::Stored* stored) {
  oracle_.OnDelete(node, copy, stored);
  FakeStore::Answer answer = store_faults_[static_cast<size_t>(node)];
  if (answer != FakeStore::Answer::kDelete && random_.Percent(25)) {
    answer = FakeStore::Answer::kDelete;
  }
  if (answer != FakeStore::Answer::kDelete) {
    oracle_.node(node).store_failed = true;
    coverage_.Count("store failure " + std::to_string(static_cast<int>(answer)));
  }
  return answer;
}

// Bytes of what was just deleted come from elsewhere before the agent hears that it was.
void FreeSim::ReturnDuringDelete(int node, absl::Span<const CopyToDelete> copies) {
  if (letting_go_ || !UsableNode(node) || !random_.Percent(5)) return;
  const CopyToDelete& copy = copies[random_.Below(copies.size())];
  Object* object = oracle_.Find(copy.object);
  if (object == nullptr) return;
  FakeStore& store = world_->node(node).store;
  if (store.Find({copy.object, copy.generation}) != nullptr) return;
  coverage_.Count("bytes return during their deletion");
  store.MarkUnsure({copy.object, copy.generation});
  StoreCopy(node, object, copy.generation, CopyRole::kSecondary);
}

}  // namespace freehold::sim
