// SimWorld: processes and nodes in one thread and in virtual time, watched by an oracle that sees
// all of it. For the tests of hosts, and the library's own.
//
// Every process is a real ReferenceCounter, every node a real NodeAgent; simulated are the clock,
// the network between them, the stores' bytes, and a membership whose notices reach each end when
// the world says so. What happens is a list of actions, each a line: written by hand (a scenario),
// or drawn from a seed. An oracle knows from these actions alone who holds what, and checks the
// invariants of src/core/PROTOCOL.md: S1 to S8 at every deletion, free, callback and answer, and by
// a look at everything after each step; L1 to L6 once `finish` has ended all faults and dropped
// everything.
//
// Lines. Names are p1 (process), n1 (node), o1 (object), t1 (token), k1 (task), c1 (callback),
// f1 (subscription to locations), q1 (query of an owner elsewhere), r1 (reader), g0 (generation);
// what stands behind # is a comment.
//
//   world seed 7 processes 3 nodes 2 check 1         first lines of a scenario, if need be
//   network delay 0ms 12ms held 30ms
//   network loss 3 duplicate 2 reorder 2 garble 1    of 100 envelopes
//   hosts grace 30s token life 500ms sealed 1
//   digests every 200ms
//   lineage bytes 300
//   p1 declare o1 on n1     p1 copy o1      p1 drop o1          p1 submit k1 of o1    p1 end k1
//   p1 nest o1 in o2        p1 free o1      p1 recreate o1      p1 watch o1 out as c1
//   p1 export o1 to p2 as t1                p2 import t1        p2 read o1 out of o2
//   n2 store o1 g0          n2 read o1 as r1                    n2 close r1
//   partition p1 n2         heal            crash p1            suspect p1    restart p1 as p4
//   tick 2ms pump p1,n1 hear p1 run p1      advance 5ms         settle        finish
//   expect o1 in scope      expect o1 gone  expect n1 has o1    expect c1 ran
//
// SimGrammar() lists them all. A line about something that does not exist, or is in no state for
// it, is skipped: so a list of actions can be cut short anywhere. `settle` lets time pass until
// nothing is left to happen.
//
// Same options and actions, same trace, byte for byte, in any build on any machine.
//
// Thread safety: one thread per world; worlds share nothing.
// Ownership: a world owns its ends. What a host takes from them may outlive it harmlessly.
// Blocks: never. Errors: InvalidArgument for a line that is none.

#ifndef FREEHOLD_TESTING_SIM_WORLD_H_
#define FREEHOLD_TESTING_SIM_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"

namespace freehold::testing {

// Each envelope's fate is drawn from the seed, the pair of ends and its ordinal between them.
struct SimNetworkOptions {
  Duration delay_min{0};
  Duration delay_max = std::chrono::milliseconds(1);
  // Of 100 envelopes.
  uint32_t loss = 0;
  uint32_t duplication = 0;
  uint32_t reordering = 0;  // held back by up to `hold_back_max`, while later ones overtake
  uint32_t corruption = 0;
  Duration hold_back_max = std::chrono::milliseconds(30);
};

struct SimWorldOptions {
  // Of everything that the world itself draws, the timers and windows of its ends included.
  uint64_t seed = 1;
  int processes = 2;
  int nodes = 2;
  SimNetworkOptions network;
  // Of all ends; as in their options. A grace must be long enough for every end to deal with a view
  // within it: the oracle asks for no less than with barriers.
  Duration orphan_grace{0};
  Duration token_life{0};
  bool sealed_tokens = false;
  // The oracle looks at everything after every that many steps. 0: never.
  int check_every = 1;
  Duration digest_interval{0};  // of every node; 0: none are sent
  uint64_t lineage_bytes = 0;   // at most, at each process; 0: no limit that matters
};

// What has happened so far.
struct SimTotals {
  uint64_t steps = 0;       // actions, those that only let time pass not counted
  uint64_t skipped = 0;     // of these: made no sense
  uint64_t crashes = 0;     // ends that crashed, left or were excluded
  uint64_t drops = 0;       // envelopes lost or altered by the network
  uint64_t duplicates = 0;  // envelopes
  uint64_t partitions = 0;  // pairs or ends cut off
};

class SimWorld {
 public:
  explicit SimWorld(const SimWorldOptions& options = {});
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  // Does what the lines say, up to the first violation.
  absl::Status Run(std::string_view lines);
  // Draws `steps` actions from the seed and does them, up to the first violation.
  void RunRandom(int steps);
  // The first violation of an invariant or expectation; empty: none.
  const std::string& violation() const;

  // --- For a host's own code and checks ------------------------------------------------------

  // Number 1 is "p1". Null: it has crashed, left, or never was. An object that a host declares here
  // by itself, not by a line, is its own affair: the oracle does not know who holds it.
  ReferenceCounter* process(int number);
  NodeAgent* node(int number);
  ProcessId process_id(int number) const;
  NodeId node_id(int number) const;
  // The id of "o1" in lines.
  static ObjectId object_id(int number);
  // Bytes come to a node's store, and its agent is told.
  absl::Status Store(int node, const NodeCopy& copy);
  // The bytes are in the node's store, as far as its host knows.
  bool HasCopy(int node, const ObjectId& object) const;
  Time Now() const;
  // Everybody does what is to be done, until nothing is left or `bound` of virtual time has passed.
  // Answers whether nothing is left.
  bool Settle(Duration bound = std::chrono::seconds(120));

  // --- What happened -------------------------------------------------------------------------

  // Every action so far, those skipped left out: a scenario that does the same again.
  std::string Scenario() const;
  // The actions and what came of them, a line each: all of it, or the last `lines`.
  std::string Trace(size_t lines = SIZE_MAX) const;
  uint64_t trace_hash() const;
  SimTotals totals() const;
  // How often each thing happened: items sent, answers of each call, crashes by what they
  // interrupted.
  const std::map<std::string, uint64_t, std::less<>>& coverage() const;

 private:
  struct Rep;
  const std::unique_ptr<Rep> rep_;
};

// --- Runs from a seed ------------------------------------------------------------------------

struct SimSeedOptions {
  uint64_t seed = 1;
  // 0: drawn from the seed: 3 to 6 processes, 2 to 5 nodes, 400 to 500 steps.
  int processes = 0;
  int nodes = 0;
  int steps = 0;
};

// The world of a seed, before anything has happened in it.
SimWorldOptions SimOptionsOfSeed(const SimSeedOptions& seed);
// One whole run in it: acts, comes to rest, acts again, finishes. Answers the violation, or empty.
std::string RunSimSeed(const SimSeedOptions& seed, std::unique_ptr<SimWorld>* world);

// A world that did what the scenario in `text` says. Errors: InvalidArgument names the line.
absl::Status RunSimScenario(std::string_view text, std::unique_ptr<SimWorld>* world);

// The shortest scenario found, in at most `runs_max` runs, that ends in the same kind of violation
// as the one given does; that one itself when it ends in none.
std::string ShrinkSimScenario(std::string_view text, int runs_max = 3000);

// Every line that a scenario may have, with letters for names: "P declare O on N".
std::string SimGrammar();

}  // namespace freehold::testing

#endif  // FREEHOLD_TESTING_SIM_WORLD_H_
