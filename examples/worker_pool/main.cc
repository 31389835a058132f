// worker_pool: what becomes of objects when the worker process that made them ends.
//
// Workers of a pool run two tasks each; every task declares an object and returns a reference. Then
// they are idle. Ended for that alone, they take what they own along, and whoever reads it gets a
// named error. Ended by a policy that asks who owns what, and drained first, they lose nothing.
// Nor do they if they declare their objects for the pool, which outlives them: then they may exit,
// or be killed, at once; or if they give it what they own before they exit. Everything here is
// real: processes, sockets, files.
//
//   worker_pool             runs all four, prints what the reader gets; exit status 0 if it is
//   that worker_pool --worker …  is a worker (the pool starts them)

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "pool.h"
#include "worker.h"

namespace {

using freehold::ErrorReasonName;
using freehold::IdleWorkerPolicy;
using freehold::ObjectRef;
using freehold::ReasonOf;
using freehold::WorkerAction;
using freehold::WorkerDecision;
using worker_pool::Pool;

constexpr int kWorkers = 3;
constexpr int kCallsPerWorker = 2;

std::string TextOf(uint64_t worker, int call) {
  return "worker " + std::to_string(worker) + ", call " + std::to_string(call);
}

struct Result {
  ObjectRef ref;
  std::string text;
};

// The last worker started gets no task.
std::vector<Result> RunTasks(Pool* pool, std::vector<uint64_t>* workers, bool for_pool = false) {
  std::vector<Result> results;
  for (int i = 0; i < kWorkers; ++i) workers->push_back(pool->StartWorker());
  for (size_t i = 0; i + 1 < workers->size(); ++i) {
    for (int call = 1; call <= kCallsPerWorker; ++call) {
      const std::string text = TextOf((*workers)[i], call);
      auto ref = pool->RunTask((*workers)[i], text, for_pool);
      if (ref.ok()) results.push_back({*std::move(ref), text});
    }
  }
  return results;
}

// Answers how many were read; says of each what the reader got.
int ReadAll(Pool* pool, const std::vector<Result>& results) {
  int read = 0;
  for (const Result& result : results) {
    const auto bytes = pool->Read(result.ref.id());
    if (bytes.ok() && *bytes == result.text) {
      std::cout << "  reads \"" << *bytes << "\"\n";
      ++read;
    } else {
      std::cout << "  cannot read what " << result.text
                << " made: " << ErrorReasonName(ReasonOf(bytes.status())) << "\n";
    }
  }
  return read;
}

int Unsafe(const std::string& program, const std::string& folder) {
  std::cout << "Ended after two calls, whatever they own:\n";
  Pool pool(program, folder);
  std::vector<uint64_t> workers;
  const std::vector<Result> results = RunTasks(&pool, &workers);
  for (const uint64_t worker : workers) (void)pool.End(worker);
  (void)pool.WaitForBarrier();
  return ReadAll(&pool, results);
}

int Drained(const std::string& program, const std::string& folder) {
  std::cout << "Ended by the idle policy, drained first:\n";
  Pool pool(program, folder);
  std::vector<uint64_t> workers;
  std::vector<Result> results = RunTasks(&pool, &workers);

  freehold::IdleWorkerOptions options;
  options.soft_limit = 1;
  options.idle_threshold = std::chrono::milliseconds(20);
  const IdleWorkerPolicy policy =
      IdleWorkerPolicy::Create(options, std::thread::hardware_concurrency()).value();
  std::this_thread::sleep_for(2 * options.idle_threshold);
  std::vector<uint64_t> draining;
  for (const WorkerDecision& decision :
       policy.Decide(freehold::Clock::Monotonic().Now(), pool.States())) {
    const char* what = "keep";
    if (decision.action == WorkerAction::kEnd) {
      what = "end";
      (void)pool.End(decision.worker);
    } else if (decision.action == WorkerAction::kDrain) {
      what = "drain";
      draining.push_back(decision.worker);
      pool.BeginRetire(decision.worker, std::chrono::seconds(30));
    }
    std::cout << "  worker " << decision.worker << ": " << what << ", " << Explain(decision.reason)
              << "\n";
  }
  const int read = ReadAll(&pool, results);
  results.clear();  // the last references: now the workers that drain are done
  for (const uint64_t worker : draining) {
    const std::string holders = pool.FinishRetire(worker);
    std::cout << "  worker " << worker << ": " << (holders.empty() ? "drained" : holders)
              << ", exit status " << pool.End(worker) << "\n";
  }
  return read;
}

int OwnedAtCreation(const std::string& program, const std::string& folder) {
  std::cout << "Ended after two calls, what they declare is the pool's:\n";
  Pool pool(program, folder);
  std::vector<uint64_t> workers;
  const std::vector<Result> results = RunTasks(&pool, &workers, /*for_pool=*/true);
  for (const freehold::WorkerState& state : pool.States()) {
    std::cout << "  worker " << state.worker << ": owns " << state.owned_in_scope << "\n";
  }
  (void)pool.Kill(workers.front());
  for (size_t i = 1; i < workers.size(); ++i) (void)pool.End(workers[i]);
  (void)pool.WaitForBarrier();
  return ReadAll(&pool, results);
}

int Transferred(const std::string& program, const std::string& folder) {
  std::cout << "Ended after two calls, what they own is given to the pool:\n";
  Pool pool(program, folder);
  std::vector<uint64_t> workers;
  const std::vector<Result> results = RunTasks(&pool, &workers);
  for (const freehold::WorkerState& state : pool.States()) {
    std::cout << "  worker " << state.worker << ": owns " << state.owned_in_scope << "\n";
  }
  // The results are in use all the time.
  for (const uint64_t worker : workers) {
    pool.BeginRetire(worker, std::chrono::seconds(30), /*give_away=*/true);
  }
  for (const uint64_t worker : workers) {
    const std::string holders = pool.FinishRetire(worker);
    std::cout << "  worker " << worker << ": " << (holders.empty() ? "drained" : holders)
              << ", exit status " << pool.End(worker) << "\n";
  }
  (void)pool.WaitForBarrier();
  return ReadAll(&pool, results);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::string(argv[1]) == "--worker") {
    return worker_pool::RunWorker(std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10), argv[4]);
  }
  std::string folder =
      (std::filesystem::temp_directory_path() / "freehold-workers-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::cerr << "cannot make a folder in " << std::filesystem::temp_directory_path() << "\n";
    return 1;
  }
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const int unsafe = Unsafe(program, folder);
  const int drained = Drained(program, folder);
  const int owned = OwnedAtCreation(program, folder);
  const int transferred = Transferred(program, folder);
  const auto left = std::distance(std::filesystem::directory_iterator(folder), {});
  std::filesystem::remove_all(folder);
  const int objects = (kWorkers - 1) * kCallsPerWorker;
  std::cout << "objects=" << objects << " read_unsafe=" << unsafe << " read_drained=" << drained
            << " read_owned=" << owned << " read_transferred=" << transferred
            << " files_left=" << left << "\n";
  const bool all = drained == objects && owned == objects && transferred == objects;
  return unsafe == 0 && all && left == 0 ? 0 : 1;
}
