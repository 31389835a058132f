// LineageTable: tasks that go along with what they made, when that gets another owner.

#include <algorithm>
#include <iterator>
#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/lineage_table.h"
#include "src/core/state_chains.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

// --- Where it is lent ----------------------------------------------------------------------------

LineageVerdict LineageTable::Step(const event::LendReturn& e, TaskRecord* task,
                                  LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || !objects_.At(slot).made) {
    // Its task was evicted while it was lent, and it has come back.
    return e.record ? LineageVerdict::kNotFound : LineageVerdict::kOk;
  }
  Object& object = objects_.At(slot);
  if (object.in_scope == e.record) return LineageVerdict::kNotFound;
  // It may be needed here since it was to follow.
  if (e.record && WhereNeeded(slot) != e.to) return LineageVerdict::kNotFound;
  if (object.checkpointed || object.not_restartable) return LineageVerdict::kHostKeeps;
  const uint32_t index = object.task;
  if (index == kNone || tasks_.At(index).state == State::kGoing) {
    // It cannot be made again, here or elsewhere.
    return e.record ? LineageVerdict::kNotFound : LineageVerdict::kOk;
  }
  Task& lent = tasks_.At(index);
  if (lent.state != State::kKept) return LineageVerdict::kBusy;
  const bool is_call = StateOf(objects_.At(lent.returns.front()).id).has_value();
  if (is_call || lent.not_restartable) return LineageVerdict::kHostKeeps;
  if (lent.arguments.size() > kTaskArgumentsMax) return LineageVerdict::kTooMany;
  *task = {lent.id, lent.bytes, lent.retries, {}};
  if (lent.retries > 0) {
    task->arguments.reserve(lent.arguments.size());
    for (const uint32_t argument : lent.arguments) {
      task->arguments.push_back(objects_.At(argument).id);
    }
  }
  const bool needed = NeedsMaker(object);
  BeginLent(&object);
  if (needed) DropNeed(index, effects);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::ReturnGiven& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || !objects_.At(slot).made) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  const uint32_t index = object.task;
  if (index != kNone && tasks_.At(index).state != State::kGoing) return LineageVerdict::kUnchanged;
  object.made = false;
  object.in_scope = false;
  object.task = kNone;
  if (!IsOfUse(object)) EraseObject(slot, effects);
  return LineageVerdict::kOk;
}

void LineageTable::BeginLent(Object* object) {
  Task& task = tasks_.At(object->task);
  object->lent_by = std::exchange(object->task, kNone);
  object->in_scope = false;
  object->made = false;
  object->lent = Lent::kUnsettled;
  object->ended_lent = object->kept_lent = false;
  ++task.lent;
  ++task.unsettled;
}

LineageVerdict LineageTable::Step(const event::LentSettled& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || objects_.At(slot).lent_by == kNone) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  const uint32_t index = object.lent_by;
  Task& task = tasks_.At(index);
  if (object.lent == Lent::kOver || task.state == State::kGoing) return LineageVerdict::kUnchanged;
  const bool moves_on = object.lent == Lent::kSettled;
  if (moves_on && object.lent_to == e.owner) return LineageVerdict::kUnchanged;
  const PeerIndex was = WhereAway(index);
  if (moves_on) {
    Drop(&lent_at_, index, object.lent_to);
  } else {
    --task.unsettled;
  }
  object.lent = Lent::kSettled;
  object.lent_to = e.owner;
  lent_at_[index].Add(e.owner);
  AfterLending(index, was, effects);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::ReturnBack& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone) {
    if (e.record) effects->to_forget.push_back(e.object);
    return LineageVerdict::kNotFound;
  }
  Object& object = objects_.At(slot);
  const uint32_t index = object.lent_by;
  object.lent_by = kNone;
  object.made = true;
  object.stays = object.stays || e.stays;
  // A record may have been revived meanwhile.
  if (!e.record) object.in_scope = !object.ended_lent;
  if (index == kNone || tasks_.At(index).state == State::kGoing) {
    if (!IsOfUse(object)) EndUse(slot, effects);
    return LineageVerdict::kOk;
  }
  const PeerIndex was = WhereAway(index);
  EndLent(index, &object);
  object.task = index;
  if (NeedsMaker(object)) ++tasks_.At(index).needed;
  const bool kept = object.kept_lent;
  AfterLending(index, was, effects);
  if (kept) FollowIfAlone(slot, effects);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::LentEnded& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || objects_.At(slot).lent_by == kNone) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  const uint32_t index = object.lent_by;
  const bool going = tasks_.At(index).state == State::kGoing;
  if (object.lent == Lent::kOver || going) return LineageVerdict::kNotFound;
  if (IsMutant(Mutant::kLentForgotten)) return LineageVerdict::kNotFound;
  const PeerIndex was = WhereAway(index);
  EndLent(index, &object);
  AfterLending(index, was, effects);
  return LineageVerdict::kOk;
}

