#include "bench/memory_sessions.h"

#include "bench/workload.h"
#include "src/core/codec.h"

namespace freehold::bench {

IdleSessions::IdleSessions(std::string_view kind) : of_process_(kind == "process") {
  if (of_process_) {
    ReferenceCounterOptions options;
    options.process = ProcessId::FromNumber(1);
    options.transport = this;
    options.clock = &clock_;
    options.seed = 1;
    self_ = options.process;
    counter_ = *ReferenceCounter::Create(options);
    inbox_ = counter_->inbox();
  } else {
    NodeAgentOptions options;
    options.node = NodeId::FromNumber(1);
    options.transport = this;
    options.clock = &clock_;
    options.seed = 1;
    self_ = options.node;
    agent_ = *NodeAgent::Create(options);
    inbox_ = agent_->inbox();
  }
}

Address IdleSessions::PeerAt(size_t number) const {
  if (of_process_) return NodeId::FromNumber(100 + number);
  return ProcessId::FromNumber(100 + number);
}

void IdleSessions::Pump() {
  if (counter_ != nullptr) {
    counter_->Pump(clock_.Now());
  } else {
    agent_->Pump(clock_.Now());
  }
}

// Acknowledges it, and answers a free, so that nothing need be remembered of a peer.
void IdleSessions::Send(Envelope envelope) {
  if (envelope.bytes.size() <= core::kFrameBytes) return;
  ++items_sent_;
  core::Frame frame;
  frame.acknowledged = 1;
  std::string payload;
  if (of_process_) {
    frame.sequence = 2;
    core::PayloadWriter writer(1024);
    core::FreeResultItem result;
    result.object = ObjectId::FromNumber(7);
    Require(writer.Add(result), "one item fits");
    payload = writer.Take();
  }
  inbox_->Deliver(
      {envelope.to, envelope.from, core::EncodeFrame(frame, envelope.to, envelope.from, payload)});
}

// A report of a copy that nobody knows, which its owner answers with a free; or a free of one,
// which its node answers.
void IdleSessions::Talk(size_t peers) {
  const size_t before = items_sent_;
  const ObjectId object = ObjectId::FromNumber(7);
  for (size_t i = 0; i < peers; ++i) {
    core::PayloadWriter writer(1024);
    bool fits = false;
    if (of_process_) {
      core::LocationItem report;
      report.object = object;
      fits = writer.Add(report);
    } else {
      core::FreeItem free;
      free.object = object;
      fits = writer.Add(free);
    }
    Require(fits, "one item fits");
    core::Frame frame;
    frame.sequence = 1;
    const Address from = PeerAt(i);
    inbox_->Deliver({from, self_, core::EncodeFrame(frame, from, self_, writer.Take())});
    Pump();
  }
  Require(items_sent_ - before == peers, "not every peer was answered");
  const SessionStats stats =
      counter_ != nullptr ? counter_->GetStats().sessions : agent_->GetStats().sessions;
  Require(stats.sessions == peers && stats.unacked_bytes == 0, "a session is not idle");
}

}  // namespace freehold::bench
