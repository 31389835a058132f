// A node of the miniature runtime: a store, the NodeAgent that speaks for it, and one worker
// thread.
//
// The worker runs its tasks in order. For each it fetches the inputs that lie elsewhere, pins all
// of them (a lease of the agent keeps a free waiting, a pin of the store keeps them from being
// spilled), runs the task, and tells the agent of what it made. The agent tells the owner.
//
// Thread safety: thread-safe. Blocks: only the destructor and Stop, for the task that is running.
// Ownership: owns store, agent and worker; the transport, membership and byte log are borrowed.
// Errors: those of NodeStore and of the tasks; they reach the scheduler through `done`.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_NODE_H_
#define FREEHOLD_EXAMPLES_PIPELINE_NODE_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/transport.h"
#include "node_store.h"

namespace pipeline {

class Node;

// What a task sees while it runs.
class TaskContext {
 public:
  // The bytes of the inputs, in the order in which the task names them.
  const std::vector<std::string_view>& inputs() const { return inputs_; }
  // Makes an output's bytes, to be written at once. Each output exactly once.
  absl::StatusOr<char*> MakeOutput(size_t index, uint64_t bytes);
  absl::Status WriteOutput(size_t index, std::string_view bytes);

 private:
  friend class Node;
  TaskContext(Node* node, const std::vector<freehold::ObjectId>& outputs)
      : node_(node), outputs_(outputs), sizes_(outputs.size(), 0) {}

  Node* const node_;
  const std::vector<freehold::ObjectId>& outputs_;
  std::vector<uint64_t> sizes_;  // 0: not made yet
  std::vector<std::string_view> inputs_;
};
using TaskBody = absl::AnyInvocable<absl::Status(TaskContext&)>;

struct Fetch {
  freehold::ObjectId object;
  uint64_t bytes = 0;
  Node* source = nullptr;
};

struct NodeTask {
  uint64_t number = 0;
  std::vector<freehold::ObjectId> inputs;
  std::vector<Fetch> fetches;  // the inputs that this node has no copy of
  std::vector<freehold::ObjectId> outputs;
  TaskBody body;
};

class Node {
 public:
  struct Options {
    freehold::NodeId id;
    freehold::ProcessId owner;  // of every object
    std::string folder;
    uint64_t memory_bytes_max = 0;
    freehold::LocalTransport* transport = nullptr;
    freehold::Membership* membership = nullptr;
    ByteLog* byte_log = nullptr;
    // A task ended. Called by the worker.
    std::function<void(uint64_t number, const absl::Status& status)> done;
  };

  static absl::StatusOr<std::unique_ptr<Node>> Start(Options options);
  ~Node();

  void Enqueue(NodeTask task);
  // Ends the worker after the task that is running; tasks behind it are forgotten.
  void Stop();
  // Calls `visit` with a copy's bytes, and keeps them where they are meanwhile.
  absl::Status Read(const freehold::ObjectId& object,
                    absl::FunctionRef<absl::Status(std::string_view)> visit);

  const freehold::NodeId& id() const { return options_.id; }
  NodeStore& store() { return *store_; }
  freehold::NodeAgent& agent() { return *agent_; }

 private:
  friend class TaskContext;

  explicit Node(Options options) : options_(std::move(options)) {}
  void Work();
  absl::Status Run(NodeTask* task);
  absl::Status FetchCopy(const Fetch& fetch);
  // Unpins a copy that the store has just made, and tells the agent of it.
  absl::Status Announce(const freehold::ObjectId& object, uint64_t bytes, freehold::CopyRole role);
  // Unpins and deletes an output of a task that failed, of which the agent does not know.
  void Discard(const freehold::ObjectId& object);

  const Options options_;
  std::unique_ptr<NodeStore> store_;
  std::unique_ptr<freehold::NodeAgent> agent_;  // after the store that it deletes from
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<NodeTask> tasks_;  // guarded by mutex_
  bool stopping_ = false;       // guarded by mutex_
  std::thread worker_;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_NODE_H_
