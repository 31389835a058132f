// FreeSim: one run of the free path, drawn from a seed, watched by the oracle.
//
// A run has one to three owners and two to five nodes, faults at rates of its own, and a choice of
// actions of its own ("swarm testing": A. Groce et al., 2012). It acts, comes to rest in the
// middle, acts again, lets everything go and comes to rest for good.
//
// Thread safety: one thread.

#ifndef FREEHOLD_TESTS_SIM_FREE_SIM_H_
#define FREEHOLD_TESTS_SIM_FREE_SIM_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/free_oracle.h"
#include "tests/sim/free_world.h"
#include "tests/sim/sim_trace.h"

namespace freehold::sim {

class FreeSim {
 public:
  explicit FreeSim(uint64_t seed);
  ~FreeSim();
  FreeSim(const FreeSim&) = delete;
  FreeSim& operator=(const FreeSim&) = delete;

  // Empty: all went well. Otherwise what did not.
  const std::string& Run();

  const Trace& trace() const { return trace_; }
  const Coverage& coverage() const { return coverage_; }
  // Whether an id was excluded before the run let everything go.
  bool had_exclusion() const { return had_exclusion_; }

  // The run that is under way in this process, for whoever reports a crash; null: none.
  static const FreeSim* current();
  uint64_t seed() const { return seed_; }

 private:
  using Object = FreeOracle::Object;
  using Key = FakeStore::Key;
  struct Action {
    const char* name;
    int weight;
    void (FreeSim::*act)();
  };
  struct Task {
    TaskReferences references;
    std::vector<int> objects;
  };
  struct Lease {
    ReadLease lease;
    int node;
    Key key;
  };
  struct Fetch {
    int node;
    int object;
    uint32_t generation;
  };
  // How attentive an end is at present, in percent per step.
  struct Pace {
    uint64_t pumps = 60;
    uint64_t hears = 40;
  };
  class Wire;
  static const std::vector<Action>& AllActions();

  FreeWorldOptions WorldOptions();
  void ChooseActions();
  void Watch();
  void AddFacts();

  // --- The run (free_sim.cc) -------------------------------------------------------------------
  void Act(int steps);
  void LetTimePass();
  void ComeToRest();
  void LetGo();
  void OnSent(const Envelope& envelope);
  bool violated() const { return !oracle_.violation().empty(); }

  // --- Choosing (free_sim.cc) --------------------------------------------------------------------
  // Each answers null or -1 where it found none.
  Object* AnyObject();
  template <typename Predicate>
  Object* AnyObject(Predicate predicate);
  Object* AnyUsable();  // of an owner that takes calls
  int AnyOwner();       // that takes calls
  int AnyNode();        // that takes calls
  bool Usable(int owner) const;
  bool UsableNode(int node) const;
  ReferenceCounter& CounterOf(const Object& object) { return world_->counter(object.owner); }
  // The library knows as much as the oracle: no drop is deferred, no action is half done.
  bool IsExact(const Object& object);
  uint32_t AnyGeneration(const Object& object);

  // --- Owners' hosts (free_sim_owner.cc) ---------------------------------------------------------
  void Declare();
  void CopyHandle();
  void DropHandle();
  void GetRef();
  void LockWeakRef();
  void AddById();
  void RemoveById();
  void SubmitTask();
  void EndTask();
  void AddNested();
  void Free();
  void Recreate();
  void ExpectFetch();
  void TellLocation();
  void RemoveLocation();
  void Misuse();
  void Query();
  void DropOneHandle(Object* object);
  void RemoveOneById(Object* object, uint32_t count);
  void EndOneTask(size_t index);
  void CheckTold(const Object& object, int node, uint32_t generation, const absl::Status& status);

  // --- ... and what is told to them (free_sim_callbacks.cc) --------------------------------------
  void Register();
  void Cancel();
  void Subscribe();
  void CompareSubscription();
  absl::StatusOr<CallbackRegistration> RegisterOn(Object* object, size_t number);
  void RunCallback(size_t number, const ObjectId& id, EndReason reason);

  // --- Nodes' hosts (free_sim_node.cc) -----------------------------------------------------------
  void Store();
  void BeginFetch();
  void EndFetch();
  void Spill();
  void Restore();
  void Evict();
  void BeginRead();
  void EndRead();
  void ChangeStore();
  void StoreCopy(int node, Object* object, uint32_t generation, CopyRole role);
  void EndOneFetch(size_t index, bool arrives);
  void EndOneRead(size_t index);
  bool Fetching(int node, int object, uint32_t generation) const;
  const Key* AnyStored(int node);
  // Whether the answer of a node about one object was one it may give.
  void CheckNodeAnswer(const char* what, int node, const Object& object, uint32_t generation,
                       const absl::Status& status);
  FakeStore::Answer AnswerDelete(int node, const CopyToDelete& copy,
                                 const FakeStore::Stored* stored);
  void ReturnDuringDelete(int node, absl::Span<const CopyToDelete> copies);

  // --- The network and the membership (free_sim_faults.cc) ---------------------------------------
  void Partition();
  void Heal();
  void Isolate();
  void Rejoin();
  void ChangePace();
  void WaitLong();
  void ExcludeNode();
  void ExcludeOwner();
  void ExcludeBoth();
  void CrashNode();
  void CrashOwner();
  void NodeLeaves();
  void OwnerLeaves();
  void NodeJoins();
  void Exclude(const std::vector<Address>& ids);
  void ExcludeCrashed();
  void ForgetNode(int node);
  Address AnyAddress();
  int AliveOwners();
  int AliveNodes();

  const uint64_t seed_;
  Random random_;
  Trace trace_;
  Coverage coverage_;
  FreeOracle oracle_;
  std::unique_ptr<FreeWorld> world_;
  std::vector<Action> actions_;
  uint64_t weights_ = 0;
  bool excludes_ = false;
  bool had_exclusion_ = false;
  bool letting_go_ = false;
  int nested_ = 0;  // actions that callbacks of actions take
  std::vector<Pace> owner_paces_;
  std::vector<Pace> node_paces_;
  std::vector<FakeStore::Answer> store_faults_;
  std::vector<Task> tasks_;
  std::vector<Lease> leases_;
  std::vector<Fetch> fetches_;
  std::vector<int> to_recover_;
};

// Among the latest ones, so that things happen to the same object.
template <typename Predicate>
FreeSim::Object* FreeSim::AnyObject(Predicate predicate) {
  const size_t count = oracle_.objects().size();
  if (count == 0) return nullptr;
  for (int attempt = 0; attempt < 6; ++attempt) {
    const size_t back = random_.Below(std::min<size_t>(count, random_.Percent(80) ? 8 : count));
    Object& object = oracle_.object(static_cast<int>(count - 1 - back));
    if (predicate(object)) return &object;
  }
  return nullptr;
}

}  // namespace freehold::sim

#endif  // FREEHOLD_TESTS_SIM_FREE_SIM_H_
