#include "tests/sim/free_sim.h"

#include <algorithm>
#include <utility>

#include "src/core/codec.h"

namespace freehold::sim {

namespace {

constexpr Duration kRestBound = std::chrono::seconds(120);

const FreeSim* current_run = nullptr;

}  // namespace

const FreeSim* FreeSim::current() { return current_run; }

const std::vector<FreeSim::Action>& FreeSim::AllActions() {
  static const std::vector<Action>* const all = new std::vector<Action>{
      {"declare", 14, &FreeSim::Declare},
      {"copy handle", 3, &FreeSim::CopyHandle},
      {"drop handle", 12, &FreeSim::DropHandle},
      {"get reference", 3, &FreeSim::GetRef},
      {"lock weak reference", 2, &FreeSim::LockWeakRef},
      {"add by id", 3, &FreeSim::AddById},
      {"remove by id", 4, &FreeSim::RemoveById},
      {"submit task", 3, &FreeSim::SubmitTask},
      {"end task", 4, &FreeSim::EndTask},
      {"add nested", 3, &FreeSim::AddNested},
      {"free", 4, &FreeSim::Free},
      {"recreate", 5, &FreeSim::Recreate},
      {"register", 7, &FreeSim::Register},
      {"cancel", 2, &FreeSim::Cancel},
      {"subscribe", 2, &FreeSim::Subscribe},
      {"compare subscription", 2, &FreeSim::CompareSubscription},
      {"expect fetch", 5, &FreeSim::ExpectFetch},
      {"tell location", 2, &FreeSim::TellLocation},
      {"remove location", 1, &FreeSim::RemoveLocation},
      {"misuse", 1, &FreeSim::Misuse},
      {"query", 1, &FreeSim::Query},
      {"store", 12, &FreeSim::Store},
      {"begin fetch", 5, &FreeSim::BeginFetch},
      {"end fetch", 7, &FreeSim::EndFetch},
      {"spill", 5, &FreeSim::Spill},
      {"restore", 4, &FreeSim::Restore},
      {"evict", 3, &FreeSim::Evict},
      {"begin read", 5, &FreeSim::BeginRead},
      {"end read", 6, &FreeSim::EndRead},
      {"change store", 3, &FreeSim::ChangeStore},
      {"partition", 2, &FreeSim::Partition},
      {"heal", 2, &FreeSim::Heal},
      {"isolate", 1, &FreeSim::Isolate},
      {"rejoin", 2, &FreeSim::Rejoin},
      {"change pace", 2, &FreeSim::ChangePace},
      {"wait long", 1, &FreeSim::WaitLong},
      {"exclude node", 2, &FreeSim::ExcludeNode},
      {"exclude owner", 1, &FreeSim::ExcludeOwner},
      {"exclude both", 1, &FreeSim::ExcludeBoth},
      {"crash node", 1, &FreeSim::CrashNode},
      {"crash owner", 1, &FreeSim::CrashOwner},
      {"node leaves", 1, &FreeSim::NodeLeaves},
      {"owner leaves", 1, &FreeSim::OwnerLeaves},
      {"node joins", 1, &FreeSim::NodeJoins},
  };
  return *all;
}

// --- The beginning -------------------------------------------------------------------------------

FreeSim::FreeSim(uint64_t seed)
    : seed_(seed), random_(seed * 0x9e3779b97f4a7c15u + 1), oracle_(&trace_, &coverage_) {
  current_run = this;
  excludes_ = random_.Percent(75);
  ChooseActions();
  const FreeWorldOptions options = WorldOptions();
  // The first ends join before there is anybody to watch.
  world_ = std::make_unique<FreeWorld>(options);
  oracle_.set_world(world_.get());
  for (int i = 0; i < world_->owners(); ++i) {
    oracle_.AddOwner();
    oracle_.owner(i).observes_frees = seed_ % 3 != 0;
    owner_paces_.emplace_back();
  }
  for (int i = 0; i < world_->nodes(); ++i) AddFacts();
}

FreeSim::~FreeSim() {
  // What the ends drop on their way out belongs to nobody's account.
  world_.reset();
  current_run = nullptr;
}

void FreeSim::AddFacts() {
  const int node = static_cast<int>(node_paces_.size());
  oracle_.AddNode();
  node_paces_.emplace_back();
  store_faults_.push_back(FakeStore::Answer::kDelete);
  world_->node(node).store.on_delete = [this, node](const CopyToDelete& copy,
                                                    const FakeStore::Stored* stored) {
    return AnswerDelete(node, copy, stored);
  };
  world_->node(node).store.before_answer = [this, node](absl::Span<const CopyToDelete> copies) {
    ReturnDuringDelete(node, copies);
  };
}

void FreeSim::ChooseActions() {
  for (const Action& action : AllActions()) {
    const bool excluding =
        action.act == &FreeSim::ExcludeNode || action.act == &FreeSim::ExcludeOwner ||
        action.act == &FreeSim::ExcludeBoth || action.act == &FreeSim::CrashNode ||
        action.act == &FreeSim::CrashOwner || action.act == &FreeSim::NodeLeaves ||
        action.act == &FreeSim::OwnerLeaves;
    const bool needed = action.act == &FreeSim::Declare || action.act == &FreeSim::Store ||
                        action.act == &FreeSim::DropHandle;
    if (excluding && !excludes_) continue;
    if (!needed && random_.Percent(15)) continue;
    actions_.push_back(action);
    weights_ += static_cast<uint64_t>(action.weight);
  }
}

FreeWorldOptions FreeSim::WorldOptions() {
  using std::chrono::milliseconds;
  FreeWorldOptions options;
  options.seed = seed_ + 1;
  options.owners = 1 + random_.IntBelow(3);
  options.nodes = 2 + random_.IntBelow(4);
  options.inline_callbacks = random_.Percent(30);
  options.faults.seed = seed_ * 2 + 3;
  const bool calm = random_.Percent(10);
  const auto rate = [&](uint64_t percent_max) {
    return calm || random_.Percent(25)
               ? 0.0
               : static_cast<double>(random_.Below(percent_max * 10)) / 1000.0;
  };
  options.faults.loss = rate(35);
  options.faults.duplication = rate(35);
  options.faults.reordering = rate(35);
  options.faults.corruption = rate(10);
  options.faults.delay_max = milliseconds(random_.Below(20));
  options.faults.hold_back_max = milliseconds(1 + random_.Below(60));
  options.faults.on_send = [this](const Envelope& envelope) { OnSent(envelope); };
  options.session.envelope_bytes_max = 8 * 1024;
  options.session.window_envelopes = 1 + static_cast<uint32_t>(random_.Below(4));
  options.session.retransmit_delay_min = milliseconds(10 + random_.Below(30));
  options.session.retransmit_delay_max = milliseconds(100 + random_.Below(300));
  options.node.delete_retry_delay_min = milliseconds(5 + random_.Below(50));
  options.node.delete_retry_delay_max = milliseconds(60 + random_.Below(500));
  options.node.delete_batch_max =
      random_.Percent(50) ? 2048 : 1 + static_cast<uint32_t>(random_.Below(3));
  options.owner.shards = 1u << random_.Below(3);
  options.owner.nested_drops_inline_max =
      random_.Percent(50) ? 64 : static_cast<uint32_t>(random_.Below(3));
  options.for_owner = [this](int number, ReferenceCounterOptions* owner) {
    owner->on_to_recover = [this](const std::vector<ObjectId>& ids) {
      coverage_.Count("objects to recover", ids.size());
      for (const ObjectId& id : ids) to_recover_.push_back(oracle_.Find(id)->number);
    };
    if (seed_ % 3 == 0) return;
    owner->on_copy_freed = [this, number](const ObjectId& id, const NodeId& node,
                                          FreeOutcome outcome) {
      oracle_.OnCopyFreed(number, id, node, outcome);
    };
  };
  options.on_owner_notice = [this](int owner, const LateMembership::Notice& notice) {
    oracle_.OwnerNotice(owner, notice);
  };
  options.on_node_notice = [this](int node, const LateMembership::Notice& notice) {
    oracle_.NodeNotice(node, notice);
  };
  return options;
}

// --- What goes over the wire ---------------------------------------------------------------------

class FreeSim::Wire final : public core::PayloadSink {
 public:
  Wire(FreeSim* sim, const Envelope& envelope)
      : sim_(*sim),
        owner_(sim->world_->OwnerNumber(envelope.from)),
        to_(sim->world_->NodeNumber(envelope.to)) {}

