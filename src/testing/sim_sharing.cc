#include "src/testing/sim_sharing.h"

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/error_reason.h"
#include "src/testing/sim_creation.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Where there was no reference before, or one to what its owner had not taken, it is another one
// than any that has failed.
void Begin(Holding* holding) {
  if (holding->held() && !holding->failed) return;
  holding->failed = false;
  ++holding->spell;
}

void Note(State* state, Verb verb, const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  state->trace.Add("answer A I",
                   {static_cast<int64_t>(status.code()), static_cast<int64_t>(reason)});
  state->coverage.Count(
      std::string("answer ") + PatternOf(verb) + ": " + absl::StatusCodeToString(status.code()) +
      (reason == ErrorReason::kNone ? "" : std::string(" ") + ErrorReasonName(reason)));
}

std::string Details(const Object& object, const Process& process, const absl::Status& status) {
  return NameOf(object) + " at " + NameOf(process) + ", " + status.ToString();
}

// The token must be honoured, as far as its two ends go.
bool IsGood(const State& state, const Token& token) {
  const Process& to = *state.process(token.to);
  return state.IsUnderWay(token) && to.live() && !to.HeardOf(*state.process(token.from));
}

bool Export(Oracle* oracle, State* state, const Numbers& n) {
  Process* from = state->process(n[0]);
  Object* object = state->object(n[1]);
  const Process* to = state->process(n[2]);
  if (from == nullptr || object == nullptr || to == nullptr || from == to || !from->usable() ||
      n[3] <= 0 || state->tokens.count(n[3]) > 0) {
    return false;
  }
  const auto mine = object->holdings.find(from->end);
  const bool holds = mine != object->holdings.end() && mine->second.held() && !mine->second.failed;
  if (!holds && (object->owner != from->end || object->ended || !oracle->Held(*object))) {
    return false;
  }
  const absl::StatusOr<ExportedReference> made = from->counter->Export(object->id, to->id);
  Note(state, Verb::kExport, made.status());
  if (!made.ok()) {
    const ErrorReason reason = ReasonOf(made.status());
    const bool right = (reason == ErrorReason::kPeerExcluded && from->HeardOf(*to)) ||
                       (reason == ErrorReason::kOwnerDied && PastOwner(*state, *from, *object)) ||
                       (reason == ErrorReason::kGone && object->ended) ||
                       (reason == ErrorReason::kNotAcknowledged && object->declarer == from->end);
    oracle->Expect(right, "an export is refused", Details(*object, *from, made.status()));
    return true;
  }
  oracle->Expect(object->declarer == 0,
                 "S1: a reference is exported before its owner has acknowledged the object",
                 Details(*object, *from, made.status()));
  oracle->MakeInexact(object);
  ++object->tokens;
  Token& token = state->tokens[n[3]];
  token.object = object->number;
  token.from = from->end;
  token.to = to->end;
  token.bytes = made->token;
  token.handoff = made->handoff.number;
  if (state->options.token_life > Duration::zero()) {
    token.ends = SaturatingAdd(state->clock.Now(), state->options.token_life);
  }
  return true;
}

// Whether the answer of an import that fails is one that it may give.
bool MayFail(const State& state, const Token& token, const Object& object, ErrorReason reason) {
  const Process& from = *state.process(token.from);
  const Process& to = *state.process(token.to);
  switch (reason) {
    case ErrorReason::kAlreadyRedeemed:
      return token.redeemed;
    case ErrorReason::kRefused:
      return token.cancelled || state.clock.Now() >= token.ends;
    case ErrorReason::kPeerExcluded:
      return to.HeardOf(from);
    case ErrorReason::kOwnerDied:
      return PastOwner(state, to, object);
    case ErrorReason::kGone:
      return object.ended || IsForgotten(state, object);
    case ErrorReason::kOtherOwner:
      return WasGivenAway(object);  // it is known here by an id that was read in a value
    default:
      return false;
  }
}

