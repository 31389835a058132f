// LineageTable: tasks that go along with what they made, when that gets another owner.

#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/lineage_table.h"
#include "src/core/state_chains.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

namespace {

// Two places are as good as none to go to.
void Join(PeerIndex peer, PeerIndex many, PeerIndex* to) {
  if (*to == kNoPeer) {
    *to = peer;
  } else if (*to != peer) {
    *to = many;
  }
}

}  // namespace

// --- Where it is lent ----------------------------------------------------------------------------

LineageVerdict LineageTable::Step(const event::LendReturn& e, TaskRecord* task,
                                  LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || !objects_.At(slot).made) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  if (object.in_scope == e.record) return LineageVerdict::kNotFound;
  if (object.checkpointed || object.not_restartable) return LineageVerdict::kHostKeeps;
  const uint32_t index = object.task;
  if (index == kNone || tasks_.At(index).state == State::kGoing) {
    if (e.record) return LineageVerdict::kNotFound;
    // It cannot be made again, here or elsewhere.
    object.made = false;
    object.in_scope = false;
    object.task = kNone;
    if (!IsOfUse(object)) EraseObject(slot, effects);
    return LineageVerdict::kOk;
  }
  Task& lent = tasks_.At(index);
  if (lent.state != State::kKept) return LineageVerdict::kBusy;
  const bool is_call = StateOf(objects_.At(lent.returns.front()).id).has_value();
  if (is_call || lent.not_restartable) return LineageVerdict::kHostKeeps;
  if (lent.arguments.size() > kTaskArgumentsMax) return LineageVerdict::kTooMany;
  *task = {lent.id, lent.bytes, lent.retries, {}};
  task->arguments.reserve(lent.arguments.size());
  for (const uint32_t argument : lent.arguments) {
    task->arguments.push_back(objects_.At(argument).id);
  }
  const bool needed = NeedsMaker(object);
  object.task = kNone;
  object.in_scope = false;
  object.made = false;
  object.lent_by = index;
  object.lent_over = object.ended_lent = false;
  CountLent(&lent, 1);
  Join(e.to, kManyPeers, &lent.to);
  if (needed) DropNeed(index, effects);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::LentSettled& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || objects_.At(slot).lent_by == kNone) return LineageVerdict::kNotFound;
  const uint32_t index = objects_.At(slot).lent_by;
  Task& task = tasks_.At(index);
  if (task.settled || task.lent == 0) return LineageVerdict::kOk;
  task.settled = true;
  if (IsAway(task)) GoAway(index, effects);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::ReturnBack& e, LineageEffects* effects) {
  if (e.record && FindObject(e.object) == kNone) {
    effects->to_forget.push_back(e.object);
    return LineageVerdict::kNotFound;
  }
  const uint32_t slot = EnsureObject(e.object);
  if (slot == kNone) return LineageVerdict::kTableFull;
  Object& object = objects_.At(slot);
  object.made = true;
  object.stays = object.stays || e.stays;
  const uint32_t index = object.lent_by;
  object.lent_by = kNone;
  object.in_scope = !e.record;
  if (index != kNone && tasks_.At(index).state != State::kGoing) {
    object.task = index;
    if (NeedsMaker(object)) AddNeed(index);
    if (!object.lent_over) CountLent(&tasks_.At(index), -1);
  }
  if (std::exchange(object.ended_lent, false) && object.in_scope) {
    object.in_scope = false;
    if (!IsOfUse(object)) EndUse(slot, effects);
  } else if (!IsOfUse(object)) {
    // Nobody needs the record any more.
    if (object.task == kNone) {
      EraseObject(slot, effects);
    } else if (tasks_.At(object.task).needed == 0 && tasks_.At(object.task).lent == 0) {
      Release(object.task, PieceKind::kReturns, effects);
    }
  }
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::LentEnded& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || objects_.At(slot).lent_by == kNone || objects_.At(slot).lent_over) {
    return LineageVerdict::kNotFound;
  }
  if (IsMutant(Mutant::kLentForgotten)) return LineageVerdict::kNotFound;
  const uint32_t index = objects_.At(slot).lent_by;
  Task& task = tasks_.At(index);
  if (task.state == State::kGoing) return LineageVerdict::kNotFound;
  objects_.At(slot).lent_over = true;
  if (task.state == State::kKept && task.needed == 0 && task.lent == 1) {
    Release(index, PieceKind::kReturns, effects);
    return LineageVerdict::kOk;
  }
  CountLent(&task, -1);
  return LineageVerdict::kOk;
}

