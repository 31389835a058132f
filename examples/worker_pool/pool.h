// The pool: starts workers, gives them tasks, passes their envelopes on, keeps the membership, and
// reads what they made.
//
// Thread safety: its public methods are called by one thread; a thread for each worker listens.

#ifndef FREEHOLD_EXAMPLES_WORKER_POOL_POOL_H_
#define FREEHOLD_EXAMPLES_WORKER_POOL_POOL_H_

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "channel.h"
#include "freehold/idle_policy.h"
#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"

namespace worker_pool {

// The node's store: a file for each object.
class FolderStore final : public freehold::ObjectStore {
 public:
  explicit FolderStore(std::string folder) : folder_(std::move(folder)) {}
  std::vector<absl::Status> Delete(absl::Span<const freehold::CopyToDelete> copies) override;

 private:
  const std::string folder_;
};

class Pool final : public freehold::Transport {
 public:
  // `program` is run again for each worker.
  Pool(std::string program, std::string folder);
  ~Pool() override;

  // Answers the worker's number, 0 when it could not be started.
  uint64_t StartWorker();
  // Runs a task on it, for objects of the worker's own or of the pool's, and takes the reference
  // that it answers.
  absl::StatusOr<freehold::ObjectRef> RunTask(uint64_t number, const std::string& text,
                                              bool for_pool);
  // What the policy is asked about.
  std::vector<freehold::WorkerState> States();
  // Has it drained; it goes on while that takes. `give_away`: what it owns is the pool's then.
  void BeginRetire(uint64_t number, std::chrono::milliseconds timeout, bool give_away = false);
  // Waits for that. Empty: nothing is left, else who holds what.
  std::string FinishRetire(uint64_t number);
  // It exits now, whatever it owns, and is excluded once it is gone. Answers its exit status.
  int End(uint64_t number);
  // The same without asking it.
  int Kill(uint64_t number);
  // Everybody has dealt with whoever was excluded.
  bool WaitForBarrier();

  // The bytes, or why not, by name.
  absl::StatusOr<std::string> Read(const freehold::ObjectId& object);

  void Send(freehold::Envelope envelope) override;

 private:
  struct Worker;
  class Forwarder;
  void Listen(Worker* worker);
  void Handle(Worker* worker, Message message);
  // Sends it and waits for the answer of that kind. False: the worker is gone.
  bool Ask(Worker* worker, const Message& question, Kind kind, Message* answer);
  bool Await(Worker* worker, Kind kind, Message* answer);
  Worker* Find(uint64_t number);
  int Reap(uint64_t number);
  std::vector<uint64_t> Running();  // whose channels are open

  const std::string program_;
  const std::string folder_;
  FolderStore store_;
  freehold::LocalMembership membership_;
  std::unique_ptr<freehold::NodeAgent> node_;
  std::unique_ptr<freehold::ReferenceCounter> counter_;

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  uint64_t next_number_ = 100;
  std::map<uint64_t, std::unique_ptr<Worker>> workers_;
};

}  // namespace worker_pool

#endif  // FREEHOLD_EXAMPLES_WORKER_POOL_POOL_H_
