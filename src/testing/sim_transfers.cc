#include "src/testing/sim_transfers.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "freehold/error_reason.h"
#include "freehold/transfer.h"
#include "src/core/transfer_item.h"
#include "src/testing/sim_drain.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_lineage_moved.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_pins.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_streams.h"

namespace freehold::testing::sim {

namespace {

std::string Details(const Object& object, const SimTransfer& transfer, const absl::Status& status) {
  return NameOf(object) + " from " + Format("P to P", {transfer.from, transfer.to}) + ", " +
         status.ToString();
}

// What nodes have done with it may keep an object where it is: a former primary is to be deleted, a
// file belongs to no node, or the URLs of files fit no message with all else that is named there.
bool MayBeKeptByNodes(const State& state, const Object& object) {
  const bool moves = std::any_of(state.moves.begin(), state.moves.end(), [&](const auto& each) {
    return each.second.object == object.number;
  });
  const bool in_files = std::any_of(state.files.begin(), state.files.end(), [&](const auto& each) {
    return each.second.object == object.number;
  });
  return moves || in_files || 2 * object.url_bytes > core::kTransferListBytesMax;
}

// Nothing that ever happened to it keeps an object where it is.
bool IsMovable(const State& state, const Object& object) {
  const bool followed =
      std::any_of(state.subscriptions.begin(), state.subscriptions.end(),
                  [&](const auto& each) { return each.second.object == object.number; });
  return !followed && !MayBeKeptByNodes(state, object) && object.owners.empty() && !object.let_go &&
         !object.persisted && object.persists == 0 && object.frees == 0 && object.generation == 0 &&
         object.first_frees.empty() && !object.disagreed && object.open_transfers == 0 &&
         object.heirs.empty();
}

// Whether the host may be told that.
bool MayBeTold(const Oracle& oracle, const State& state, const Object& object,
               const SimTransfer& transfer, const absl::Status& status) {
  const Process& from = *state.process(transfer.from);
  const Process& to = *state.process(transfer.to);
  if (status.ok()) return EverOwned(object, transfer.to) || !to.live() || !from.live();
  if (absl::IsAlreadyExists(status)) return EverOwned(object, transfer.to);
  if (absl::IsResourceExhausted(status)) {
    // It has read the id of what the object contains, and takes a later owner for the first.
    return std::any_of(object.inners.begin(), object.inners.end(),
                       [&](int64_t inner) { return WasGivenAway(state.objects.at(inner)); });
  }
  switch (ReasonOf(status)) {
    case ErrorReason::kNotMovable:
      return !transfer.movable || MayBeKeptByNodes(state, object);
    case ErrorReason::kRefused:
      return !TakesTransfers(transfer.to);
    case ErrorReason::kDraining:
      return !to.live() || to.drain.number > 0;
    case ErrorReason::kPeerExcluded:
      return from.HeardOf(to);
    case ErrorReason::kExcluded:
      return from.knows();
    case ErrorReason::kGone:
      return object.ended || !oracle.Held(object) || !from.live();
    case ErrorReason::kNotOwner:
      return !object.owners.empty() || object.open_transfers > 1 || from.drain.gives;
    case ErrorReason::kOwnerDied:
      return PastOwner(state, from, object);
    default:
      return false;
  }
}

void OnAnswer(Oracle* oracle, State* state, int64_t number, const ObjectId& id,
              const absl::Status& status) {
  SimTransfer& transfer = state->transfers[number];
  Object& object = *state->object(transfer.object);
  SeeOwner(oracle, state, &object);
  const ErrorReason reason = ReasonOf(status);
  state->trace.Add(
      "transfer of O is answered A I",
      {object.number, static_cast<int64_t>(status.code()), static_cast<int64_t>(reason)});
  state->coverage.Count(std::string("transfer answered: ") +
                        (reason == ErrorReason::kNone ? absl::StatusCodeToString(status.code())
                                                      : ErrorReasonName(reason)));
  const std::string details = Details(object, transfer, status);
  oracle->Expect(id == object.id, "a transfer's answer is about another object", details);
  oracle->Expect(++transfer.told == 1, "a transfer is answered twice", details);
  oracle->Expect(MayBeTold(*oracle, *state, object, transfer, status),
                 "a transfer is answered wrongly", details);
  --object.open_transfers;
}

void SetOwner(Oracle* oracle, State* state, Object* object, int64_t owner) {
  const bool back = EverOwned(*object, owner);
  const bool taken_back = object->unsettled && object->former == owner &&
                          state->process(object->owner)->excluded_by != 0;
  state->trace.Add("O is owned by P", {object->number, owner});
  state->coverage.Count(!back ? "transfer taken"
                        : state->process(object->owner)->excluded_by != 0
                            ? "transfer taken back"
                            : "transfer taken: returned");
  if (!back && object->owners.size() > 1) state->coverage.Count("transfer taken: another one");
  if (!back) object->owners.push_back(owner);
  if (object->heirs.count(owner) > 0 && state->process(object->owner)->excluded_by != 0) {
    state->coverage.Count("an heir owns it");
    SeePinsInherited(oracle, state, object, *state->process(owner));
    if (!object->inners.empty()) state->coverage.Count("an heir owns what contains others");
    // They end with the process that has made them, or knew of them.
    object->users.clear();
    object->recorded = object->persisted = object->let_go = false;
    object->made_of = object->yielded_by = 0;
    object->label = 0;
    if (object->scope == 0) object->scope_held = false;
    object->persists = 0;
    // What its owner had begun to delete the heir does not know of, and does not wait for.
    object->owed.clear();
  }
  // Whoever takes it from one that has died does not know of every file that one knew of.
  for (auto& [url, file] : state->files) {
    if (file.object == object->number && state->process(object->owner)->excluded_by != 0) {
      file.known = file.carried = false;
    }
  }
  // One that its last owner learned of may have gone with it.
  if (state->process(object->owner)->excluded_by != 0) {
    object->primary_of = object->primary_handed;
  }
  SeePinsMoved(state, *object);
  NoteLineageMoved(state, object, *state->process(owner));
  if (taken_back && object->freed && object->freed_unsettled) {
    state->coverage.Count("what its next owner had freed is taken back");
    object->freed = false;
  }
  object->freed_unsettled = false;
  object->former = object->owner;
  object->unsettled = state->process(object->owner)->live();
  object->owner = owner;
  FollowOwner(oracle, state, object, taken_back);
  object->listed = object->handed;
  ListPassedOn(state, object);
}

// What an owner's host does and who borrows does not.
bool IsForOwners(Verb verb) {
  switch (verb) {
    case Verb::kCopy:
    case Verb::kDrop:
    case Verb::kGet:
    case Verb::kAdd:
    case Verb::kRemove:
    case Verb::kSubmit:
    case Verb::kSubmitTwo:
    case Verb::kExport:
    case Verb::kTransfer:
      return false;
    default:
      return verb < Verb::kAsk || verb == Verb::kSpillShared || verb == Verb::kMove;
  }
}

// All that a free would do with it is to free its value.
bool IsPlain(const Object& object) {
  return object.heirs.empty() && object.pins.empty() && object.first_frees.empty() &&
         object.users.empty() && object.scope == 0 && !object.recorded && object.made_of == 0 &&
         !object.persisted && object.persists == 0 && !object.lineage_moved;
}

bool IsLostIfTakenBack(Verb verb) {
  switch (verb) {
    case Verb::kWatchOut:
    case Verb::kWatchReclaimed:
    case Verb::kWatchErased:
    case Verb::kAwait:
    case Verb::kTold:
    case Verb::kQuery:
    case Verb::kMisuse:
    case Verb::kNameHeir:
    case Verb::kNameTwoHeirs:
    case Verb::kNameThreeHeirs:
    case Verb::kDismissHeir:
      return false;
    default:
      return IsForOwners(verb);
  }
}

// What would hold it in ways of which it is not known whether they go along.
bool IsToBeAwaited(Verb verb) {
  switch (verb) {
    case Verb::kScopeUse:
    case Verb::kStream:
    case Verb::kMake:
    case Verb::kRemake:
    case Verb::kCallOf:
    case Verb::kPersist:
    case Verb::kPersistFailing:
      return true;
    default:
      return false;
  }
}

void NoteAnswered(State* state, const Object& object, int64_t receiver, int64_t sender,
                  const core::SharingItem& item) {
  for (auto& [number, token] : state->tokens) {
    const bool its = token.object == object.number && token.from == sender &&
                     token.to == receiver && token.handoff == item.number;
    token.answered = token.answered || its;
  }
}

}  // namespace

// --- What hosts do -------------------------------------------------------------------------------

void NoteGivenAway(Oracle* oracle, State* state, Object* object) {
  oracle->MakeInexact(object);
  if (object->tokens == 0) object->tokens = 1;
  for (const int64_t contained : object->inners) {
    Object* inner = state->object(contained);
    if (inner->tokens == 0) inner->tokens = 1;
  }
  state->given_away.insert(object->number);
}

bool MayBeTransferred(const State& state, const Object& object) {
  return object.users.empty() && !IsStream(state, object) && object.stream == 0 &&
         object.stateful == 0 && object.yielded_by == 0;
}

void NotMovable(State* state, int64_t object) {
  for (auto& [number, transfer] : state->transfers) {
    if (transfer.object == object) transfer.movable = false;
  }
}

bool ActTransfer(Oracle* oracle, State* state, const Action& action) {
  Process* from = state->process(action.numbers[0]);
  Object* object = state->object(action.numbers[1]);
  const Process* to = state->process(action.numbers[2]);
  if (to == nullptr || to == from || object->owner != from->end || object->ended ||
      !oracle->Held(*object) || state->finishing) {
    return false;
  }
  if (!MayBeTransferred(*state, *object)) return false;
  const int64_t number = static_cast<int64_t>(state->transfers.size()) + 1;
  SimTransfer& transfer = state->transfers[number];
  transfer.object = object->number;
  transfer.from = from->end;
  transfer.to = to->end;
  transfer.movable = IsMovable(*state, *object) && from->drain.to == 0;
  TransferOptions options;
  options.on_answer = [oracle, state, number](const ObjectId& id, const absl::Status& status) {
    OnAnswer(oracle, state, number, id, status);
  };
  ++object->open_transfers;
  NoteGivenAway(oracle, state, object);
  const absl::Status status =
      Ownership(*from->counter).Transfer({&object->id, 1}, to->id, std::move(options));
  state->trace.Add("answer A", {static_cast<int64_t>(status.code())});
  oracle->Expect(status.ok(), "a transfer is refused at once", Details(*object, transfer, status));
  return true;
}

bool IsGivenAway(Oracle* oracle, State* state, const Action& action) {
  if (action.verb >= Verb::kPartition || state->given_away.empty()) return false;
  const std::string_view pattern = PatternOf(action.verb);
  if (pattern[0] != 'P') return false;  // a node's
  size_t place = 0;
  for (const std::string_view word : Words(pattern)) {
    if (!IsPlace(word)) continue;
    const int64_t number = action.numbers[place++];
    if (word[0] != 'O' || state->given_away.count(number) == 0) continue;
    Object* object = state->object(number);
    SeeOwner(oracle, state, object);
    if (object->open_transfers > 0 && IsForOwners(action.verb)) NotMovable(state, number);
    if (object->owner != action.numbers[0]) continue;
    if (object->moving && IsForOwners(action.verb)) return true;
    // What is pinned, its heir hears in time, or is not told of.
    const bool is_told = action.verb == Verb::kPin;
    if (action.verb == Verb::kFree && IsPlain(*object)) continue;
    const bool may_be_undone =
        MayBeTakenBack(*state, *object) || (!object->heirs.empty() && !is_told);
    if (may_be_undone && IsLostIfTakenBack(action.verb)) return true;
    const bool drains = state->OwnerOf(*object).drain.to != 0;
    if ((drains || object->open_transfers > 0) && IsToBeAwaited(action.verb)) return true;
    if (drains && HeirsIn(action.verb) > 0) return true;
  }
  return false;
}

bool MayBeTakenBack(const State& state, const Object& object) {
  return object.unsettled && state.process(object.former)->live();
}

bool ExpectOwner(Oracle* oracle, State* state, const Action& action) {
  const bool nothing = action.verb == Verb::kExpectOwnsNothing;
  const Process* process = state->process(action.numbers[nothing ? 0 : 1]);
  if (process == nullptr || process->crashed) return false;
  const ReferenceCounterStats stats = process->counter->GetStats();
  Object* object = nothing ? nullptr : state->object(action.numbers[0]);
  if (!nothing && object == nullptr) return false;
  oracle->Expect(nothing ? stats.objects == stats.borrowed : Owns(*process, *object),
                 "not as expected", ActionText(action));
  return true;
}

// --- Whose it is ---------------------------------------------------------------------------------

void SeeOwner(Oracle* oracle, State* state, Object* object) {
  if (state->given_away.count(object->number) == 0) return;
  if (object->owners.empty()) object->owners.push_back(object->owner);
  const Process& owner = state->OwnerOf(*object);
  const Process* trusted = nullptr;
  const Process* suspected = nullptr;
  for (const auto& process : state->processes) {
    if (!Owns(*process, *object)) continue;
    if (process->live()) {
      oracle->Expect(
          trusted == nullptr, "S5: an object has two owners",
          NameOf(*object) + " " +
              Format("at P and P", {process->end, trusted == nullptr ? 0 : trusted->end}));
      trusted = process.get();
    } else if (process.get() != &owner && !owner.HeardOf(*process)) {
      suspected = process.get();
    }
  }
  // It has taken the object from one that does not know that it is suspected, be it itself or not.
  if (trusted == nullptr && !owner.crashed && !Owns(owner, *object)) trusted = suspected;
  if (trusted != nullptr && trusted->end != object->owner) {
    SetOwner(oracle, state, object, trusted->end);
  }
  const Process& now = state->OwnerOf(*object);
  object->moving = false;
  if (!now.usable()) return;
  object->moving = !Owns(now, *object) && now.counter->OwnerOf(object->id).ok();
}

void SeeOwners(Oracle* oracle, State* state) {
  for (auto at = state->given_away.begin(); at != state->given_away.end();) {
    Object* object = state->object(*at);
    SeeOwner(oracle, state, object);
    at = object->ended && object->open_transfers == 0 ? state->given_away.erase(at) : std::next(at);
  }
}

void SeeInherited(Oracle* oracle, State* state, Object* object) {
  for (const int64_t heir : object->heirs) {
    const Process& process = *state->process(heir);
    if (!process.live() || !process.PastBarrier(state->OwnerOf(*object))) continue;
    return SetOwner(oracle, state, object, heir);
  }
}

// --- On the wire ---------------------------------------------------------------------------------

void OnTransferSent(Oracle* oracle, State* state, int64_t from, int64_t to,
                    const core::TransferItem& item) {
  state->coverage.Count("item Transfer");
  Object* object = state->Find(item.object);
  if (object == nullptr) return;
  state->trace.Add("E sends E Transfer O I", {from, to, object->number, item.term});
  if (item.state == core::TransferState::kRecord) {
    state->records_sent.insert(object->number);
    return;
  }
  SeeOwner(oracle, state, object);
  if (object->owner != from) return;  // it comes again
  NoteOnItsWay(state, *object, to);
  object->primary_handed = object->primary_of;
  object->handed.clear();
  const auto hand = [&](int64_t process) {
    object->handed[process] = object->holdings[process].spell;
  };
  for (const ProcessId& process : item.processes) hand(state->EndOf(process));
  hand(from);
}

void OnMovedSent(State* state, int64_t from, int64_t to, const core::MovedItem& item) {
  const Object* object = state->Find(item.object);
  const bool by_owner = item.owner.IsNil();
  state->coverage.Count(to < 0
                            ? by_owner ? "item Moved to a node" : "item Moved to a node that asks"
                        : by_owner ? "item Moved to a process"
                                   : "item Moved to a process that asks");
  if (object == nullptr) return;
  state->trace.Add("E sends E Moved O I", {from, to, object->number, item.term});
  for (auto& [number, token] : state->tokens) {
    const bool its = token.object == object->number && token.from == from && token.to == to;
    token.overtaken = token.overtaken || (its && !token.redeemed);
  }
}

void OnSharingSent(Oracle* oracle, State* state, int64_t from, int64_t to,
                   const core::SharingItem& item) {
  Object* object = state->Find(item.object);
  if (object == nullptr) return;
  if (item.kind == core::SharingKind::kHandoffAck) NoteAnswered(state, *object, from, to, item);
  if (state->given_away.empty()) return;
  const bool taken = item.kind == core::SharingKind::kTransferAck &&
                     item.answer == static_cast<uint8_t>(core::TransferAnswer::kTaken);
  if (taken && state->records_sent.erase(object->number) > 0) {
    return SeeRecordTaken(state, object, from);
  }
  if (state->given_away.count(object->number) == 0) return;
  if (taken) {
    // It may have ended before anybody looks.
    const bool first = state->taken_seen.insert({object->number, from, item.term}).second;
    if (first && object->owner == to && state->process(from)->live()) {
      SetOwner(oracle, state, object, from);
    }
  }
  if (item.kind == core::SharingKind::kSettledAck && object->owner == to) object->unsettled = false;
  SeeOwner(oracle, state, object);
  const bool listed = item.kind == core::SharingKind::kRegisterAck && item.answer == 0;
  if (listed && object->owner == from) object->listed[to] = object->holdings[to].spell;
  const bool has_none = item.kind == core::SharingKind::kMovedAck && item.answer == 0;
  if (has_none && object->owner == to) object->listed.erase(from);
  const bool asks =
      item.kind == core::SharingKind::kRegister || item.kind == core::SharingKind::kWatch;
  if (asks && to != object->owner && EverOwned(*object, to)) {
    state->coverage.Count("a former owner is asked");
  }
}

void OnLocationSent(State* state, int64_t, int64_t to, const core::LocationItem& item) {
  if (state->given_away.empty()) return;
  const Object* object = state->Find(item.object);
  if (object == nullptr || !WasGivenAway(*object) || to == object->owner) return;
  state->coverage.Count("a copy is reported to a former owner");
}

}  // namespace freehold::testing::sim
