#include "src/core/lineage_table.h"

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

// --- Finding -------------------------------------------------------------------------------------

uint32_t LineageTable::FindTask(const TaskId& id) const {
  const RecordIndex index =
      by_task_.Find(id.Hash(), [&](RecordIndex at) { return tasks_.At(at).id == id; });
  return index == kNoRecord ? kNone : index;
}

uint32_t LineageTable::FindObject(const ObjectId& id) const {
  const RecordIndex index =
      by_object_.Find(id.Hash(), [&](RecordIndex at) { return objects_.At(at).id == id; });
  return index == kNoRecord ? kNone : index;
}

LineageTable::Task* LineageTable::InState(const TaskId& id, State state) {
  const uint32_t index = FindTask(id);
  if (index == kNone || tasks_.At(index).state != state) return nullptr;
  return &tasks_.At(index);
}

uint32_t LineageTable::EnsureObject(const ObjectId& id) {
  const uint32_t found = FindObject(id);
  if (found != kNone) return found;
  const uint32_t index = objects_.Allocate();
  if (index == kNone) return kNone;
  objects_.At(index) = Object();
  objects_.At(index).id = id;
  if (!by_object_.Insert(id.Hash(), index,
                         [&](RecordIndex at) { return objects_.At(at).id.Hash(); })) {
    objects_.Release(index);
    return kNone;
  }
  return index;
}

void LineageTable::EraseObject(uint32_t object, LineageEffects* effects) {
  const Object& erased = objects_.At(object);
  if (erased.made) effects->to_forget.push_back(erased.id);
  by_object_.Erase(erased.id.Hash(), object);
  objects_.Release(object);
}

void LineageTable::Enlist(uint32_t task) {
  tasks_.At(task).older = youngest_;
  tasks_.At(task).next = kNone;
  (youngest_ == kNone ? oldest_ : tasks_.At(youngest_).next) = task;
  youngest_ = task;
}

void LineageTable::Delist(uint32_t task) {
  const Task& listed = tasks_.At(task);
  (listed.older == kNone ? oldest_ : tasks_.At(listed.older).next) = listed.next;
  (listed.next == kNone ? youngest_ : tasks_.At(listed.next).older) = listed.older;
}

// --- Recording -----------------------------------------------------------------------------------

LineageVerdict LineageTable::Step(const event::BeginTask& e) {
  if (FindTask(e.task) != kNone) return LineageVerdict::kAlreadyExists;
  const uint32_t index = tasks_.Allocate();
  if (index == kNone) return LineageVerdict::kTableFull;
  Task& task = tasks_.At(index);
  task = Task();
  task.id = e.task;
  task.bytes = e.bytes;
  task.retries = e.retries;
  task.not_restartable = e.not_restartable;
  task.needed = 1;
  task.state = State::kRecording;
  if (!by_task_.Insert(e.task.Hash(), index,
                       [&](RecordIndex at) { return tasks_.At(at).id.Hash(); })) {
    tasks_.Release(index);
    return LineageVerdict::kTableFull;
  }
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::AddReturns& e) {
  Task* task = InState(e.task, State::kRecording);
  if (task == nullptr) return LineageVerdict::kNotFound;
  const uint32_t index = FindTask(e.task);
  for (const ObjectId& id : e.returns) {
    if (const LineageVerdict entered = Enter(index, id); entered != LineageVerdict::kOk) {
      return entered;
    }
  }
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::AddReturn& e) {
  const uint32_t index = FindTask(e.task);
  if (index == kNone || tasks_.At(index).state == State::kRecording) {
    return LineageVerdict::kNotFound;
  }
  const uint32_t slot = FindObject(e.object);
  if (slot != kNone && objects_.At(slot).task == index) return LineageVerdict::kUnchanged;
  return Enter(index, e.object);
}

