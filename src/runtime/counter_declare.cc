// Owner at creation: objects that this process declares for another one, or another one for it.

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "src/core/object_table_declare.h"
#include "src/runtime/declarations.h"
#include "src/runtime/errors.h"

namespace freehold::runtime {

namespace {

// Waits at the declarer for the owner's answer, which is the detail.
class AnswerBody final : public CallbackJob::Body {
 public:
  AnswerBody(const ObjectId& object, DeclareCallback callback)
      : object_(object), callback_(std::move(callback)) {}
  void Run() override { RunWith(static_cast<int>(core::DeclareAnswer::kOk)); }
  void RunWith(int detail) override {
    callback_(object_, Declarations::ToStatus(static_cast<core::DeclareAnswer>(detail), object_));
  }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "answer to a declaration"; }

 private:
  const ObjectId object_;
  DeclareCallback callback_;
};

// At the owner. The reference is dropped with the job if nobody takes it.
class DeclaredBody final : public CallbackJob::Body {
 public:
  DeclaredBody(const DeclaredCallback& callback, ObjectRef ref, const ProcessId& declarer)
      : callback_(callback), object_(ref.id()), declarer_(declarer), ref_(std::move(ref)) {}
  void Run() override { callback_(std::move(ref_), declarer_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "declared for this process"; }

 private:
  const DeclaredCallback callback_;
  const ObjectId object_;
  const ProcessId declarer_;
  ObjectRef ref_;
};

absl::Status CheckArguments(const CounterImpl& counter, const ProcessId& owner,
                            const ObjectId& object, const DeclareForOptions& options) {
  if (absl::Status open = counter.CheckOpen(); !open.ok()) return open;
  if (object.IsNil()) return absl::InvalidArgumentError("the nil id names no object");
  if (counter.options().transport == nullptr) return NoTransportError();
  if (owner.IsNil() || owner == counter.options().process) {
    return absl::InvalidArgumentError(
        "the owner of an object that is declared for it is another process");
  }
  if (options.on_answer && counter.options().executor == nullptr) {
    return absl::FailedPreconditionError("`on_answer` needs the option `executor`");
  }
  return absl::OkStatus();
}

}  // namespace

ObjectRef Declarations::AddHandle(Shard* shard,
                                  core::ObjectRecord* record) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
  if (record->cell.count() == 0) ++shard->outstanding;
  return ObjectRef(record->cell.Add() ? &record->cell : nullptr);
}

// --- At the declarer -----------------------------------------------------------------------------

absl::StatusOr<ObjectRef> Declarations::DeclareFor(CounterImpl* counter, const ProcessId& owner,
                                                   const ObjectId& object,
                                                   DeclareForOptions options) {
  if (absl::Status ok = CheckArguments(*counter, owner, object, options); !ok.ok()) return ok;
  const core::PeerIndex peer = counter->endpoint().Intern(Address(owner));
  if (peer == core::kNoPeer) return TooManyPeersError();
  const core::Key key = counter->KeyOf(object);
  Shard& shard = counter->ShardOf(key);
  std::unique_ptr<CallbackJob::Body> body;
  if (options.on_answer) body = std::make_unique<AnswerBody>(object, std::move(options.on_answer));
  ObjectRef ref;
  const core::Verdict verdict = counter->Apply(
      shard,
      [&](core::ObjectTable& table, core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        core::ObjectRecord* record = nullptr;
        const core::Verdict answer = core::DeclareSteps(&table).Step(
            core::event::DeclareFor{key, peer, options.size}, effects, &record);
        if (answer != core::Verdict::kOk) return answer;
        if (body != nullptr) shard.declarations[object] = std::move(body);
        ref = AddHandle(&shard, record);
        return answer;
      });
  if (verdict != core::Verdict::kOk) return counter->ToStatus(verdict, object);
  return ref;
}

absl::Status Declarations::WaitForOwner(CounterImpl* counter, const ObjectId& object,
                                        Duration timeout) {
  const std::shared_ptr<CounterImpl> keep = counter->shared_from_this();
  absl::Status status;
  const auto answered = [&] {
    status = counter->CheckReference(object);
    return ReasonOf(status) != ErrorReason::kNotAcknowledged;
  };
  counter->PumpUntil(
      answered, [] { return false; }, SaturatingAdd(counter->clock().Now(), timeout));
  if (answered()) return status;
  return WithReason(absl::DeadlineExceededError(std::string(status.message())),
                    ErrorReason::kNotAcknowledged);
}

