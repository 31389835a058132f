#include "node.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pipeline {

using freehold::CopyRole;
using freehold::ObjectId;

absl::StatusOr<char*> TaskContext::MakeOutput(size_t index, uint64_t bytes) {
  absl::StatusOr<char*> data = node_->store_->Create(outputs_[index], bytes, CopyRole::kPrimary);
  if (data.ok()) sizes_[index] = bytes;
  return data;
}

absl::Status TaskContext::WriteOutput(size_t index, std::string_view bytes) {
  const absl::StatusOr<char*> data = MakeOutput(index, bytes.size());
  if (!data.ok()) return data.status();
  std::memcpy(*data, bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Node>> Node::Start(Options options) {
  std::unique_ptr<Node> node(new Node(std::move(options)));
  const Options& kept = node->options_;
  absl::StatusOr<std::unique_ptr<NodeStore>> store =
      NodeStore::Open(kept.folder, kept.memory_bytes_max, kept.byte_log);
  if (!store.ok()) return store.status();
  node->store_ = *std::move(store);

  freehold::NodeAgentOptions agent_options;
  agent_options.node = kept.id;
  agent_options.store = node->store_.get();
  agent_options.transport = kept.transport;
  agent_options.membership = kept.membership;
  agent_options.start_pump_thread = true;
  auto agent = freehold::NodeAgent::Create(agent_options);
  if (!agent.ok()) return agent.status();
  node->agent_ = *std::move(agent);
  kept.transport->Connect(kept.id, node->agent_->inbox());

  // A copy that is being freed at this moment is unknown to the agent, or doomed: nothing to
  // report.
  freehold::NodeAgent* const speaks = node->agent_.get();
  node->store_->SetEvents(
      {[speaks](const ObjectId& object, const std::string& url, bool memory) {
         speaks->MarkSpilled(object, 0, url, memory).IgnoreError();
       },
       [speaks](const ObjectId& object) { speaks->MarkRestored(object, 0).IgnoreError(); }});
  node->worker_ = std::thread([raw = node.get()] { raw->Work(); });
  return node;
}

Node::~Node() { Stop(); }

void Node::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    arrived_.notify_all();
  }
  if (worker_.joinable()) worker_.join();
}

void Node::Enqueue(NodeTask task) {
  std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  arrived_.notify_one();
}

void Node::Work() {
  while (true) {
    NodeTask task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    options_.done(task.number, Run(&task));
  }
}

absl::Status Node::Announce(const ObjectId& object, uint64_t bytes, CopyRole role) {
  freehold::NodeCopy copy;
  copy.object = object;
  copy.owner = options_.owner;
  copy.role = role;
  copy.size = bytes;
  // Unpinned first: a free may come back at once. Nothing spills the copy before the agent knows
  // it, because only this worker makes room in this store.
  const std::string url = store_->SpilledUrl(object);
  store_->Unpin(object);
  absl::Status status = agent_->AddCopy(copy);
  // A copy that found no room in memory lies in a spill file from the start.
  if (status.ok() && !url.empty()) status = agent_->MarkSpilled(object, 0, url, false);
  return status;
}

void Node::Discard(const ObjectId& object) {
  store_->Unpin(object);
  freehold::CopyToDelete copy;
  copy.object = object;
  store_->Delete({&copy, 1});  // the task's error is the one to tell
}

absl::Status Node::FetchCopy(const Fetch& fetch) {
  if (store_->Has(fetch.object)) return absl::OkStatus();
  freehold::NodeCopy copy;
  copy.object = fetch.object;
  copy.owner = options_.owner;
  copy.size = fetch.bytes;
  absl::Status status = agent_->BeginFetch(copy);
  if (!status.ok()) return status;
  uint64_t bytes = 0;
  status = fetch.source->Read(fetch.object, [&](std::string_view data) {
    bytes = data.size();
    const absl::StatusOr<char*> here = store_->Create(fetch.object, bytes, CopyRole::kSecondary);
    if (here.ok()) std::memcpy(*here, data.data(), data.size());
    return here.status();
  });
  if (status.ok()) return Announce(fetch.object, bytes, CopyRole::kSecondary);
  agent_->AbortFetch(fetch.object).IgnoreError();  // the first error is the one to tell
  return status;
}

absl::Status Node::Read(const ObjectId& object,
                        absl::FunctionRef<absl::Status(std::string_view)> visit) {
  const absl::StatusOr<freehold::ReadLease> lease = agent_->Read(object);
  if (!lease.ok()) return lease.status();
  const absl::StatusOr<std::string_view> bytes = store_->Pin(object);
  if (!bytes.ok()) return bytes.status();
  absl::Status status = visit(*bytes);
  store_->Unpin(object);
  return status;
}

absl::Status Node::Run(NodeTask* task) {
  absl::Status status;
  for (const Fetch& fetch : task->fetches) {
    status = FetchCopy(fetch);
    if (!status.ok()) return status;
  }
  std::vector<freehold::ReadLease> leases;
  TaskContext context(this, task->outputs);
  for (const ObjectId& input : task->inputs) {
    absl::StatusOr<freehold::ReadLease> lease = agent_->Read(input);
    if (!lease.ok()) status = lease.status();
    if (!status.ok()) break;
    const absl::StatusOr<std::string_view> bytes = store_->Pin(input);
    if (!bytes.ok()) status = bytes.status();
    if (!status.ok()) break;
    leases.push_back(*std::move(lease));
    context.inputs_.push_back(*bytes);
  }
  if (status.ok()) status = task->body(context);
  for (size_t i = 0; i < context.inputs_.size(); ++i) store_->Unpin(task->inputs[i]);
  for (size_t i = 0; i < task->outputs.size(); ++i) {
    if (context.sizes_[i] == 0) {
      if (status.ok()) status = absl::InternalError(absl::StrCat("no output ", i, " was made"));
    } else if (status.ok()) {
      status = Announce(task->outputs[i], context.sizes_[i], CopyRole::kPrimary);
    } else {
      Discard(task->outputs[i]);
    }
  }
  return status;
}

}  // namespace pipeline
