#include "src/runtime/heir_keeper.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "freehold/reference_counter.h"
#include "src/base/in_order.h"
#include "src/core/object_table_heirs.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"
#include "src/runtime/host_jobs.h"

namespace freehold {

absl::Status Ownership::NameHeir(absl::Span<const ObjectId> objects, const ProcessId& heir,
                                 HeirOptions options) {
  return counter_->transfers().heirs().Name(objects, heir, std::move(options));
}

absl::Status Ownership::DismissHeir(absl::Span<const ObjectId> objects, HeirOptions options) {
  return counter_->transfers().heirs().Dismiss(objects, std::move(options));
}

namespace runtime {

// Tells the host what became of the heir of one object.
class HeirKeeper::AnswerBody final : public CallbackJob::Body {
 public:
  AnswerBody(std::shared_ptr<Answer> answer, const ObjectId& object, absl::Status status)
      : answer_(std::move(answer)), object_(object), status_(std::move(status)) {}
  void Run() override { answer_->callback(object_, status_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "answer about an heir"; }

 private:
  const std::shared_ptr<Answer> answer_;
  const ObjectId object_;
  const absl::Status status_;
};

// --- Naming and dismissing -----------------------------------------------------------------------

absl::Status HeirKeeper::CheckOptions(const HeirOptions& options) const {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  if (counter_->options().transport == nullptr) return NoTransportError();
  if (options.on_answer && counter_->options().executor == nullptr) {
    return absl::FailedPreconditionError("`on_answer` needs the option `executor`");
  }
  return absl::OkStatus();
}

absl::Status HeirKeeper::Name(absl::Span<const ObjectId> objects, const ProcessId& heir,
                              HeirOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  if (heir.IsNil() || heir == counter_->options().process) {
    return absl::InvalidArgumentError("the heir of an object is another process");
  }
  const core::PeerIndex peer = counter_->endpoint().Intern(Address(heir));
  if (peer == core::kNoPeer) return TooManyPeersError();
  return Begin(objects, peer, std::move(options));
}

absl::Status HeirKeeper::Dismiss(absl::Span<const ObjectId> objects, HeirOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  return Begin(objects, core::kNoPeer, std::move(options));
}

absl::Status HeirKeeper::Begin(absl::Span<const ObjectId> objects, core::PeerIndex heir,
                               HeirOptions options) {
  if (objects.empty()) return absl::OkStatus();
  Batch batch;
  batch.heir = heir;
  batch.objects.assign(objects.begin(), objects.end());
  if (options.on_answer) batch.answer = std::make_shared<Answer>(std::move(options.on_answer));
  bool closed = false;
  {
    internal::MutexLock lock(&mutex_);
    closed = closed_;
    if (!closed) batches_.push_back(std::move(batch));
  }
  if (closed) return counter_->WhyClosed();
  WakeWork();
  return absl::OkStatus();
}

void HeirKeeper::WakeWork() { counter_->endpoint().WakeWork(); }

bool HeirKeeper::TakeNext(One* one) {
  internal::MutexLock lock(&mutex_);
  if (begun_.has_value()) {
    *one = *std::exchange(begun_, std::nullopt);
    return true;
  }
  if (batches_.empty()) return false;
  Batch& batch = batches_.front();
  *one = {batch.objects[batch.next], batch.heir, batch.answer, {}};
  if (++batch.next == batch.objects.size()) batches_.pop_front();
  return true;
}

bool HeirKeeper::Work() {
  if (overgrown_.exchange(false, std::memory_order_relaxed)) EndOvergrown();
  for (uint64_t left = CounterImpl::kPieceMax; left > 0;) {
    One one;  // of the last one nothing is destroyed under the lock
    if (!TakeNext(&one)) return false;
    Step(std::move(one), &left);
  }
  return true;
}

void HeirKeeper::EndOvergrown() {
  for (const std::unique_ptr<Shard>& shard : counter_->shards()) {
    bool more = true;
    while (more) {
      more = false;  // a shard that is closed has none
      (void)counter_->Apply(*shard, [&more](core::ObjectTable& table, core::Effects* effects) {
        if (core::HeirSteps::AnyOvergrown(table)) core::HeirSteps(&table).EndOvergrown(effects);
        more = core::HeirSteps::AnyOvergrown(table);
        return core::Verdict::kOk;
      });
    }
  }
}

core::Verdict HeirKeeper::StepNaming(One* one, uint64_t* left, core::Immovable* why) {
  const core::Key key = counter_->KeyOf(one->object);
  ContainedKeeper& contained = counter_->transfers().contained();
  std::unique_ptr<const core::Membership> membership;
  const auto step = [&] {
    return counter_->Apply(counter_->ShardOf(key), [&](core::ObjectTable& table,
                                                       core::Effects* effects) {
      const core::event::NameHeir event{
          key, one->heir, counter_, one->handing.looked_at, &one->handing.handed, membership.get()};
      return core::HeirSteps(&table).Step(event, effects, why);
    });
  };
  return contained.StepWith(key, one->heir, left, &one->handing, why, [&] {
    return counter_->scopes().StepWith(key, why, &membership, step);
  });
}

core::Verdict HeirKeeper::StepDismissal(const ObjectId& object, uint64_t* left) {
  --*left;
  const core::Key key = counter_->KeyOf(object);
  return counter_->Apply(
      counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return core::HeirSteps(&table).Step(core::event::DismissHeir{key}, effects);
      });
}

// False: nothing is begun any more.
bool HeirKeeper::GoOnLater(One* one) {
  internal::MutexLock lock(&mutex_);
  if (closed_) return false;
  begun_ = std::move(*one);
  return true;
}

void HeirKeeper::Step(One one, uint64_t* left) {
  const bool names = one.heir != core::kNoPeer;
  if (one.answer != nullptr) {
    // Before the step: its answer may come from another thread.
    internal::MutexLock lock(&mutex_);
    (names ? naming_ : dismissing_)[one.object].push_back(one.answer);
  }
  core::Immovable why = core::Immovable::kNo;
  const core::Verdict verdict =
      names ? StepNaming(&one, left, &why) : StepDismissal(one.object, left);
  if (verdict == core::Verdict::kOk) return;
  if (one.answer != nullptr) {
    // Others may wait for what was begun before, and may have been told meanwhile, this one as
    // well.
    internal::MutexLock lock(&mutex_);
    Answers& answers = names ? naming_ : dismissing_;
    const auto at = answers.find(one.object);
    if (at == answers.end()) {
      one.answer = nullptr;
    } else {
      at->second.pop_back();
      if (at->second.empty()) answers.erase(at);
    }
  }
  const bool is_partial = why == core::Immovable::kContains;
  if (is_partial && GoOnLater(&one)) return;
  counter_->transfers().contained().CancelAll(one.heir, one.handing.handed);
  if (one.answer == nullptr) return;
  const std::string what = absl::StrCat("object ", one.object.ToHex());
  absl::Status status = counter_->ToStatus(verdict, one.object);
  if (is_partial) {
    status = counter_->WhyClosed();
  } else if (verdict == core::Verdict::kAlreadyExists) {
    status = absl::AlreadyExistsError(absl::StrCat(what, " has an heir: dismiss it first"));
  } else if (why != core::Immovable::kNo) {
    status = WithReason(absl::FailedPreconditionError(absl::StrCat(
                            what, " can have no heir as it is: ", core::ImmovableName(why))),
                        ErrorReason::kNotMovable);
  }
  Tell(one.answer, one.object, status);
}

void HeirKeeper::Tell(const std::shared_ptr<Answer>& answer, const ObjectId& object,
                      const absl::Status& status) {
  PostGuarded(counter_->options().executor.get(), &counter_->logger(),
              std::make_unique<AnswerBody>(answer, object, status), 0);
}

void HeirKeeper::TellAll(Answers* answers, const ObjectId& object, const absl::Status& status) {
  std::vector<std::shared_ptr<Answer>> taken;
  {
    internal::MutexLock lock(&mutex_);
    const auto at = answers->find(object);
    if (at == answers->end()) return;
    taken = std::move(at->second);
    answers->erase(at);
  }
  for (const std::shared_ptr<Answer>& answer : taken) Tell(answer, object, status);
}

void HeirKeeper::OnNotices(const std::vector<core::HeirNotice>& notices) {
  for (const core::HeirNotice& notice : notices) {
    counter_->transfers().contained().CancelAll(notice.heir, notice.unsent);
    const absl::Status status = Explain(notice);
    TellAll(&naming_, notice.object, status);
    const bool over = notice.outcome != core::HeirOutcome::kPrepared &&
                      notice.outcome != core::HeirOutcome::kOvergrown &&
                      notice.outcome != core::HeirOutcome::kLeaving;
    if (over) TellAll(&dismissing_, notice.object, absl::OkStatus());
    LogLoss(notice);
  }
}

void HeirKeeper::LogLoss(const core::HeirNotice& notice) {
  const char* why = nullptr;
  if (notice.outcome == core::HeirOutcome::kHeirDied) why = "it has died";
  if (notice.outcome == core::HeirOutcome::kLeaving) why = "it is about to leave";
  if (notice.outcome == core::HeirOutcome::kOvergrown) {
    why = "more processes, nodes and pins hold it than one message names";
  }
  if (why == nullptr) return;
  counter_->logger().Log(LogLevel::kWarning, absl::StrCat("object ", notice.object.ToHex(),
                                                          " has no heir any more: ", why));
}

absl::Status HeirKeeper::Explain(const core::HeirNotice& notice) const {
  const std::string what = absl::StrCat("the heir of object ", notice.object.ToHex());
  switch (notice.outcome) {
    case core::HeirOutcome::kPrepared:
      return absl::OkStatus();
    case core::HeirOutcome::kExists:
      return absl::AlreadyExistsError(absl::StrCat(what, " has that id as its own"));
    case core::HeirOutcome::kRefused:
      return WithReason(
          absl::FailedPreconditionError(absl::StrCat(what, " takes none from others")),
          ErrorReason::kRefused);
    case core::HeirOutcome::kDraining:
    case core::HeirOutcome::kLeaving:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(what, " is draining")),
                        ErrorReason::kDraining);
    case core::HeirOutcome::kFull:
      return absl::ResourceExhaustedError(absl::StrCat(what, " has no room for it"));
    case core::HeirOutcome::kHeirDied:
      return WithReason(absl::UnavailableError(absl::StrCat(what, " died before it answered")),
                        ErrorReason::kPeerExcluded);
    case core::HeirOutcome::kOvergrown:
      return absl::ResourceExhaustedError(
          absl::StrCat(what, " would have to be told of more than one message names"));
    case core::HeirOutcome::kDismissed:
      return absl::CancelledError(absl::StrCat(what, " was dismissed before it answered"));
    case core::HeirOutcome::kObjectEnded:
      return WithReason(
          absl::NotFoundError(absl::StrCat(what, " has not answered before the object was gone")),
          ErrorReason::kGone);
  }
  return absl::InternalError("unknown outcome");
}

