// ObjectTable and ObjectTableModel side by side: after each step, do they say the same?
//
// Differences are failures of GoogleTest. Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_OBJECT_TABLE_COMPARISON_H_
#define FREEHOLD_TESTS_CORE_OBJECT_TABLE_COMPARISON_H_

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "tests/core/object_table_harness.h"
#include "tests/core/object_table_model.h"

namespace freehold::core {

// What a subscriber knows from its notices alone.
struct Replica {
  ObjectState state = ObjectState::kPending;
  uint32_t generation = 0;
  uint64_t size = 0;
  std::map<PeerIndex, CopyFacts> copies;
  int notices = 0;
  bool gone = false;
};

// What the runs have met, so that a generator that went blind is noticed.
struct Met {
  uint64_t verdicts[kVerdicts] = {};
  uint64_t fired = 0;
  uint64_t lost = 0;
  uint64_t inners = 0;
  uint64_t outcomes[3] = {};  // by FreeOutcome
  uint64_t ready = 0;
  uint64_t answers[kMoveAnswerMax + 1] = {};  // by MoveAnswer
  uint64_t generations_most = 0;              // of one object with copies at once
  uint64_t copies_most = 0;                   // of one value at once
  uint64_t asked_again = 0;                   // looks at a copy that is let go of and asked for
};

class ComparedTables {
 public:
  // Objects below `objects` and nodes below `nodes` are compared.
  ComparedTables(const ObjectTable::Config& table_config, uint64_t objects, PeerIndex nodes,
                 Met* met)
      : config(table_config),
        harness(config),
        model(config.settle_at_once),
        objects_(objects),
        nodes_(nodes),
        met_(met) {}

  // What the step that `harness` has just taken answered and asked for, and the whole state.
  void Compare(const Expected& expected, Verdict verdict);

  const ObjectTable::Config config;
  ObjectTableHarness harness;
  ObjectTableModel model;
  std::set<Token> tokens_over;  // fired or cancelled
  std::map<Token, Replica> replicas;

 private:
  void ApplyNotices(const std::vector<LocationNotice>& notices, const std::set<Token>& gone);
  void CompareTables();
  void CompareObject(uint64_t name, const ModelObject& wanted, const ObjectRecord& record);
  void CompareReplica(const ModelObject& wanted, Token token);

  const uint64_t objects_;
  const PeerIndex nodes_;
  Met* const met_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_OBJECT_TABLE_COMPARISON_H_
