// The generator: draws what happens next in a simulated world, by looking at it.
//
// Each seed has its own choice and weight of actions ("swarm testing": A. Groce et al., 2012) and
// its own attentiveness of each end. Besides single actions it draws plans: short chains of actions
// in the order that breaks a known shortcut, mixed with everything else.
//
// Thread safety: one thread. Ownership: borrows the state.

#ifndef FREEHOLD_SRC_TESTING_SIM_GENERATOR_H_
#define FREEHOLD_SRC_TESTING_SIM_GENERATOR_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "src/base/random.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

// All choices of a run come from one of these.
class Random {
 public:
  explicit Random(uint64_t seed) : numbers_(seed) {}
  uint64_t Next() { return numbers_.Next(); }
  // Evenly from [0, end). REQUIRES: end > 0.
  uint64_t Below(uint64_t end) { return Next() % end; }
  bool Percent(uint64_t chance) { return Below(100) < chance; }

 private:
  internal::SplitMix64 numbers_;
};

class Generator {
 public:
  Generator(const State* state, uint64_t seed);

  // Whether this seed has crashes.
  bool crashes() const { return crashes_; }
  // What hosts do or what befalls the world; may make no sense and be skipped.
  Action Next();
  // How time passes then.
  Action Tick();
  // A crash or an exclusion.
  Action Crash();

 private:
  // How attentive an end is at present, in percent per tick.
  struct Pace {
    uint64_t pumps = 60;
    uint64_t hears = 40;
    uint64_t runs = 40;  // callbacks
  };

  Action Draw(Verb verb);
  Action DrawProcess(Verb verb);
  Action DrawOnObject(Verb verb, const Object* object);
  Action DrawScope(Verb verb);
  Action DrawNode(Verb verb);
  Action DrawWorld(Verb verb);
  Action DrawSharing(Verb verb);
  Action DrawQuery(Verb verb);
  Action Detect();
  void Weigh(Verb verb, uint64_t weight);

  // --- Plans (sim_generator_sharing.cc) ----------------------------------------------------------
  void Plan();
  void PlanChain();
  void PlanTwoDeaths();
  void PlanReturn();
  void PlanOldTokens();
  void PlanSuspect();
  void PlanNested();
  void PlanForeignNested();
  void PlanGone();
  void PlanForgotten();
  void PlanThirdParty();
  void PlanCreation();
  // --- ... in which an object gets another owner (sim_generator_transfers.cc) --------------------
  Action DrawTransfer(const Object* object);
  Action DrawHeir(Verb verb, const Object* object);
  void ThenNameHeirs(const std::vector<int64_t>& four, int64_t object);
  void PlanHeir();
  void PlanTransfer();
  struct Home;
  Home ThenHome(int64_t declarer, int64_t owner, int percent);
  void ThenDeclareAt(int64_t declarer, int64_t object, int64_t node, const Home& home);
  void ThenEndHome(const Home& home, int percent);
  void ThenTransfer(int64_t object, int64_t from, int64_t to, const std::vector<int64_t>& others);
  void ThenInner(int64_t inner, const std::vector<int64_t>& four, int64_t node);
  void ThenPins(int64_t owner, int64_t object);
  void ThenUnpin(int64_t object, const std::vector<int64_t>& owners);
  // ... and somebody hears late whose it is
  void PlanHearsay();
  void PlanPassedOn();
  void PlanReadOut();
  void PlanLateWord();
  void PlanNextHeir();
  void ThenExclude(int64_t end);
  // ... in which a process drains before it leaves (sim_generator_drains.cc) ----------------------
  Action DrawDrain(Verb verb);
  Action DrawRetirement();
  Action LetGo();
  void PlanDrain();
  void PlanRetirement();
  void PlanYieldOnBehalf();
  void ThenDrainNode(int64_t node, int64_t owner);
  void ThenMeanwhile(const std::vector<int64_t>& four, int64_t node, int64_t object);
  std::vector<int64_t> SomeTaking(size_t count, size_t taking);
  // --- ... in which an end goes (sim_generator_ends.cc) ------------------------------------------
  void PlanEndMidway();
  void PlanEndWithDrops(int64_t process);
  void PlanEndWhileFlushing(const std::vector<int64_t>& three);
  void PlanEndWithCallbacks(int64_t process);
  void PlanEndWithAnswers(const std::vector<int64_t>& three);
  void PlanEndWithDeletions(int64_t process);
  void PlanEndWithYielded(int64_t process);
  void ThenEnd(int64_t end);