// --- The end -------------------------------------------------------------------------------------

HeirKeeper::Waiting HeirKeeper::TakeAll() {
  internal::MutexLock lock(&mutex_);
  closed_ = true;
  if (begun_.has_value()) {
    const One one = *std::exchange(begun_, std::nullopt);
    batches_.push_front({{one.object}, 0, one.heir, one.answer});
  }
  return {std::exchange(batches_, {}),
          {std::exchange(naming_, {}), std::exchange(dismissing_, {})}};
}

void HeirKeeper::OnSelfExcluded() {
  const Waiting taken = TakeAll();
  for (const Answers& of : taken.answers) {
    for (const auto* entry : internal::InOrder(of)) {
      for (const auto& answer : entry->second) Tell(answer, entry->first, counter_->WhyClosed());
    }
  }
  for (const Batch& batch : taken.batches) {
    for (size_t i = batch.next; batch.answer != nullptr && i < batch.objects.size(); ++i) {
      Tell(batch.answer, batch.objects[i], counter_->WhyClosed());
    }
  }
}

uint64_t HeirKeeper::Close() {
  const Waiting taken = TakeAll();
  uint64_t dropped = 0;
  for (const Answers& of : taken.answers) {
    for (const auto& [object, waiting] : of) dropped += waiting.size();
  }
  for (const Batch& batch : taken.batches) {
    if (batch.answer != nullptr) dropped += batch.objects.size() - batch.next;
  }
  return dropped;
}