void LineageTable::EndLent(uint32_t task, Object* object) {
  if (object->lent == Lent::kOver) return;
  --tasks_.At(task).lent;
  if (object->lent == Lent::kUnsettled) {
    --tasks_.At(task).unsettled;
  } else {
    Drop(&lent_at_, task, object->lent_to);
  }
  object->lent = Lent::kOver;
}

// The task may have gone away, to wherever, or come back, or be of use to nobody. `was`: where it
// was away.
void LineageTable::AfterLending(uint32_t task, PeerIndex was, LineageEffects* effects) {
  Task& after = tasks_.At(task);
  const PeerIndex is = WhereAway(task);
  if (is != was) {
    if (was != kNoPeer) ComeBack(task, was);
    if (is != kNoPeer) GoAway(task, is, effects);
  }
  if (after.state != State::kKept) return;
  if (after.needed == 0 && after.lent == 0) return Release(task, PieceKind::kReturns, effects);
  ReleaseIfUnneeded(&after);
}

void LineageTable::Drop(Places* places, uint32_t of, PeerIndex peer) {
  const auto at = places->find(of);
  FREEHOLD_CHECK(at != places->end());
  at->second.Remove(peer);
  if (at->second.count() == 0) places->erase(at);
}

PeerIndex LineageTable::WhereAway(uint32_t task) const {
  return IsAway(tasks_.At(task)) ? lent_at_.find(task)->second.Get() : kNoPeer;
}

PeerIndex LineageTable::WhereNeeded(uint32_t object) const {
  const auto at = away_at_.find(object);
  if (at == away_at_.end() || objects_.At(object).stays) return kNoPeer;
  return at->second.count() == objects_.At(object).dependents ? at->second.Get() : kNoPeer;
}

void LineageTable::AddNeed(uint32_t task) {
  const PeerIndex was = WhereAway(task);
  ++tasks_.At(task).needed;
  if (was != kNoPeer) ComeBack(task, was);
}

void LineageTable::ComeBack(uint32_t task, PeerIndex from) {
  const std::vector<uint32_t>& arguments = tasks_.At(task).arguments;
  --counters_.away;
  looked_at_ += arguments.size();
  for (const uint32_t argument : arguments) Drop(&away_at_, argument, from);
}

void LineageTable::GoAway(uint32_t task, PeerIndex to, LineageEffects* effects) {
  const std::vector<uint32_t>& arguments = tasks_.At(task).arguments;
  ++counters_.away;
  looked_at_ += arguments.size();
  for (const uint32_t argument : arguments) {
    away_at_[argument].Add(to);
    FollowIfAlone(argument, effects);
  }
}

// What no task made is of no use to anybody once it is out of scope.
void LineageTable::FollowIfAlone(uint32_t object, LineageEffects* effects) {
  const Object& record = objects_.At(object);
  if (record.in_scope || record.task == kNone || record.checkpointed) return;
  const PeerIndex to = WhereNeeded(object);
  if (to == kNoPeer || to == kManyPeers) return;
  const Task& task = tasks_.At(record.task);
  if (task.state == State::kGoing || task.retries == 0) return;
  if (IsMutant(Mutant::kRecordStaysBehind)) return;
  effects->to_follow.push_back({record.id, to});
}

LineageVerdict LineageTable::Step(const event::RecordKept& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  object.kept_lent = object.lent_by != kNone;
  FollowIfAlone(slot, effects);
  return LineageVerdict::kOk;
}

// --- Where it goes -------------------------------------------------------------------------------

