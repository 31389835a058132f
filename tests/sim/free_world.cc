#include "tests/sim/free_world.h"

#include <algorithm>
#include <stdexcept>

#include "src/base/check.h"

namespace freehold::sim {

namespace {

constexpr uint64_t kFirstOwner = 1'000'000;  // numbers of processes; those of nodes start at 1

}  // namespace

uint64_t NumberOf(std::string_view id_bytes) {
  uint64_t number = 0;
  for (size_t i = id_bytes.size(); i > id_bytes.size() - 8; --i) {
    number = number << 8 | static_cast<uint8_t>(id_bytes[i - 1]);
  }
  return number;
}

// --- FakeStore -----------------------------------------------------------------------------------

FakeStore::Stored& FakeStore::Put(const Key& key, uint64_t size) {
  Stored& stored = copies_[key];
  if (stored.instance == 0) {
    stored.instance = ++instances_;
    stored.first = ever_.insert(key).second;
  }
  stored.size = size;
  stored.in_memory = true;
  return stored;
}

FakeStore::Stored* FakeStore::Find(const Key& key) {
  const auto found = copies_.find(key);
  return found == copies_.end() ? nullptr : &found->second;
}

const FakeStore::Key* FakeStore::Newest(const ObjectId& object) const {
  auto after = copies_.upper_bound({object, UINT32_MAX});
  if (after == copies_.begin()) return nullptr;
  --after;
  return after->first.first == object ? &after->first : nullptr;
}

std::vector<absl::Status> FakeStore::Delete(absl::Span<const CopyToDelete> copies) {
  ++delete_calls_;
  std::vector<absl::Status> statuses;
  bool cut_short = false;
  bool throws = false;
  for (const CopyToDelete& copy : copies) {
    const Key key(copy.object, copy.generation);
    const Stored* stored = Find(key);
    const Answer answer = on_delete ? on_delete(copy, stored) : Answer::kDelete;
    if (answer == Answer::kDelete || answer == Answer::kDeleteAndFail) {
      if (stored != nullptr) unsure_.insert(key);
      deleted_ += copies_.erase(key);
    }
    cut_short = cut_short || answer == Answer::kNoStatus;
    throws = throws || answer == Answer::kThrow;
    if (cut_short) continue;
    statuses.push_back(answer == Answer::kDelete ? absl::OkStatus()
                       : answer == Answer::kFail ? absl::UnavailableError("the disk is busy")
                                                 : absl::DataLossError("the disk is broken"));
  }
  for (size_t i = 0; i < statuses.size() && !throws; ++i) {
    if (statuses[i].ok()) unsure_.erase({copies[i].object, copies[i].generation});
  }
  if (before_answer) before_answer(copies);
  if (throws) throw std::runtime_error("the store lost its temper");
  return statuses;
}

// --- LateMembership ------------------------------------------------------------------------------

class LateMembership::Ear final : public MembershipListener {
 public:
  explicit Ear(LateMembership* to) : to_(to) {}
  void OnView(const View& view) override { Hear({false, view}); }
  void OnBarrier(uint64_t version) override { Hear({true, View{version, {}}}); }