bool Import(Oracle* oracle, State* state, const Numbers& n) {
  Process* to = state->process(n[0]);
  const auto found = state->tokens.find(n[1]);
  if (to == nullptr || !to->usable() || found == state->tokens.end()) return false;
  Token& token = found->second;
  Object& object = *state->object(token.object);
  if (token.to != to->end) {
    // Somebody else's: changes nothing.
    const absl::Status status = to->counter->Import(token.bytes).status();
    Note(state, Verb::kImport, status);
    oracle->Expect(ReasonOf(status) == ErrorReason::kWrongReceiver, "a stolen token is taken",
                   Details(object, *to, status));
    return true;
  }
  Holding& holding = object.holdings[to->end];
  const bool again = token.redeemed;
  const bool held =
      holding.held() && !holding.failed && !object.ended && !PastOwner(*state, *to, object);
  absl::StatusOr<ObjectRef> ref = to->counter->Import(token.bytes);
  Note(state, Verb::kImport, ref.status());
  if (again) state->coverage.Count("token again");
  if (!ref.ok()) {
    const std::string details = Details(object, *to, ref.status());
    oracle->Expect(MayFail(*state, token, object, ReasonOf(ref.status())),
                   "S1: an import fails and nothing explains it", details);
    oracle->Expect(!(again && held && ReasonOf(ref.status()) == ErrorReason::kAlreadyRedeemed),
                   "a token that came again is not one more handle", details);
    // These answers end the handoff.
    const ErrorReason reason = ReasonOf(ref.status());
    if (reason == ErrorReason::kRefused && !token.cancelled) {
      state->coverage.Count("token refused after its life");
      token.cancelled = true;
    }
    token.redeemed =
        token.redeemed || reason == ErrorReason::kOwnerDied || reason == ErrorReason::kGone;
    return true;
  }
  token.redeemed = true;
  NoteForgotten(object, to);
  Begin(&holding);
  if (!again) token.spell = holding.spell;
  holding.handles.push_back(*std::move(ref));
  SeeTakenUpByHeir(oracle, state, *to, &object);
  return true;
}

bool Cancel(Oracle* oracle, State* state, const Numbers& n) {
  Process* from = state->process(n[0]);
  const auto found = state->tokens.find(n[1]);
  if (from == nullptr || !from->usable() || found == state->tokens.end() ||
      found->second.from != from->end) {
    return false;
  }
  Token& token = found->second;
  const Object& object = *state->object(token.object);
  const Process& to = *state->process(token.to);
  const bool open =
      IsGood(*state, token) && from->live() && !object.ended && !PastOwner(*state, *from, object);
  const absl::Status status = from->counter->CancelHandoff({object.id, to.id, token.handoff});
  Note(state, Verb::kCancel, status);
  oracle->Expect(status.ok() || (absl::IsNotFound(status) && !open), "a cancellation is refused",
                 Details(object, *from, status));
  token.cancelled = token.cancelled || status.ok();
  return true;
}

// The process holds the object, and not its owner.
bool Borrows(const Process& process, const Object& object) {
  const auto mine = object.holdings.find(process.end);
  return object.owner != process.end && mine != object.holdings.end() && mine->second.held() &&
         !mine->second.failed;
}

// An id that is in the value of `outer`, or that somebody takes for one that is: of an object that
// has ended, so that there is nothing to be had.
bool ReadNested(Oracle* oracle, State* state, const Numbers& n, bool misread) {
  Process* reader = state->process(n[0]);
  Object* inner = state->object(n[1]);
  Object* outer = state->object(n[2]);
  if (reader == nullptr || inner == nullptr || outer == nullptr || !reader->usable() ||
      inner->owner == reader->end || inner == outer || !Borrows(*reader, *outer)) {
    return false;
  }
  const bool inside = std::count(outer->inners.begin(), outer->inners.end(), inner->number) > 0;
  if (misread ? !inner->ended || inner->generation > 0 : !inside) return false;
  // Copies may still be reported to whoever owned it, and would be refused until its next owner has
  // said that it is gone.
  if (misread && EverOwned(*inner, reader->end)) return false;
  // Whoever owned it may yet answer what the reader asked when it held a reference.
  if (misread && WasGivenAway(*inner) && inner->holdings.count(reader->end) > 0) return false;
  const Process& owner = state->OwnerOf(*inner);
  if (misread && owner.live()) {
    // What contained it may have ended and not yet be worked off: then there is something to be
    // had.
    const auto counts = owner.counter->GetCounts(inner->id);
    if (counts.ok() && counts->total() > 0) return false;
  }
  ++inner->tokens;
  oracle->MakeInexact(inner);
  absl::StatusOr<ObjectRef> ref = reader->counter->ImportNested(outer->id, inner->id, owner.id);
  Note(state, misread ? Verb::kMisread : Verb::kReadNested, ref.status());
  if (!ref.ok()) {
    const ErrorReason reason = ReasonOf(ref.status());
    // It may not have heard yet whose the outer one is now.
    const absl::StatusOr<ProcessId> named = reader->counter->OwnerOf(outer->id);
    const bool right =
        (reason == ErrorReason::kPeerExcluded && named.ok() &&
         reader->HeardOf(*state->process(state->EndOf(*named)))) ||
        (reason == ErrorReason::kOwnerDied &&
         (PastOwner(*state, *reader, *inner) || PastOwner(*state, *reader, *outer))) ||
        (reason == ErrorReason::kGone && inner->ended) ||
        (reason == ErrorReason::kOtherOwner && WasGivenAway(*inner));
    oracle->Expect(right, "S1: an id cannot be read out of a value that is held",
                   Details(*inner, *reader, ref.status()));
    return true;
  }
  Holding& holding = inner->holdings[reader->end];
  NoteForgotten(*inner, reader);
  Begin(&holding);
  holding.handles.push_back(*std::move(ref));
  return true;
}

