#include "src/testing/sim_persist.h"

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/lineage.h"
#include "freehold/scope.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

absl::Status Failure() { return absl::UnavailableError("the place of its own is out of reach"); }

void Told(Oracle* oracle, State* state, int64_t number, const absl::Status& status) {
  Object& object = *state->object(number);
  oracle->Expect(object.persists > 0, "whoever keeps an object is told twice that it is persisted",
                 NameOf(object));
  --object.persists;
  state->trace.Add("O is persisted I", {number, static_cast<int64_t>(status.code())});
  const bool ended = absl::IsAborted(status) || absl::IsFailedPrecondition(status);
  if (ended) state->coverage.Count("persisted: ended before the answer");
  oracle->Expect(status.ok() || status == Failure() || ended,
                 "whoever keeps an object is told something else than the host has answered",
                 NameOf(object) + ", " + status.ToString());
}

// Nobody waits for the scope, which is empty again at once.
absl::Status KeepOutOf(Process* process, const ObjectId& object, PersistedCallback done) {
  ScopeOptions options;
  options.parent = ScopeId::Root();
  absl::StatusOr<Scope> scope = process->counter->OpenScope(options);
  if (!scope.ok()) return scope.status();
  absl::StatusOr<Scope> root = process->counter->FindScope(ScopeId::Root());
  if (!root.ok()) return root.status();
  BatchResult result = root->Move({object}, scope->id());
  if (result.ok()) result = scope->Keep({object}, KeepMode::kPersist, std::move(done));
  return result.ok() ? absl::OkStatus() : result.failures.front().status;
}

}  // namespace

bool ActPersist(Oracle* oracle, State* state, Process* process, Object* object, bool fails) {
  if (object->owner != process->end || object->ended || !oracle->Held(*object)) return false;
  // A call's lineage is that of its state too, and scopes count by their own rules.
  if (object->stateful != 0 || object->scope != 0 || object->stream != 0) return false;
  // Of a task with several returns, and of one that is let go of for want of room, see elsewhere.
  if (object->yielded_by != 0 || state->options.lineage_bytes > 0) return false;
  if (!oracle->IsExact(*object) || object->persists > 0 || state->streams.count(object->number)) {
    return false;
  }
  // Told first: an executor may run at once what it is given.
  ++object->persists;
  object->persist_fails = fails;
  const int64_t number = object->number;
  const absl::Status kept = KeepOutOf(
      process, object->id, [oracle, state, number](const ObjectId&, const absl::Status& status) {
        Told(oracle, state, number, status);
      });
  oracle->Expect(kept.ok(), "an object is not kept to be persisted",
                 NameOf(*object) + ", " + kept.ToString());
  return true;
}

void AnswerPersist(Oracle* oracle, State* state, Process* process, const ObjectId& id,
                   uint32_t generation) {
  Object* object = state->Find(id);
  if (process->counter == nullptr || object == nullptr) return;
  const bool there = !object->ended && !object->freed && object->generation == generation;
  const bool fails = object->persist_fails;
  const absl::Status answer =
      Lineage(*process->counter).Persisted(id, generation, fails ? Failure() : absl::OkStatus());
  state->trace.Add(fails ? "O is not written G" : "O is written G",
                   {object->number, static_cast<int64_t>(generation)});
  // What it is shared with meanwhile may end it unheard.
  const bool known = process->live() && oracle->IsExact(*object) && state->nested == 0;
  oracle->Expect(!known || answer.ok() == there, "Persisted is answered wrongly",
                 NameOf(*object) + ", " + answer.ToString());
  oracle->Expect(!answer.ok() || !object->freed, "a value is persisted that was freed",
                 NameOf(*object));
  if (!answer.ok()) return;
  state->coverage.Count(fails ? "persisted: the host fails" : "persisted");
  if (fails || !object->recorded) return;
  object->persisted = object->let_go = true;
  object->made_of = 0;
}

void LookAtPersistedAtRest(Oracle* oracle, const State& state) {
  for (const auto& entry : state.objects) {
    const Object& object = entry.second;
    const Process& owner = state.OwnerOf(object);
    if (!object.let_go || !owner.live()) continue;
    const bool in_scope = !object.ended && oracle->Held(object);
    // What needs it elsewhere keeps nothing where it was given away.
    const bool needed =
        std::any_of(state.objects.begin(), state.objects.end(), [&](const auto& other) {
          return other.second.made_of == object.number &&
                 (other.second.owner == object.owner || !WasGivenAway(object)) &&
                 !other.second.ended && oracle->Held(other.second);
        });
    if (!in_scope && !needed) continue;
    const Recovery said = Lineage(*owner.counter).CanRecover(object.id);
    // What had no lineage any more when it was to be given away is as if it had been put.
    const bool as_if_put = said == Recovery::kPut && WasGivenAway(object) && !object.persisted;
    oracle->Expect(
        said == (object.persisted ? Recovery::kPersisted : Recovery::kEvicted) || as_if_put,
        "whether a persisted object can be had again is said wrongly",
        NameOf(object) + " " + RecoveryName(said));
  }
}

void CheckPersistsEmpty(Oracle* oracle, const State& state, const Process& process) {
  oracle->Expect(process.counter->GetStats().persists_pending == 0, "L6: persists are left",
                 NameOf(process));
  for (const auto& [number, object] : state.objects) {
    oracle->Expect(object.owner != process.end || object.persists == 0,
                   "L5: who keeps an object is not told whether it is persisted", NameOf(object));
  }
}

}  // namespace freehold::testing::sim
