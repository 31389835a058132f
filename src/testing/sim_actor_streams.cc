// What the hosts of processes do with generators: tasks that yield objects while they run, and who
// takes them.

#include <string>
#include <utility>

#include "freehold/error_reason.h"
#include "freehold/generator.h"
#include "src/testing/sim_actor.h"
#include "src/testing/sim_lineage.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_uses.h"

namespace freehold::testing::sim {

namespace {

bool IsGone(const absl::Status& status) {
  return absl::IsNotFound(status) && ReasonOf(status) == ErrorReason::kGone;
}

}  // namespace

bool Actor::ActOnStream(const Action& action, Process* process) {
  const Numbers& n = action.numbers;
  const bool on = action.verb == Verb::kYieldOn;
  const bool declared = action.verb == Verb::kYieldDeclared;
  const bool yields = on || declared || action.verb == Verb::kYield;
  Object* generator = s_.object(n[!yields ? 1 : on ? 3 : 2]);
  if (generator == nullptr || generator->owner != process->end) return false;
  if (action.verb == Verb::kStream) return BeginStream(process, generator);
  const auto stream = s_.streams.find(generator->number);
  if (stream == s_.streams.end()) return false;
  if (action.verb == Verb::kTake) return Take(process, generator);
  // What is left is its task's.
  if (!stream->second.runs) return false;
  if (action.verb == Verb::kStreamFail) return FailStream(process, *generator);
  if (action.verb == Verb::kStreamEnd) {
    stream->second.runs = false;
    return true;
  }
  if (declared) return YieldDeclared(process, s_.object(n[1]), generator);
  Node* primary = on ? s_.node(n[2]) : nullptr;
  return (!on || primary != nullptr) && Yield(process, n[1], primary, generator);
}

// An end that the library has not worked off, or in which a callback runs, is open; so is one that
// waits for who has borrowed the generator.
std::optional<bool> Actor::IsOpen(const Process& process, const Object& generator) const {
  if (s_.streams.at(generator.number).open) {
    return oracle_.Held(generator) ? std::optional<bool>(true) : std::nullopt;
  }
  const bool known = s_.nested == 0 && process.counter->GetStats().drops_deferred == 0;
  return known ? std::optional<bool>(false) : std::nullopt;
}

bool Actor::BeginStream(Process* process, Object* generator) {
  // It is in no object: see sim_streams.h.
  if (!generator->outers.empty()) return false;
  const bool held = !generator->ended && oracle_.Held(*generator);
  if (!held && (!generator->ended || !oracle_.IsExact(*generator))) return false;
  // As in the other order: of a task with several returns, one of which is persisted, see
  // elsewhere.
  if (generator->persists > 0) return false;
  const auto before = s_.streams.find(generator->number);
  const bool is_open = before != s_.streams.end() && before->second.open;
  const int64_t maker = MakerOfYielded(*generator);
  const TaskId task = maker == 0 ? TaskId() : TaskId::FromNumber(static_cast<uint64_t>(maker));
  const absl::Status status = Generators(*process->counter).Open(generator->id, task);
  Note(Verb::kStream, status);
  oracle_.Expect(status.ok() == (held && !is_open),
                 "the beginning of a generator is answered wrongly",
                 NameOf(*generator) + ", " + status.ToString());
  if (!status.ok()) return true;
  Stream& stream = s_.streams[generator->number];
  // Of one that came back into scope nothing is left.
  for (const int64_t yielded : stream.untaken) s_.object(yielded)->stream = 0;
  stream = Stream();
  stream.open = true;
  stream.runs = true;
  stream.maker = maker;
  if (generator->scope != 0) s_.coverage.Count("a generator is in a scope");
  return true;
}

// In the generator's scope, as long as that runs.
bool Actor::YieldsInScope(Process* process, Object* object, const Object& generator) {
  if (generator.scope == 0) return false;
  if (!TakesObjects(s_, *process, generator.scope)) {
    s_.coverage.Count("yielded when the generator's scope had ended");
    return false;
  }
  const int label = object->label;
  EnterScope(&oracle_, &s_, object, generator.scope);
  if (WouldStick(s_)) {
    object->scope = 0;
    object->scope_held = false;
    object->label = label;
    return false;
  }
  s_.coverage.Count("yielded in a scope");
  return true;
}

// Whatever its task yields after its end is refused; the value is made all the same.
bool Actor::Yield(Process* process, int64_t number, Node* primary, Object* generator) {
  if (number <= generator->number || s_.object(number) != nullptr) return false;
  const std::optional<bool> open = IsOpen(*process, *generator);
  if (!open.has_value()) return false;
  Object& object = NewObject(*process, number);
  DeclareOptions options = OptionsFor(&object, primary);
  object.ended = !*open;
  object.stream = *open ? generator->number : 0;
  if (*open && YieldsInScope(process, &object, *generator)) {
    options.scope = ScopeIdOf(s_, object.scope);
  }
  if (generator->inexact) oracle_.MakeInexact(&object);
  const absl::Status status =
      Generators(*process->counter).Yield(generator->id, object.id, options);
  Note(Verb::kYield, status);
  const std::string details =
      NameOf(object) + " of " + NameOf(*generator) + ", " + status.ToString();
  const bool refused = *open && primary != nullptr && process->HeardOf(*primary) &&
                       absl::IsFailedPrecondition(status);
  if (refused) {
    object.ended = true;
    object.stream = 0;
    object.scope_held = false;
    return true;
  }
  oracle_.Expect(*open ? status.ok() : IsGone(status), "what is yielded is answered wrongly",
                 details);
  s_.coverage.Count(*open ? "yielded" : "yielded when the generator had ended");
  if (*open) {
    Stream& stream = s_.streams.at(generator->number);
    object.recorded = stream.maker != 0;
    object.yielded_by = stream.maker;
    if (stream.maker != 0) s_.coverage.Count("yielded by a task whose lineage is kept");
    stream.untaken.push_back(number);
    stream.yielded.push_back(number);
  }
  if (primary != nullptr && primary->usable()) {
    (void)StoreCopy(primary, &object, 0, CopyRole::kPrimary);
  }
  return true;
}

// What a worker has declared for the process that it runs the task for.
bool Actor::YieldDeclared(Process* process, Object* object, const Object* generator) {
  if (object == nullptr || object->number <= generator->number ||
      object->declared_for != process->end || object->owner != process->end ||
      object->declarer != 0 || object->ended || !object->owners.empty() ||
      object->open_transfers > 0 || object->scope != 0 || object->stream != 0 ||
      !object->inners.empty() || IsStream(s_, *object) || !oracle_.Held(*object)) {
    return false;
  }
  Stream& stream = s_.streams.at(generator->number);
  if (IsOpen(*process, *generator) != true || stream.maker != 0) return false;
  const absl::StatusOr<ObjectRef> ref = process->counter->GetRef(object->id);
  const absl::Status status = Generators(*process->counter).YieldDeclared(generator->id, *ref);
  Note(Verb::kYieldDeclared, status);
  oracle_.Expect(status.ok(), "what was declared is not yielded",
                 NameOf(*object) + " of " + NameOf(*generator) + ", " + status.ToString());
  object->stream = generator->number;
  stream.untaken.push_back(object->number);
  stream.yielded.push_back(object->number);
  s_.coverage.Count("yielded: it was declared for its owner");
  return true;
}

bool Actor::Take(Process* process, Object* generator) {
  const std::optional<bool> open = IsOpen(*process, *generator);
  if (!open.has_value()) return false;
  Stream& stream = s_.streams.at(generator->number);
  absl::StatusOr<ObjectRef> ref = Generators(*process->counter).Take(generator->id);
  Note(Verb::kTake, ref.status());
  const bool may = *open && !stream.untaken.empty();
  oracle_.Expect(ref.ok() == may && (ref.ok() || absl::IsNotFound(ref.status())),
                 "the taking of an object is answered wrongly",
                 NameOf(*generator) + ", " + ref.status().ToString());
  s_.coverage.Count(may     ? "taken"
                    : *open ? "taken where nothing was"
                            : "taken when the generator had ended");
  if (!ref.ok() || !may) return true;
  Object& object = *s_.object(stream.untaken.front());
  oracle_.Expect(ref->id() == object.id, "another object is taken than the oldest",
                 NameOf(*generator));
  stream.untaken.pop_front();
  object.stream = 0;
  object.holdings[process->end].handles.push_back(*std::move(ref));
  return true;
}

// It runs again from its beginning: what is there still is there already.
bool Actor::FailStream(Process* process, const Object& generator) {
  const std::optional<bool> open = IsOpen(*process, generator);
  if (!open.has_value()) return false;
  const Stream& stream = s_.streams.at(generator.number);
  Generators generators(*process->counter);
  for (const int64_t number : stream.yielded) {
    const Object& object = *s_.object(number);
    if (object.ended || !oracle_.Held(object)) continue;
    const absl::Status status = generators.Yield(generator.id, object.id);
    Note(Verb::kStreamFail, status);
    const bool drains = process->drain.on && ReasonOf(status) == ErrorReason::kDraining;
    oracle_.Expect(drains || (*open ? absl::IsAlreadyExists(status) : IsGone(status)),
                   "what is yielded again is answered wrongly",
                   NameOf(object) + " of " + NameOf(generator) + ", " + status.ToString());
    if (*open) s_.coverage.Count("yielded again by a task that failed");
  }
  oracle_.Expect(!*open || generators.CountYielded(generator.id) == stream.untaken.size(),
                 "what is yielded again changes something", NameOf(generator));
  return true;
}

}  // namespace freehold::testing::sim