  void OnFrees(uint32_t generation, uint32_t, std::string_view ids) override {
    for (size_t i = 0; i < core::IdCount(ids); ++i) {
      sim_.oracle_.OnFreeSent(owner_, to_, core::IdAt(ids, i), generation);
    }
  }
  void OnFreeResults(uint32_t, uint32_t, core::FreeResult result, std::string_view ids) override {
    static constexpr const char* kNames[] = {"item Deleted", "item Unknown", "item Doomed",
                                             "item Failed"};
    sim_.coverage_.Count(kNames[static_cast<int>(result)], core::IdCount(ids));
  }
  void OnFreeFailed(const core::FreeResultItem&) override { sim_.coverage_.Count("item Failed"); }
  void OnLocation(const core::LocationItem& item) override {
    static constexpr const char* kNames[] = {"item Added", "item Removed", "item Spilled"};
    sim_.coverage_.Count(kNames[static_cast<int>(item.change)]);
  }
  void OnSharing(const core::SharingItem&) override { Stray(); }
  void OnLocationQuery(const core::LocationQueryItem&) override { Stray(); }
  void OnLocationAnswer(const core::LocationAnswerItem&) override { Stray(); }

 private:
  void Stray() { sim_.oracle_.Violate("an item is sent that the free path has not"); }

