// CounterImpl: what spans several objects — tasks and nesting. Each object is stepped under its own
// shard's lock, one at a time; what was taken is given back when a later one fails.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"
#include "src/runtime/keys_ahead.h"

namespace freehold::runtime {

absl::StatusOr<TaskReferences> CounterImpl::SubmitTask(absl::Span<const ObjectId> arguments) {
  if (!is_open()) return WhyClosed();
  absl::StatusOr<TaskReferences> references(absl::in_place);
  internal::RefCell** end = references->cells_.Allot(arguments.size());
  internal::RefCell** const begin = end;
  absl::Status status;
  const auto add = [&](const ObjectId& argument, const KeyAhead& ahead) {
    const core::Key key{argument, ahead.hash};
    core::ObjectRecord* record =
        ahead.shard->Quietly([&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
          core::ObjectRecord* found = table.AddTaskQuietly(key, ahead.home);
          if (found != nullptr) ++ahead.shard->outstanding;
          return found;
        });
    if (record == nullptr) {
      const core::Verdict verdict = ApplyQuietly(
          *ahead.shard, [&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
            const core::Verdict answer = table.Step(core::event::AddTask{key}, &record);
            if (answer == core::Verdict::kOk) ++ahead.shard->outstanding;
            return answer;
          });
      if (verdict != core::Verdict::kOk) {
        status = ToStatus(verdict, argument);
        return false;
      }
    }
    *end++ = &record->cell;
    return true;
  };
  const bool all = VisitAhead(*this, arguments, add);
  references->cells_.SetSize(static_cast<size_t>(end - begin));
  if (!all) return status;  // and what it has ends
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
  (void)VisitAhead(*this, inner, [&](const ObjectId& object, const KeyAhead& ahead) {
    if (object == outer) {
      status = absl::InvalidArgumentError(
          absl::StrCat("object ", outer.ToHex(), " cannot contain itself"));
      return false;
    }
    core::InnerRef ref;
    ref.shard = ahead.shard->number;
    const core::Verdict verdict = ApplyQuietly(*ahead.shard, [&](core::ObjectTable& table) {
      return table.Step(core::event::AddNestedHold{{object, ahead.hash}}, &ref.record);
    });
    if (verdict != core::Verdict::kOk) {
      status = ToStatus(verdict, object);
      return false;
    }
    held->push_back(ref);
    return true;
  });
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