void LineageTable::CountLent(Task* task, int change) {
  task->lent += static_cast<uint32_t>(change);
  counters_.lent += static_cast<uint64_t>(change);
  if (task->lent > 0) return;
  task->to = kNoPeer;
  task->settled = false;
}

void LineageTable::DropAway(Object* argument) {
  if (--argument->away == 0) argument->to = kNoPeer;
}

void LineageTable::AddNeed(uint32_t task) {
  Task& needed = tasks_.At(task);
  const bool was_away = IsAway(needed);
  ++needed.needed;
  if (!was_away) return;
  --counters_.away;
  for (const uint32_t argument : needed.arguments) DropAway(&objects_.At(argument));
}

void LineageTable::GoAway(uint32_t task, LineageEffects* effects) {
  const Task& away = tasks_.At(task);
  ++counters_.away;
  for (const uint32_t argument : away.arguments) {
    Object& object = objects_.At(argument);
    ++object.away;
    Join(away.to, kManyPeers, &object.to);
    FollowIfAlone(object, effects);
  }
}

// What no task made is of no use to anybody once it is out of scope.
void LineageTable::FollowIfAlone(const Object& object, LineageEffects* effects) {
  if (object.in_scope || object.away == 0 || object.away < object.dependents) return;
  if (object.task == kNone || object.checkpointed || object.stays) return;
  const Task& task = tasks_.At(object.task);
  if (task.state != State::kKept || task.retries == 0 || object.to == kManyPeers) return;
  if (IsMutant(Mutant::kRecordStaysBehind)) return;
  effects->to_follow.push_back({object.id, object.to});
}

LineageVerdict LineageTable::Step(const event::RecordKept& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone) return LineageVerdict::kNotFound;
  FollowIfAlone(objects_.At(slot), effects);
  return LineageVerdict::kOk;
}

// --- Where it goes -------------------------------------------------------------------------------

LineageVerdict LineageTable::Step(const event::AdoptReturn& e, LineageEffects* effects) {
  const uint32_t known = FindTask(e.task.id);
  if (known != kNone) {
    if (tasks_.At(known).state == State::kRecording) return LineageVerdict::kBusy;
    return EnterAdopted(known, e, effects);
  }
  LineageVerdict verdict =
      Step(event::BeginTask{e.task.id, e.task.spec_bytes, e.task.retries, false});
  if (verdict != LineageVerdict::kOk) return verdict;
  verdict = EnterAdopted(FindTask(e.task.id), e, effects);
  if (verdict == LineageVerdict::kOk) {
    verdict = Step(event::AddArguments{e.task.id, e.task.arguments});
  }
  if (verdict == LineageVerdict::kOk) return Step(event::EndTask{e.task.id}, effects);
  (void)Step(event::AbandonTask{e.task.id});
  return verdict;
}

// It may be an argument already: whoever recorded that was not who recorded its task.
LineageVerdict LineageTable::EnterAdopted(uint32_t task, const event::AdoptReturn& e,
                                          LineageEffects* effects) {
  const uint32_t slot = EnsureObject(e.object);
  if (slot == kNone) return LineageVerdict::kTableFull;
  if (objects_.At(slot).lent_by == task) {
    // It comes back.
    objects_.At(slot).ended_lent = false;
    (void)Step(event::ReturnBack{e.object}, effects);
    objects_.At(slot).generation = e.generation;
    return LineageVerdict::kOk;
  }
  (void)Step(event::LentEnded{e.object}, effects);
  Object& object = objects_.At(slot);
  const bool made = object.task != kNone && tasks_.At(object.task).state != State::kGoing;
  if (made || object.lent_by != kNone) {
    return object.task == task ? LineageVerdict::kUnchanged : LineageVerdict::kAlreadyExists;
  }
  EndPersisted(&object);
  object.task = task;
  object.made = true;
  object.in_scope = true;
  object.not_restartable = false;
  object.generation = e.generation;
  tasks_.At(task).returns.push_back(slot);
  AddNeed(task);
  return LineageVerdict::kOk;
}

}  // namespace freehold::core
