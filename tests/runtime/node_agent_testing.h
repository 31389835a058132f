// The fixture of the NodeAgent tests, and what they plug in: a store that does as it is told, and
// the owner's end of the wire, which sends frees and writes down what it hears.
//
// Thread safety: Store and Owner are thread-safe, but for their hooks and scripts, which are set
// while nothing runs.

#ifndef FREEHOLD_TESTS_RUNTIME_NODE_AGENT_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_NODE_AGENT_TESTING_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/object_store.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/transport.h"
#include "src/base/check.h"
#include "src/base/mutex.h"
#include "src/core/codec.h"
#include "src/runtime/endpoint.h"

namespace freehold::node_agent_testing {

using Words = std::vector<std::string>;

inline ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }
inline std::string NameOf(const ObjectId& id, uint32_t generation = 0) {
  const uint64_t number = id.data()[20] + 256u * id.data()[21] + 65536u * id.data()[22];
  return std::to_string(number) + (generation == 0 ? "" : "/" + std::to_string(generation));
}

class Lines final : public Logger {
 public:
  void Log(LogLevel, std::string_view message) override {
    internal::MutexLock lock(&mutex_);
    lines_.emplace_back(message);
  }
  Words Take() {
    internal::MutexLock lock(&mutex_);
    return std::exchange(lines_, {});
  }

 private:
  internal::Mutex mutex_;
  Words lines_;
};

class Store final : public ObjectStore {
 public:
  std::function<void()> on_delete;           // called first, with no lock held
  std::map<ObjectId, absl::Status> failing;  // what these answer
  size_t statuses_missing = 0;               // at the end of each answer

  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override {
    if (const std::function<void()> hook = on_delete) hook();  // it may replace itself
    internal::MutexLock lock(&mutex_);
    batches_.push_back(copies.size());
    std::vector<absl::Status> statuses;
    for (const CopyToDelete& copy : copies) {
      const auto it = failing.find(copy.object);
      statuses.push_back(it == failing.end() ? absl::OkStatus() : it->second);
      if (!statuses.back().ok()) continue;
      std::string word = NameOf(copy.object, copy.generation);
      if (!copy.spilled_url.empty()) {
        word += (copy.in_memory ? " memory " : " ") + copy.spilled_url;
      }
      deleted_.push_back(word);
    }
    statuses.resize(statuses.size() - std::min(statuses_missing, statuses.size()));
    changed_.NotifyAll();
    return statuses;
  }
  Words TakeDeleted() {
    internal::MutexLock lock(&mutex_);
    return std::exchange(deleted_, {});
  }
  std::vector<size_t> TakeBatches() {
    internal::MutexLock lock(&mutex_);
    return std::exchange(batches_, {});
  }
  void WaitForDeleted(size_t count) {
    internal::MutexLock lock(&mutex_);
    while (deleted_.size() < count) changed_.Wait(&mutex_);
  }

 private:
  internal::Mutex mutex_;
  internal::CondVar changed_;
  Words deleted_;
  std::vector<size_t> batches_;
};

// An end (process or node) that sends what it is told and writes down what it hears.
class Peer final : public runtime::Endpoint::Client, private core::PayloadSink {
 public:
  Peer(const Address& self, Transport* transport, Membership* membership, const Clock* clock,
       Logger* logger, const SessionOptions& session = {}) {
    runtime::Endpoint::Config config;
    config.self = self;
    config.transport = transport;
    config.membership = membership;
    config.clock = clock;
    config.logger = logger;
    config.session = session;
    config.seed = 1;
    const absl::Status status = runtime::Endpoint::Create(config, this, &endpoint_);
    FREEHOLD_CHECK(status.ok());
  }
  ~Peer() override { endpoint_->Stop(false); }

  void Free(const Address& to, uint64_t object, uint32_t generation = 0,
            uint32_t term = core::kFirstTerm) {
    const core::FreeItem item{Object(object), generation, term};
    Queue(to, [item](core::PayloadWriter* writer) { return writer->Add(item); });
  }
  void SendResult(const Address& to, uint64_t object, core::FreeResult result) {
    core::FreeResultItem item;
    item.object = Object(object);
    item.result = result;
    if (result == core::FreeResult::kFailed) item.why = "why";
    Queue(to, [item](core::PayloadWriter* writer) { return writer->Add(item); });
  }
  void SendLocation(const Address& to, uint64_t object) {
    core::LocationItem item;
    item.object = Object(object);
    Queue(to, [item](core::PayloadWriter* writer) { return writer->Add(item); });
  }
  Words TakeHeard() {
    internal::MutexLock lock(&mutex_);
    return std::exchange(heard_, {});
  }
  runtime::Endpoint& endpoint() { return *endpoint_; }

 private:
  using Item = std::function<bool(core::PayloadWriter*)>;

  void Queue(const Address& to, Item item) {
    const runtime::PeerIndex peer = endpoint_->Intern(to);
    {
      internal::MutexLock lock(&mutex_);
      queue_[peer].push_back(std::move(item));
    }
    endpoint_->MarkReady(peer);
  }

  uint64_t OnPayload(runtime::PeerIndex, std::string_view payload, Time) override {
    FREEHOLD_CHECK(core::ReadPayload(payload, this) == core::CodecError::kOk);
    return 0;
  }
  Time Work(Time) override { return kInfiniteFuture; }
  bool Fill(runtime::PeerIndex peer, core::PayloadWriter* writer) override {
    internal::MutexLock lock(&mutex_);
    std::deque<Item>& queue = queue_[peer];
    for (; !queue.empty(); queue.pop_front()) {
      if (!queue.front()(writer)) return true;
    }
    return false;
  }
  void OnView(uint64_t, const std::vector<runtime::PeerIndex>&) override {}
  bool IsFlushed(uint64_t) override { return true; }
  void OnBarrier(uint64_t) override {}
  void OnSelfExcluded() override {}
  bool CanTake(runtime::PeerIndex) override { return true; }