LineageVerdict LineageTable::Step(const event::AdoptReturn& e, Adoption* adoption,
                                  LineageEffects* effects) {
  const uint32_t known = FindTask(e.task.id);
  if (known != kNone) {
    if (tasks_.At(known).state == State::kRecording) return LineageVerdict::kBusy;
    return EnterAdopted(known, e, adoption, effects);
  }
  LineageVerdict verdict =
      Step(event::BeginTask{e.task.id, e.task.spec_bytes, e.task.retries, false});
  if (verdict != LineageVerdict::kOk) return verdict;
  verdict = EnterAdopted(FindTask(e.task.id), e, adoption, effects);
  if (verdict == LineageVerdict::kOk) {
    verdict = Step(event::AddArguments{e.task.id, e.task.arguments});
  }
  *adoption = Adoption::kWithTask;
  if (verdict != LineageVerdict::kOk) (void)Step(event::AbandonTask{e.task.id});
  return verdict;
}

// It may be an argument already: whoever recorded that was not who recorded its task.
LineageVerdict LineageTable::EnterAdopted(uint32_t task, const event::AdoptReturn& e,
                                          Adoption* adoption, LineageEffects* effects) {
  const uint32_t slot = EnsureObject(e.object);
  if (slot == kNone) return LineageVerdict::kTableFull;
  // It may have run where it was. What is of use here has retries of its own.
  const bool has_run = tasks_.At(task).needed == 0;
  if (objects_.At(slot).lent_by == task) {
    *adoption = objects_.At(slot).lent == Lent::kOver ? Adoption::kBackOver : Adoption::kBack;
    if (has_run) tasks_.At(task).retries = e.task.retries;
    objects_.At(slot).ended_lent = false;
    (void)Step(event::ReturnBack{e.object}, effects);
    objects_.At(slot).generation = e.generation;
    return LineageVerdict::kOk;
  }
  (void)Step(event::LentEnded{e.object}, effects);
  Object& object = objects_.At(slot);
  const bool made = object.task != kNone && tasks_.At(object.task).state != State::kGoing;
  const bool lent = object.lent_by != kNone && tasks_.At(object.lent_by).state != State::kGoing;
  if (made || lent) {
    *adoption = Adoption::kKnown;
    return object.task == task ? LineageVerdict::kUnchanged : LineageVerdict::kAlreadyExists;
  }
  *adoption = Adoption::kNew;
  EndPersisted(&object);
  object.lent_by = kNone;
  object.task = task;
  object.made = true;
  object.in_scope = true;
  object.not_restartable = false;
  object.generation = e.generation;
  tasks_.At(task).returns.push_back(slot);
  if (has_run) tasks_.At(task).retries = e.task.retries;
  AddNeed(task);
  return LineageVerdict::kOk;
}

// Its end here would be that of whoever needs its task elsewhere: it has not been here.
LineageVerdict LineageTable::Step(const event::ReturnNotTaken& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || e.adoption == Adoption::kKnown) return LineageVerdict::kUnchanged;
  Object& object = objects_.At(slot);
  const uint32_t index = object.task;
  const bool needed = NeedsMaker(object);
  object.made = false;
  object.in_scope = false;
  if (index == kNone) {
    if (!IsOfUse(object)) EraseObject(slot, effects);  // its task was evicted meanwhile
    return LineageVerdict::kOk;
  }
  Task& task = tasks_.At(index);
  if (task.state == State::kGoing) return LineageVerdict::kOk;  // and so is this, with it
  if (e.adoption == Adoption::kBack || e.adoption == Adoption::kBackOver) {
    BeginLent(&object);
    if (needed) DropNeed(index, effects);
    if (e.adoption == Adoption::kBackOver) return Step(event::LentEnded{e.object}, effects);
    return Step(event::LentSettled{e.object, e.from}, effects);
  }
  object.task = kNone;
  // Among the last, where the task has made many.
  const auto entered = std::find(task.returns.rbegin(), task.returns.rend(), slot);
  task.returns.erase(std::prev(entered.base()));
  if (!IsOfUse(object)) EraseObject(slot, effects);
  if (needed) DropNeed(index, effects);
  return LineageVerdict::kOk;
}

}  // namespace freehold::core
