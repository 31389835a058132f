// Ends with many idle sessions, for counting what one session costs its end.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_BENCH_MEMORY_SESSIONS_H_
#define FREEHOLD_BENCH_MEMORY_SESSIONS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/manual_clock.h"

namespace freehold::bench {

// `kind`: "process", a ReferenceCounter that talks with node agents; or "node", a NodeAgent that
// talks with owners.
class IdleSessions final : public Transport {
 public:
  explicit IdleSessions(std::string_view kind);

  // From one peer after the other a payload comes, and one goes to it; both are acknowledged.
  // Nothing is left afterwards but the sessions.
  void Talk(size_t peers);

  void Send(Envelope envelope) override;

 private:
  Address PeerAt(size_t number) const;
  void Pump();

  const bool of_process_;
  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
  std::unique_ptr<ReferenceCounter> counter_;
  std::unique_ptr<NodeAgent> agent_;
  Address self_;
  std::shared_ptr<Inbox> inbox_;
  size_t items_sent_ = 0;  // envelopes that carry items
};

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_MEMORY_SESSIONS_H_