bool ExpectReference(Oracle* oracle, const State& state, const Action& action) {
  const Process* process = state.process(action.numbers[0]);
  const auto object = state.objects.find(action.numbers[1]);
  if (process == nullptr || process->crashed || object == state.objects.end()) return false;
  const absl::Status status = process->counter->CheckReference(object->second.id);
  const bool awaits = ReasonOf(status) == ErrorReason::kNotAcknowledged;
  const Verb seen = status.ok() ? Verb::kExpectGood
                    : awaits    ? Verb::kExpectAwaits
                                : Verb::kExpectFailed;
  oracle->Expect(seen == action.verb, "not as expected", ActionText(action));
  return true;
}

}  // namespace

bool ActSharing(Oracle* oracle, State* state, const Action& action) {
  switch (action.verb) {
    case Verb::kExport:
      return Export(oracle, state, action.numbers);
    case Verb::kImport:
      return Import(oracle, state, action.numbers);
    case Verb::kCancel:
      return Cancel(oracle, state, action.numbers);
    case Verb::kReadNested:
    case Verb::kMisread:
      return ReadNested(oracle, state, action.numbers, action.verb == Verb::kMisread);
    case Verb::kExpectGood:
    case Verb::kExpectFailed:
    case Verb::kExpectAwaits:
      return ExpectReference(oracle, *state, action);
    default:
      return false;
  }
}

void LoseTokens(Oracle* oracle, State* state) {
  for (auto& [number, token] : state->tokens) {
    if (token.redeemed || token.cancelled || !state->violation.empty()) continue;
    // Some arrive after all, very late.
    if (number % 3 == 0 && Import(oracle, state, {token.to, number})) continue;
    (void)Cancel(oracle, state, {token.from, number});
  }
}

// --- What must be true of borrowers --------------------------------------------------------------

void CheckBorrowerAnswer(Oracle* oracle, const State& state, const Process& process, Object* object,
                         const absl::Status& status) {
  if (status.ok()) return;
  const bool owner_died =
      ReasonOf(status) == ErrorReason::kOwnerDied && SaysOwnerDied(state, process, *object);
  // Of an id that was read where it was not: nobody could hold it any more.
  const bool gone =
      ReasonOf(status) == ErrorReason::kGone && (object->ended || IsForgotten(state, *object));
  const bool refused = IsRefusal(ReasonOf(status)) && object->refused;
  oracle->Expect(owner_died || gone || refused,
                 "S1: a borrower's reference fails and nothing explains it",
                 Details(*object, process, status));
  if (owner_died) OnLost(oracle, const_cast<State*>(&state), process, *object);
  object->holdings[process.end].failed = true;
}

void LookAtBorrowers(Oracle* oracle, const State& state, Object* object) {
  for (auto& [number, holding] : object->holdings) {
    const Process& process = *state.process(number);
    if (number == object->owner || !process.usable() || !holding.held() || holding.failed) continue;
    const absl::Status status = process.counter->CheckReference(object->id);
    // A process that is suspected, and does not know it, has no promise.
    if (!status.ok() && !process.live()) {
      holding.failed = true;
      continue;
    }
    CheckBorrowerAnswer(oracle, state, process, object, status);
    const auto counts = process.counter->GetCounts(object->id);
    if (!counts.ok()) {
      oracle->Violate("a borrower does not know what it holds",
                      Details(*object, process, counts.status()));
      continue;
    }
    oracle->Expect(AreHandles(*object, counts->handles, holding) &&
                       counts->by_id == holding.by_id && counts->tasks == holding.tasks,
                   "a borrower has other counts than its holders", NameOf(*object));
  }
}

