// The inside of NodeAgent: what node_agent.cc (the host's calls, birth and end) and
// node_agent_pump.cc (what the pump role does) and the others share. Nobody else includes it.
//
// Thread safety: one lock, `mutex_`, around the CopyTable. A step is taken under it; what it asks
// for is done after it is released. Nothing external is called under it.

#ifndef FREEHOLD_SRC_RUNTIME_NODE_AGENT_IMPL_H_
#define FREEHOLD_SRC_RUNTIME_NODE_AGENT_IMPL_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "freehold/node_agent.h"
#include "src/base/mutex.h"
#include "src/base/random.h"
#include "src/core/carried_files.h"
#include "src/core/copy_table.h"
#include "src/core/digest_exchange.h"
#include "src/runtime/endpoint.h"
#include "src/runtime/location_queries.h"

namespace freehold {

// Records that one lock hold goes through at most.
inline constexpr uint32_t kRecordsPerLock = 2048;
// Answers that may wait for a peer that does not take them, before no more frees are taken from it.
inline constexpr size_t kRepliesWaitingMax = 16 * 1024;

class NodeAgent::Impl final : public runtime::Endpoint::Client,
                              public std::enable_shared_from_this<NodeAgent::Impl> {
 public:
  explicit Impl(const NodeAgentOptions& options);
  absl::Status Start();

  absl::Status AddCopy(const NodeCopy& copy);
  absl::Status BeginFetch(const NodeCopy& copy);
  absl::Status AbortFetch(const ObjectId& object, uint32_t generation);
  absl::Status MarkSpilled(const ObjectId& object, uint32_t generation, const std::string& url,
                           bool still_in_memory, FileReach reach);
  absl::Status MarkRestored(const ObjectId& object, uint32_t generation);
  absl::Status DropCopy(const ObjectId& object, uint32_t generation);
  absl::StatusOr<uint32_t> BeginRead(const ObjectId& object);
  void EndRead(const ObjectId& object, uint32_t generation);

  absl::StatusOr<uint64_t> QueryLocations(const LocationQuery& query, LocationCallback callback);
  bool CancelQuery(uint64_t number);
  absl::Status MovePrimary(const ObjectId& object, uint32_t generation, const NodeId& from,
                           MoveCallback callback);

  std::vector<NodeCopyStatus> Find(const ObjectId& object) const;
  std::vector<NodeCopyStatus> Copies() const;
  std::vector<NodeCopyStatus> CopiesOwnedBy(const ProcessId& owner) const;
  std::vector<OwnedCopies> Owners() const;
  bool excluded() const { return endpoint_->self_excluded(); }
  NodeAgentStats GetStats() const;

  const NodeId& node() const { return options_.node; }
  std::shared_ptr<Inbox> inbox() const { return endpoint_->inbox(); }
  void Pump(Time now) { endpoint_->Pump(now); }
  Time NextDeadline() const { return endpoint_->NextDeadline(); }
  ShutdownReport Shutdown(Duration timeout);

  std::array<uint64_t, core::kCopyVerdicts> CountVerdicts() const {
    internal::MutexLock lock(&mutex_);
    return verdicts_;
  }

  // Endpoint::Client.
  uint64_t OnPayload(runtime::PeerIndex from, std::string_view payload, Time now) override;
  Time Work(Time now) override;
  bool Fill(runtime::PeerIndex peer, core::PayloadWriter* writer) override;
  void OnView(uint64_t version, const std::vector<runtime::PeerIndex>& excluded) override;
  // OnView does all that a view asks of a node.
  bool IsFlushed(uint64_t /*version*/) override { return true; }
  void OnBarrier(uint64_t version) override;
  void OnSelfExcluded() override;
  bool CanTake(runtime::PeerIndex from) override;

 private:
  class PayloadTaker;

  enum class Phase : uint8_t { kRunning, kDraining, kStopped };
  // What a call of the host does, which decides how long it is taken.
  enum class Call : uint8_t {
    kBegins,  // something new: while running
    kTells,   // what has become of a copy: until stopped, since a drain may wait for it
  };

  // Wakes a Shutdown that waits. Outlives the agent in the endpoint's hook.
  struct Wakeup {
    internal::Mutex mutex;
    internal::CondVar changed;
    bool woken FREEHOLD_GUARDED_BY(mutex) = false;
    void Wake();
    // Waits at most `timeout` of real time.
    void Wait(Duration timeout);
  };

  // A move that the host is to hear the end of.
  struct AwaitedMove {
    ObjectId object;
    MoveCallback callback;
  };

  // The answer to the host. `what`: the method.
  static absl::Status ToStatus(core::CopyVerdict verdict, const char* what,
                               const std::string& name);
  static std::string NameOf(const ObjectId& object, uint32_t generation);
  absl::Status CheckOpen(Call call) const FREEHOLD_REQUIRES(mutex_);
  // Steps the table and counts how it answers.
  template <typename Event>
  core::CopyVerdict Step(const Event& event, core::CopyEffects* effects) FREEHOLD_REQUIRES(mutex_) {
    const core::CopyVerdict verdict = table_.Step(event, effects);
    if (verdict != core::CopyVerdict::kOk) ++verdicts_[static_cast<size_t>(verdict)];
    return verdict;
  }
  template <typename Event>
  absl::Status Tell(const Event& event, Call call, const char* what);
  template <typename Event>
  absl::Status Arrive(const NodeCopy& copy, const char* what);
  // Does what a step asked for. No lock held.
  void Act(const core::CopyEffects& effects);
  void TellOfMoves(const core::CopyEffects& effects) FREEHOLD_EXCLUDES(mutex_);
  void AbandonMoves() FREEHOLD_EXCLUDES(mutex_);
  NodeCopyStatus StatusOf(const core::CopyRecord& copy) const;
  std::vector<NodeCopyStatus> List(runtime::PeerIndex only) const FREEHOLD_EXCLUDES(mutex_);

  // --- Pump role ---
  void SweepOnce() FREEHOLD_EXCLUDES(mutex_);
  std::vector<CopyToDelete> TakeBatch(Time now) FREEHOLD_EXCLUDES(mutex_);
  void DeleteBatch(const std::vector<CopyToDelete>& batch, Time now) FREEHOLD_EXCLUDES(mutex_);
  std::vector<absl::Status> AskStore(const std::vector<CopyToDelete>& batch);
  void LogFailures(const std::string& first, size_t count);
  void TellStore(const std::vector<core::EvictableCopy>& copies);
  // node_agent_moves.cc. False: refused.
  bool OnMoved(runtime::PeerIndex from, runtime::PeerIndex owner, const core::MovedItem& item)
      FREEHOLD_EXCLUDES(mutex_);
  // node_agent_files.cc. False: refused.
  bool OnFile(runtime::PeerIndex from, const core::FileItem& item) FREEHOLD_EXCLUDES(mutex_);
  void DeleteFiles(Time now) FREEHOLD_EXCLUDES(mutex_);
  bool FillFiles(runtime::PeerIndex owner, core::PayloadWriter* writer) FREEHOLD_EXCLUDES(mutex_);
  void ReportFilesLeft(ShutdownReport* report) const FREEHOLD_REQUIRES(mutex_);
  // node_agent_digest.cc. Answers when the next digest is due.
  Time MarkDigestsDue(Time now) FREEHOLD_EXCLUDES(mutex_);
  void WatchOwner(runtime::PeerIndex owner, const core::DigestSum& told);
  // True, both: the writer is full.
  bool FillDigest(runtime::PeerIndex owner, core::PayloadWriter* writer) FREEHOLD_EXCLUDES(mutex_);
  core::DigestSum ToldOf(runtime::PeerIndex owner) const;
  bool AnswerDigest(runtime::PeerIndex owner, core::PayloadWriter* writer)
      FREEHOLD_EXCLUDES(mutex_);

  // --- The end ---
  using Progress = std::array<uint64_t, 8>;
  Progress GetProgress() const;
  bool Drained() const;
  void Drain(Time deadline, Duration timeout);
  ShutdownReport ReportLeftovers() const;

  // Constant after construction.
  const NodeAgentOptions options_;
  const Clock& clock_;
  Logger& logger_;
  const std::shared_ptr<Wakeup> wakeup_ = std::make_shared<Wakeup>();
  // Constant after Start().
  std::shared_ptr<runtime::Endpoint> endpoint_;
  runtime::LocationQueries queries_;

  mutable internal::Mutex mutex_;
  core::CopyTable table_ FREEHOLD_GUARDED_BY(mutex_);
  core::CarriedFiles files_ FREEHOLD_GUARDED_BY(mutex_);
  Phase phase_ FREEHOLD_GUARDED_BY(mutex_) = Phase::kRunning;
  bool shutdown_called_ FREEHOLD_GUARDED_BY(mutex_) = false;
  bool excluded_ FREEHOLD_GUARDED_BY(mutex_) = false;
  uint64_t store_calls_ FREEHOLD_GUARDED_BY(mutex_) = 0;
  std::array<uint64_t, core::kCopyVerdicts> verdicts_ FREEHOLD_GUARDED_BY(mutex_) = {};
  uint64_t last_move_ FREEHOLD_GUARDED_BY(mutex_) = 0;
  absl::btree_map<uint64_t, AwaitedMove> moves_ FREEHOLD_GUARDED_BY(mutex_);  // by number
  std::atomic<uint64_t> digests_sent_{0};

  // Pump role.
  internal::SplitMix64 random_;
  core::DigestDesk digests_;
  bool heard_first_view_ = false;
};

}  // namespace freehold

#endif  // FREEHOLD_SRC_RUNTIME_NODE_AGENT_IMPL_H_
