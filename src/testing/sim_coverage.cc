#include "src/testing/sim_coverage.h"

#include "src/core/copy_event.h"
#include "src/core/effect.h"
#include "src/runtime/inside.h"

namespace freehold::testing::sim {

namespace {

using core::CopyVerdict;
using core::Verdict;

// No world is large enough to fill a table, and calls after the end are refused before they reach
// one, like those with a scope that has ended: only threads that race bring kShutDown and
// kScopeEnded about. No host asks for what it knows its owner has not taken. kOk is not counted:
// all else is what it is.
bool CanHappen(Verdict verdict) {
  return verdict != Verdict::kOk && verdict != Verdict::kTableFull &&
         verdict != Verdict::kShutDown && verdict != Verdict::kScopeEnded &&
         verdict != Verdict::kNotDeclared;
}

// Free is refused to who lies only, and its sessions drop what the excluded send.
bool CanHappen(CopyVerdict verdict) {
  return verdict != CopyVerdict::kOk && verdict != CopyVerdict::kTooMany &&
         verdict != CopyVerdict::kMore && verdict != CopyVerdict::kRefused;
}

std::string RowOf(Verdict verdict) { return std::string("verdict ") + VerdictName(verdict); }
std::string RowOf(CopyVerdict verdict) {
  return std::string("verdict at a node ") + CopyVerdictName(verdict);
}

constexpr const char* kItems[] = {
    "item Free",
    "item FreeResult Deleted",
    "item FreeResult Unknown",
    "item FreeResult Doomed",
    "item FreeResult Failed",
    "item Location Added",
    "item Location Removed",
    "item Location Spilled",
    "item Declare",
    "item DeclareAck Ok",
    "item DeclareAck Refused",
    "item Register",
    "item RegisterAck Ok",
    "item RegisterAck Gone",
    "item Release",
    "item HandoffAck Ok",
    "item HandoffAck Gone",
    "item HandoffAck OwnerDied",
    "item HandoffAck Refused",
    "item HandoffCancel",
    "item LocationQuery",
    "item LocationQuery ended",
    "item LocationAnswer Pending",
    "item LocationAnswer Available",
    "item LocationAnswer Freed",
    "item LocationAnswer Lost",
    "item LocationAnswer Gone",
    "item ScopeJoin",
    "item ScopeEnd",
    "item ScopeEnd to who comes late",
    "item ScopeEnded",
    "item Watch",
    "item Unwatch",
    "item WatchFired OutOfScope",
    "item WatchFired Freed",
    "item WatchFired Gone",
    "item WatchFired Cancelled",
    "item Transfer",
    "item TransferAck Taken",
    "item TransferAck Refused",
    "item Moved to a process",
    "item Moved to a node",
    "item Moved to a process that asks",
    "item Moved to a node that asks",
    "item MovedAck",
    "item Settled",
    "item SettledAck",
    "item MovedEnded",
    "item Shadow",
    "item ShadowAck",
    "item ShadowEnd",
};

constexpr const char* kAtProcesses[] = {
    "step 1: pending objects",
    "step 1: declarations pending",
    "step 2: objects in scope",
    "step 2: drops deferred",
    "step 3: its token under way",
    "step 3: handoffs pending",
    "step 4: a token under way to it",
    "step 4: borrowed objects",
    "step 5: handoffs owed an answer",
    "step 5: borrowers listed",
    "step 6: answers waiting",
    "step 7: a view waits for registrations",
    "step 8: frees waiting",
    "step 8: frees in flight",
    "step 11: not everybody knows the next owner",
    "step 11: somebody is to answer",
    "step 11: objects that it has given away",
    "step 13: callbacks registered",
    "step 13: callbacks queued",
    "step 17: yielded objects",
    "sessions: bytes in its window",
    "a barrier open",
    "a notice not heard",
};

constexpr const char* kAtNodes[] = {
    "copies",
    "readers",
    "reports waiting",
    "step 8: doomed copies",
    "step 8: deletions pending",
    "step 19: files carried",
    "sessions: bytes in its window",
    "a barrier open",
    "a notice not heard",
};

constexpr const char* kOthers[] = {
    "world with orphan_grace",
    "world with sealed tokens",
    "world with token_life",
    "a grace ends",
    "token again",
    "token refused after its life",
    "pinned, and nothing else holds it",
    "a free that waited for a pin",
    "pinned: it goes to another owner",
    "pinned: its free goes along",
    "pinned: its heir owns it",
    "pinned: unheard by its heir",
    "made again",
    "not made again",
    "an argument is revived",
    "persisted",
    "persisted: the host fails",
    "persisted: ended before the answer",
    "persisted: read back for a task",
    "yielded",
    "yielded when the generator had ended",
    "yielded again by a task that failed",
    "taken",
    "taken where nothing was",
    "taken when the generator had ended",
    "a generator ends with untaken objects",
    "declaration acknowledged",
    "declaration dropped before its answer",
    "declaration answered: ok",
    "declaration answered: gone",
    "declaration answered: owner died",
    "declaration answered: excluded",
    "declaration answered: refused",
    "query answered: excluded",
    "query answered: owner died",
    "scope shared by a member",
    "a member of a scope gets another owner",
    "a part is made for an object that comes",
    "scope joined twice",
    "scope joined after its end",
    "scope not joined: excluded",
    "yielded by a task whose lineage is kept",
    "yielded in a scope",
    "yielded when the generator's scope had ended",
    "a generator is in a scope",
    "made again with what was yielded",
    "what was yielded is revived",
    "scope ended: ended",
    "scope ended: cancelled",
    "scope ended: forced",
    "scope ended twice",
    "member added",
    "member refused",
    "member removed",
    "member not removed",
    "member released: ended",
    "member released: cancelled",
    "member released: deadline",
    "member released: parent ended",
    "member released: forced",
    "member released: owner died",
    "member released: excluded",
    "too many bytes are told",
    "scope uses",
    "scope uses again",
    "scope uses after its end",
    "a scope uses its own",
    "scopes use each other's",
    "scopes use each other's across processes",
    "what a scope uses outlives its own",
    "a ring of scopes has ended",
    "a use in a larger ring is left",
    "hears view",
    "hears barrier",
    "watch from afar told: owner died",
    "watch from afar told: excluded",
    "item FileCarry",
    "item FileDelete",
    "item FileGone",
    "a file outlives its node",
    "delete a file",
    "delete a file repeated",
    "files wait for an agent",
    "a call",
    "a call with an argument",
    "a call is made again",
    "a checkpoint is made",
    "a checkpoint that nobody needs",
    "a checkpoint that is refused",
    "a stateful task ends",
    "a stateful task ends that is not restartable",
    "a stateful task is not restartable any more",
    "replay: can be made again",
    "replay: put by the user",
    "replay: no retries are left",
    "replay: its stateful task is not restartable",
    "replay: its lineage was evicted",
    "replay: of what has no state",
    "replay: nothing is to be run",
    "replay: one call",
    "replay: several calls",
    "replay: from a checkpoint",
    "replay to the latest state: it has ended",
    "replay to the latest state: not restartable",
    "world with little room for lineage",
    "item MovePrimaryAck EvictFirst",
    "evict-first: the value stays",
    "evict-first: the value goes at once",
    "evict-first: it waited for a pin",
    "evict-first: a store is told",
    "evict-first: the last copy is evicted",
    "evict-first: the last copy goes with its node",
    "evict-first: freed by hand",
    "evict-first: out of scope",
    "evict-first: a move is refused",
    "evict-first: its bytes come to another node",
    "evict-first: made again",
    "node drain ends: drained",
    "node drain ends: deadline passed",
    "node drain ends: stopped",
    "a node is drained while others die",
    "a node is drained whose values are safe elsewhere",
    "a sole copy is fetched from a node that is drained",
    "a copy takes over from a node that is drained",
    "transfer answered: OK",
    "transfer answered: refused",
    "transfer answered: not movable",
    "transfer answered: not the owner",
    "transfer answered: peer excluded",
    "transfer answered: excluded",
    "transfer taken",
    "transfer taken back",
    "transfer taken: another one",
    "transfer taken: returned",
    "freed before everybody knows its owner",
    "who owns it now has passed it on",
    "lineage goes along",
    "a record is needed by a task that went along",
    "a record has followed",
    "a record must follow the task that needs it",
    "what has followed is revived",
    "heir named: OK",
    "heir named: refused",
    "heir named: not movable",
    "heir named: ALREADY_EXISTS",
    "heir named: peer excluded",
    "heir dismissed: OK",
    "heir: the next one of the list was named",
    "heir: a list was inherited and gone on with",
    "an heir owns it",
    "an heir owns what contains others",
    "what ended unheard ends at its heir",
    "yielded: it was declared for its owner",
    "a node is drained with an owner on it",
    "process drain: it leaves",
    "process drain: it gives to another one and leaves",
    "process drain: it goes meanwhile",
    "process drain: it is excluded meanwhile",
    "process drain: called off",
    "process drain: asked for again",
    "process drain: a declaration is refused",
    "declaration answered: draining",
    "transfer answered: draining",
    "heir named: draining",
    "an idle worker is retired: it owns objects",
    "an idle worker is retired: it owns none",
    "an idle worker stays: what it owns cannot be drained",
    "an idle worker has left",
    "a former owner is asked",
    "a copy is reported to a former owner",
};

}  // namespace

std::vector<std::string> ExpectedCoverage() {
  std::vector<std::string> rows(std::begin(kItems), std::end(kItems));
  for (int i = 0; i < core::kVerdicts; ++i) {
    if (CanHappen(static_cast<Verdict>(i))) rows.push_back(RowOf(static_cast<Verdict>(i)));
  }
  for (int i = 0; i < core::kCopyVerdicts; ++i) {
    if (CanHappen(static_cast<CopyVerdict>(i))) rows.push_back(RowOf(static_cast<CopyVerdict>(i)));
  }
  for (const std::string how : {"crash", "suspect", "leave"}) {
    for (const char* what : kAtProcesses) rows.push_back(how + " process, " + what);
    for (const char* what : kAtNodes) rows.push_back(how + " node, " + what);
  }
  rows.insert(rows.end(), std::begin(kOthers), std::end(kOthers));
  return rows;
}

void CoverVerdicts(State* state, const End& end) {
  if (end.end > 0) {
    const auto counts = runtime::Inside::CountVerdicts(*state->process(end.end)->counter);
    for (int i = 0; i < core::kVerdicts; ++i) {
      if (counts[i] > 0) state->coverage.Count(RowOf(static_cast<Verdict>(i)), counts[i]);
    }
    return;
  }
  const auto counts = runtime::Inside::CountVerdicts(*state->node(-end.end)->agent);
  for (int i = 0; i < core::kCopyVerdicts; ++i) {
    if (counts[i] > 0) state->coverage.Count(RowOf(static_cast<CopyVerdict>(i)), counts[i]);
  }
}

void CoverWorld(State* state) {
  const SimWorldOptions& options = state->options;
  if (options.orphan_grace > Duration::zero()) state->coverage.Count("world with orphan_grace");
  if (options.lineage_bytes > 0) state->coverage.Count("world with little room for lineage");
  if (options.token_life > Duration::zero()) state->coverage.Count("world with token_life");
  if (options.sealed_tokens) state->coverage.Count("world with sealed tokens");
}

}  // namespace freehold::testing::sim