  // --- ... of scopes (sim_generator_scopes.cc) ---------------------------------------------------
  void WeighScopes();
  int64_t AnyInScope(int64_t process);
  void PlanScopes();
  void PlanUses();
  void PlanSharedUses();
  void PlanStreamInScope();
  void PlanStreamOfTask();
  std::pair<int64_t, int64_t> ThenScope(int64_t process, int64_t around);
  int64_t ThenDeclareIn(int64_t process, int64_t scope);

  // --- What plans are made of --------------------------------------------------------------------
  void PlanLineage();  // sim_generator_lineage.cc
  void PlanLineageMoves();
  void PlanStream();  // sim_generator_streams.cc
  Action DrawStream(Verb verb);
  void PlanMoves();  // sim_generator_moves.cc
  void PlanOldMoves();
  void PlanNodeDrain();
  // --- ... of stateful tasks, and of evict-first (sim_generator_stateful.cc) ---------------------
  struct StatefulPlan {
    int64_t process = 0;
    int64_t node = 0;
    int64_t stateful = 0;
    int64_t first = 0;  // object
    int64_t last = 0;
  };
  Action DrawStateful(Verb verb);
  const Object* AnyUnmade(int64_t process, int64_t after);
  void PlanStateful();
  void ThenCalls(const StatefulPlan& plan);
  void ThenReplay(const StatefulPlan& plan, int64_t node);
  void PlanEvictFirst();
  void ThenEvicts(int64_t object, const std::vector<int64_t>& nodes);
  void ThenMoves(int64_t object, const std::vector<int64_t>& nodes);
  std::vector<int64_t> SomeNodes(size_t count);
  std::vector<int64_t> Some(size_t count, int64_t first);
  void Then(Verb verb, const Numbers& numbers);
  void ThenPause();
  void ThenLull();
  int64_t ThenDeclare(int64_t owner);
  int64_t ThenPass(int64_t object, int64_t from, int64_t to);

  // --- Choosing; each answers 0 or null where it found none --------------------------------------
  int64_t AnyProcess();  // that takes calls
  int64_t AnyNode();     // that takes calls
  int64_t AnyEnd();
  const Object* AnyObject();
  // One of `process`, 0: of anyone.
  const Object* AnyObjectOf(int64_t process);
  int64_t AnyHolder(const Object& object);
  int64_t AnyGeneration(const Object& object);
  // A copy in a store: the node's number, the object's, the generation.
  Numbers AnyStored();
  Pace& PaceOf(int64_t end) { return paces_[end]; }
  template <typename Map>
  static int64_t NextNumber(const Map& map) {
    return map.empty() ? 1 : map.rbegin()->first + 1;
  }
  // Among the latest ones.
  template <typename Map>
  int64_t AnyNumber(const Map& map) {
    if (map.empty()) return 0;
    auto at = map.rbegin();
    std::advance(at, static_cast<ptrdiff_t>(random_.Below(std::min<uint64_t>(map.size(), 6))));
    return at->first;
  }

  const State& s_;
  Random random_;
  std::vector<std::pair<Verb, uint64_t>> weights_;
  uint64_t weight_sum_ = 0;
  bool crashes_ = false;
  bool transfers_ = false;  // this seed has them
  bool heirs_ = false;      // ... name heirs
  bool drains_ = false;     // ... drain processes
  bool hearsay_ = false;    // ... have plans in which somebody hears late whose it is
  std::map<int64_t, Pace> paces_;
  std::deque<Action> plan_;
  uint64_t rush_ = 0;  // of 100 steps of the plan: how many are taken at once, with no time between
  int64_t plan_object_ = 0;
  int64_t plan_token_ = 0;
  int64_t plan_scope_ = 0;
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_GENERATOR_H_
