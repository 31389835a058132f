#include "src/testing/sim_misuse.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Expects one of two codes.
class Refusals {
 public:
  Refusals(Oracle* oracle, State* state, Verb verb, std::string name)
      : oracle_(*oracle), state_(*state), verb_(verb), name_(std::move(name)) {}

  void Expect(const char* call, const absl::Status& status, absl::StatusCode code,
              absl::StatusCode other) {
    state_.trace.Add("answer A", {static_cast<int64_t>(status.code())});
    state_.coverage.Count(std::string("answer ") + PatternOf(verb_) + ": " +
                          absl::StatusCodeToString(status.code()));
    oracle_.Expect(status.code() == code || status.code() == other, "a misuse is not refused",
                   std::string(call) + " of " + name_ + ": " + status.ToString());
  }
  void Expect(const char* call, const absl::Status& status, absl::StatusCode code) {
    Expect(call, status, code, code);
  }

 private:
  Oracle& oracle_;
  State& state_;
  const Verb verb_;
  const std::string name_;
};

void MisuseOwned(State* state, Process* process, const Object& object, Refusals* refusals) {
  ReferenceCounter& counter = *process->counter;
  refusals->Expect(
      "Declare", counter.Declare(object.id).status(),
      process->drain.on ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kAlreadyExists);
  refusals->Expect("OnFailed",
                   counter.OnFailed(object.id, [](const ObjectId&, EndReason) {}).status(),
                   absl::StatusCode::kFailedPrecondition);
  const auto mine = object.holdings.find(process->end);
  if (mine != object.holdings.end() && mine->second.by_id > 0) {
    refusals->Expect("AddLocalReference", counter.AddLocalReference(object.id, UINT32_MAX),
                     absl::StatusCode::kResourceExhausted);
  }
  Location future;
  future.node = state->nodes[0]->id;
  future.in_memory = true;
  refusals->Expect("AddLocation", counter.AddLocation(object.id, future, object.generation + 1),
                   absl::StatusCode::kInvalidArgument, absl::StatusCode::kFailedPrecondition);
}

void MisuseBorrowed(const State& state, Process* process, const Object& object,
                    Refusals* refusals) {
  ReferenceCounter& counter = *process->counter;
  const BatchResult freed = counter.Free({object.id});
  refusals->Expect("Free", freed.ok() ? absl::OkStatus() : freed.failures[0].status,
                   absl::StatusCode::kFailedPrecondition);
  refusals->Expect("Recreate", counter.Recreate(object.id), absl::StatusCode::kFailedPrecondition);
  refusals->Expect("Pin", counter.Pin(object.id, "a borrower"),
                   absl::StatusCode::kFailedPrecondition);
  for (const auto& other : state.processes) {
    if (WasGivenAway(object)) break;  // any of them may have been told its owner
    if (other->end == process->end || other->end == object.owner) continue;
    // Its sender, the owner, may be known to be excluded.
    return refusals->Expect(
        "ImportNested", counter.ImportNested(object.id, object.id, other->id).status(),
        absl::StatusCode::kInvalidArgument, absl::StatusCode::kFailedPrecondition);
  }
}

// The copy as a process would claim it that does not own it; as it is where there is no other.
NodeCopy ClaimedByAnother(const State& state, const Node& node, NodeCopy copy) {
  for (const auto& process : state.processes) {
    if (process->id == copy.owner || node.HeardOf(*process)) continue;
    copy.owner = process->id;
    return copy;
  }
  return copy;
}

}  // namespace

bool MisuseObject(Oracle* oracle, State* state, Process* process, Object* object) {
  if (state->nested > 0) return false;
  ReferenceCounter& counter = *process->counter;
  Refusals refusals(oracle, state, Verb::kMisuse, NameOf(*object) + " at " + NameOf(*process));
  const auto mine = object->holdings.find(process->end);
  const bool owned = object->owner == process->end;
  const bool borrows =
      !owned && mine != object->holdings.end() && mine->second.held() && !mine->second.failed;
  if (!owned && !borrows) return false;
  refusals.Expect("Import", counter.Import("this is no token").status(),
                  absl::StatusCode::kInvalidArgument);
  const uint32_t by_id = mine == object->holdings.end() ? 0 : mine->second.by_id;
  refusals.Expect("RemoveLocalReference", counter.RemoveLocalReference(object->id, by_id + 1),
                  absl::StatusCode::kFailedPrecondition, absl::StatusCode::kNotFound);
  ++process->misuses;
  // What can have ended without its host's knowing is left alone.
  if (object->ended || !oracle->Held(*object)) return true;
  if (owned) MisuseOwned(state, process, *object, &refusals);
  if (borrows && process->live() && state->OwnerOf(*object).live()) {
    MisuseBorrowed(*state, process, *object, &refusals);
  }
  return true;
}

bool MisuseCopy(Oracle* oracle, State* state, Node* node, const Object& object,
                uint32_t generation) {
  if (state->nested > 0) return false;
  NodeAgent& agent = *node->agent;
  const std::vector<NodeCopyStatus> here = agent.Find(object.id);
  const auto known = std::find_if(here.begin(), here.end(), [&](const NodeCopyStatus& status) {
    return status.copy.generation == generation;
  });
  if (known == here.end() || known->doomed) return false;
  Refusals refusals(oracle, state, Verb::kMisuseCopy, NameOf(object) + " at " + NameOf(*node));
  refusals.Expect("DropCopy", agent.DropCopy(object.id, object.generation + 1),
                  absl::StatusCode::kNotFound);
  const NodeCopy claimed = ClaimedByAnother(*state, *node, known->copy);
  // The host may have heard of an owner before the last one.
  if (claimed.owner != known->copy.owner && !WasGivenAway(object)) {
    refusals.Expect("AddCopy of another owner's", agent.AddCopy(claimed),
                    absl::StatusCode::kInvalidArgument, absl::StatusCode::kAlreadyExists);
  }
  refusals.Expect("BeginFetch", agent.BeginFetch(known->copy), absl::StatusCode::kAlreadyExists);
  if (known->fetching) {
    if (here.size() > 1) return true;
    refusals.Expect("Read", agent.Read(object.id).status(), absl::StatusCode::kNotFound);
    return true;
  }
  refusals.Expect("AddCopy", agent.AddCopy(known->copy), absl::StatusCode::kAlreadyExists);
  refusals.Expect("AbortFetch", agent.AbortFetch(object.id, generation),
                  absl::StatusCode::kFailedPrecondition);
  if (known->readers > 0) {
    refusals.Expect("DropCopy", agent.DropCopy(object.id, generation),
                    absl::StatusCode::kFailedPrecondition);
  }
  if (known->readers == 0 && known->reach == FileReach::kShared) {
    refusals.Expect("DropCopy of a shared file", agent.DropCopy(object.id, generation),
                    absl::StatusCode::kFailedPrecondition);
  }
  if (known->spilled_url.empty()) {
    refusals.Expect("MarkRestored", agent.MarkRestored(object.id, generation),
                    absl::StatusCode::kFailedPrecondition);
  } else {
    refusals.Expect("MarkSpilled elsewhere",
                    agent.MarkSpilled(object.id, generation, "elsewhere", true),
                    absl::StatusCode::kAlreadyExists);
  }
  return true;
}

}  // namespace freehold::testing::sim
