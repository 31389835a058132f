// What the node agent tests plug in: a store that does as it is told, and the owner's end of the
// wire, which sends frees and writes down what it hears.
//
// Thread safety: Store and Owner are thread-safe, but for their hooks and scripts, which are set
// while nothing runs.

#ifndef FREEHOLD_TESTS_RUNTIME_NODE_AGENT_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_NODE_AGENT_TESTING_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "freehold/node_agent.h"
#include "freehold/object_store.h"
#include "freehold/testing/manual_clock.h"
#include "src/base/check.h"
#include "src/base/mutex.h"
#include "src/core/codec.h"
#include "src/runtime/endpoint.h"

namespace freehold {

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

  internal::Mutex mutex_;
  std::map<runtime::PeerIndex, std::deque<Item>> queue_;
  Words heard_;
  std::shared_ptr<runtime::Endpoint> endpoint_;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_NODE_AGENT_TESTING_H_
