// CounterImpl: what spans several objects — tasks and nesting. Each object is stepped under its own
// shard's lock, one at a time; what was taken is given back when a later one fails.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"

namespace freehold::runtime {

absl::StatusOr<TaskReferences> CounterImpl::SubmitTask(absl::Span<const ObjectId> arguments) {
  if (!is_open()) return WhyClosed();
  TaskReferences references;  // ends what it has when an argument fails
  references.cells_.Reserve(arguments.size());
  for (const ObjectId& argument : arguments) {
    const core::Key key = KeyOf(argument);
    Shard& shard = ShardOf(key);
    core::ObjectRecord* record =
        shard.Quietly([&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
          core::ObjectRecord* found = table.AddTaskQuietly(key);
          if (found != nullptr) ++shard.outstanding;
          return found;
        });
    if (record == nullptr) {
      const core::Verdict verdict =
          ApplyQuietly(shard, [&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
            const core::Verdict answer = table.Step(core::event::AddTask{key}, &record);
            if (answer == core::Verdict::kOk) ++shard.outstanding;
            return answer;
          });
      if (verdict != core::Verdict::kOk) return ToStatus(verdict, argument);
    }
    references.cells_.PushBack(&record->cell);
  }
  return references;
}

// What it contains is held first: when that fails, nothing has happened yet.
absl::StatusOr<ObjectRef> CounterImpl::DeclareOuter(const core::event::Declare& event,
                                                    ScopeId scope,
                                                    absl::Span<const ObjectId> contains) {
  std::vector<core::InnerRef> inners;
  absl::Status held = HoldInners(event.key.id, contains, &inners);
  if (absl::IsNotFound(held)) return absl::InvalidArgumentError(held.message());
  if (!held.ok()) return held;
  core::ObjectRecord* record = nullptr;
  const core::Verdict verdict = Declare(event, scope, &record);
  if (verdict != core::Verdict::kOk) {
    ReleaseInners(std::move(inners));
    return ToStatus(verdict, event.key.id);
  }
  ObjectRef ref(&record->cell);
  if (absl::Status handed = HandInners(event.key.id, std::move(inners)); !handed.ok()) {
    return handed;
  }
  return ref;
}

absl::Status CounterImpl::AddNested(const ObjectId& outer, absl::Span<const ObjectId> inner) {
  std::vector<core::InnerRef> held;
  if (absl::Status status = HoldInners(outer, inner, &held); !status.ok()) return status;
  return HandInners(outer, std::move(held));
}

absl::Status CounterImpl::HoldInners(const ObjectId& outer, absl::Span<const ObjectId> inner,
                                     std::vector<core::InnerRef>* held) {
  absl::Status status;
  held->reserve(inner.size());
  for (const ObjectId& object : inner) {
    if (object == outer) {
      status = absl::InvalidArgumentError(
          absl::StrCat("object ", outer.ToHex(), " cannot contain itself"));
      break;
    }
    const core::Key key = KeyOf(object);
    Shard& shard = ShardOf(key);
    core::InnerRef ref;
    ref.shard = shard.number;
    const core::Verdict verdict = ApplyQuietly(shard, [&](core::ObjectTable& table) {
      return table.Step(core::event::AddNestedHold{key}, &ref.record);
    });
    if (verdict != core::Verdict::kOk) {
      status = ToStatus(verdict, object);
      break;
    }
    held->push_back(ref);
  }
  if (!status.ok()) ReleaseInners(std::exchange(*held, {}));
  return status;
}

absl::Status CounterImpl::HandInners(const ObjectId& outer, std::vector<core::InnerRef> held) {
  const core::Key key = KeyOf(outer);
  Shard& shard = ShardOf(key);
  std::vector<core::InnerRef> back;
  absl::Status status;
  size_t taken = 0;
  do {  // once even for none, so that an unknown outer object is answered
    const size_t piece = std::min<size_t>(kPieceMax, held.size() - taken);
    const auto inners = absl::MakeConstSpan(held).subspan(taken, piece);
    const core::Verdict verdict = ApplyQuietly(shard, [&](core::ObjectTable& table) {
      return table.Step(core::event::AddInners{key, inners, &back});
    });
    if (verdict != core::Verdict::kOk) {
      status = verdict == core::Verdict::kWrongState ? HasHeirError(outer.ToHex())
                                                     : ToStatus(verdict, outer);
      break;
    }
    taken += piece;
  } while (taken < held.size());
  back.insert(back.end(), held.begin() + static_cast<ptrdiff_t>(taken), held.end());
  ReleaseInners(std::move(back));
  return status;
}

}  // namespace freehold::runtime
