// Named ways to break the protocol, so that a test can show that it would notice.
//
// In every build but the mutants' own, IsMutant is a constant false and its branch is gone. A build
// with FREEHOLD_MUTANTS defined has one global choice, which the tests in tests/mutants set.
//
// Thread safety: the choice is made before anything runs.

#ifndef FREEHOLD_SRC_BASE_MUTANT_H_
#define FREEHOLD_SRC_BASE_MUTANT_H_

#include <cstdint>

namespace freehold::internal {

// By the step of PROTOCOL.md that each breaks.
enum class Mutant : uint8_t {
  kNone,
  // 3, export
  kNoHandoffPin,        // a token is made, and nothing keeps its object
  kListAtExport,        // the owner lists the receiver instead of pinning
  kReleaseDespitePins,  // a borrower with handoffs that have not ended releases
  // 4, import
  kForgetRedeemed,       // a duplicate of a token counts again
  kAckAtImport,          // the handoff is acknowledged before the owner lists the receiver
  kReleaseNotWithdrawn,  // a new import does not stop a release that has not left
  kReleaseBeforeAnswer,  // a reference whose registration is under way is forgotten
  kNestedWithoutHold,    // the outer object is let go of before the inner one is registered
  // 5, registration
  kAnswerWithoutListing,  // the owner says Ok and forgets
  kAcceptAnyAnswer,       // a view registers once more, and any answer confirms
  kAnswerFirstDebtOnly,   // one handoff is acknowledged, the others never
  kSilentAfterGone,       // a handoff whose object is gone is never acknowledged
  kGoneNotTold,           // the handle does not hear that its object is gone
  // 6, release, cancellation
  kReleaseNeverSent,
  kReleaseIgnored,       // the owner goes on listing
  kCancelRedeemed,       // a cancellation is believed although the token has come
  kCancelNotRemembered,  // a cancelled token that comes yet is taken
  // 7, exclusion
  kDropDeadBorrowers,      // at the view, not at the barrier
  kDropDeadReceiversPins,  // at the view, not at the barrier
  kNoFlush,                // Flushed without registering what came from the dead
  kFlushHeldOnly,          // only of references with a count
  kFlushedWhenSent,        // before the owner has answered
  kFlushWaitsForDeadOwner,
  kFenceOnce,              // tokens of an excluded process are taken again
  kNestedSenderForgotten,  // the outer object's owner does not count as a sender
  kKeepDeadBorrowers,      // after the barrier too
  kKeepDeadReceiversPins,
  // 10, an owner's death
  kOwnerDeathNotTold,
  // Sessions
  kDuplicateApplied,  // an envelope that comes twice is applied twice
  kOrderIgnored,      // an envelope that comes early is applied at once
  // 8, locations and frees
  kProspectiveForgotten,  // a node that asks in order to fetch is not remembered
  kGenerationIgnored,     // the answer to a free of an old value settles the new one's copy
  kLateReportUnanswered,  // a report about an object that is gone is dropped
  kReadersIgnored,        // a copy is deleted under its readers
  kOrphansAtView,         // what an excluded owner had goes before the barrier
  // 9, primary moves
  kLetGoUnrecorded,        // the former primary is let go of, and nobody is recorded
  kMoveComparesNothing,    // whoever asks becomes the primary
  kMoveGenerationIgnored,  // of a copy of an older value too
  kMoveNotPinned,          // the store may drop the copy while it is moving
  kMoveUnanswered,         // who comes too late hears nothing
  kNobodyPromoted,         // the primary goes with its node, and no other takes its place
  // 16, digests
  kDigestForgetsFrees,  // what is to be freed does not count as held
  kDigestCutIgnored,    // a node counts what it has, not what it has said
  kDigestFreesNewest,   // a copy of an old value is found, and that of the new one freed
  // Scopes
  kScopeHoldForgotten,     // a scope that holds does not hold what is declared in it
  kScopeNotReleased,       // what a scope held is held after its end
  kKeptWithoutHold,        // what is kept or moved is not held any more
  kInnerScopesRun,         // they do not end with the one around them
  kScopeCopiesMiscounted,  // a copy that goes is counted on
  kScopeDeadlineIgnored,
  // 14, scopes across processes
  kScopeMembersNotAwaited,  // a scope is done before those who joined it have answered
  kScopeEndNotTold,         // to one who joined
  kScopeEndedNotAnswered,   // by one who joined, when it is done
  kLateJoinForgotten,       // who joins a scope that has ended hears nothing
  kDeadMemberAwaited,       // after its barrier too
  kForceNotTold,            // a scope that is forced ends plainly elsewhere
  // 1, owner at creation
  kDeclarerNotListed,  // the owner has the object, and nobody that holds it
  kExportUndeclared,   // a token is made before the owner has answered
  // 2, pins
  kFreeDespitePins,      // an explicit free does not wait for them
  kPinnedFreeForgotten,  // a free that waits for the last pin is never done
  // 17, lineage
  kLineageNotReleased,      // a task is kept although nobody needs what it makes
  kLineageRefsIgnored,      // a task is let go of although another one depends on it
  kRevivedAtOldGeneration,  // the value of an argument is made again under its old generation
  kUntakenKept,             // what nobody took of a generator is held after its end
  kYieldedAfterTheEnd,      // a generator that has ended takes what is yielded, and holds it
  kTakenStaysHeld,          // what was taken of a generator is held by it too
  kTakenLatestFirst,
  kPersistedKeepsLineage,  // a task is kept although what it made is persisted
  kTaskNotPassedOn,        // the next owner of an object does not hear of the task that made it
  kRecordStaysBehind,      // a record does not follow the tasks that need it
  kLentForgotten,          // a task is kept for what another owner does not need any more
  kLaterOwnerNotTold,      // owners before do not hear where what its task needs is to go
  kFailedPersistLetsGo,    // it is let go of although it could not be persisted
  kPersistedDespiteFree,   // what was persisted counts as such after its value was freed
  // 18, watches
  kWatchMomentIgnored,     // it fires at the first moment that comes
  kPassedWatchUnanswered,  // one whose moment has passed is never told
  kErasedWatchForgotten,   // one that waits for the end of the record goes with it, untold
  // 19, files that no node is needed for
  kSharedFileGoesWithNode,  // a node's death takes it out of the table
  kLetGoFileKept,           // one whose deletion was asked for is taken for readable
  kCarrierNotReplaced,      // the death of who looks after one leaves it to nobody
  kCarriedFilesKept,        // those of a dead owner are kept
  // Scopes: uses, members, limits, labels; what generators in them yield
  kUseLetGoAtEnd,         // of the user, although it is not done
  kRingKept,              // scopes that use each other's objects wait for each other for ever
  kUsesKeptForParts,      // a scope keeps what it uses although it waits for other processes alone
  kMemberReleasedTwice,   // its hook runs twice
  kLimitToldEarly,        // a limit is told at half of it
  kLabelCopiesForgotten,  // a copy that goes is counted on under its label
  kYieldedNoReturn,       // what is yielded is no return of its task
  // 17, stateful tasks
  kCheckpointIgnored,  // it is answered, and nothing comes of it
  kReplayTooLate,      // the first call of its task is not run again
  kStateNotNeeded,     // a call is let go of although a later state can only be had by it
  // 8, evict-first
  kEvictFirstAtOnce,        // the value goes, and does not wait for its stores
  kEvictFirstKeepsPrimary,  // one of its copies is the primary still
  kEvictFirstNotTold,       // its nodes hear nothing
  kEvictFirstLost,          // its last copy goes, and it is lost
  kPinnedFreeNow,           // a free that waits for the last pin forgets that it is evict-first
  // 11, transfer
  kMovesOnUnsettled,      // an object moves on although its former owner may take it back
  kTakenBackNotHeld,      // what is taken back goes although others may hold it until the barrier
  kNotTakenBack,          // the next owner dies, and nobody owns the object
  kClosedBorrowerListed,  // a borrower whose barrier has come is listed for ever
  kFormerNotListed,       // who gives an object away is not listed as its borrower
  kMovedAckIgnored,       // who holds nothing any more stays listed
  kMoveNotPassedOn,       // who got the reference from a borrower does not hear of the move
  kRedirectedTooEarly,    // who asks is sent to an owner that has not taken the object
  kFlushedWhenTold,       // Flushed before those who are told of a move have answered
  kReleaseForwarded,      // the former owner takes a release for the next one
  kFormerForgotten,       // the former owner answers Gone once it holds nothing itself
  kLateReportFreed,       // ... or a late report with a free
  kContainedLost,         // the next owner holds nothing of what the object contains
  kContainedLetGoEarly,   // the former owner lets go of it while it may take the object back
  kContainedKept,         // ... or never
  kOuterMovedUnnoticed,   // what was read out of the object counts on its former owner
  kEarlierReportCounts,   // a digest counts, or takes out, what its node is to report again
  kPinsNotPassedOn,       // they end when the object gets another owner
  kScopeLetGoEarly,       // the former owner's scope waits for it no more although it may come back
  kScopeHoldNotPassedOn,  // a scope that holds an object does not hold it at its next owner
  kFormersFileFreed,      // a file is deleted that the former owner may take back
  kExitDespiteTransfers,  // a process may leave before everybody knows the next owner
  kExitDespiteFrees,      // ... before the nodes have answered its frees
  kDrainTakesNew,         // who drains goes on taking objects
  // 15, heirs
  kNothingInherited,       // the owner dies, and its heir does nothing
  kGivenAwayWithHeir,      // the next owner and the heir may own it in the same term
  kHeirEndedTooEarly,      // ... as when the heir has not answered its dismissal
  kContainedNotInherited,  // the heir lets go of what the object contains
  kNextHeirsNotPassedOn,   // the heir does not hear who comes after it
  kHeirsFileFreed,         // a file is deleted that the heir knows of
};
// kNone included, up to the last one.
inline constexpr int kMutants = static_cast<int>(Mutant::kHeirsFileFreed) + 1;
inline constexpr int kSharingMutants = 29;  // the first ones, which need no nodes and no sessions
const char* MutantName(Mutant mutant);

#if defined(FREEHOLD_MUTANTS)
Mutant ActiveMutant();
void SetActiveMutant(Mutant mutant);
inline bool IsMutant(Mutant mutant) { return ActiveMutant() == mutant; }
#else
constexpr bool IsMutant(Mutant) { return false; }
#endif

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_MUTANT_H_
