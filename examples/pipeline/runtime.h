// The miniature runtime: nodes, the owner of all objects, and a scheduler that places tasks where
// their inputs lie.
//
// This is the part that an integrator writes. The driver submits tasks; each takes objects and
// makes objects. Submit declares the outputs at the owner (the ReferenceCounter), holds the inputs
// for the task until it has ended, plans which inputs must be fetched, and announces those nodes to
// the owner *before* they fetch, so that a free reaches copies that are still on their way. An
// output is usable when the owner has heard from the node's agent where it lies.
//
// Thread safety: for the driver's thread only. Blocks: WaitForTasks, WaitUntilAlive, Finish and the
// destructor. Ownership: owns nodes, owner, transport and executor; the rest is borrowed.
// Errors: what tasks answer, with the node's name before it; Cancelled when a signal came;
// DeadlineExceeded when what must happen did not within kPatience; Internal when the library or a
// store contradicts itself.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_RUNTIME_H_
#define FREEHOLD_EXAMPLES_PIPELINE_RUNTIME_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/callback_executor.h"
#include "freehold/membership.h"
#include "freehold/reference_counter.h"
#include "freehold/transport.h"
#include "interrupt.h"
#include "lifetimes.h"
#include "node.h"

namespace pipeline {

struct TaskSpec {
  const char* name = "";  // the call site of its outputs
  // The task takes these over: what nobody else refers to goes when the task ends.
  std::vector<freehold::ObjectRef> inputs;
  Kind output_kind = Kind::kSplit;
  size_t outputs = 1;
  std::vector<freehold::ObjectId> outputs_contain;  // see DeclareOptions::contains
  std::optional<size_t> node;                       // default: where the inputs lie
  TaskBody body;
};

// What a finished run has measured.
struct RunFigures {
  FiguresByKind stores{};         // of all nodes, from their files
  uint64_t files_left = 0;        // found in the stores' folders at the end
  uint64_t free_requests = 0;     // envelopes with frees that the owner sent
  uint64_t frees_received = 0;    // frees in them, as the nodes counted
  uint64_t location_updates = 0;  // that the scheduler was sent
  uint64_t placed_by_locality = 0;
  uint64_t tasks = 0;
};

class Runtime {
 public:
  static constexpr std::chrono::seconds kPatience{30};

  struct Options {
    size_t nodes = 4;
    uint64_t store_bytes = 0;  // memory of each node
    std::string folder;        // for the stores; exists
    ByteLog* byte_log = nullptr;
    Interrupt* interrupt = nullptr;
  };

  static absl::StatusOr<std::unique_ptr<Runtime>> Start(const Options& options);
  // Without Finish: stops at once and deletes nothing.
  ~Runtime();

  size_t nodes() const { return nodes_.size(); }
  const Lifetimes& lifetimes() const { return *lifetimes_; }

  // Answers the references to the outputs.
  absl::StatusOr<std::vector<freehold::ObjectRef>> Submit(TaskSpec spec);
  // Until every task has ended and the owner knows where each output lies; or the first error.
  absl::Status WaitForTasks();
  // Until at most `objects` have a copy left: frees keep pace with what is made.
  absl::Status WaitUntilAlive(uint64_t objects);
  void Drop(std::vector<freehold::ObjectRef> references);
  // A reference to an object of which only the id is known.
  absl::StatusOr<freehold::ObjectRef> Refer(const freehold::ObjectId& object);
  absl::Status Read(const freehold::ObjectRef& object,
                    absl::FunctionRef<absl::Status(std::string_view)> visit);
  // The stores' folders hold what the stores say.
  absl::Status Audit() const;
  // Flushes every free, ends owner and nodes, and looks at what is left. Call once.
  absl::StatusOr<RunFigures> Finish();

 private:
  struct Board;  // what other threads tell the driver
  struct RunningTask {
    size_t node = 0;
    std::vector<freehold::ObjectId> inputs;
    freehold::TaskReferences references;
  };

  explicit Runtime(const Options& options);
  absl::Status StartOwner();
  absl::Status StartNodes();
  absl::StatusOr<std::vector<freehold::ObjectRef>> DeclareOutputs(const TaskSpec& spec);
  size_t Place(const std::vector<freehold::ObjectId>& inputs);
  absl::StatusOr<std::vector<Fetch>> PlanFetches(size_t node,
                                                 const std::vector<freehold::ObjectId>& inputs);
  size_t IndexOf(const freehold::NodeId& id) const;
  absl::Status EndTask(uint64_t number, const absl::Status& status);
  absl::Status StopAll();

  const Options options_;
  freehold::LocalTransport transport_;
  freehold::LocalMembership membership_;
  const std::shared_ptr<Board> board_;
  const std::shared_ptr<Lifetimes> lifetimes_;
  std::shared_ptr<freehold::CallbackThread> executor_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<uint64_t> load_;  // tasks on each node
  std::unique_ptr<freehold::ReferenceCounter> owner_;
  std::map<uint64_t, RunningTask> running_;
  uint64_t next_object_ = 0;
  uint64_t next_task_ = 0;
  uint64_t placed_by_locality_ = 0;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_RUNTIME_H_