 private:
  void Hear(Notice notice) {
    to_->notices_.push_back(std::move(notice));
    // The view that comes with joining is part of joining.
    if (!to_->joined_) to_->Deliver();
  }
  LateMembership* const to_;
};

absl::Status LateMembership::Join(const Address& self, std::weak_ptr<MembershipListener> listener) {
  ear_ = std::make_shared<Ear>(this);
  listener_ = std::move(listener);
  absl::Status status = inner_->Join(self, ear_);
  joined_ = true;
  return status;
}

void LateMembership::Leave(const Address& self) {
  if (!silent_) inner_->Leave(self);
}

void LateMembership::Deliver() {
  const Notice notice = std::move(notices_.front());
  notices_.pop_front();
  const std::shared_ptr<MembershipListener> listener = listener_.lock();
  if (listener == nullptr) return;
  for (int times = repeating_ ? 2 : 1; times > 0; --times) {
    if (notice.is_barrier) {
      listener->OnBarrier(notice.view.version);
    } else {
      listener->OnView(notice.view);
    }
  }
}

// --- FreeWorld -----------------------------------------------------------------------------------

FreeWorld::FreeWorld(const FreeWorldOptions& options)
    : options_(options), clock_(Time(std::chrono::seconds(1))) {
  options_.faults.clock = &clock_;
  if (options_.faults.seed == 1) options_.faults.seed = options_.seed;
  transport_ = std::make_unique<testing::FaultyTransport>(options_.faults);
  for (int i = 0; i < options.owners; ++i) AddOwner();
  for (int i = 0; i < options.nodes; ++i) AddNode();
}

// Ends first: they use what comes before them here.
FreeWorld::~FreeWorld() {
  for (const auto& owner : owners_) owner->counter.reset();
  for (const auto& node : nodes_) node->agent.reset();
}

int FreeWorld::AddOwner() {
  const int number = owners();
  owners_.push_back(std::make_unique<Owner>(&membership_));
  Owner& end = *owners_.back();
  end.id = ProcessId::FromNumber(kFirstOwner + static_cast<uint64_t>(number));
  if (options_.inline_callbacks) {
    end.executor = std::make_shared<InlineExecutor>();
  } else {
    auto queue = std::make_shared<testing::ManualExecutor>();
    end.queue = queue.get();
    end.executor = std::move(queue);
  }
  ReferenceCounterOptions options = options_.owner;
  options.process = end.id;
  options.transport = transport_.get();
  options.membership = &end.membership;
  options.executor = end.executor;
  options.clock = &clock_;
  options.logger = &logger_;
  options.session = options_.session;
  options.seed = options_.seed * 64 + static_cast<uint64_t>(number) + 1;
  if (options_.for_owner) options_.for_owner(number, &options);
  auto counter = ReferenceCounter::Create(options);
  FREEHOLD_CHECK(counter.ok());
  end.counter = *std::move(counter);
  transport_->Connect(end.id, end.counter->inbox());
  return number;
}

int FreeWorld::AddNode() {
  const int number = nodes();
  nodes_.push_back(std::make_unique<Node>(&membership_));
  Node& end = *nodes_.back();
  end.id = NodeId::FromNumber(1 + static_cast<uint64_t>(number));
  NodeAgentOptions options = options_.node;
  options.digest_interval = Duration::zero();  // it waits until nothing is left to happen
  options.node = end.id;
  options.store = &end.store;
  options.transport = transport_.get();
  options.membership = &end.membership;
  options.clock = &clock_;
  options.logger = &logger_;
  options.session = options_.session;
  options.seed = options_.seed * 64 + 32 + static_cast<uint64_t>(number);
  auto agent = NodeAgent::Create(options);
  FREEHOLD_CHECK(agent.ok());
  end.agent = *std::move(agent);
  transport_->Connect(end.id, end.agent->inbox());
  return number;
}

int FreeWorld::OwnerNumber(const Address& address) const {
  const uint64_t number = NumberOf(address.id_bytes());
  return address.is_process() && number >= kFirstOwner ? static_cast<int>(number - kFirstOwner)
                                                       : -1;
}

int FreeWorld::NodeNumber(const Address& address) const {
  return address.is_node_agent() ? static_cast<int>(NumberOf(address.id_bytes())) - 1 : -1;
}

absl::Status FreeWorld::Store(int number, int owner_number, const ObjectId& object, CopyRole role,
                              uint32_t generation, uint64_t size) {
  Node& end = node(number);
  end.store.Put({object, generation}, size);
  absl::Status status =
      end.agent->AddCopy({object, generation, owner(owner_number).id, role, size});
  if (!status.ok() && !absl::IsAborted(status)) end.store.Remove({object, generation});
  return status;
}

void FreeWorld::CrashOwner(int number) {
  owner(number).membership.set_silent();
  owner(number).counter.reset();
}

void FreeWorld::CrashNode(int number) {
  node(number).membership.set_silent();
  node(number).agent.reset();
}

void FreeWorld::Notify(int number) {
  LateMembership& membership = owner(number).membership;
  if (!membership.has_notice()) return;
  if (options_.on_owner_notice) options_.on_owner_notice(number, membership.next());
  membership.Deliver();
}

void FreeWorld::NotifyNode(int number) {
  LateMembership& membership = node(number).membership;
  if (!membership.has_notice()) return;
  if (options_.on_node_notice) options_.on_node_notice(number, membership.next());
  membership.Deliver();
}

void FreeWorld::Turn() {
  const Time now = Now();
  transport_->DeliverDue(now);
  // Ends may join meanwhile: by number, not by iterator.
  for (int i = 0; i < owners(); ++i) {
    while (owner(i).membership.has_notice()) Notify(i);
  }
  for (int i = 0; i < nodes(); ++i) {
    while (node(i).membership.has_notice()) NotifyNode(i);
  }
  for (int i = 0; i < owners(); ++i) {
    if (owner(i).counter != nullptr && counter(i).NextDeadline() <= now) Pump(i);
  }
  for (int i = 0; i < nodes(); ++i) {
    if (node(i).agent != nullptr && agent(i).NextDeadline() <= now) PumpNode(i);
  }
  for (int i = 0; i < owners(); ++i) {
    if (owner(i).queue != nullptr) owner(i).queue->RunAll();
  }
}

Time FreeWorld::NextEvent() const {
  Time next = transport_->NextDelivery();
  for (const auto& end : owners_) {
    if (end->membership.has_notice()) return kInfinitePast;
    if (end->queue != nullptr && end->queue->size() > 0) return kInfinitePast;
    if (end->counter != nullptr) next = std::min(next, end->counter->NextDeadline());
  }
  for (const auto& end : nodes_) {
    if (end->membership.has_notice()) return kInfinitePast;
    if (end->agent != nullptr) next = std::min(next, end->agent->NextDeadline());
  }
  return next;
}

bool FreeWorld::TurnUntil(Time end) {
  while (true) {
    Turn();
    const Time next = NextEvent();
    if (next == kInfiniteFuture) return true;
    if (next > end) return false;
    clock_.Set(next);
  }
}

bool FreeWorld::Settle(Duration bound) { return TurnUntil(SaturatingAdd(Now(), bound)); }

void FreeWorld::Run(Duration length) {
  const Time end = SaturatingAdd(Now(), length);
  (void)TurnUntil(end);
  clock_.Set(end);
}

}  // namespace freehold::sim