  FreeSim& sim_;
  const int owner_;
  const int to_;
};

void FreeSim::OnSent(const Envelope& envelope) {
  trace_.Mix(envelope.from.id_bytes().substr(20));
  trace_.Mix(envelope.to.id_bytes().substr(20));
  trace_.Mix(envelope.bytes);
  core::Frame frame;
  std::string_view payload;
  if (core::DecodeFrame(envelope.bytes, envelope.from, envelope.to, core::kVersionMax, &frame,
                        &payload) != core::CodecError::kOk) {
    return oracle_.Violate("an envelope is sent that does not decode");
  }
  Wire wire(this, envelope);
  oracle_.Expect(core::ReadPayload(payload, &wire) == core::CodecError::kOk,
                 "a payload is sent that does not decode");
}

// --- The run -------------------------------------------------------------------------------------

const std::string& FreeSim::Run() {
  const int steps = 80 + random_.IntBelow(300);
  Act(steps);
  if (!violated()) ComeToRest();
  if (!violated()) oracle_.CheckSettled();
  if (!violated()) Act(steps / 2);
  // So that half of all seeds have one for certain.
  if (!violated() && excludes_ && !had_exclusion_)
    random_.Percent(50) ? ExcludeNode() : ExcludeOwner();
  if (!violated()) Act(steps / 2);
  if (!violated()) LetGo();
  if (!violated()) ComeToRest();
  if (!violated()) oracle_.CheckEmpty();
  const testing::FaultyTransport::Counters counters = world_->transport().GetCounters();
  coverage_.Count("envelope lost", counters.lost);
  coverage_.Count("envelope duplicated", counters.duplicated);
  coverage_.Count("envelope reordered", counters.reordered);
  coverage_.Count("envelope corrupted", counters.corrupted);
  coverage_.Count("envelope partitioned", counters.partitioned);
  coverage_.Count("envelope unreachable", counters.unreachable);
  coverage_.Count("envelope sent", counters.sent);
  return oracle_.violation();
}

void FreeSim::Act(int steps) {
  for (int i = 0; i < steps && !violated(); ++i) {
    trace_.set_step(trace_.step() + 1);
    uint64_t at = random_.Below(weights_);
    for (const Action& action : actions_) {
      const auto weight = static_cast<uint64_t>(action.weight);
      if (at < weight) {
        (this->*action.act)();
        break;
      }
      at -= weight;
    }
    LetTimePass();
  }
}

void FreeSim::LetTimePass() {
  if (random_.Percent(60)) world_->Advance(std::chrono::microseconds(random_.Below(6000)));
  if (random_.Percent(70)) world_->transport().DeliverDue(world_->Now());
  for (int i = 0; i < world_->owners(); ++i) {
    if (random_.Percent(owner_paces_[static_cast<size_t>(i)].hears)) world_->Notify(i);
    const bool pumps = random_.Percent(owner_paces_[static_cast<size_t>(i)].pumps);
    if (pumps && world_->owner(i).counter != nullptr) world_->Pump(i);
  }
  for (int i = 0; i < world_->nodes(); ++i) {
    if (random_.Percent(node_paces_[static_cast<size_t>(i)].hears)) world_->NotifyNode(i);
    const bool pumps = random_.Percent(node_paces_[static_cast<size_t>(i)].pumps);
    if (pumps && world_->node(i).agent != nullptr) world_->PumpNode(i);
  }
  for (int i = 0; i < world_->owners(); ++i) {
    testing::ManualExecutor* queue = world_->owner(i).queue;
    for (uint64_t jobs = random_.Below(4); queue != nullptr && jobs > 0; --jobs) queue->RunOne();
  }
}

// Nothing is cut off and every store works, but readers and fetches stay.
void FreeSim::ComeToRest() {
  trace_.set_step(trace_.step() + 1);
  trace_.Add("come to rest");
  world_->transport().HealAll();
  std::fill(store_faults_.begin(), store_faults_.end(), FakeStore::Answer::kDelete);
  ExcludeCrashed();
  oracle_.Expect(world_->Settle(kRestBound), "the world does not come to rest");
  trace_.Add("at rest after {} envelopes",
             static_cast<int64_t>(world_->transport().GetCounters().sent));
}

void FreeSim::LetGo() {
  trace_.set_step(trace_.step() + 1);
  trace_.Add("let everything go");
  letting_go_ = true;
  world_->transport().StopFaults();
  while (!fetches_.empty() && !violated()) EndOneFetch(0, random_.Percent(50));
  while (!tasks_.empty() && !violated()) EndOneTask(random_.Below(tasks_.size()));
  for (Object& object : oracle_.objects()) {
    while (!object.handles.empty() && !violated()) DropOneHandle(&object);
    if (object.by_id > 0) RemoveOneById(&object, object.by_id);
    if (random_.Percent(20)) LetTimePass();
  }
  while (!leases_.empty() && !violated()) EndOneRead(random_.Below(leases_.size()));
}

// --- Choosing ------------------------------------------------------------------------------------

FreeSim::Object* FreeSim::AnyObject() {
  return AnyObject([](const Object&) { return true; });
}

FreeSim::Object* FreeSim::AnyUsable() {
  return AnyObject([this](const Object& object) { return Usable(object.owner); });
}

bool FreeSim::Usable(int owner) const {
  const FreeOracle::OwnerFacts& facts = const_cast<FreeOracle&>(oracle_).owner(owner);
  return !facts.crashed && !facts.knows;
}

bool FreeSim::UsableNode(int node) const {
  const FreeOracle::NodeFacts& facts = const_cast<FreeOracle&>(oracle_).node(node);
  return !facts.crashed && !facts.knows;
}

int FreeSim::AnyOwner() {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const int owner = random_.IntBelow(static_cast<size_t>(world_->owners()));
    if (Usable(owner)) return owner;
  }
  return -1;
}

int FreeSim::AnyNode() {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
    if (UsableNode(node)) return node;
  }
  return -1;
}

bool FreeSim::IsExact(const Object& object) {
  return nested_ == 0 && CounterOf(object).GetStats().drops_deferred == 0;
}

uint32_t FreeSim::AnyGeneration(const Object& object) {
  return object.generation == 0 || random_.Percent(80)
             ? object.generation
             : static_cast<uint32_t>(random_.Below(object.generation));
}

}  // namespace freehold::sim
