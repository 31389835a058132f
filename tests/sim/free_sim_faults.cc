// What befalls the network, the ends and the membership.

#include <algorithm>
#include <utility>

#include "tests/sim/free_sim.h"

namespace freehold::sim {

namespace {

constexpr int kNodesMax = 9;

}  // namespace

// --- The network ---------------------------------------------------------------------------------

Address FreeSim::AnyAddress() {
  const int ends = world_->owners() + world_->nodes();
  const int end = random_.IntBelow(static_cast<size_t>(ends));
  return end < world_->owners() ? Address(world_->owner(end).id)
                                : Address(world_->node(end - world_->owners()).id);
}

void FreeSim::Partition() {
  const int owner = random_.IntBelow(static_cast<size_t>(world_->owners()));
  const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
  trace_.Add("partition owner {} from node {}", owner, node);
  coverage_.Count("partition");
  world_->transport().Partition(world_->owner(owner).id, world_->node(node).id);
}

void FreeSim::Heal() {
  trace_.Add("heal");
  coverage_.Count("heal");
  if (random_.Percent(50)) {
    world_->transport().HealAll();
  } else {
    world_->transport().Heal(AnyAddress(), AnyAddress());
  }
}

void FreeSim::Isolate() {
  const Address address = AnyAddress();
  trace_.Add("isolate {}", static_cast<int64_t>(NumberOf(address.id_bytes())));
  coverage_.Count("isolate");
  world_->transport().Isolate(address);
}

void FreeSim::Rejoin() {
  coverage_.Count("rejoin");
  world_->transport().Rejoin(AnyAddress());
}

void FreeSim::ChangePace() {
  static constexpr uint64_t kPumps[] = {2, 15, 60, 95};
  static constexpr uint64_t kHears[] = {1, 10, 40, 90};
  const bool of_owner = random_.Percent(50);
  std::vector<Pace>& paces = of_owner ? owner_paces_ : node_paces_;
  Pace& pace = paces[random_.Below(paces.size())];
  pace = {kPumps[random_.Below(4)], kHears[random_.Below(4)]};
  trace_.Add("an end is pumped {} and hears {} percent of the time",
             static_cast<int64_t>(pace.pumps), static_cast<int64_t>(pace.hears));
}

void FreeSim::WaitLong() {
  const auto length = std::chrono::milliseconds(50 + random_.Below(1500));
  trace_.Add("wait {} ms", length.count());
  world_->Advance(length);
}

// --- The membership ------------------------------------------------------------------------------

int FreeSim::AliveOwners() {
  int alive = 0;
  for (int i = 0; i < world_->owners(); ++i) alive += oracle_.owner(i).alive() ? 1 : 0;
  return alive;
}

int FreeSim::AliveNodes() {
  int alive = 0;
  for (int i = 0; i < world_->nodes(); ++i) alive += oracle_.node(i).alive() ? 1 : 0;
  return alive;
}

void FreeSim::Exclude(const std::vector<Address>& ids) {
  had_exclusion_ = true;
  const uint64_t view = world_->membership().Exclude(ids);
  for (const Address& id : ids) {
    trace_.Add("view {} excludes {}", static_cast<int64_t>(view),
               static_cast<int64_t>(NumberOf(id.id_bytes())));
    if (const int owner = world_->OwnerNumber(id); owner >= 0) {
      coverage_.Count("exclude owner");
      oracle_.owner(owner).excluded = true;
      oracle_.owner(owner).excluded_by = view;
      // Half of them go on for long as if nothing were.
      if (random_.Percent(50)) owner_paces_[static_cast<size_t>(owner)] = {90, 1};
    } else {
      const int node = world_->NodeNumber(id);
      coverage_.Count("exclude node");
      oracle_.node(node).excluded = true;
      if (random_.Percent(50)) node_paces_[static_cast<size_t>(node)] = {90, 1};
    }
  }
}

void FreeSim::ExcludeNode() {
  const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
  if (!oracle_.node(node).excluded && AliveNodes() > 1) Exclude({world_->node(node).id});
}

void FreeSim::ExcludeOwner() {
  const int owner = random_.IntBelow(static_cast<size_t>(world_->owners()));
  if (!oracle_.owner(owner).excluded && (AliveOwners() > 1 || random_.Percent(10))) {
    Exclude({world_->owner(owner).id});
  }
}

void FreeSim::ExcludeBoth() {
  const int owner = random_.IntBelow(static_cast<size_t>(world_->owners()));
  const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
  if (oracle_.owner(owner).excluded || oracle_.node(node).excluded) return;
  if (AliveOwners() > 1 && AliveNodes() > 1) {
    Exclude({world_->node(node).id, world_->owner(owner).id});
  }
}

// Its host is gone with it: no fetch of it ends any more.
void FreeSim::ForgetNode(int node) {
  oracle_.node(node).crashed = true;
  fetches_.erase(std::remove_if(fetches_.begin(), fetches_.end(),
                                [node](const Fetch& fetch) { return fetch.node == node; }),
                 fetches_.end());
}

void FreeSim::CrashNode() {
  const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
  if (oracle_.node(node).crashed || AliveNodes() < 2) return;
  trace_.Add("node {} crashes", node);
  coverage_.Count("crash node");
  ForgetNode(node);
  world_->CrashNode(node);
}

void FreeSim::CrashOwner() {
  const int owner = random_.IntBelow(static_cast<size_t>(world_->owners()));
  if (nested_ > 0 || oracle_.owner(owner).crashed || AliveOwners() < 2) return;
  trace_.Add("owner {} crashes", owner);
  coverage_.Count("crash owner");
  oracle_.owner(owner).crashed = true;
  world_->CrashOwner(owner);
}

void FreeSim::NodeLeaves() {
  const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
  if (!UsableNode(node) || oracle_.node(node).excluded || AliveNodes() < 2) return;
  trace_.Add("node {} leaves", node);
  coverage_.Count("node leaves");
  had_exclusion_ = true;
  ForgetNode(node);
  oracle_.node(node).excluded = true;
  const NodeAgent::ShutdownReport report = world_->agent(node).Shutdown(Duration::zero());
  for (const NodeAgent::Undeleted& left : report.undeleted) {
    oracle_.Expect(
        left.outcome == FreeOutcome::kShutDown ||
            (left.outcome == FreeOutcome::kStoreFailed && oracle_.node(node).store_failed),
        "a copy is left for no such reason");
    coverage_.Count("node left a copy");
  }
  world_->CrashNode(node);
}

void FreeSim::OwnerLeaves() {
  const int owner = random_.IntBelow(static_cast<size_t>(world_->owners()));
  if (nested_ > 0 || !Usable(owner) || oracle_.owner(owner).excluded || AliveOwners() < 2) return;
  trace_.Add("owner {} leaves", owner);
  coverage_.Count("owner leaves");
  had_exclusion_ = true;
  FreeOracle::OwnerFacts& facts = oracle_.owner(owner);
  facts.crashed = true;
  const ShutdownReport report =
      world_->counter(owner).Shutdown(ShutdownMode::kImmediate, Duration::zero());
  facts.excluded = true;
  facts.excluded_by = world_->membership().GetStatus().latest_view;
  for (const ShutdownReport::UndeliveredFree& left : report.undelivered) {
    coverage_.Count(FreeOutcomeName(left.outcome));
    oracle_.Expect(left.outcome == FreeOutcome::kShutDown, "a free is left for another reason");
    // An answer to a late report may be for a generation that was lost, or for an object that never
    // came into being.
    const FreeOracle::Object& object = *oracle_.Find(left.object);
    oracle_.Expect(!object.in_scope || object.ends > 0 || object.generation > 0,
                   "a free is left that nobody asked for");
  }
  oracle_.Expect(absl::IsFailedPrecondition(
                     world_->counter(owner).Declare(ObjectId::FromNumber(1'000'000)).status()),
                 "an owner that was shut down takes calls");
  world_->owner(owner).counter.reset();
}

void FreeSim::NodeJoins() {
  if (world_->nodes() >= kNodesMax || nested_ > 0) return;
  trace_.Add("node {} joins", world_->nodes());
  coverage_.Count("node joins");
  (void)world_->AddNode();
  AddFacts();
}

// A failure detector finds everybody who crashed, sooner or later.
void FreeSim::ExcludeCrashed() {
  for (int i = 0; i < world_->nodes(); ++i) {
    const FreeOracle::NodeFacts& facts = oracle_.node(i);
    if (facts.crashed && !facts.excluded) Exclude({world_->node(i).id});
  }
  for (int i = 0; i < world_->owners(); ++i) {
    const FreeOracle::OwnerFacts& facts = oracle_.owner(i);
    if (facts.crashed && !facts.excluded) Exclude({world_->owner(i).id});
  }
}

}  // namespace freehold::sim
