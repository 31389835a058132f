// FreeOracle: what is true in a world, known from what its hosts did and from nothing that the
// library says, and whether what the library does is right.
//
// The one thing that it asks the library is which copies an owner knows when an object ends:
// "reclaimed" is promised for those.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_SIM_FREE_ORACLE_H_
#define FREEHOLD_TESTS_SIM_FREE_ORACLE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "freehold/callbacks.h"
#include "freehold/object_ref.h"
#include "tests/sim/free_world.h"
#include "tests/sim/sim_trace.h"

namespace freehold::sim {

class FreeOracle {
 public:
  // A copy that its owner knew when the object ended for the `end`-th time.
  struct Owed {
    int node;
    FakeStore::Key key;
    uint64_t instance;
    uint64_t end;
  };
  struct Object {
    ObjectId id;
    int number = 0;
    int owner = 0;
    uint64_t size = 1;
    uint32_t generation = 0;
    bool in_scope = true;
    bool freed = false;    // the present value, explicitly
    uint64_t frees = 0;    // of any value
    uint64_t ends = 0;     // frees, and the one end of scope
    uint64_t touched = 0;  // nodes that ever had to do with it, a bit each
    std::vector<Owed> owed;
    // Holders.
    std::vector<ObjectRef> handles;
    uint32_t by_id = 0;
    uint32_t tasks = 0;
    uint32_t outers = 0;
    std::vector<int> inners;
    WeakRef weak;

    bool held() const { return !handles.empty() || by_id > 0 || tasks > 0 || outers > 0; }
    bool wanted() const { return in_scope && !freed; }
  };
  struct Registration {
    enum class State : uint8_t { kWaiting, kCancelled, kRan };
    int object = 0;
    Moment moment = Moment::kOutOfScope;
    CallbackRegistration answer;
    State state = State::kWaiting;
    bool due = false;         // only known of out of scope
    bool any_reason = false;  // registered while the library was about to end the object
    EndReason reason = EndReason::kOutOfScope;
    uint64_t ends_before = 0;  // ends of which it cannot be told
    uint64_t frees_before = 0;
    int contexts_destroyed = 0;
    bool has_context = false;
  };
  struct Subscription {
    int object = 0;
    CallbackRegistration answer;
    uint64_t messages = 0;
    bool gone = false;
    bool cancelled = false;
    ObjectState state = ObjectState::kPending;
    std::map<NodeId, Location> locations;
  };
  struct OwnerFacts {
    bool crashed = false;  // or left
    bool excluded = false;
    bool knows = false;          // has heard that it is excluded
    uint64_t excluded_by = 0;    // the view
    uint64_t heard = 0;          // the latest view
    uint64_t nodes_gone = 0;     // that it has heard of
    uint64_t free_outcomes = 0;  // final ones
    bool observes_frees = false;
    uint64_t misuses = 0;
    bool alive() const { return !crashed && !excluded; }
  };
  struct NodeFacts {
    bool crashed = false;
    bool excluded = false;
    bool knows = false;
    bool store_failed = false;
    uint64_t heard = 0;  // the latest view
    uint64_t owners_gone = 0;
    uint64_t owners_past_barrier = 0;
    std::vector<FakeStore::Key> doomed_before_view;  // of owners that are gone
    bool alive() const { return !crashed && !excluded; }
  };

  FreeOracle(Trace* trace, Coverage* coverage) : trace_(*trace), coverage_(*coverage) {}
  void set_world(FreeWorld* world) { world_ = world; }

  // The first violation; empty: none.
  const std::string& violation() const { return violation_; }
  void Violate(const std::string& what);
  void Expect(bool truth, const char* what) {
    if (!truth) Violate(what);
  }

  std::deque<Object>& objects() { return objects_; }
  Object& object(int number) { return objects_[static_cast<size_t>(number)]; }
  Object* Find(const ObjectId& id);
  std::deque<Registration>& registrations() { return registrations_; }
  std::deque<Subscription>& subscriptions() { return subscriptions_; }
  OwnerFacts& owner(int number) { return owners_[static_cast<size_t>(number)]; }
  NodeFacts& node(int number) { return nodes_[static_cast<size_t>(number)]; }
  void AddOwner() { owners_.emplace_back(); }
  void AddNode();

  // Below, `number` is that of the end that does or hears something, or of the callback that runs.

  // --- What hosts did; told before the library is ------------------------------------------------

  Object& Declared(int owner, uint64_t size);
  // A holder was taken off the object.
  void Dropped(int first);
  void Freed(Object* object);
  void OwnerNotice(int number, const LateMembership::Notice& notice);
  void NodeNotice(int number, const LateMembership::Notice& notice);

  // --- What may be ------------------------------------------------------------------------------

  // Nobody may want the value of that generation any more.
  bool ValueGone(const Object& object, uint32_t generation) const {
    return !object.in_scope || generation < object.generation ||
           (generation == object.generation && object.freed);
  }
  // The node may delete its copy now.
  bool MayDelete(int number, const Object& object, uint32_t generation) const;
  bool PastBarrier(int node, int owner) const {
    return (nodes_[static_cast<size_t>(node)].owners_past_barrier >> owner & 1) != 0;
  }
  // The owner has heard that the node is excluded.
  bool NodeGone(int owner, int node) const {
    return (owners_[static_cast<size_t>(owner)].nodes_gone >> node & 1) != 0;
  }

  // --- What the library did
  // -----------------------------------------------------------------------

  void OnDelete(int number, const CopyToDelete& copy, const FakeStore::Stored* stored);
  void OnFreeSent(int number, int to, const ObjectId& id, uint32_t generation);
  void OnCallback(size_t number, const ObjectId& id, EndReason reason);
  void OnUpdate(size_t number, const ObjectId& id, const LocationUpdate& update);
  void OnCopyFreed(int number, const ObjectId& id, const NodeId& node_id, FreeOutcome outcome);
  void CompareSubscription(size_t number);

  // Faults have ended and nothing is left to happen: what is wanted is known to its owner, nothing
  // else is left.
  void CheckSettled();
  // ... and nothing was held any more.
  void CheckEmpty();

 private:
  void End(Object* object, EndReason reason);
  void CheckBarrier(uint64_t version);
  void CheckOwed(const Object& object, uint64_t end_max);
  void CheckCallbacksRan();
  void CheckOwnerEmpty(int number);
  void CheckNodeEmpty(int number);
  void CheckCopiesOf(int number);

  FreeWorld* world_ = nullptr;
  Trace& trace_;
  Coverage& coverage_;
  std::string violation_;
  std::deque<Object> objects_;
  std::deque<Registration> registrations_;
  std::deque<Subscription> subscriptions_;
  std::vector<OwnerFacts> owners_;
  std::vector<NodeFacts> nodes_;
};

}  // namespace freehold::sim

#endif  // FREEHOLD_TESTS_SIM_FREE_ORACLE_H_