// As a return of the task, in scope.
LineageVerdict LineageTable::Enter(uint32_t task, const ObjectId& made) {
  const uint32_t slot = EnsureObject(made);
  if (slot == kNone) return LineageVerdict::kTableFull;
  Object& object = objects_.At(slot);
  // One that is going forgets it in its piece, unless it is another's by then.
  if (object.task != kNone && tasks_.At(object.task).state != State::kGoing) {
    return LineageVerdict::kAlreadyExists;
  }
  if (object.dependents > 0) return LineageVerdict::kDependedOn;
  const bool lent = object.lent_by != kNone && tasks_.At(object.lent_by).state != State::kGoing;
  if (lent) return LineageVerdict::kAlreadyExists;
  object.lent_by = kNone;
  EndPersisted(&object);
  object.task = task;
  object.made = true;
  object.in_scope = true;
  object.not_restartable = false;
  tasks_.At(task).returns.push_back(slot);
  AddNeed(task);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::AddArguments& e) {
  Task* task = InState(e.task, State::kRecording);
  if (task == nullptr) return LineageVerdict::kNotFound;
  if (task->retries == 0) return LineageVerdict::kOk;
  for (const ObjectId& id : e.arguments) {
    const uint32_t slot = EnsureObject(id);
    if (slot == kNone) return LineageVerdict::kTableFull;
    Object& object = objects_.At(slot);
    if (object.task != kNone && &tasks_.At(object.task) == task) return LineageVerdict::kDependedOn;
    const bool first = !IsOfUse(object) && !object.checkpointed;
    if (first && object.task != kNone) AddNeed(object.task);
    ++object.dependents;
    task->arguments.push_back(slot);
  }
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::EndTask& e, LineageEffects* effects) {
  Task* task = InState(e.task, State::kRecording);
  if (task == nullptr) return LineageVerdict::kNotFound;
  const uint32_t index = FindTask(e.task);
  task->state = State::kKept;
  counters_.bytes += task->bytes;
  Enlist(index);
  DropNeed(index, effects);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::AbandonTask& e) {
  if (InState(e.task, State::kRecording) == nullptr) return LineageVerdict::kNotFound;
  LineageEffects none;  // nobody has heard of it
  Release(FindTask(e.task), PieceKind::kAbandonedReturns, &none);
  return LineageVerdict::kOk;
}

// --- Letting go ----------------------------------------------------------------------------------

void LineageTable::DropNeed(uint32_t task, LineageEffects* effects) {
  Task& dropped = tasks_.At(task);
  if (dropped.state == State::kGoing) return;
  FREEHOLD_CHECK(dropped.needed > 0);
  --dropped.needed;
  if (dropped.needed == 0 && dropped.lent > 0) {
    if (IsAway(dropped)) GoAway(task, WhereAway(task), effects);
    return;
  }
  const bool goes = dropped.needed == 0 && !IsMutant(Mutant::kLineageNotReleased);
  if (goes || (dropped.not_restartable && dropped.state == State::kKept)) {
    Release(task, PieceKind::kReturns, effects);
  }
}

// Its entry stays until its returns have been looked at, which name it.
void LineageTable::Release(uint32_t task, PieceKind returns, LineageEffects* effects) {
  Task& released = tasks_.At(task);
  const PeerIndex away = WhereAway(task);
  counters_.away -= away == kNoPeer ? 0 : 1;
  lent_at_.erase(task);
  if (released.state == State::kKept) {
    counters_.bytes -= released.bytes;
    ++counters_.released;
    effects->released.push_back(released.id);
    Delist(task);
  }
  by_task_.Erase(released.id.Hash(), task);
  released.state = State::kGoing;
  pieces_.push_back(
      {PieceKind::kArguments, std::exchange(released.arguments, {}), kNone, released.let_go, away});
  pieces_.push_back({returns, std::exchange(released.returns, {}), task, 0, kNoPeer});
}

void LineageTable::DropDependent(uint32_t object, const Piece& piece, LineageEffects* effects) {
  Object& argument = objects_.At(object);
  const uint32_t let_go = piece.objects.size() < piece.let_go ? 1 : 0;
  FREEHOLD_CHECK(argument.dependents > 0 && argument.let_go >= let_go);
  argument.let_go -= let_go;
  if (piece.away != kNoPeer) Drop(&away_at_, object, piece.away);
  --argument.dependents;
  if (IsOfUse(argument)) return FollowIfAlone(object, effects);
  EndUse(object, effects);
}

// What is checkpointed is erased with its maker: that names it.
void LineageTable::EndUse(uint32_t object, LineageEffects* effects) {
  const Object& ended = objects_.At(object);
  if (ended.task == kNone) {
    if (ended.lent_by == kNone) EraseObject(object, effects);
  } else if (!ended.checkpointed) {
    DropNeed(ended.task, effects);
  }
}