  void Hear(std::string word) {
    internal::MutexLock lock(&mutex_);
    heard_.push_back(std::move(word));
  }
  void OnFrees(uint32_t, uint32_t, std::string_view) override { Hear("free"); }
  void OnFreeResults(uint32_t generation, uint32_t, core::FreeResult result,
                     std::string_view ids) override {
    static const char* const kNames[] = {"deleted ", "unknown ", "doomed "};
    for (size_t i = 0; i < core::IdCount(ids); ++i) {
      Hear(kNames[static_cast<int>(result)] + NameOf(core::IdAt(ids, i), generation));
    }
  }
  void OnFreeFailed(const core::FreeResultItem& item) override {
    Hear("failed " + NameOf(item.object, item.generation) + ": " + item.why);
  }
  void OnLocation(const core::LocationItem& item) override {
    static const char* const kNames[] = {"added ", "removed ", "spilled "};
    Hear(kNames[static_cast<int>(item.change)] + NameOf(item.object, item.generation) +
         (item.url.empty() ? "" : " " + item.url));
  }
  void OnSharing(const core::SharingItem&) override { Hear("sharing"); }
  void OnLocationQuery(const core::LocationQueryItem&) override { Hear("query"); }
  void OnLocationAnswer(const core::LocationAnswerItem&) override { Hear("answer"); }

  internal::Mutex mutex_;
  std::map<runtime::PeerIndex, std::deque<Item>> queue_;
  Words heard_;
  std::shared_ptr<runtime::Endpoint> endpoint_;
};

inline constexpr Duration kMs = std::chrono::milliseconds(1);

class NodeAgentTest : public ::testing::Test {
 protected:
  NodeAgentTest() {
    options_.node = node_;
    options_.store = &store_;
    options_.transport = &transport_;
    options_.membership = &membership_;
    options_.clock = &clock_;
    options_.logger = &log_;
    options_.seed = 1;
  }
  // REQUIRES: called once, after options_ is set.
  void Start() {
    auto agent = NodeAgent::Create(options_);
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    transport_.Connect(node_, agent_->inbox());
    StartOwner();
  }
  void StartOwner(const SessionOptions& session = {}) {
    owner_ = std::make_unique<Peer>(owner_id_, &transport_, &membership_, &clock_, &log_, session);
    transport_.Connect(owner_id_, owner_->endpoint().inbox());
  }
  // Lets both ends do what is due now.
  void Settle() {
    for (int i = 0; i < 200; ++i) {
      if (agent_ != nullptr) agent_->Pump(clock_.Now());
      if (owner_ != nullptr) owner_->endpoint().Pump(clock_.Now());
      const bool owner_rests =
          owner_ == nullptr || owner_->endpoint().NextDeadline() > clock_.Now();
      if (owner_rests && (agent_ == nullptr || agent_->NextDeadline() > clock_.Now())) return;
    }
    FAIL() << "it does not come to rest";
  }
  void Advance(Duration duration) {
    clock_.Advance(duration);
    Settle();
  }
  NodeCopy Copy(uint64_t object, uint32_t generation = 0) {
    NodeCopy copy;
    copy.object = Object(object);
    copy.generation = generation;
    copy.owner = owner_id_;
    copy.size = 10;
    return copy;
  }
  void Add(uint64_t object, uint32_t generation = 0) {
    const absl::Status status = agent_->AddCopy(Copy(object, generation));
    ASSERT_TRUE(status.ok()) << status;
  }
  Words Heard() {
    Settle();
    return owner_->TakeHeard();
  }
  Words Deleted() {
    Settle();
    return store_.TakeDeleted();
  }
  void ExpectShut(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_NE(status.message().find(Object(1).ToHex()), absl::string_view::npos) << status;
  }
  // Every method refuses, in a sentence.
  void ExpectAllShut() {
    ExpectShut(agent_->AddCopy(Copy(1)));
    ExpectShut(agent_->BeginFetch(Copy(1)));
    ExpectShut(agent_->AbortFetch(Object(1)));
    ExpectShut(agent_->MarkSpilled(Object(1), 0, "f", true));
    ExpectShut(agent_->MarkRestored(Object(1), 0));
    ExpectShut(agent_->DropCopy(Object(1)));
    ExpectShut(agent_->Read(Object(1)).status());
    // Of a running agent this would be InvalidArgument: it names no owner.
    EXPECT_EQ(agent_->QueryLocations(LocationQuery(), nullptr).status().code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_FALSE(agent_->CancelQuery(1));
  }

  const NodeId node_ = NodeId::FromNumber(1);
  const ProcessId owner_id_ = ProcessId::FromNumber(2);
  const ProcessId slow_id_ = ProcessId::FromNumber(3);
  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
  Lines log_;
  LocalTransport transport_;
  LocalMembership membership_;
  Store store_;
  NodeAgentOptions options_;
  std::unique_ptr<NodeAgent> agent_;
  std::unique_ptr<Peer> owner_;
};

}  // namespace freehold::node_agent_testing

#endif  // FREEHOLD_TESTS_RUNTIME_NODE_AGENT_TESTING_H_
