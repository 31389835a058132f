// FreeWorld: owners and nodes in one thread and in virtual time, with everything real but the
// bytes.
//
// Each owner is a ReferenceCounter, each node a NodeAgent with a FakeStore; between them lies a
// FaultyTransport, and a LocalMembership whose notices each end hears when the test hands them on.
// Nothing happens by itself: the test moves the clock, pumps ends, delivers and runs callbacks, one
// by one or all together by Settle. The same options and calls give the same run, byte for byte.
//
// Thread safety: one thread. Ownership: owns every end; handles that a test keeps may outlive it.

#ifndef FREEHOLD_TESTS_SIM_FREE_WORLD_H_
#define FREEHOLD_TESTS_SIM_FREE_WORLD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "freehold/callback_executor.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/object_store.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/faulty_transport.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/manual_executor.h"

namespace freehold::sim {

// The bytes of one node, or rather the memory that there are some. What the host knows; the agent
// is told of it by whoever changes it.
class FakeStore final : public ObjectStore {
 public:
  using Key = std::pair<ObjectId, uint32_t>;  // object, generation
  struct Stored {
    uint64_t instance = 0;  // differs between any two copies that were ever stored here
    bool first = false;     // of its key
    uint64_t size = 0;
    bool in_memory = true;
    std::string url;  // of the file; empty: none
    int readers = 0;
  };
  enum class Answer : uint8_t {
    kDelete,         // deletes, says so
    kFail,           // does nothing, says so
    kFailOtherwise,  // as kFail, for another reason
    kDeleteAndFail,  // deletes, and says that it failed
    kNoStatus,       // does nothing, and gives no status for this copy and all after it
    kThrow,          // throws, for the whole batch
  };

  // What becomes of each copy that is to be deleted; `stored` is null when it is not here. Default:
  // kDelete.
  std::function<Answer(const CopyToDelete& copy, const Stored* stored)> on_delete;

  // Called when the batch has been gone through, before the agent is answered. It may call the
  // agent.
  std::function<void(absl::Span<const CopyToDelete> copies)> before_answer;

  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override;

  // Puts bytes in, or brings those of a spilled copy back to memory.
  Stored& Put(const Key& key, uint64_t size);
  Stored* Find(const Key& key);
  // Null when no generation of the object is here.
  const Key* Newest(const ObjectId& object) const;
  void Remove(const Key& key) { copies_.erase(key); }
  const std::map<Key, Stored>& copies() const { return copies_; }
  // It was deleted, but the agent does not know: it was told otherwise, or will be.
  bool IsUnsure(const Key& key) const { return unsure_.count(key) > 0; }
  void MarkUnsure(const Key& key) { unsure_.insert(key); }

  uint64_t delete_calls() const { return delete_calls_; }
  uint64_t deleted() const { return deleted_; }  // copies that were here

 private:
  std::map<Key, Stored> copies_;
  std::set<Key> unsure_;
  std::set<Key> ever_;
  uint64_t instances_ = 0;
  uint64_t delete_calls_ = 0;
  uint64_t deleted_ = 0;
};

// A member's own, possibly late, view of the membership.
class LateMembership final : public Membership {
 public:
  struct Notice {
    bool is_barrier = false;
    View view;  // of a barrier only the version
  };

  explicit LateMembership(LocalMembership* inner) : inner_(inner) {}

  absl::Status Join(const Address& self, std::weak_ptr<MembershipListener> listener) override;
  void Flushed(const Address& self, uint64_t version) override { inner_->Flushed(self, version); }
  void Leave(const Address& self) override;

  // Whoever crashes does not take its leave.
  void set_silent() { silent_ = true; }
  // From now on every notice comes twice.
  void set_repeating() { repeating_ = true; }
  bool has_notice() const { return !notices_.empty(); }
  const Notice& next() const { return notices_.front(); }
  void Deliver();

 private:
  class Ear;

  LocalMembership* const inner_;
  std::shared_ptr<MembershipListener> ear_;
  std::weak_ptr<MembershipListener> listener_;
  std::deque<Notice> notices_;
  bool joined_ = false;
  bool silent_ = false;
  bool repeating_ = false;
};

// Runs a job where it is posted.
class InlineExecutor final : public CallbackExecutor {
 public:
  bool Post(CallbackJob job) override {
    (void)job.Run();
    return true;
  }
};

class QuietLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view) override { ++lines; }
  uint64_t lines = 0;
};