// The task that made it is let go of.
void LineageTable::ForgetMaker(uint32_t object, const Piece& piece, LineageEffects* effects) {
  Object& forgotten = objects_.At(object);
  if (forgotten.lent_by == piece.task) {
    forgotten.lent_by = kNone;
    if (!IsOfUse(forgotten)) EraseObject(object, effects);
    return;
  }
  if (forgotten.task != piece.task) return;
  forgotten.not_restartable = tasks_.At(piece.task).not_restartable;
  forgotten.task = kNone;
  if (piece.kind == PieceKind::kAbandonedReturns) forgotten.in_scope = false;
  if (!IsOfUse(forgotten)) EraseObject(object, effects);
}

bool LineageTable::Work(uint64_t* budget, LineageEffects* effects) {
  while (counters_.bytes > bytes_max_ && oldest_ != kNone) {
    if (*budget == 0) return true;
    --*budget;
    ++counters_.evicted;
    Release(oldest_, PieceKind::kReturns, effects);
  }
  while (!pieces_.empty()) {
    Piece& piece = pieces_.front();  // stays where it is when further ones come
    while (!piece.objects.empty()) {
      if (*budget == 0) return true;
      --*budget;
      const uint32_t object = piece.objects.back();
      piece.objects.pop_back();
      if (piece.kind == PieceKind::kArguments) {
        DropDependent(object, piece, effects);
      } else {
        ForgetMaker(object, piece, effects);
      }
      *budget -= std::min(*budget, std::exchange(looked_at_, 0));
    }
    if (piece.kind != PieceKind::kArguments) {
      tasks_.At(piece.task).state = State::kFree;
      tasks_.Release(piece.task);
    }
    pieces_.pop_front();
  }
  return false;
}

LineageVerdict LineageTable::Step(const event::ReturnEnded& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone) {
    effects->to_forget.push_back(e.object);
    return LineageVerdict::kNotFound;
  }
  Object& object = objects_.At(slot);
  if (object.lent_by != kNone) {
    // It is not told yet that it is back.
    if (e.generation < object.generation) return LineageVerdict::kUnchanged;
    object.ended_lent = true;
    object.in_scope = false;
    return LineageVerdict::kUnchanged;
  }
  if (!object.made) effects->to_forget.push_back(e.object);
  if (e.generation < object.generation || !object.in_scope) return LineageVerdict::kUnchanged;
  object.generation = e.generation;
  object.in_scope = false;
  if (object.dependents > 0 && !IsMutant(Mutant::kLineageRefsIgnored)) {
    FollowIfAlone(slot, effects);  // it may have been told before that no copy is left
    return LineageVerdict::kOk;
  }
  EndUse(slot, effects);
  return LineageVerdict::kOk;
}

// --- Resubmission --------------------------------------------------------------------------------

LineageVerdict LineageTable::Step(const event::ReturnRevived& e) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  if (e.generation < object.generation) return LineageVerdict::kUnchanged;
  object.generation = e.generation;
  object.freed = false;
  if (!IsOfUse(object) && !object.checkpointed && object.task != kNone) AddNeed(object.task);
  object.in_scope = true;
  object.unmade = true;
  return LineageVerdict::kOk;
}

std::vector<ObjectId> LineageTable::BeginReturns(const TaskId& task, size_t from, size_t max) {
  const uint32_t index = FindTask(task);
  if (index == kNone) return {};
  std::vector<ObjectId> begun = Returns(task, from, max);
  for (size_t i = 0; i < begun.size(); ++i) {
    Object& object = objects_.At(tasks_.At(index).returns[from + i]);
    if (object.persisted || object.task != index) {
      begun[i] = ObjectId();
    } else {
      object.unmade = false;
    }
  }
  return begun;
}

std::optional<uint32_t> LineageTable::TakeUnmade(const ObjectId& object) {
  const uint32_t slot = FindObject(object);
  if (slot == kNone || !std::exchange(objects_.At(slot).unmade, false)) return std::nullopt;
  return objects_.At(slot).generation;
}

