#include "src/runtime/heir_keeper.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

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
  return NameHeirs(objects, {&heir, 1}, std::move(options));
}

absl::Status Ownership::NameHeirs(absl::Span<const ObjectId> objects,
                                  absl::Span<const ProcessId> heirs, HeirOptions options) {
  return counter_->transfers().heirs().Name(objects, heirs, std::move(options));
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

absl::Status HeirKeeper::Name(absl::Span<const ObjectId> objects, absl::Span<const ProcessId> heirs,
                              HeirOptions options) {
  static_assert(kHeirsMax == core::kNextHeirsMax);
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  if (heirs.empty() || heirs.size() > kHeirsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("an object has one heir at least, and ", kHeirsMax, " are named at most"));
  }
  std::vector<core::PeerIndex> peers;
  for (const ProcessId& heir : heirs) {
    if (heir.IsNil() || heir == counter_->options().process) {
      return absl::InvalidArgumentError("the heir of an object is another process");
    }
    const core::PeerIndex peer = counter_->endpoint().Intern(Address(heir));
    if (peer == core::kNoPeer) return TooManyPeersError();
    if (std::find(peers.begin(), peers.end(), peer) != peers.end()) {
      return absl::InvalidArgumentError("a process is the heir of an object once");
    }
    peers.push_back(peer);
  }
  return Begin(objects, std::move(peers), std::move(options));
}

absl::Status HeirKeeper::Dismiss(absl::Span<const ObjectId> objects, HeirOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  return Begin(objects, {}, std::move(options));
}

absl::Status HeirKeeper::Begin(absl::Span<const ObjectId> objects,
                               std::vector<core::PeerIndex> heirs, HeirOptions options) {
  if (objects.empty()) return absl::OkStatus();
  Batch batch;
  batch.heirs = std::move(heirs);
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
  if (!next_.empty()) {
    *one = {next_.front().first, {next_.front().second}, nullptr, {}, /*goes_on=*/true};
    next_.pop_front();
    return true;
  }
  if (batches_.empty()) return false;
  Batch& batch = batches_.front();
  *one = {batch.objects[batch.next], batch.heirs, batch.answer, {}};
  if (++batch.next == batch.objects.size()) batches_.pop_front();
  return true;
}

bool HeirKeeper::Work() {
  if (overgrown_.exchange(false, std::memory_order_relaxed)) EndOvergrown();
  for (uint64_t left = CounterImpl::kPieceMax; left > 0;) {
    One one;  // of the last one nothing is destroyed under the lock
    if (!TakeNext(&one)) return false;
    if (one.goes_on) {
      StepNext(std::move(one), &left);
    } else {
      Step(std::move(one), &left);
    }
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
    return counter_->Apply(
        counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
          const core::event::NameHeir event{key,
                                            one->heirs.front(),
                                            counter_,
                                            one->handing.looked_at,
                                            &one->handing.handed,
                                            membership.get(),
                                            absl::MakeConstSpan(one->heirs).subspan(1),
                                            one->goes_on};
          return core::HeirSteps(&table).Step(event, effects, why);
        });
  };
  return contained.StepWith(key, one->heirs.front(), left, &one->handing, why, [&] {
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
  const bool names = !one.heirs.empty();
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
  if (names) {
    counter_->transfers().contained().CancelAll(one.heirs.front(), one.handing.handed);
  }
  const bool passes_over = verdict == core::Verdict::kPeerExcluded && one.heirs.size() > 1;
  if (passes_over) {
    one.heirs.erase(one.heirs.begin());
    one.handing = {};
    if (GoOnLater(&one)) return;
  }
  if (one.answer == nullptr) return;
  Tell(one.answer, one.object,
       is_partial || passes_over ? counter_->WhyClosed() : WhyNot(verdict, why, one.object));
}

absl::Status HeirKeeper::WhyNot(core::Verdict verdict, core::Immovable why,
                                const ObjectId& object) const {
  const std::string what = absl::StrCat("object ", object.ToHex());
  if (verdict == core::Verdict::kAlreadyExists) {
    return absl::AlreadyExistsError(absl::StrCat(what, " has an heir: dismiss it first"));
  }
  if (why == core::Immovable::kNo) return counter_->ToStatus(verdict, object);
  return WithReason(absl::FailedPreconditionError(absl::StrCat(
                        what, " can have no heir as it is: ", core::ImmovableName(why))),
                    ErrorReason::kNotMovable);
}

void HeirKeeper::NameNext(const ObjectId& object, core::PeerIndex heir) {
  {
    internal::MutexLock lock(&mutex_);
    if (closed_) return;
    next_.emplace_back(object, heir);
  }
  WakeWork();
}

void HeirKeeper::PassOver(const ObjectId& object, core::PeerIndex heir) {
  const core::Key key = counter_->KeyOf(object);
  (void)counter_->Apply(
      counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return core::HeirSteps(&table).Step(core::event::PassOver{key, heir}, effects);
      });
}

