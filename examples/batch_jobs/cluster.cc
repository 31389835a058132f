#include "cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace batch_jobs {

using freehold::Location;
using freehold::NodeId;
using freehold::ObjectId;
using freehold::ObjectState;

namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr int kTurnsMax = 10'000;  // until everything is settled; usually a handful
constexpr uint64_t kSeed = 1;      // of jitter, which must repeat

const freehold::ProcessId kOwner = freehold::ProcessId::FromNumber(1);

}  // namespace

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const Options& options) {
  std::unique_ptr<Cluster> cluster(new Cluster);
  cluster->ledger_ = options.ledger;
  if (absl::Status status = cluster->StartOwner(); !status.ok()) return status;
  for (size_t i = 0; i < options.nodes; ++i) {
    absl::Status status =
        cluster->StartNode(i + 1, options.store_bytes / options.nodes, options.ledger);
    if (!status.ok()) return status;
  }
  return cluster;
}

Cluster::~Cluster() {
  owner_.reset();
  if (executor_ != nullptr) executor_->Stop(std::chrono::seconds(1));
}

absl::Status Cluster::StartOwner() {
  auto executor = freehold::CallbackThread::Start();
  if (!executor.ok()) return executor.status();
  executor_ = *std::move(executor);
  freehold::ReferenceCounterOptions options;
  options.process = kOwner;
  options.transport = &transport_;
  options.membership = &membership_;
  options.executor = executor_;
  options.clock = &clock_;
  options.seed = kSeed;
  auto owner = freehold::ReferenceCounter::Create(options);
  if (!owner.ok()) return owner.status();
  owner_ = *std::move(owner);
  transport_.Connect(kOwner, owner_->inbox());
  return absl::OkStatus();
}

absl::Status Cluster::StartNode(uint64_t number, uint64_t store_bytes, Ledger* ledger) {
  Node node;
  node.store = std::make_unique<EvictingStore>(store_bytes, ledger);
  freehold::NodeAgentOptions options;
  options.node = NodeId::FromNumber(number);
  options.store = node.store.get();
  options.transport = &transport_;
  options.membership = &membership_;
  options.clock = &clock_;
  options.seed = kSeed + number;
  auto agent = freehold::NodeAgent::Create(options);
  if (!agent.ok()) return agent.status();
  node.agent = *std::move(agent);
  transport_.Connect(options.node, node.agent->inbox());
  nodes_.push_back(std::move(node));
  return absl::OkStatus();
}

Cluster::Node& Cluster::Place(uint64_t bytes) {
  Node& roomiest = *std::max_element(
      nodes_.begin(), nodes_.end(),
      [](const Node& a, const Node& b) { return a.store->room() < b.store->room(); });
  if (bytes <= roomiest.store->room()) return roomiest;
  // All are full: in turn, so that what is thrown out is old on each.
  return nodes_[next_node_++ % nodes_.size()];
}

absl::Status Cluster::Put(const ObjectId& object, std::string bytes) {
  const auto known = owner_->GetLocations(object);
  if (!known.ok()) return known.status();
  uint32_t generation = known->generation;
  if (known->state == ObjectState::kLost) {
    if (absl::Status status = owner_->Recreate(object); !status.ok()) return status;
    ++generation;
  }
  Node& node = Place(bytes.size());
  freehold::NodeCopy copy;
  copy.object = object;
  copy.generation = generation;
  copy.owner = kOwner;
  copy.role = freehold::CopyRole::kPrimary;
  copy.size = bytes.size();
  std::vector<EvictingStore::Key> evicted;
  absl::Status status = node.store->Put({object, generation}, std::move(bytes), &evicted);
  for (const EvictingStore::Key& key : evicted) {
    // NotFound: a free is on its way for it, and the agent has begun to carry it out.
    absl::Status dropped = node.agent->DropCopy(key.object, key.generation);
    if (!dropped.ok() && !absl::IsNotFound(dropped)) status.Update(dropped);
  }
  if (status.ok()) status = node.agent->AddCopy(copy);
  return status;
}

absl::StatusOr<std::optional<size_t>> Cluster::Find(const ObjectId& object) {
  // What was put or thrown out just now, the owner hears in this turn or the next.
  for (int turn = 0; turn < kTurnsMax; ++turn) {
    const auto known = owner_->GetLocations(object);
    if (!known.ok()) return known.status();
    if (known->state == ObjectState::kLost) return std::nullopt;
    for (const Location& location : known->locations) {
      for (size_t i = 0; i < nodes_.size(); ++i) {
        if (location.node != NodeId::FromNumber(i + 1) || !location.in_memory) continue;
        if (nodes_[i].store->Has(object)) return i;
      }
    }
    Turn();
  }
  return absl::InternalError(absl::StrCat("nobody has it: ", owner_->DebugString(object)));
}

absl::StatusOr<Cluster::Reading> Cluster::Read(size_t node, const ObjectId& object) {
  absl::StatusOr<freehold::ReadLease> lease = nodes_[node].agent->Read(object);
  if (!lease.ok()) return lease.status();
  return Reading(nodes_[node].store.get(), object, *std::move(lease));
}

bool Cluster::PumpOnce() {
  const freehold::Time now = clock_.Now();
  bool any = false;
  const auto pump = [&](auto& end) {
    if (end.NextDeadline() > now) return;
    end.Pump(now);
    any = true;
  };
  // The nodes first: the owner hears in this turn of what was made in it.
  for (const Node& node : nodes_) pump(*node.agent);
  pump(*owner_);
  return any;
}

void Cluster::Turn() {
  clock_.Step();
  PumpOnce();
}

absl::Status Cluster::Settle() {
  for (int turn = 0; turn < kTurnsMax; ++turn) {
    clock_.Step();
    if (!PumpOnce()) return absl::OkStatus();
  }
  return absl::InternalError("the owner and the nodes do not come to rest");
}

absl::StatusOr<Traffic> Cluster::Finish() {
  if (absl::Status status = Settle(); !status.ok()) return status;
  Traffic traffic;
  const freehold::ReferenceCounterStats stats = owner_->GetStats();
  traffic.envelopes = stats.sessions.envelopes_sent;
  traffic.out_of_scope = stats.out_of_scope;
  for (const Node& node : nodes_) {
    const freehold::NodeAgentStats there = node.agent->GetStats();
    traffic.frees += there.frees_received;
    traffic.store_calls += there.store_calls;
  }
  if (stats.objects != 0 || stats.misuses != 0 || ledger_->held() != 0) {
    return absl::InternalError(absl::StrCat("in the end there are ", stats.objects, " objects, ",
                                            ledger_->held(), " bytes and ", stats.misuses,
                                            " misuses"));
  }
  const auto left = owner_->Shutdown(freehold::ShutdownMode::kGraceful, std::chrono::seconds(0));
  if (!left.clean()) return absl::InternalError("the owner left frees behind");
  if (executor_->Stop(kPatience).dropped != 0) {
    return absl::InternalError("the callback thread left callbacks behind");
  }
  return traffic;
}

}  // namespace batch_jobs