LineageVerdict LineageTable::Step(const event::BeginResubmit& e) {
  const uint32_t index = FindTask(e.task);
  if (index == kNone) return LineageVerdict::kNotFound;
  Task& task = tasks_.At(index);
  if (task.state != State::kKept) return LineageVerdict::kBusy;
  if (task.needed == 0) return LineageVerdict::kNotFound;  // it is of use to others alone
  if (task.retries == 0) return LineageVerdict::kNoRetries;
  // It is not evicted meanwhile, and is the youngest afterwards.
  Delist(index);
  task.state = State::kResubmitting;
  ++task.needed;
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::EndResubmit& e, LineageEffects* effects) {
  Task* task = InState(e.task, State::kResubmitting);
  if (task == nullptr) return LineageVerdict::kNotFound;
  const uint32_t index = FindTask(e.task);
  task->state = State::kKept;
  Enlist(index);
  if (e.ok) {
    ++counters_.resubmitted;
    if (task->retries != kRetriesUnlimited) --task->retries;
    ReleaseIfUnneeded(task);
  }
  DropNeed(index, effects);
  return LineageVerdict::kOk;
}

// --- Queries -------------------------------------------------------------------------------------

std::vector<LineageTable::Argument> LineageTable::Arguments(const TaskId& task, size_t from,
                                                            size_t max) const {
  std::vector<Argument> answer;
  const uint32_t index = FindTask(task);
  if (index == kNone) return answer;
  const std::vector<uint32_t>& arguments = tasks_.At(index).arguments;
  for (size_t i = from; i < arguments.size() && i - from < max; ++i) {
    const ObjectId& id = objects_.At(arguments[i]).id;
    const Recovery recovery = CanRecover(id);
    answer.push_back({id, recovery == Recovery::kPossible || recovery == Recovery::kPersisted});
  }
  return answer;
}

size_t LineageTable::CountArguments(const TaskId& task) const {
  const uint32_t index = FindTask(task);
  return index == kNone ? 0 : tasks_.At(index).arguments.size();
}

size_t LineageTable::CountReturns(const TaskId& task) const {
  const uint32_t index = FindTask(task);
  return index == kNone ? 0 : tasks_.At(index).returns.size();
}

std::vector<ObjectId> LineageTable::Returns(const TaskId& task, size_t from, size_t max) {
  std::vector<ObjectId> answer;
  const uint32_t index = FindTask(task);
  if (index == kNone) return answer;
  const std::vector<uint32_t>& returns = tasks_.At(index).returns;
  for (size_t i = from; i < returns.size() && i - from < max; ++i) {
    answer.push_back(objects_.At(returns[i]).id);
  }
  counters_.returns_read += answer.size();
  return answer;
}

bool LineageTable::IsDependedOn(const ObjectId& object) const {
  const uint32_t slot = FindObject(object);
  return slot != kNone && objects_.At(slot).dependents > 0;
}

Recovery LineageTable::CanRecover(const ObjectId& object) const {
  const uint32_t slot = FindObject(object);
  if (slot == kNone || !objects_.At(slot).made) return Recovery::kPut;
  const Object& known = objects_.At(slot);
  if (known.persisted) return Recovery::kPersisted;
  if (known.checkpointed) return Recovery::kPut;
  if (known.task == kNone || tasks_.At(known.task).state == State::kGoing) {
    const bool forbidden =
        known.task == kNone ? known.not_restartable : tasks_.At(known.task).not_restartable;
    return forbidden ? Recovery::kNotRestartable : Recovery::kEvicted;
  }
  return tasks_.At(known.task).retries == 0 ? Recovery::kNoRetries : Recovery::kPossible;
}

std::optional<TaskId> LineageTable::TaskOf(const ObjectId& object) const {
  const uint32_t slot = FindObject(object);
  if (slot == kNone || objects_.At(slot).task == kNone) return std::nullopt;
  const Task& task = tasks_.At(objects_.At(slot).task);
  if (task.state == State::kGoing) return std::nullopt;
  return task.id;
}

size_t LineageTable::bytes() const {
  const size_t places = (lent_at_.capacity() + away_at_.capacity()) * (sizeof(CommonPeer) + 9);
  return tasks_.bytes() + objects_.bytes() + by_task_.bytes() + by_object_.bytes() + places;
}

}  // namespace freehold::core
