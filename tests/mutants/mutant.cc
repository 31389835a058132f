#include "src/base/mutant.h"

namespace freehold::internal {

namespace {

Mutant& Active() {
  static Mutant active = Mutant::kNone;
  return active;
}

}  // namespace

Mutant ActiveMutant() { return Active(); }
void SetActiveMutant(Mutant mutant) { Active() = mutant; }

const char* MutantName(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone:
      return "none";
    case Mutant::kNoHandoffPin:
      return "no_handoff_pin";
    case Mutant::kListAtExport:
      return "list_at_export";
    case Mutant::kReleaseDespitePins:
      return "release_despite_pins";
    case Mutant::kForgetRedeemed:
      return "forget_redeemed";
    case Mutant::kAckAtImport:
      return "ack_at_import";
    case Mutant::kReleaseNotWithdrawn:
      return "release_not_withdrawn";
    case Mutant::kReleaseBeforeAnswer:
      return "release_before_answer";
    case Mutant::kNestedWithoutHold:
      return "nested_without_hold";
    case Mutant::kAnswerWithoutListing:
      return "answer_without_listing";
    case Mutant::kAcceptAnyAnswer:
      return "accept_any_answer";
    case Mutant::kAnswerFirstDebtOnly:
      return "answer_first_debt_only";
    case Mutant::kSilentAfterGone:
      return "silent_after_gone";
    case Mutant::kGoneNotTold:
      return "gone_not_told";
    case Mutant::kReleaseNeverSent:
      return "release_never_sent";
    case Mutant::kReleaseIgnored:
      return "release_ignored";
    case Mutant::kCancelRedeemed:
      return "cancel_redeemed";
    case Mutant::kCancelNotRemembered:
      return "cancel_not_remembered";
    case Mutant::kDropDeadBorrowers:
      return "drop_dead_borrowers";
    case Mutant::kDropDeadReceiversPins:
      return "drop_dead_receivers_pins";
    case Mutant::kNoFlush:
      return "no_flush";
    case Mutant::kFlushHeldOnly:
      return "flush_held_only";
    case Mutant::kFlushedWhenSent:
      return "flushed_when_sent";
    case Mutant::kFlushWaitsForDeadOwner:
      return "flush_waits_for_dead_owner";
    case Mutant::kFenceOnce:
      return "fence_once";
    case Mutant::kNestedSenderForgotten:
      return "nested_sender_forgotten";
    case Mutant::kKeepDeadBorrowers:
      return "keep_dead_borrowers";
    case Mutant::kKeepDeadReceiversPins:
      return "keep_dead_receivers_pins";
    case Mutant::kOwnerDeathNotTold:
      return "owner_death_not_told";
    case Mutant::kDuplicateApplied:
      return "duplicate_applied";
    case Mutant::kOrderIgnored:
      return "order_ignored";
    case Mutant::kProspectiveForgotten:
      return "prospective_forgotten";
    case Mutant::kGenerationIgnored:
      return "generation_ignored";
    case Mutant::kLateReportUnanswered:
      return "late_report_unanswered";
    case Mutant::kReadersIgnored:
      return "readers_ignored";
    case Mutant::kScopeHoldForgotten:
      return "scope_hold_forgotten";
    case Mutant::kScopeNotReleased:
      return "scope_not_released";
    case Mutant::kKeptWithoutHold:
      return "kept_without_hold";
    case Mutant::kInnerScopesRun:
      return "inner_scopes_run";
    case Mutant::kScopeCopiesMiscounted:
      return "scope_copies_miscounted";
    case Mutant::kDeclarerNotListed:
      return "declarer_not_listed";
    case Mutant::kExportUndeclared:
      return "export_undeclared";
    case Mutant::kFreeDespitePins:
      return "free_despite_pins";
    case Mutant::kPinnedFreeForgotten:
      return "pinned_free_forgotten";
    case Mutant::kLineageNotReleased:
      return "lineage_not_released";
    case Mutant::kLineageRefsIgnored:
      return "lineage_refs_ignored";
    case Mutant::kRevivedAtOldGeneration:
      return "revived_at_old_generation";
    case Mutant::kUntakenKept:
      return "untaken_kept";
    case Mutant::kYieldedAfterTheEnd:
      return "yielded_after_the_end";
    case Mutant::kTakenStaysHeld:
      return "taken_stays_held";
    case Mutant::kTakenLatestFirst:
      return "taken_latest_first";
    case Mutant::kScopeDeadlineIgnored:
      return "scope_deadline_ignored";
    case Mutant::kScopeMembersNotAwaited:
      return "scope_members_not_awaited";
    case Mutant::kScopeEndNotTold:
      return "scope_end_not_told";
    case Mutant::kScopeEndedNotAnswered:
      return "scope_ended_not_answered";
    case Mutant::kLateJoinForgotten:
      return "late_join_forgotten";
    case Mutant::kDeadMemberAwaited:
      return "dead_member_awaited";
    case Mutant::kForceNotTold:
      return "force_not_told";
    case Mutant::kOrphansAtView:
      return "orphans_at_view";
    case Mutant::kLetGoUnrecorded:
      return "let_go_unrecorded";
    case Mutant::kMoveComparesNothing:
      return "move_compares_nothing";
    case Mutant::kMoveGenerationIgnored:
      return "move_generation_ignored";
    case Mutant::kMoveNotPinned:
      return "move_not_pinned";
    case Mutant::kMoveUnanswered:
      return "move_unanswered";
    case Mutant::kNobodyPromoted:
      return "nobody_promoted";
    case Mutant::kDigestForgetsFrees:
      return "digest_forgets_frees";
    case Mutant::kDigestCutIgnored:
      return "digest_cut_ignored";
    case Mutant::kDigestFreesNewest:
      return "digest_frees_newest";
    case Mutant::kWatchMomentIgnored:
      return "watch_moment_ignored";
    case Mutant::kPassedWatchUnanswered:
      return "passed_watch_unanswered";
    case Mutant::kErasedWatchForgotten:
      return "erased_watch_forgotten";
    case Mutant::kSharedFileGoesWithNode:
      return "shared_file_goes_with_node";
    case Mutant::kLetGoFileKept:
      return "let_go_file_kept";
    case Mutant::kCarrierNotReplaced:
      return "carrier_not_replaced";
    case Mutant::kCarriedFilesKept:
      return "carried_files_kept";
    case Mutant::kUseLetGoAtEnd:
      return "use_let_go_at_end";
    case Mutant::kRingKept:
      return "ring_kept";
    case Mutant::kUsesKeptForParts:
      return "uses_kept_for_parts";
    case Mutant::kMemberReleasedTwice:
      return "member_released_twice";
    case Mutant::kLimitToldEarly:
      return "limit_told_early";
    case Mutant::kLabelCopiesForgotten:
      return "label_copies_forgotten";
    case Mutant::kYieldedNoReturn:
      return "yielded_no_return";
  }
  return "?";
}

}  // namespace freehold::internal
