// What can be done in a simulated world, one line each: values that are generated, kept, shrunk,
// printed and read.
//
// Thread safety: values and pure functions. Errors: ParseAction answers std::nullopt for a line
// that is none.

#ifndef FREEHOLD_SRC_TESTING_SIM_ACTION_H_
#define FREEHOLD_SRC_TESTING_SIM_ACTION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/testing/sim_text.h"

namespace freehold::testing::sim {

enum class Verb : uint8_t {
  // A process's host.
  kDeclare,
  kDeclareOn,
  kDeclareWith,
  kDeclareFor,
  kCopy,
  kDrop,
  kGet,
  kLock,
  kAdd,
  kRemove,
  kSubmit,
  kSubmitTwo,
  kEnd,
  kNest,
  kFree,
  kRecreate,
  kPin,
  kUnpin,
  kMake,
  kRemake,
  kPersist,
  kPersistFailing,
  kWatchOut,
  kWatchReclaimed,
  kWatchErased,
  kWatchFailed,
  kUnwatch,
  kFollow,
  kUnfollow,
  kAwait,
  kTold,
  kToldNot,
  kForget,
  kMisuse,
  kQuery,
  // ... in scopes.
  kScope,
  kScopeIn,
  kScopeFor,
  kDeclareIn,
  kDeclareOnIn,
  kKeep,
  kMoveTo,
  kScopeShare,
  kScopeJoin,
  kScopeEnd,
  kScopeForce,
  kScopeUse,
  kScopeCancel,
  kMemberAdd,
  kMemberRemove,
  // ... of generators.
  kStream,
  kYield,
  kYieldOn,
  kYieldDeclared,
  kTake,
  kStreamEnd,
  kStreamFail,
  // ... of stateful tasks.
  kOpenStateful,
  kOpenFragile,
  kCall,
  kCallOf,
  kCheckpoint,
  kForbid,
  kEndStateful,
  kAskReplay,
  kAskLatest,
  // ... of values that stay until their space is needed.
  kEvictFirst,
  // ... that it gives away, or has an heir for.
  kTransfer,
  kNameHeir,
  kNameTwoHeirs,
  kNameThreeHeirs,
  kDismissHeir,
  // ... and how it gets ready to leave.
  kDrain,
  kDrainTo,
  kGoOn,
  // ... and what it shares.
  kExport,
  kImport,
  kCancel,
  kReadNested,
  kMisread,
  kAsk,
  kAskFor,
  kAskAlways,
  kUnask,
  // A node's host.
  kStore,
  kStorePrimary,
  kFetch,
  kFetched,
  kAbort,
  kSpill,
  kSpillKeeping,
  kSpillShared,
  kRestore,
  kEvict,
  kRead,
  kClose,
  kMisuseCopy,
  kMove,
  kDrainNode,
  kDrainNodeWith,
  kBreak,
  kMend,
  // The network, the ends, the membership.
  kPartition,
  kHeal,
  kHealAll,
  kIsolate,
  kRejoin,
  kCrash,
  kExclude,
  kExcludeTwo,
  kSuspect,
  kLeave,
  kStart,
  kRestart,
  kRetire,
  // Time goes on.
  kTick,
  kAdvance,
  kDeliver,
  kPump,
  kHear,
  kRun,
  kSettle,
  kRest,
  kCalm,
  kFinish,
  // What must be so.
  kExpectInScope,
  kExpectGone,
  kExpectHas,
  kExpectLacks,
  kExpectDrained,
  kExpectLeft,
  kExpectStays,
  kExpectWaitsFor,
  kExpectRan,
  kExpectWaits,
  kExpectGood,
  kExpectFailed,
  kExpectAwaits,
  kExpectPrimary,
  kExpectValueLost,
  kExpectReplay,
  kExpectFile,
  kExpectNoFiles,
  kExpectPersisted,
  kExpectOwned,
  kExpectOwnsNothing,
};
inline constexpr size_t kVerbs = static_cast<size_t>(Verb::kExpectOwnsNothing) + 1;

struct Action {
  Verb verb = Verb::kSettle;
  Numbers numbers{};
};

const char* PatternOf(Verb verb);
inline std::string ActionText(const Action& action) {
  return Format(PatternOf(action.verb), action.numbers);
}
std::optional<Action> ParseAction(std::string_view line);

// Passing time is not counted as a step of a run.
inline bool IsTime(Verb verb) { return verb >= Verb::kTick && verb <= Verb::kRun; }

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_ACTION_H_
