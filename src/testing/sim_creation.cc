#include "src/testing/sim_creation.h"

#include <string>
#include <string_view>
#include <utility>

#include "freehold/error_reason.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Who waits for an answer that comes too late: no host has been told that it may use the object.
constexpr int64_t kNobody = -1;

// What the declarer's host may do meanwhile, some of it to be refused.
bool IsForDeclarers(Verb verb) {
  switch (verb) {
    case Verb::kCopy:
    case Verb::kDrop:
    case Verb::kGet:
    case Verb::kAdd:
    case Verb::kRemove:
    case Verb::kSubmit:
    case Verb::kSubmitTwo:
    case Verb::kNest:
    case Verb::kWatchFailed:
    case Verb::kExport:
      return true;
    default:
      return verb >= Verb::kExpectInScope;
  }
}

std::string Details(const State& state, const Object& object, const absl::Status& status) {
  return NameOf(object) + " of " + NameOf(state.OwnerOf(object)) + ", declared by " +
         Format("P", {object.declared_by}) + ", " + status.ToString();
}

void OnAnswer(Oracle* oracle, State* state, int64_t number, const absl::Status& status) {
  Object& object = *state->object(number);
  const Process& declarer = *state->process(object.declared_by);
  const ErrorReason reason = ReasonOf(status);
  state->trace.Add("O is answered A", {number, static_cast<int64_t>(status.code())});
  state->coverage.Count("declaration answered: " +
                        (status.ok() ? std::string("ok") : ErrorReasonName(reason)));
  oracle->Expect(++object.told == 1, "a declaration is answered twice",
                 Details(*state, object, status));
  const bool right =
      status.ok() || (reason == ErrorReason::kRefused && !TakesDeclarations(object.declared_for)) ||
      (reason == ErrorReason::kDraining && state->process(object.declared_for)->drain.number > 0) ||
      (reason == ErrorReason::kOwnerDied && PastOwner(*state, declarer, object)) ||
      (reason == ErrorReason::kExcluded && declarer.knows()) ||
      (reason == ErrorReason::kGone && !object.holdings[declarer.end].held());
  oracle->Expect(right, "a declaration is answered wrongly", Details(*state, object, status));
}

// The declarer has heard its owner's barrier, and what it sent before that may be under way.
void LookAtLate(State* state, const Process& owner, Object* object) {
  const bool taken = owner.usable() && owner.counter->InScope(object->id);
  if (owner.usable() && !taken) return;
  object->late = false;
  if (!taken) return;
  state->coverage.Count("declaration taken by a suspected owner after the barrier");
  object->ended = false;
}

}  // namespace

bool ActDeclareFor(Oracle* oracle, State* state, const Numbers& n) {
  Process* declarer = state->process(n[0]);
  const Process* owner = state->process(n[2]);
  const int64_t number = n[1];
  if (declarer == nullptr || owner == nullptr || declarer == owner || !declarer->usable() ||
      number <= 0 || state->object(number) != nullptr) {
    return false;
  }
  Object& object = state->objects[number];
  object.number = number;
  object.id = SimWorld::object_id(static_cast<int>(number));
  object.owner = owner->end;
  object.size = 1 + static_cast<uint64_t>(number) * 37 % 1000;
  object.declarer = object.declared_by = declarer->end;
  object.declared_for = owner->end;
  object.declared_in_drain = owner->drain.on ? owner->drain.number : 0;
  object.tokens = 1;  // others than its owner may hold it
  state->alive.push_back(number);
  oracle->MakeInexact(&object);
  DeclareForOptions options;
  options.size = number % 2 == 0 ? object.size : 0;
  options.on_answer = [oracle, state, number](const ObjectId&, const absl::Status& status) {
    OnAnswer(oracle, state, number, status);
  };
  absl::StatusOr<ObjectRef> made =
      declarer->counter->DeclareFor(owner->id, object.id, std::move(options));
  state->coverage.Count("answer P declare O for P: " +
                        absl::StatusCodeToString(made.status().code()));
  if (!made.ok()) {
    oracle->Expect(ReasonOf(made.status()) == ErrorReason::kOwnerDied && declarer->HeardOf(*owner),
                   "a declaration for another process is refused",
                   Details(*state, object, made.status()));
    object.declarer = object.declared_by = 0;
    object.ended = true;
    return true;
  }
  Holding& holding = object.holdings[declarer->end];
  ++holding.spell;
  holding.handles.push_back(*std::move(made));
  return true;
}

bool IsTooEarly(Oracle* oracle, State* state, const Action& action) {
  bool too_early = false;
  size_t place = 0;
  for (const std::string_view word : Words(PatternOf(action.verb))) {
    if (!IsPlace(word)) continue;
    const int64_t number = action.numbers[place++];
    Object* object = word[0] == 'O' ? state->object(number) : nullptr;
    if (object == nullptr) continue;
    LookAtDeclaration(oracle, state, object);
    if (object->declarer == 0) continue;
    const bool by_declarer =
        action.verb >= Verb::kExpectInScope || action.numbers[0] == object->declarer;
    too_early = too_early || !by_declarer || !IsForDeclarers(action.verb);
  }
  return too_early;
}

void LookAtDeclaration(Oracle* oracle, State* state, Object* object) {
  if (object->declarer > 0) SeeOwner(oracle, state, object);
  const Process& owner = state->OwnerOf(*object);
  if (object->late) LookAtLate(state, owner, object);
  if (object->declarer <= 0) return;
  Process& declarer = *state->process(object->declarer);
  // Nobody waits any more; what the owner has or will have of it, it lets go of.
  if (!declarer.usable()) {
    object->declarer = kNobody;
    return;
  }
  Holding& holding = object->holdings[declarer.end];
  const absl::Status status = declarer.counter->CheckReference(object->id);
  const ErrorReason reason = ReasonOf(status);
  const std::string details = Details(*state, *object, status);
  if (reason == ErrorReason::kNotAcknowledged) return;
  object->declarer = 0;
  // Who owns it now has answered first: the other answer may come when nothing is known of it.
  if (WasGivenAway(*object)) declarer.has_forgotten = true;
  if (status.ok()) {
    state->coverage.Count("declaration acknowledged");
    oracle->Expect(!declarer.live() || !owner.live() || owner.counter->InScope(object->id),
                   "S1: an acknowledged object is unknown to its owner", details);
    oracle->Expect(!owner.drain.on || owner.drain.number != object->declared_in_drain,
                   "a process that drains takes a new object", details);
    return;
  }
  if (!holding.held()) {
    state->coverage.Count("declaration dropped before its answer");
    object->declarer = kNobody;
    return;
  }
  holding.failed = true;
  object->refused = IsRefusal(reason);
  // A suspected owner that has not heard of that has it still, or will have it.
  const bool unaware = !object->refused && owner.usable();
  object->ended = !unaware || !owner.counter->InScope(object->id);
  object->late = unaware && object->ended;
  oracle->Expect((object->refused && MayRefuseDeclarations(owner)) ||
                     (reason == ErrorReason::kOwnerDied && declarer.PastBarrier(owner)),
                 "S1: a declaration fails and nothing explains it", details);
}

void CheckDeclarationsTold(Oracle* oracle, const State& state, const Process& process) {
  for (const auto& [number, object] : state.objects) {
    if (object.declared_by != process.end) continue;
    oracle->Expect(object.told == 1, "L5: a declaration is never answered", NameOf(object));
  }
}

}  // namespace freehold::testing::sim
