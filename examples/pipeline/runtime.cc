#include "runtime.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pipeline {

using freehold::EndReason;
using freehold::Location;
using freehold::LocationUpdate;
using freehold::NodeId;
using freehold::ObjectId;
using freehold::ObjectRef;

namespace {

// A node may have this many tasks more than the idlest one before locality stops counting.
constexpr uint64_t kLoadSlack = 1;

const freehold::ProcessId kDriver = freehold::ProcessId::FromNumber(1);

absl::Status Annotate(const absl::Status& status, size_t node) {
  return absl::Status(status.code(), absl::StrCat("node ", node, ": ", status.message()));
}

}  // namespace

struct Runtime::Board {
  // The status in parts: copies of one share a message, and ThreadSanitizer cannot see that they do
  // so safely when Abseil was built without it.
  struct Ended {
    uint64_t task;
    absl::StatusCode code;
    std::string message;
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Ended> ended;     // guarded by mutex, like all below
  std::set<ObjectId> awaited;  // outputs of which the owner does not know where they lie
  uint64_t location_updates = 0;
  bool woken = false;

  void TaskEnded(uint64_t task, const absl::Status& status) {
    std::lock_guard<std::mutex> lock(mutex);
    ended.push_back({task, status.code(), std::string(status.message())});
    changed.notify_all();
  }
  // Runs on the callback thread: notes it and returns.
  void Updated(const ObjectId& object, const LocationUpdate& update) {
    std::lock_guard<std::mutex> lock(mutex);
    ++location_updates;
    if (update.snapshot.state != freehold::ObjectState::kAvailable) return;
    if (awaited.erase(object) != 0 && awaited.empty()) changed.notify_all();
  }
  void Wake() {
    std::lock_guard<std::mutex> lock(mutex);
    woken = true;
    changed.notify_all();
  }
};

Runtime::Runtime(const Options& options)
    : options_(options),
      board_(std::make_shared<Board>()),
      lifetimes_(std::make_shared<Lifetimes>()) {}

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Start(const Options& options) {
  std::unique_ptr<Runtime> runtime(new Runtime(options));
  if (absl::Status status = runtime->StartOwner(); !status.ok()) return status;
  if (absl::Status status = runtime->StartNodes(); !status.ok()) return status;
  options.interrupt->SetWaker([board = runtime->board_, lifetimes = runtime->lifetimes_] {
    board->Wake();
    lifetimes->WakeAll();
  });
  return runtime;
}

absl::Status Runtime::StartOwner() {
  auto executor = freehold::CallbackThread::Start();
  if (!executor.ok()) return executor.status();
  executor_ = *std::move(executor);
  freehold::ReferenceCounterOptions options;
  options.process = kDriver;
  options.transport = &transport_;
  options.membership = &membership_;
  options.executor = executor_;
  options.start_pump_thread = true;
  auto owner = freehold::ReferenceCounter::Create(options);
  if (!owner.ok()) return owner.status();
  owner_ = *std::move(owner);
  transport_.Connect(kDriver, owner_->inbox());
  return absl::OkStatus();
}

absl::Status Runtime::StartNodes() {
  for (size_t i = 0; i < options_.nodes; ++i) {
    Node::Options options;
    options.id = NodeId::FromNumber(i + 1);
    options.owner = kDriver;
    options.folder = absl::StrCat(options_.folder, "/node-", i);
    options.memory_bytes_max = options_.store_bytes;
    options.transport = &transport_;
    options.membership = &membership_;
    options.byte_log = options_.byte_log;
    options.done = [board = board_](uint64_t task, const absl::Status& status) {
      board->TaskEnded(task, status);
    };
    auto node = Node::Start(std::move(options));
    if (!node.ok()) return Annotate(node.status(), i);
    nodes_.push_back(*std::move(node));
    load_.push_back(0);
  }
  return absl::OkStatus();
}

Runtime::~Runtime() {
  options_.interrupt->SetWaker({});
  // All workers first: they read from each other's stores.
  for (const auto& node : nodes_) node->Stop();
  running_.clear();
  owner_.reset();
  if (executor_ != nullptr) executor_->Stop(std::chrono::seconds(1));
}

size_t Runtime::IndexOf(const NodeId& id) const {
  const auto is_it = [&id](const std::unique_ptr<Node>& node) { return node->id() == id; };
  return static_cast<size_t>(std::find_if(nodes_.begin(), nodes_.end(), is_it) - nodes_.begin());
}

size_t Runtime::Place(const std::vector<ObjectId>& inputs) {
  const auto idlest = std::min_element(load_.begin(), load_.end());
  const auto has_time = [&](size_t node) { return load_[node] <= *idlest + kLoadSlack; };
  for (const freehold::NodeBytes& there : owner_->BytesPerNode(inputs)) {
    const size_t node = IndexOf(there.node);
    if (!has_time(node)) continue;
    ++placed_by_locality_;
    return node;
  }
  // Nothing in memory: where a spilled input lies, rather than anywhere.
  for (const ObjectId& input : inputs) {
    const auto known = owner_->GetLocations(input);
    if (!known.ok()) continue;
    for (const Location& location : known->locations) {
      const size_t node = IndexOf(location.node);
      if (!location.spilled || !has_time(node)) continue;
      ++placed_by_locality_;
      return node;
    }
  }
  return static_cast<size_t>(idlest - load_.begin());
}

absl::StatusOr<std::vector<Fetch>> Runtime::PlanFetches(size_t node,
                                                        const std::vector<ObjectId>& inputs) {
  std::vector<Fetch> fetches;
  for (const ObjectId& input : inputs) {
    const auto known = owner_->GetLocations(input);
    if (!known.ok()) return known.status();
    bool here = false;
    const Location* source = nullptr;
    for (const Location& location : known->locations) {
      if (!location.in_memory && !location.spilled) continue;
      here = here || location.node == nodes_[node]->id();
      if (source == nullptr || (location.in_memory && !source->in_memory)) source = &location;
    }
    if (here) continue;
    if (source == nullptr) return absl::InternalError(owner_->DebugString(input));
    Location coming;
    coming.node = nodes_[node]->id();
    coming.prospective = true;
    if (absl::Status status = owner_->AddLocation(input, coming); !status.ok()) return status;
    fetches.push_back({input, known->size, nodes_[IndexOf(source->node)].get()});
  }
  return fetches;
}

absl::StatusOr<std::vector<ObjectRef>> Runtime::DeclareOutputs(const TaskSpec& spec) {
  std::vector<ObjectRef> outputs;
  std::vector<ObjectId> ids;
  for (size_t i = 0; i < spec.outputs; ++i) {
    freehold::DeclareOptions options;
    options.call_site = spec.name;
    options.contains = spec.outputs_contain;
    auto output = owner_->Declare(MakeObjectId(spec.output_kind, ++next_object_), options);
    if (!output.ok()) return output.status();
    ids.push_back(output->id());
    outputs.push_back(*std::move(output));
    lifetimes_->Declared(ids.back(), spec.outputs_contain);
  }
  {
    std::lock_guard<std::mutex> lock(board_->mutex);
    board_->awaited.insert(ids.begin(), ids.end());
  }
  for (const ObjectId& id : ids) {
    const auto subscribed = owner_->SubscribeLocations(
        id, [board = board_](const ObjectId& object, const LocationUpdate& update) {
          board->Updated(object, update);
        });
    if (!subscribed.ok()) return subscribed.status();
  }
  auto registered = owner_->RegisterAll(
      freehold::Moment::kOutOfScope, ids,
      [log = lifetimes_](const ObjectId& object, EndReason) { log->OutOfScope(object); });
  auto reclaims = owner_->RegisterAll(
      freehold::Moment::kReclaimed, ids,
      [log = lifetimes_](const ObjectId& object, EndReason) { log->Reclaimed(object); });
  std::move(reclaims.begin(), reclaims.end(), std::back_inserter(registered));
  for (const auto& registration : registered) {
    if (!registration.ok()) return registration.status();
  }
  return outputs;
}

absl::StatusOr<std::vector<ObjectRef>> Runtime::Submit(TaskSpec spec) {
  if (absl::Status status = options_.interrupt->Check(); !status.ok()) return status;
  RunningTask running;
  for (const ObjectRef& input : spec.inputs) running.inputs.push_back(input.id());
  running.node = spec.node.has_value() ? *spec.node : Place(running.inputs);
  auto references = owner_->SubmitTask(running.inputs);
  if (!references.ok()) return references.status();
  running.references = *std::move(references);
  Drop(std::move(spec.inputs));
  auto outputs = DeclareOutputs(spec);
  if (!outputs.ok()) return outputs.status();
  auto fetches = PlanFetches(running.node, running.inputs);
  if (!fetches.ok()) return fetches.status();

  NodeTask task;
  task.number = ++next_task_;
  task.inputs = running.inputs;
  task.fetches = *std::move(fetches);
  for (const ObjectRef& output : *outputs) task.outputs.push_back(output.id());
  task.body = std::move(spec.body);
  const size_t node = running.node;
  ++load_[node];
  running_.emplace(task.number, std::move(running));
  nodes_[node]->Enqueue(std::move(task));
  return outputs;
}

absl::Status Runtime::EndTask(uint64_t number, const absl::Status& status) {
  const auto it = running_.find(number);
  RunningTask& task = it->second;
  --load_[task.node];
  if (!status.ok()) return Annotate(status, task.node);
  for (const ObjectId& input : task.inputs) lifetimes_->Dropping(input);
  task.references.End();
  running_.erase(it);
  return absl::OkStatus();
}

absl::Status Runtime::WaitForTasks() {
  while (true) {
    std::deque<Board::Ended> ended;
    bool all_known = false;
    {
      std::unique_lock<std::mutex> lock(board_->mutex);
      const auto something = [this] {
        return board_->woken || !board_->ended.empty() ||
               (running_.empty() && board_->awaited.empty());
      };
      if (running_.empty()) {
        if (!board_->changed.wait_for(lock, kPatience, something)) {
          return absl::DeadlineExceededError(
              absl::StrCat("the owner never heard of ", board_->awaited.size(),
                           " outputs; the first is ", board_->awaited.begin()->ToHex()));
        }
      } else {
        board_->changed.wait(lock, something);
      }
      ended.swap(board_->ended);
      all_known = board_->awaited.empty();
    }
    if (absl::Status status = options_.interrupt->Check(); !status.ok()) return status;
    if (ended.empty() && running_.empty() && all_known) return absl::OkStatus();
    for (const Board::Ended& task : ended) {
      absl::Status status = EndTask(task.task, absl::Status(task.code, task.message));
      if (!status.ok()) return status;
    }
  }
}

absl::Status Runtime::WaitUntilAlive(uint64_t objects) {
  const bool reached = lifetimes_->WaitUntilAlive(objects, Lifetimes::Clock::now() + kPatience);
  if (absl::Status status = options_.interrupt->Check(); !status.ok()) return status;
  if (reached) return absl::OkStatus();
  const std::optional<ObjectId> stuck = lifetimes_->AnyAlive();
  return absl::DeadlineExceededError(
      absl::StrCat("objects were not reclaimed in time; one is ",
                   stuck.has_value() ? owner_->DebugString(*stuck) : "gone by now"));
}

void Runtime::Drop(std::vector<ObjectRef> references) {
  for (ObjectRef& reference : references) {
    lifetimes_->Dropping(reference.id());
    reference.Reset();
  }
}

absl::StatusOr<ObjectRef> Runtime::Refer(const ObjectId& object) { return owner_->GetRef(object); }

absl::Status Runtime::Read(const ObjectRef& object,
                           absl::FunctionRef<absl::Status(std::string_view)> visit) {
  const auto known = owner_->GetLocations(object.id());
  if (!known.ok()) return known.status();
  for (const Location& location : known->locations) {
    if (location.in_memory || location.spilled) {
      return nodes_[IndexOf(location.node)]->Read(object.id(), visit);
    }
  }
  return absl::InternalError(owner_->DebugString(object.id()));
}

absl::Status Runtime::Audit() const {
  for (const auto& node : nodes_) {
    if (absl::Status status = node->store().Audit(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Runtime::StopAll() {
  const freehold::ShutdownReport owner =
      owner_->Shutdown(freehold::ShutdownMode::kGraceful, kPatience);
  if (!owner.clean() || owner.callbacks_dropped != 0 || owner.objects_in_scope != 0) {
    return absl::InternalError(absl::StrCat("the owner left ", owner.undelivered.size(), " frees, ",
                                            owner.callbacks_dropped, " callbacks and ",
                                            owner.objects_in_scope, " objects behind"));
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i]->Stop();
    const freehold::NodeAgent::ShutdownReport left = nodes_[i]->agent().Shutdown(kPatience);
    if (!left.undeleted.empty()) {
      return Annotate(
          absl::InternalError(absl::StrCat(left.undeleted.size(), " copies were not deleted")), i);
    }
  }
  if (executor_->Stop(kPatience).dropped != 0) {
    return absl::InternalError("the callback thread left callbacks behind");
  }
  return absl::OkStatus();
}

absl::StatusOr<RunFigures> Runtime::Finish() {
  if (absl::Status status = WaitUntilAlive(0); !status.ok()) return status;
  RunFigures figures;
  figures.free_requests = owner_->GetStats().sessions.envelopes_sent;
  for (const auto& node : nodes_) figures.frees_received += node->agent().GetStats().frees_received;
  figures.placed_by_locality = placed_by_locality_;
  figures.tasks = next_task_;
  if (absl::Status status = StopAll(); !status.ok()) return status;
  if (absl::Status status = Audit(); !status.ok()) return status;
  for (const auto& node : nodes_) {
    const FiguresByKind here = node->store().figures();
    for (size_t kind = 0; kind < kKinds; ++kind) {
      figures.stores[kind].copies += here[kind].copies;
      figures.stores[kind].remote += here[kind].remote;
      figures.stores[kind].bytes += here[kind].bytes;
      figures.stores[kind].deleted += here[kind].deleted;
      figures.stores[kind].spill_files += here[kind].spill_files;
      figures.stores[kind].restored += here[kind].restored;
    }
    const absl::StatusOr<uint64_t> left = node->store().FilesLeft();
    if (!left.ok()) return left.status();
    figures.files_left += *left;
  }
  std::lock_guard<std::mutex> lock(board_->mutex);
  figures.location_updates = board_->location_updates;
  return figures;
}

}  // namespace pipeline
