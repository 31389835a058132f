// Names of the public enums, for logs and debug strings.

#include "freehold/callbacks.h"
#include "freehold/location.h"
#include "freehold/scope_options.h"

namespace freehold {

const char* ObjectStateName(ObjectState state) {
  switch (state) {
    case ObjectState::kPending:
      return "pending";
    case ObjectState::kAvailable:
      return "available";
    case ObjectState::kFreed:
      return "freed";
    case ObjectState::kLost:
      return "lost";
    case ObjectState::kOutOfScope:
      return "out of scope";
    case ObjectState::kBorrowed:
      return "borrowed";
    case ObjectState::kFailed:
      return "failed";
  }
  return "unknown";
}

const char* FreeOutcomeName(FreeOutcome outcome) {
  switch (outcome) {
    case FreeOutcome::kSettled:
      return "settled";
    case FreeOutcome::kNodeExcluded:
      return "node excluded";
    case FreeOutcome::kStoreFailed:
      return "store failed";
    case FreeOutcome::kShutDown:
      return "shut down";
  }
  return "unknown";
}

const char* MomentName(Moment moment) {
  switch (moment) {
    case Moment::kOutOfScope:
      return "out of scope";
    case Moment::kReclaimed:
      return "reclaimed";
    case Moment::kErased:
      return "erased";
    case Moment::kFailed:
      return "failed";
  }
  return "unknown";
}

const char* EndReasonName(EndReason reason) {
  switch (reason) {
    case EndReason::kOutOfScope:
      return "out of scope";
    case EndReason::kFreed:
      return "freed";
    case EndReason::kGone:
      return "gone";
    case EndReason::kOwnerDied:
      return "owner died";
    case EndReason::kExcluded:
      return "excluded";
    case EndReason::kRefused:
      return "refused";
    case EndReason::kNotDeclared:
      return "not declared";
  }
  return "unknown";
}

const char* MoveOutcomeName(MoveOutcome outcome) {
  switch (outcome) {
    case MoveOutcome::kMoved:
      return "moved";
    case MoveOutcome::kSecondary:
      return "secondary";
    case MoveOutcome::kRefused:
      return "refused";
    case MoveOutcome::kOwnerDied:
      return "owner died";
    case MoveOutcome::kAbandoned:
      return "abandoned";
  }
  return "unknown";
}

const char* ScopeStateName(ScopeState state) {
  switch (state) {
    case ScopeState::kRunning:
      return "running";
    case ScopeState::kEnding:
      return "ending";
    case ScopeState::kDone:
      return "done";
  }
  return "unknown";
}

const char* ScopeEndName(ScopeEnd end) {
  switch (end) {
    case ScopeEnd::kNone:
      return "none";
    case ScopeEnd::kEnded:
      return "ended";
    case ScopeEnd::kCancelled:
      return "cancelled";
    case ScopeEnd::kDeadline:
      return "deadline";
    case ScopeEnd::kParentEnded:
      return "parent ended";
    case ScopeEnd::kDriverDied:
      return "driver died";
    case ScopeEnd::kForced:
      return "forced";
    case ScopeEnd::kOwnerDied:
      return "owner died";
    case ScopeEnd::kExcluded:
      return "excluded";
  }
  return "unknown";
}

const char* MemberKindName(MemberKind kind) {
  switch (kind) {
    case MemberKind::kTask:
      return "task";
    case MemberKind::kActor:
      return "actor";
    case MemberKind::kFile:
      return "file";
    case MemberKind::kMetadata:
      return "metadata";
    case MemberKind::kOther:
      return "other";
  }
  return "unknown";
}

}  // namespace freehold