// Whoever waits for the first one that accepts, waits for this one.
void HeirKeeper::StepNext(One one, uint64_t* left) {
  core::Immovable why = core::Immovable::kNo;
  const core::Verdict verdict = StepNaming(&one, left, &why);
  if (verdict == core::Verdict::kOk) return;
  if (why == core::Immovable::kContains && GoOnLater(&one)) return;
  counter_->transfers().contained().CancelAll(one.heirs.front(), one.handing.handed);
  // It is not the next one any more; nothing is begun any more; or a notice says when it may be.
  if (verdict == core::Verdict::kUnchanged || why == core::Immovable::kContains ||
      why == core::Immovable::kMoving) {
    return;
  }
  if (verdict == core::Verdict::kPeerExcluded) return PassOver(one.object, one.heirs.front());
  const absl::Status status = WhyNot(verdict, why, one.object);
  TellAll(&naming_, one.object, status);
  uint64_t one_more = 1;
  (void)StepDismissal(one.object, &one_more);
  counter_->logger().Log(
      LogLevel::kWarning,
      absl::StrCat("object ", one.object.ToHex(),
                   " has no heir any more, and no next one: ", status.message()));
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
    const bool goes_on = notice.next != core::kNoPeer;
    if (!goes_on) TellAll(&naming_, notice.object, Explain(notice));
    const bool over = notice.outcome != core::HeirOutcome::kPrepared &&
                      notice.outcome != core::HeirOutcome::kOvergrown &&
                      notice.outcome != core::HeirOutcome::kLeaving;
    if (over && !goes_on) TellAll(&dismissing_, notice.object, absl::OkStatus());
    LogLoss(notice);
    if (over && goes_on) NameNext(notice.object, notice.next);
  }
}

void HeirKeeper::LogLoss(const core::HeirNotice& notice) {
  const char* why = nullptr;
  switch (notice.outcome) {
    case core::HeirOutcome::kHeirDied:
      why = "it has died";
      break;
    case core::HeirOutcome::kLeaving:
      why = "it is about to leave";
      break;
    case core::HeirOutcome::kOvergrown:
      why = "its processes, nodes, URLs and pins are more than one message names";
      break;
    // Whoever named it alone is answered, these four; of one among several, only the last.
    case core::HeirOutcome::kExists:
    case core::HeirOutcome::kRefused:
    case core::HeirOutcome::kDraining:
    case core::HeirOutcome::kFull:
      if (notice.listed) why = "it has refused";
      break;
    case core::HeirOutcome::kPrepared:
    case core::HeirOutcome::kDismissed:
    case core::HeirOutcome::kObjectEnded:
    case core::HeirOutcome::kVacant:
      break;
  }
  if (why == nullptr) return;
  std::string next;
  if (notice.next != core::kNoPeer) {
    next = absl::StrCat("; the next one is ", counter_->ProcessAt(notice.next).ToHex());
  } else if (notice.listed) {
    next = "; none is left";
  }
  counter_->logger().Log(LogLevel::kWarning, absl::StrCat("object ", notice.object.ToHex(),
                                                          " has no heir any more: ", why, next));
}

absl::Status HeirKeeper::Explain(const core::HeirNotice& notice) const {
  const std::string what = absl::StrCat("the heir of object ", notice.object.ToHex());
  switch (notice.outcome) {
    case core::HeirOutcome::kPrepared:
    case core::HeirOutcome::kVacant:
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
    batches_.push_front({{one.object}, 0, one.heirs, one.answer});
  }
  next_.clear();
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

}  // namespace runtime
}  // namespace freehold