// --- The heir ------------------------------------------------------------------------------------

// What has come twice is let go of once.
std::unique_ptr<core::Contained> HeirKeeper::Contain(const std::vector<core::InnerRef>& inners) {
  auto contained = std::make_unique<core::Contained>();
  std::vector<core::InnerRef> back;
  for (const core::InnerRef& inner : inners) {
    if (!contained->inners.Add(inner)) back.push_back(inner);
  }
  counter_->ReleaseInners(std::move(back));
  return contained;
}

void HeirKeeper::GiveUp() {
  for (const std::unique_ptr<Shard>& shard : counter_->shards()) {
    uint32_t resume = 0;
    bool more = true;
    while (more) {
      more = false;  // a shard that is closed has none
      (void)counter_->Apply(*shard, [&](core::ObjectTable& table, core::Effects* effects) {
        more = core::HeirSteps(&table).GiveUp(CounterImpl::kPieceMax, &resume, effects);
        return core::Verdict::kOk;
      });
    }
  }
}

void HeirKeeper::Take(core::PeerIndex from, const core::ShadowItem& item) {
  const core::Key key = counter_->KeyOf(item.snapshot.object);
  Shard& shard = counter_->ShardOf(key);
  core::event::Shadow event{key, from, item.snapshot.term, item.version,
                            std::make_unique<core::OwnedSnapshot>()};
  *event.snapshot = TransferKeeper::SnapshotOf(counter_, from, item.snapshot);
  ContainedKeeper::Staged staged =
      counter_->transfers().contained().Take(from, item.snapshot.object, item.snapshot.term);
  if (staged.failed) event.refusal = core::ShadowAnswer::kFull;
  if (!staged.inners.empty()) event.snapshot->contained = Contain(staged.inners);
  (void)counter_->Apply(shard, [&](core::ObjectTable& table, core::Effects* effects)
                                   FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
                                     if (shard.draining || !shard.is_open)
                                       event.refusal = core::ShadowAnswer::kDraining;
                                     if (!counter_->options().takes_transfers)
                                       event.refusal = core::ShadowAnswer::kRefused;
                                     return core::HeirSteps(&table).Step(std::move(event), effects);
                                   });
}

}  // namespace runtime
}  // namespace freehold
