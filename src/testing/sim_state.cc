#include "src/testing/sim_state.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/base/random.h"
#include "src/testing/sim_creation.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Where the numbers of the world's ids begin, so that no two kinds share one.
constexpr uint64_t kProcesses = 1'000'000;
constexpr uint64_t kNodes = 2'000'000;

uint64_t NumberOf(std::string_view id_bytes) {
  uint64_t number = 0;
  for (size_t i = id_bytes.size(); i > id_bytes.size() - 8; --i) {
    number = number << 8 | static_cast<uint8_t>(id_bytes[i - 1]);
  }
  return number;
}

// Small windows and short timers, so that much happens in few steps.
SessionOptions Sessions(uint64_t seed) {
  using std::chrono::milliseconds;
  internal::SplitMix64 random(seed);
  SessionOptions options;
  options.envelope_bytes_max = 8 * 1024;
  options.window_envelopes = 1 + static_cast<uint32_t>(random.Next() % 4);
  options.retransmit_delay_min = milliseconds(10 + random.Next() % 30);
  options.retransmit_delay_max = milliseconds(100 + random.Next() % 300);
  return options;
}

// Of some ends, callbacks run where they are posted.
std::shared_ptr<CallbackExecutor> Executor(uint64_t draw, End* end) {
  if (draw % 4 == 0) return std::make_shared<InlineExecutor>();
  end->queue = std::make_shared<ManualExecutor>();
  return end->queue;
}

}  // namespace

State::State(const SimWorldOptions& world_options)
    : options(world_options),
      clock(Time(std::chrono::seconds(1))),
      network(options.network, options.seed, &clock) {
  for (int64_t number = 1; number <= options.processes; ++number) AddProcess(number);
  for (int64_t number = 1; number <= options.nodes; ++number) AddNode(number);
}

State::~State() { EndAll(); }

void State::EndAll() {
  for (const auto& process : processes) {
    process->counter.reset();
    if (process->queue != nullptr) process->queue->DropAll();
  }
  for (const auto& node : nodes) {
    node->Stop();
    if (node->queue != nullptr) node->queue->DropAll();
  }
}

void State::AddProcess(int64_t number) {
  processes.push_back(std::make_unique<Process>(&membership));
  Process& made = *processes.back();
  process_by_number[number] = &made;
  internal::SplitMix64 random(options.seed * 64 + static_cast<uint64_t>(number));
  made.end = EndOfProcess(number);
  made.id = ProcessId::FromNumber(kProcesses + static_cast<uint64_t>(number));
  made.address = made.id;
  made.joined_at = made.heard = membership.GetStatus().latest_view;
  made.idle_since = clock.Now();
  made.times_barriers = options.orphan_grace > Duration::zero();
  ReferenceCounterOptions with;
  with.process = made.id;
  with.transport = &network;
  with.membership = &made.membership;
  with.executor = Executor(random.Next(), &made);
  with.clock = &clock;
  with.logger = &logger;
  with.session = Sessions(options.seed);
  with.shards = 1u << random.Next() % 2;
  with.orphan_grace = options.orphan_grace;
  with.token_life = options.token_life;
  with.takes_declarations = TakesDeclarations(made.end);
  with.takes_transfers = TakesTransfers(made.end);
  if (options.sealed_tokens) with.token_sealer = &sealer;
  with.nested_drops_inline_max =
      random.Next() % 2 == 0 ? 64 : static_cast<uint32_t>(random.Next() % 3);
  with.seed = random.Next() | 1;
  if (options.lineage_bytes > 0) with.lineage_bytes_max = options.lineage_bytes;
  with.on_to_recover = [this](const std::vector<ObjectId>& ids) {
    if (on_to_recover) on_to_recover(ids);
  };
  with.on_persist = [this, process = &made](const ObjectId& id, uint32_t generation) {
    if (on_persist) on_persist(process, id, generation);
  };
  made.is_told_of_frees = random.Next() % 3 != 0;
  if (made.is_told_of_frees) {
    with.on_copy_freed = [this, process = &made](const ObjectId& id, const NodeId& node,
                                                 FreeOutcome outcome) {
      if (on_copy_freed) on_copy_freed(*process, id, node, outcome);
    };
  }
  auto counter = ReferenceCounter::Create(with);
  FREEHOLD_CHECK(counter.ok());
  made.counter = *std::move(counter);
  network.Connect(made.address, made.counter->inbox());
}

void State::AddNode(int64_t number) {
  using std::chrono::milliseconds;
  nodes.push_back(std::make_unique<Node>(&membership));
  Node& made = *nodes.back();
  node_by_number[number] = &made;
  internal::SplitMix64 random(options.seed * 64 + 32 + static_cast<uint64_t>(number));
  made.end = EndOfNode(number);
  made.id = NodeId::FromNumber(kNodes + static_cast<uint64_t>(number));
  made.address = made.id;
  made.joined_at = made.heard = membership.GetStatus().latest_view;
  made.times_barriers = options.orphan_grace > Duration::zero();
  NodeAgentOptions with;
  with.node = made.id;
  with.store = &made.store;
  with.transport = &network;
  with.membership = &made.membership;
  with.executor = Executor(random.Next(), &made);
  with.clock = &clock;
  with.logger = &logger;
  with.session = Sessions(options.seed);
  with.orphan_grace = options.orphan_grace;
  with.on_promoted = [this](const ObjectId&, uint32_t) { coverage.Count("promoted"); };
  with.delete_retry_delay_min = milliseconds(5 + random.Next() % 50);
  with.delete_retry_delay_max = milliseconds(60 + random.Next() % 500);
  with.delete_batch_max =
      random.Next() % 2 == 0 ? 2048 : 1 + static_cast<uint32_t>(random.Next() % 3);
  with.digest_interval = options.digest_interval;
  with.seed = random.Next() | 1;
  auto agent = NodeAgent::Create(with);
  FREEHOLD_CHECK(agent.ok());
  made.agent = *std::move(agent);
  network.Connect(made.address, made.agent->inbox());
}

std::string Sealer::Seal(std::string_view token) {
  std::string sealed(token);
  for (char& c : sealed) c = static_cast<char>(c ^ 0x5a);
  return sealed + "sealed";
}

std::optional<std::string> Sealer::Open(std::string_view sealed) {
  if (sealed.size() < 6 || sealed.substr(sealed.size() - 6) != "sealed") return std::nullopt;
  std::string token(sealed.substr(0, sealed.size() - 6));
  for (char& c : token) c = static_cast<char>(c ^ 0x5a);
  return token;
}

Object* State::object(int64_t number) {
  const auto found = objects.find(number);
  return found == objects.end() ? nullptr : &found->second;
}

Object* State::Find(const ObjectId& id) {
  const auto number = static_cast<int64_t>(NumberOf(id.bytes()));
  Object* found = object(number);
  return found != nullptr && found->id == id ? found : nullptr;
}

void State::ReturnToScope(Object* object) {
  object->ended = false;
  ++object->revivals;
  if (std::find(alive.begin(), alive.end(), object->number) == alive.end()) {
    alive.push_back(object->number);
  }
}

int64_t State::EndOf(const Address& address) const {
  const uint64_t number = NumberOf(address.id_bytes());
  return address.is_process() ? EndOfProcess(static_cast<int64_t>(number - kProcesses))
                              : EndOfNode(static_cast<int64_t>(number - kNodes));
}

}  // namespace freehold::testing::sim