absl::StatusOr<NodeCopy> Declarations::CopyOf(const CounterImpl& counter, const ObjectId& object,
                                              CopyRole role, uint64_t size, uint32_t generation) {
  if (absl::Status use = counter.CheckReference(object); !use.ok()) return use;
  NodeCopy copy{object, generation, counter.options().process, role, size};
  const core::Key key = counter.KeyOf(object);
  Shard& shard = counter.ShardOf(key);
  internal::MutexLock lock(&shard.mutex);
  const core::ObjectRecord* record = shard.table.Find(key);
  if (record != nullptr && record->borrowed) copy.owner = counter.OwnerToName(shard, *record);
  return copy;
}

absl::Status Declarations::ToStatus(core::DeclareAnswer answer, const ObjectId& object) {
  const std::string id = object.ToHex();
  switch (answer) {
    case core::DeclareAnswer::kOk:
      return absl::OkStatus();
    case core::DeclareAnswer::kExists:
      return absl::AlreadyExistsError(
          absl::StrCat("object ", id, " was declared before, its owner says"));
    case core::DeclareAnswer::kRefused:
      return WithReason(absl::FailedPreconditionError(absl::StrCat("the owner named for object ",
                                                                   id, " takes none from others")),
                        ErrorReason::kRefused);
    case core::DeclareAnswer::kDraining:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(
                            "object ", id, " is not taken: the owner named for it is draining")),
                        ErrorReason::kDraining);
    case core::DeclareAnswer::kFull:
      return absl::ResourceExhaustedError(
          absl::StrCat("the owner named for object ", id, " has no room for it"));
    case core::DeclareAnswer::kOwnerDied:
      return WithReason(absl::UnavailableError(absl::StrCat("the owner of object ", id, " died")),
                        ErrorReason::kOwnerDied);
    case core::DeclareAnswer::kExcluded:
      return WithReason(
          absl::FailedPreconditionError(absl::StrCat(
              "this process was excluded before the owner of object ", id, " answered")),
          ErrorReason::kExcluded);
    case core::DeclareAnswer::kDropped:
      return WithReason(absl::CancelledError(absl::StrCat("every reference to object ", id,
                                                          " was dropped before its owner "
                                                          "answered")),
                        ErrorReason::kGone);
  }
  return absl::InternalError("unknown answer");
}

void Declarations::Prepare(Shard& shard, CounterImpl::AfterStep* after) {
  for (const core::DeclareNotice& notice : after->effects.rare->declared) {
    const auto found = shard.declarations.find(notice.object);
    if (found == shard.declarations.end()) continue;  // nobody asked, or it was told already
    after->told.emplace_back(std::move(found->second), static_cast<int>(notice.answer));
    shard.declarations.erase(found);
  }
  after->effects.rare->declared.clear();
}

// --- At the owner --------------------------------------------------------------------------------

void Declarations::Take(CounterImpl* counter, core::PeerIndex from, const core::SharingItem& item) {
  const core::Key key = counter->KeyOf(item.object);
  Shard& shard = counter->ShardOf(key);
  const DeclaredCallback& on_declared = counter->options().on_declared;
  ObjectRef ref;
  (void)counter->Apply(shard, [&](core::ObjectTable& table,
                                  core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    core::event::DeclaredBy event{key, from, item.number, item.size};
    if (shard.draining || !shard.is_open) event.refusal = core::DeclareAnswer::kDraining;
    if (!counter->options().takes_declarations) event.refusal = core::DeclareAnswer::kRefused;
    event.keep = on_declared != nullptr;
    core::ObjectRecord* record = nullptr;
    const core::Verdict answer = core::DeclareSteps(&table).Step(event, effects, &record);
    if (answer == core::Verdict::kOk && event.keep) ref = AddHandle(&shard, record);
    return answer;
  });
  if (!ref) return;
  const ProcessId declarer = counter->endpoint().AddressOf(from).process();
  counter->PostJob(std::make_unique<DeclaredBody>(on_declared, std::move(ref), declarer));
}

}  // namespace freehold::runtime
