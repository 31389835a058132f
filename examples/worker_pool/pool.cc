#include "pool.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <utility>

#include "worker.h"

namespace worker_pool {

using freehold::Address;
using freehold::Clock;
using freehold::NodeAgent;
using freehold::NodeAgentOptions;
using freehold::ObjectId;
using freehold::ObjectRef;
using freehold::ProcessId;
using freehold::ReferenceCounter;
using freehold::ReferenceCounterOptions;
using freehold::View;
using freehold::WorkerState;

struct Pool::Worker {
  explicit Worker(int fd) : channel(fd) {}
  Channel channel;
  pid_t pid = -1;
  std::shared_ptr<freehold::MembershipListener> forwarder;
  std::thread listener;
  // Of the pool's own thread.
  bool leaving = false;
  freehold::Time idle_since;
  // Guarded by the pool's mutex.
  std::map<Kind, Message> answers;
  bool gone = false;
};

// A worker's ear at the membership.
class Pool::Forwarder final : public freehold::MembershipListener {
 public:
  explicit Forwarder(Channel* channel) : channel_(channel) {}
  void OnView(const View& view) override {
    Message message{Kind::kView, view.version, {}, {}, {}};
    for (const Address& excluded : view.excluded) WriteAddress(excluded, &message.text);
    channel_->Send(message);
  }
  void OnBarrier(uint64_t version) override {
    channel_->Send({Kind::kBarrier, version, {}, {}, {}});
  }

 private:
  Channel* const channel_;
};

std::vector<absl::Status> FolderStore::Delete(absl::Span<const freehold::CopyToDelete> copies) {
  std::vector<absl::Status> answers;
  for (const freehold::CopyToDelete& copy : copies) {
    const std::string path = PathOf(folder_, copy.object);
    const bool gone = unlink(path.c_str()) == 0 || access(path.c_str(), F_OK) != 0;
    answers.push_back(gone ? absl::OkStatus() : absl::InternalError("cannot delete " + path));
  }
  return answers;
}

Pool::Pool(std::string program, std::string folder)
    : program_(std::move(program)), folder_(std::move(folder)), store_(folder_) {
  NodeAgentOptions node;
  node.node = TheNode();
  node.store = &store_;
  node.transport = this;
  node.membership = &membership_;
  node.start_pump_thread = true;
  node_ = NodeAgent::Create(node).value();
  ReferenceCounterOptions options;
  options.process = ThePool();
  options.transport = this;
  options.membership = &membership_;
  options.start_pump_thread = true;
  counter_ = ReferenceCounter::Create(options).value();
}

Pool::~Pool() {
  for (const uint64_t number : Running()) (void)End(number);
  (void)counter_->Shutdown(freehold::ShutdownMode::kGraceful, std::chrono::seconds(1));
  (void)node_->Shutdown(std::chrono::seconds(1));
  for (const auto& [number, worker] : workers_) worker->listener.join();
}

uint64_t Pool::StartWorker() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return 0;
  uint64_t number;
  Worker* worker;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    number = next_number_++;
    worker = workers_.emplace(number, std::make_unique<Worker>(ends[0])).first->second.get();
  }
  worker->forwarder = std::make_shared<Forwarder>(&worker->channel);
  // What the child needs is made before fork: after it, only calls that are safe there.
  const std::string fd = std::to_string(ends[1]), own_number = std::to_string(number);
  worker->pid = fork();
  if (worker->pid == 0) {
    (void)fcntl(ends[1], F_SETFD, 0);  // this one is inherited
    execl(program_.c_str(), program_.c_str(), "--worker", fd.c_str(), own_number.c_str(),
          folder_.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  worker->idle_since = Clock::Monotonic().Now();
  worker->listener = std::thread([this, worker] { Listen(worker); });
  Message joined;
  return Await(worker, Kind::kJoined, &joined) ? number : 0;
}

void Pool::Listen(Worker* worker) {
  for (Message message; worker->channel.Receive(&message);) Handle(worker, std::move(message));
  std::lock_guard<std::mutex> lock(mutex_);
  worker->gone = true;
  changed_.notify_all();
}

void Pool::Handle(Worker* worker, Message message) {
  switch (message.kind) {
    case Kind::kEnvelope:
      return Send({message.from, message.to, std::move(message.text)});
    case Kind::kJoin: {
      // Its listener hears the views so far in here, hence the worker before the answer.
      const bool joined = membership_.Join(message.from, worker->forwarder).ok();
      worker->channel.Send({Kind::kJoined, joined ? 1u : 0u, {}, {}, {}});
      message.kind = Kind::kJoined;
      break;
    }
    case Kind::kFlushed:
      return membership_.Flushed(message.from, message.number);
    case Kind::kLeave:
      return membership_.Leave(message.from);
    case Kind::kStored:
      (void)node_->AddCopy({ObjectId::FromBytes(message.text).value_or(ObjectId()), 0,
                            message.from.process(), freehold::CopyRole::kPrimary, message.number});
      return;
    default:
      break;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  const Kind kind = message.kind;
  worker->answers[kind] = std::move(message);
  changed_.notify_all();
}

void Pool::Send(freehold::Envelope envelope) {
  if (envelope.to == Address(ThePool())) return counter_->inbox()->Deliver(std::move(envelope));
  if (envelope.to == Address(TheNode())) return node_->inbox()->Deliver(std::move(envelope));
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [number, worker] : workers_) {
    if (envelope.to == Address(ProcessId::FromNumber(number)) && !worker->gone) {
      worker->channel.Post({Kind::kEnvelope, 0, envelope.from, envelope.to, envelope.bytes});
    }
  }
}

bool Pool::Ask(Worker* worker, const Message& question, Kind kind, Message* answer) {
  return worker->channel.Send(question) && Await(worker, kind, answer);
}

bool Pool::Await(Worker* worker, Kind kind, Message* answer) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return worker->gone || worker->answers.count(kind) > 0; });
  const auto found = worker->answers.find(kind);
  if (found == worker->answers.end()) return false;
  *answer = std::move(found->second);
  worker->answers.erase(found);
  return true;
}

