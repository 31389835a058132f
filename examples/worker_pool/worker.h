// A worker: one process of the pool, which owns what its tasks declare.

#ifndef FREEHOLD_EXAMPLES_WORKER_POOL_WORKER_H_
#define FREEHOLD_EXAMPLES_WORKER_POOL_WORKER_H_

#include <cstdint>
#include <string>

#include "freehold/ids.h"

namespace worker_pool {

// The node that all processes of the pool run on, and the pool itself, which reads the results.
inline freehold::NodeId TheNode() { return freehold::NodeId::FromNumber(1); }
inline freehold::ProcessId ThePool() { return freehold::ProcessId::FromNumber(1); }

// Where the bytes of an object lie: both sides map the same files, as with shared memory.
inline std::string PathOf(const std::string& folder, const freehold::ObjectId& object) {
  return folder + "/" + object.ToHex();
}

// Runs until the pool says so or goes away. Answers the exit status.
int RunWorker(int fd, uint64_t number, const std::string& folder);

}  // namespace worker_pool

#endif  // FREEHOLD_EXAMPLES_WORKER_POOL_WORKER_H_