struct FreeWorldOptions {
  int owners = 1;
  int nodes = 1;
  uint64_t seed = 1;                       // of jitter, and of the transport if that has none
  testing::FaultyTransportOptions faults;  // its clock is the world's
  SessionOptions session;
  bool inline_callbacks = false;
  // Of each owner; process, transport, membership, executor, clock and logger are the world's.
  ReferenceCounterOptions owner;
  // Of each node; node, store, transport, membership, clock and logger are the world's.
  NodeAgentOptions node;
  // Sets what differs between ends: callbacks, for example.
  std::function<void(int number, ReferenceCounterOptions*)> for_owner;
  // Called before an end hears a notice.
  std::function<void(int owner, const LateMembership::Notice&)> on_owner_notice;
  std::function<void(int node, const LateMembership::Notice&)> on_node_notice;
};

class FreeWorld {
 public:
  struct Owner {
    ProcessId id;
    LateMembership membership;
    std::shared_ptr<CallbackExecutor> executor;
    testing::ManualExecutor* queue = nullptr;   // null: callbacks run inline
    std::unique_ptr<ReferenceCounter> counter;  // null: it has crashed
    explicit Owner(LocalMembership* inner) : membership(inner) {}
  };
  struct Node {
    NodeId id;
    LateMembership membership;
    FakeStore store;
    std::unique_ptr<NodeAgent> agent;  // null: it has crashed
    explicit Node(LocalMembership* inner) : membership(inner) {}
  };

  explicit FreeWorld(const FreeWorldOptions& options);
  ~FreeWorld();
  FreeWorld(const FreeWorld&) = delete;
  FreeWorld& operator=(const FreeWorld&) = delete;

  // One more member; answers its number.
  int AddOwner();
  int AddNode();
  Owner& owner(int number) { return *owners_[static_cast<size_t>(number)]; }
  Node& node(int number) { return *nodes_[static_cast<size_t>(number)]; }
  ReferenceCounter& counter(int number) { return *owner(number).counter; }
  NodeAgent& agent(int number) { return *node(number).agent; }
  int owners() const { return static_cast<int>(owners_.size()); }
  int nodes() const { return static_cast<int>(nodes_.size()); }
  // -1: not one of them.
  int OwnerNumber(const Address& address) const;
  int NodeNumber(const Address& address) const;

  testing::FaultyTransport& transport() { return *transport_; }
  LocalMembership& membership() { return membership_; }
  testing::ManualClock& clock() { return clock_; }
  Time Now() const { return clock_.Now(); }

  // --- What hosts do -------------------------------------------------------------------------

  // The bytes of a copy come to the store of node `number`, and its agent is told. They stay only
  // if the agent takes them or sees to their deletion (Ok, Aborted).
  absl::Status Store(int number, int owner_number, const ObjectId& object, CopyRole role,
                     uint32_t generation = 0, uint64_t size = 1);
  // An end is gone from one moment to the next. Its exclusion is for the test to announce.
  void CrashOwner(int number);
  void CrashNode(int number);

  // --- Time goes on --------------------------------------------------------------------------

  void Advance(Duration by) { clock_.Advance(by); }
  void Pump(int owner) { counter(owner).Pump(Now()); }
  void PumpNode(int node) { agent(node).Pump(Now()); }
  // The next notice, if there is one.
  void Notify(int number);
  void NotifyNode(int number);
  // Delivers what is due, hands on every notice, pumps every end that has something to do, runs
  // every callback; once.
  void Turn();
  // Turns, moving the clock to whatever is next, until nothing is left to happen or `bound` of
  // virtual time has passed. Answers whether nothing is left.
  bool Settle(Duration bound);
  // As Settle, but for `length` and whatever is left.
  void Run(Duration length);

 private:
  Time NextEvent() const;
  bool TurnUntil(Time end);

  FreeWorldOptions options_;
  testing::ManualClock clock_;
  QuietLogger logger_;
  LocalMembership membership_;
  std::unique_ptr<testing::FaultyTransport> transport_;
  std::vector<std::unique_ptr<Owner>> owners_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

// Numbers of ids made by FromNumber.
uint64_t NumberOf(std::string_view id_bytes);

}  // namespace freehold::sim

#endif  // FREEHOLD_TESTS_SIM_FREE_WORLD_H_
