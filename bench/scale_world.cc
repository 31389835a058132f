#include "bench/scale_world.h"

#include <utility>

#include "bench/timing.h"
#include "bench/workload.h"
#include "src/core/codec.h"

namespace freehold::bench {

namespace {

constexpr Duration kMillisecond = std::chrono::milliseconds(1);
constexpr size_t kNodesOfAProcess = 10;

ProcessId ProcessNumber(size_t index) { return ProcessId::FromNumber(1'000'000 + index); }
NodeId NodeOf(size_t index) { return NodeId::FromNumber(2'000'000 + index); }
double Milliseconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

}  // namespace

ScaleWorld::ScaleWorld(const ScaleShape& shape) : shape_(shape) {
  Require(shape.processes > kInvolvedOwners + 1 && shape.nodes > kInvolvedNodes + kNodesOfAProcess,
          "a cluster is too small");
  Require(shape.objects >= 3 * shape.changed, "there are fewer objects than change");
  AddEnds();
  AddOwnedByDying();
  AddBorrowedByDying();
  AddOnDyingNode();
  AddUninvolved();
  PumpAll();
  Settle();
  Require(ObjectsInScope() == shape.objects, "an object is missing");
}

ScaleWorld::~ScaleWorld() = default;

// --- Setting up ----------------------------------------------------------------------------------

void ScaleWorld::AddEnds() {
  ends_.resize(shape_.processes + shape_.nodes);
  for (size_t i = 0; i < shape_.processes; ++i) {
    ReferenceCounterOptions options;
    options.process = ProcessNumber(i);
    options.transport = this;
    options.membership = &membership_;
    options.clock = &clock_;
    options.shards = 1;
    options.seed = i + 1;
    End& end = process(i);
    end.counter = *ReferenceCounter::Create(options);
    end.inbox = end.counter->inbox();
    end.involved = i < kInvolvedOwners;
    end_of_[Address(options.process)] = i;
  }
  for (size_t i = 0; i < shape_.nodes; ++i) {
    NodeAgentOptions options;
    options.node = NodeOf(i);
    options.transport = this;
    options.membership = &membership_;
    options.clock = &clock_;
    options.seed = i + 1;
    // What owners and nodes tell each other from time to time, whoever dies, is not a death's.
    options.digest_interval = Duration::zero();
    End& end = node(i);
    end.agent = *NodeAgent::Create(options);
    end.inbox = end.agent->inbox();
    end.involved = i < kInvolvedNodes;
    end_of_[Address(options.node)] = shape_.processes + i;
  }
}

ObjectId ScaleWorld::AddObject(size_t owner, const std::vector<size_t>& nodes) {
  const ObjectId id = ObjectId::FromNumber(++next_object_);
  DeclareOptions declared;
  declared.primary = NodeOf(nodes[0]);
  declared.size = 1024;
  held_.push_back(*process(owner).counter->Declare(id, declared));
  for (const size_t at : nodes) {
    const CopyRole role = at == nodes[0] ? CopyRole::kPrimary : CopyRole::kSecondary;
    const NodeCopy copy{id, 0, ProcessNumber(owner), role, 1024};
    Require(node(at).agent->AddCopy(copy).ok(), "a copy is refused");
    WantPump(shape_.processes + at);
  }
  WantPump(owner);
  return id;
}

void ScaleWorld::AddOwnedByDying() {
  for (size_t i = 0; i < shape_.changed; ++i) {
    (void)AddObject(dying_process(), {involved_node(i), involved_node(i + 1)});
    held_by_dying_.push_back(std::move(held_.back()));
    held_.pop_back();
  }
}

// Its owner has let go of it: the borrower that will die is all that keeps it.
void ScaleWorld::AddBorrowedByDying() {
  for (size_t i = 0; i < shape_.changed; ++i) {
    const size_t owner = involved_owner(i);
    const ObjectId id = AddObject(owner, {involved_node(i), involved_node(i + 1)});
    auto exported = process(owner).counter->Export(id, ProcessNumber(dying_process()));
    Require(exported.ok(), "an export fails");
    auto ref = process(dying_process()).counter->Import(exported->token);
    Require(ref.ok(), "an import fails");
    held_by_dying_.push_back(*std::move(ref));
    held_.pop_back();
    WantPump(dying_process());
  }
  Settle();
}

// Half of them have no other copy.
void ScaleWorld::AddOnDyingNode() {
  for (size_t i = 0; i < shape_.changed; ++i) {
    std::vector<size_t> nodes = {dying_node()};
    if (i % 2 == 0) nodes.push_back(involved_node(i));
    (void)AddObject(involved_owner(i), nodes);
  }
  Settle();
}

// Of every process but the dying one, each on a few nodes of its own.
void ScaleWorld::AddUninvolved() {
  const size_t owners = shape_.processes - 1 - kInvolvedOwners;
  const size_t nodes = shape_.nodes - 1 - kInvolvedNodes;
  for (size_t i = 3 * shape_.changed; i < shape_.objects; ++i) {
    const size_t owner = i % owners;
    const size_t at = (owner * kNodesOfAProcess + i / owners % kNodesOfAProcess) % nodes;
    (void)AddObject(kInvolvedOwners + owner, {kInvolvedNodes + at});
    if (i % 10'000 == 0) Settle();
  }
}

// --- Time ----------------------------------------------------------------------------------------

void ScaleWorld::Send(Envelope envelope) {
  const bool is_ack = envelope.bytes.size() <= core::kFrameBytes;
  ++(is_ack ? cost_.acks : cost_.envelopes);
  cost_.bytes += envelope.bytes.size();
  on_its_way_.push_back(std::move(envelope));
}

void ScaleWorld::WantPump(size_t end) {
  if (ends_[end].due || ends_[end].inbox == nullptr) return;
  ends_[end].due = true;
  due_.push_back(end);
}

void ScaleWorld::PumpAll() {
  for (size_t end = 0; end < ends_.size(); ++end) WantPump(end);
}

void ScaleWorld::Tick() {
  clock_.Advance(kMillisecond);
  item_arrived_ = false;
  for (Envelope& envelope : std::exchange(on_its_way_, {})) {
    const size_t to = end_of_.at(envelope.to);
    if (ends_[to].inbox == nullptr) continue;
    item_arrived_ |= envelope.bytes.size() > core::kFrameBytes;
    ends_[to].inbox->Deliver(std::move(envelope));
    WantPump(to);
  }
  for (const size_t index : std::exchange(due_, {})) {
    End& end = ends_[index];
    end.due = false;
    const int64_t begin = ThreadCpuNow();
    if (end.counter != nullptr) {
      end.counter->Pump(clock_.Now());
    } else {
      end.agent->Pump(clock_.Now());
    }
    const double took = Milliseconds(ThreadCpuNow() - begin);
    (end.involved ? cost_.involved_cpu_ms : cost_.others_cpu_ms) += took;
    const Time next =
        end.counter != nullptr ? end.counter->NextDeadline() : end.agent->NextDeadline();
    if (next <= clock_.Now()) WantPump(index);  // work in pieces
  }
}

void ScaleWorld::Settle() {
  while (!on_its_way_.empty() || !due_.empty()) Tick();
}

// --- Deaths --------------------------------------------------------------------------------------

ScaleCost ScaleWorld::Exclude(const Address& address, End* dead) {
  dead->inbox = nullptr;  // it neither sends nor hears from now on
  cost_ = ScaleCost();
  const Time begin = clock_.Now();
  Time last = begin;
  const uint64_t view = membership_.Exclude({address});
  PumpAll();
  bool barrier = false;
  while (!on_its_way_.empty() || !due_.empty()) {
    Tick();
    if (item_arrived_) last = clock_.Now();
    if (!barrier && membership_.GetStatus().latest_barrier == view) {
      // The last report takes a millisecond, and so does the notice.
      barrier = true;
      clock_.Advance(kMillisecond);
      PumpAll();
      last = SaturatingAdd(clock_.Now(), kMillisecond);
    }
  }
  Require(barrier, "the barrier does not come");
  cost_.membership_messages = 3 * membership_.GetStatus().members.size();
  cost_.virtual_ms = std::chrono::duration<double, std::milli>(last - begin).count();
  return cost_;
}

ScaleCost ScaleWorld::ProcessDies() {
  const uint64_t copies = CopiesOnNodes();
  const uint64_t objects = ObjectsInScope();
  End& dying = process(dying_process());
  dead_.push_back(std::move(dying.counter));
  const ScaleCost cost = Exclude(Address(ProcessNumber(dying_process())), &dying);
  Require(CopiesOnNodes() == copies - 4 * shape_.changed, "other copies are left than should be");
  Require(ObjectsInScope() == objects - 2 * shape_.changed, "other objects are left");
  return cost;
}

ScaleCost ScaleWorld::NodeDies() {
  const uint64_t objects = ObjectsInScope();
  End& dying = node(dying_node());
  const ScaleCost cost = Exclude(Address(NodeOf(dying_node())), &dying);
  Require(ObjectsInScope() == objects, "an object ends with a node");
  uint64_t lost = 0;
  for (size_t i = 0; i < kInvolvedOwners; ++i) lost += process(i).counter->CountObjects().lost;
  Require(lost == shape_.changed / 2, "other objects are lost than were on the node");
  return cost;
}

uint64_t ScaleWorld::CopiesOnNodes() {
  uint64_t copies = 0;
  for (size_t i = 0; i < shape_.nodes; ++i) copies += node(i).agent->GetStats().copies;
  return copies;
}

// At their owners; those of the dying process while it lives.
uint64_t ScaleWorld::ObjectsInScope() {
  uint64_t objects = 0;
  for (size_t i = 0; i < shape_.processes; ++i) {
    if (process(i).counter == nullptr) continue;
    const ObjectCounts counts = process(i).counter->CountObjects();
    objects += counts.in_scope() - counts.borrowed;
  }
  return objects;
}

}  // namespace freehold::bench