Pool::Worker* Pool::Find(uint64_t number) {
  std::lock_guard<std::mutex> lock(mutex_);
  return workers_.at(number).get();
}

absl::StatusOr<ObjectRef> Pool::RunTask(uint64_t number, const std::string& text, bool for_pool) {
  Worker* worker = Find(number);
  Message answer;
  if (!Ask(worker, {Kind::kTask, for_pool ? 1u : 0u, {}, {}, text}, Kind::kResult, &answer)) {
    return absl::UnavailableError("the worker died");
  }
  worker->idle_since = Clock::Monotonic().Now();
  if (answer.number == 0) return absl::FailedPreconditionError("the worker takes no objects");
  return counter_->Import(answer.text);
}

std::vector<uint64_t> Pool::Running() {
  std::vector<uint64_t> running;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [number, worker] : workers_) {
    if (!worker->gone) running.push_back(number);
  }
  return running;
}

std::vector<WorkerState> Pool::States() {
  std::vector<WorkerState> states;
  for (const uint64_t number : Running()) {
    Worker* worker = Find(number);
    WorkerState state;
    state.worker = number;
    state.idle = true;  // this pool waits for each task
    state.idle_since = worker->idle_since;
    state.leaving = worker->leaving;
    state.can_drain = true;
    Message answer;
    if (!Ask(worker, {Kind::kStatus, 0, {}, {}, {}}, Kind::kStatus, &answer)) continue;
    state.owned_in_scope = answer.number;
    states.push_back(state);
  }
  return states;
}

void Pool::BeginRetire(uint64_t number, std::chrono::milliseconds timeout, bool give_away) {
  Worker* worker = Find(number);
  worker->leaving = true;
  const Address next_owner = give_away ? Address(ThePool()) : Address();
  worker->channel.Send({Kind::kRetire, static_cast<uint64_t>(timeout.count()), next_owner, {}, {}});
}

std::string Pool::FinishRetire(uint64_t number) {
  Message answer;
  if (!Await(Find(number), Kind::kRetired, &answer)) return "the worker died";
  return answer.number == 1 ? std::string() : answer.text;
}

int Pool::End(uint64_t number) {
  Find(number)->channel.Send({Kind::kEnd, 0, {}, {}, {}});
  return Reap(number);
}

int Pool::Kill(uint64_t number) {
  (void)kill(Find(number)->pid, SIGKILL);
  return Reap(number);
}

int Pool::Reap(uint64_t number) {
  const Worker* worker = Find(number);
  int status = 0;
  if (waitpid(worker->pid, &status, 0) != worker->pid) return -1;
  // Gone for certain, so that it cannot be a mistake.
  membership_.Exclude({Address(ProcessId::FromNumber(number))});
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool Pool::WaitForBarrier() {
  for (int i = 0; i < 5000; ++i) {
    const auto status = membership_.GetStatus();
    if (status.latest_barrier == status.latest_view) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

absl::StatusOr<std::string> Pool::Read(const ObjectId& object) {
  if (absl::Status status = counter_->CheckReference(object); !status.ok()) return status;
  std::ifstream file(PathOf(folder_, object), std::ios::binary);
  if (!file) return absl::NotFoundError("no file");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace worker_pool