void LookAtSharingAtRest(Oracle* oracle, const State& state, const Object& object) {
  const Process& owner = state.OwnerOf(object);
  uint64_t borrowers = 0;
  uint64_t heirs = 0;  // that may be borrowers, too
  for (const auto& process : state.processes) {
    if (!process->live()) continue;
    uint64_t handoffs = 0;
    for (const auto& [number, token] : state.tokens) {
      const bool mine = token.object == object.number && token.from == process->end;
      handoffs += mine && IsGood(state, token) ? 1 : 0;
    }
    if (const auto mine = object.holdings.find(process->end);
        mine != object.holdings.end() && mine->second.held() &&
        HasLost(state, object, mine->second)) {
      continue;
    }
    const bool held = oracle->HeldAt(*process, object);
    if (!held && handoffs == 0) {
      heirs += process->end != owner.end && CountAsHeir(state, *process, object) > 0 ? 1 : 0;
      continue;
    }
    if (process->end == owner.end) {
      if (object.ended) continue;
      const auto counts = owner.counter->GetCounts(object.id);
      oracle->Expect(counts.ok() && counts->handoffs == handoffs, "L2: wrong count of handoffs",
                     Details(object, *process, counts.status()));
      continue;
    }
    const absl::Status status = process->counter->CheckReference(object.id);
    if (held && (!owner.live() || object.ended)) {
      const ErrorReason reason = ReasonOf(status);
      oracle->Expect(
          (!owner.live() && reason == ErrorReason::kOwnerDied) ||
              (object.ended && reason == ErrorReason::kGone) ||
              (reason == ErrorReason::kGone && IsForgotten(state, object)) ||
              Owns(*process, object) ||  // it has taken it back from one that had ended it
              (object.refused && IsRefusal(reason)) ||
              (WasGivenAway(object) && reason == ErrorReason::kOwnerDied &&
               PastOwner(state, *process, object)),
          "a borrower is not told that its reference is of no use",
          Details(object, *process, status));
    }
    if (!owner.live() || object.ended) continue;
    if (ReasonOf(status) == ErrorReason::kOwnerDied && MayLose(state, *process, object)) continue;
    ++borrowers;
    oracle->Expect(status.ok(), "S1: a reference that is held is of no use",
                   Details(object, *process, status));
    const auto counts = process->counter->GetCounts(object.id);
    oracle->Expect(counts.ok() && counts->handoffs == handoffs, "L2: wrong count of handoffs",
                   Details(object, *process, counts.status()));
  }
  if (!owner.live() || object.ended) return;
  const auto counts = owner.counter->GetCounts(object.id);
  const uint64_t listed = counts.ok() ? counts->borrowers : 0;
  oracle->Expect(listed >= borrowers && listed <= borrowers + heirs,
                 "an owner lists other borrowers than there are", NameOf(object));
}

void CheckSharingEmpty(Oracle* oracle, const Process& process) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  const std::pair<const char*, uint64_t> gauges[] = {
      {"L6: borrowed objects are left", stats.borrowed},
      {"L6: borrowers are left", stats.borrowers},
      {"L2: handoffs are pending", stats.handoffs_pending},
      {"L2: handoffs are owed an answer", stats.handoffs_owed},
      {"L1: answers wait", stats.answers_waiting},
      {"L3: a view waits for registrations", stats.flush_waiting},
      {"L1: declarations are not answered", stats.declarations_pending},
  };
  for (const auto& [what, count] : gauges) {
    oracle->Expect(count == 0, what, NameOf(process) + " has " + std::to_string(count));
  }
}

void CoverSharingCrash(State* state, const Process& process, const std::string& name) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  bool sent = false;
  bool expected = false;
  for (const auto& [number, token] : state->tokens) {
    if (!state->IsUnderWay(token)) continue;
    sent = sent || token.from == process.end;
    expected = expected || token.to == process.end;
  }
  const std::pair<const char*, uint64_t> gauges[] = {
      {"step 1: declarations pending", stats.declarations_pending},
      {"step 3: its token under way", sent ? 1 : 0},
      {"step 3: handoffs pending", stats.handoffs_pending},
      {"step 4: a token under way to it", expected ? 1 : 0},
      {"step 4: borrowed objects", stats.borrowed},
      {"step 5: handoffs owed an answer", stats.handoffs_owed},
      {"step 5: borrowers listed", stats.borrowers},
      {"step 6: answers waiting", stats.answers_waiting},
      {"step 7: a view waits for registrations", stats.flush_waiting},
  };
  for (const auto& [what, count] : gauges) {
    if (count > 0) state->coverage.Count(name + ", " + what);
  }
}

}  // namespace freehold::testing::sim
