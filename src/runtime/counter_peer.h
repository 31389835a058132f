// What a CounterImpl keeps for each peer beside its session.
//
// Thread safety: thread-safe.

#ifndef FREEHOLD_SRC_RUNTIME_COUNTER_PEER_H_
#define FREEHOLD_SRC_RUNTIME_COUNTER_PEER_H_

#include <atomic>
#include <cstdint>

namespace freehold::runtime {

struct CounterPeer {
  // Shards with something waiting for it, a bit each. A bit may be set in vain, never missing.
  std::atomic<uint64_t> shards_with_work{0};
  // Answers that it may have caused and not taken: when last counted, and since.
  std::atomic<uint64_t> answers{0};
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_COUNTER_PEER_H_
