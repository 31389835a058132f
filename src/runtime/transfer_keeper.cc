#include "src/runtime/transfer_keeper.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "freehold/reference_counter.h"
#include "src/base/in_order.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"
#include "src/runtime/host_jobs.h"

namespace freehold {

Ownership::Ownership(const ReferenceCounter& counter) : counter_(counter.impl_) {}

absl::Status Ownership::Transfer(absl::Span<const ObjectId> objects, const ProcessId& next_owner,
                                 TransferOptions options) {
  return counter_->transfers().Begin(objects, next_owner, std::move(options));
}

uint64_t Ownership::pending() const { return counter_->transfers().pending(); }

absl::Status Ownership::Wait(Duration timeout) { return counter_->transfers().Wait(timeout); }

namespace runtime {

// Tells the host what became of one object.
class TransferKeeper::AnswerBody final : public CallbackJob::Body {
 public:
  AnswerBody(std::shared_ptr<Answer> answer, const ObjectId& object, absl::Status status)
      : answer_(std::move(answer)), object_(object), status_(std::move(status)) {}
  void Run() override { answer_->callback(object_, status_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "answer to a transfer"; }

 private:
  const std::shared_ptr<Answer> answer_;
  const ObjectId object_;
  const absl::Status status_;
};

namespace {

absl::Status NotMovableError(const ObjectId& object, core::Immovable why) {
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          "object ", object.ToHex(), " cannot be given away as it is: ", core::ImmovableName(why))),
      ErrorReason::kNotMovable);
}

}  // namespace

// --- Giving away ---------------------------------------------------------------------------------

absl::StatusOr<core::PeerIndex> TransferKeeper::CheckNextOwner(const ProcessId& next_owner) const {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  if (counter_->options().transport == nullptr) return NoTransportError();
  if (next_owner.IsNil() || next_owner == counter_->options().process) {
    return absl::InvalidArgumentError("objects are given to another process");
  }
  const core::PeerIndex peer = counter_->endpoint().Intern(Address(next_owner));
  if (peer == core::kNoPeer) return TooManyPeersError();
  return peer;
}

absl::Status TransferKeeper::Begin(absl::Span<const ObjectId> objects, const ProcessId& next_owner,
                                   TransferOptions options) {
  const absl::StatusOr<core::PeerIndex> peer = CheckNextOwner(next_owner);
  if (!peer.ok()) return peer.status();
  if (options.on_answer && counter_->options().executor == nullptr) {
    return absl::FailedPreconditionError("`on_answer` needs the option `executor`");
  }
  Batch batch;
  batch.next_owner = *peer;
  if (options.on_answer) batch.answer = std::make_shared<Answer>(std::move(options.on_answer));
  batch.objects.reserve(objects.size());
  for (const ObjectId& object : objects) {
    absl::StatusOr<ObjectRef> ref = counter_->GetRef(object);
    if (ref.ok()) {
      batch.objects.push_back(*std::move(ref));
    } else if (batch.answer != nullptr) {
      Tell(batch.answer, object, ref.status());
    }
  }
  return Add(std::move(batch));
}

absl::Status TransferKeeper::Give(std::vector<ObjectRef> objects, core::PeerIndex next_owner) {
  Batch batch;
  batch.next_owner = next_owner;
  batch.objects = std::move(objects);
  return Add(std::move(batch));
}

absl::Status TransferKeeper::Add(Batch batch) {
  if (batch.objects.empty()) return absl::OkStatus();
  bool closed = false;
  {
    internal::MutexLock lock(&mutex_);
    closed = closed_;
    if (!closed) {
      waiting_ += batch.objects.size();
      batches_.push_back(std::move(batch));
    }
  }
  if (closed) return counter_->WhyClosed();
  counter_->endpoint().WakeWork();
  return absl::OkStatus();
}

void TransferKeeper::ForEachWaiting(
    absl::FunctionRef<bool(const ObjectId&, core::PeerIndex)> visit) const {
  internal::MutexLock lock(&mutex_);
  if (begun_.has_value() && !visit(begun_->object.id(), begun_->next_owner)) return;
  for (const Batch& batch : batches_) {
    for (size_t i = batch.next; i < batch.objects.size(); ++i) {
      if (!visit(batch.objects[i].id(), batch.next_owner)) return;
    }
  }
  for (const core::LineageEffects::Following& record : following_) {
    if (!visit(record.object, record.to)) return;
  }
}

uint64_t TransferKeeper::UnderWay() const {
  uint64_t sum = 0;
  for (const std::unique_ptr<Shard>& shard : counter_->shards()) {
    internal::MutexLock lock(&shard->mutex);
    sum += core::TransferSteps(&shard->table).unsettled();
  }
  return sum;
}

absl::Status TransferKeeper::Wait(Duration timeout) {
  const std::shared_ptr<CounterImpl> keep = counter_->shared_from_this();
  counter_->PumpUntil([this] { return counter_->stopped() || pending() == 0; },
                      [] { return false; }, SaturatingAdd(counter_->clock().Now(), timeout));
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  const uint64_t left = pending();
  if (left == 0) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat(left, " objects have not reached their next owner, or not everybody knows it"));
}

bool TransferKeeper::TakeNext(uint64_t under_way, One* one) {
  internal::MutexLock lock(&mutex_);
  if (begun_.has_value()) {
    *one = *std::exchange(begun_, std::nullopt);
    --waiting_;
    return true;
  }
  if (batches_.empty() || under_way >= kUnderWayMax) return false;
  Batch& batch = batches_.front();
  *one = {batch.objects[batch.next], batch.next_owner, batch.answer, {}};
  --waiting_;
  if (++batch.next == batch.objects.size()) {
    finished_.push_back(std::move(batch.objects));
    batches_.pop_front();
  }
  return true;
}

// As many as may be let go of in one turn.
void TransferKeeper::TakeFinished(std::vector<ObjectRef>* finished) {
  while (!finished_.empty() && finished->size() < CounterImpl::kPieceMax) {
    std::vector<ObjectRef>& objects = finished_.back();
    if (!objects.empty()) {
      finished->push_back(std::move(objects.back()));
      objects.pop_back();
    } else {
      finished_.pop_back();
    }
  }
}

bool TransferKeeper::Work() {
  std::vector<ObjectRef> finished;  // let go of without the lock
  {
    internal::MutexLock lock(&mutex_);
    TakeFinished(&finished);
    if (waiting_ + following_.size() == 0) return !finished_.empty();
  }
  const uint64_t under_way = UnderWay();
  uint64_t left = CounterImpl::kPieceMax;
  if (WorkFollowing(under_way, &left)) return true;
  uint64_t begun = CounterImpl::kPieceMax - left;
  for (; left > 0; ++begun) {
    One one;
    if (!TakeNext(under_way + begun, &one)) return HasFinished();
    Step(std::move(one), &left);
  }
  return true;
}

core::Verdict TransferKeeper::StepTransfer(One* one, uint64_t* left, core::Immovable* why) {
  const core::Key key = counter_->KeyOf(one->object.id());
  std::unique_ptr<const core::Membership> membership;
  const auto step_with = [&](std::unique_ptr<const core::TaskRecord>* task) {
    return counter_->Apply(counter_->ShardOf(key), [&](core::ObjectTable& table,
                                                       core::Effects* effects) {
      const core::event::Transfer event{
          key, one->next_owner, counter_, one->handing.looked_at, &one->handing.handed, &membership,
          task};
      return core::TransferSteps(&table).Step(event, effects, why);
    });
  };
  // Of what no task made nobody looks for one.
  const auto step = [&] {
    const core::Verdict verdict = step_with(nullptr);
    if (*why != core::Immovable::kLineage) return verdict;
    return counter_->lineage().LendWith(one->object.id(), one->next_owner, /*record=*/false, why,
                                        step_with);
  };
  return contained_.StepWith(key, one->next_owner, left, &one->handing, why, [&] {
    return counter_->scopes().StepWith(key, why, &membership, step);
  });
}

void TransferKeeper::Follow(const std::vector<core::LineageEffects::Following>& records) {
  {
    internal::MutexLock lock(&mutex_);
    if (closed_) return;
    following_.insert(following_.end(), records.begin(), records.end());
  }
  counter_->endpoint().WakeWork();
}

// False: its task is busy, and it is to be tried again. One that does not go stays as long as it is
// needed; if it only waits for its copies to be gone, it is offered again when they are.
bool TransferKeeper::StepFollowing(const core::LineageEffects::Following& record) {
  core::Immovable why = core::Immovable::kNo;
  const core::Key key = counter_->KeyOf(record.object);
  const auto step = [&](std::unique_ptr<const core::TaskRecord>* task) {
    return counter_->Apply(counter_->ShardOf(key),
                           [&](core::ObjectTable& table, core::Effects* effects) {
                             return core::TransferSteps(&table).Step(
                                 core::event::TransferRecord{key, record.to, task}, effects);
                           });
  };
  (void)counter_->lineage().LendWith(record.object, record.to, /*record=*/true, &why, step);
  return why != core::Immovable::kTaskBusy;
}

// True: no more can be done now.
bool TransferKeeper::WorkFollowing(uint64_t under_way, uint64_t* left) {
  std::vector<core::LineageEffects::Following> later;
  for (; *left > 0 && under_way < kUnderWayMax; --*left, ++under_way) {
    core::LineageEffects::Following record;
    {
      internal::MutexLock lock(&mutex_);
      if (following_.empty()) break;
      record = following_.front();
      following_.pop_front();
    }
    if (!StepFollowing(record)) later.push_back(record);
  }
  if (!later.empty()) {
    internal::MutexLock lock(&mutex_);
    following_.insert(following_.end(), later.begin(), later.end());
  }
  return *left == 0;
}

// False: nothing is given away any more.
bool TransferKeeper::GoOnLater(One* one) {
  internal::MutexLock lock(&mutex_);
  if (closed_) return false;
  begun_ = std::move(*one);
  ++waiting_;
  return true;
}

void TransferKeeper::Step(One one, uint64_t* left) {
  const ObjectId object = one.object.id();
  core::Immovable why = core::Immovable::kNo;
  // One of the same object that is on its way goes on waiting for its own answer.
  std::shared_ptr<Answer> before;
  if (one.answer != nullptr) {
    // Before the step: its answer may come from another thread.
    internal::MutexLock lock(&mutex_);
    before = std::exchange(answers_[object], one.answer);
  }
  const core::Verdict verdict = StepTransfer(&one, left, &why);
  if (verdict == core::Verdict::kOk) return;
  if (one.answer != nullptr) {
    internal::MutexLock lock(&mutex_);
    if (before != nullptr) {
      answers_[object] = std::move(before);
    } else {
      answers_.erase(object);
    }
  }
  const bool is_partial = why == core::Immovable::kContains;
  if (is_partial && GoOnLater(&one)) return;
  contained_.CancelAll(one.next_owner, one.handing.handed);
  NoteRefused(verdict, why, one);
  if (one.answer == nullptr) return;
  absl::Status status = counter_->ToStatus(verdict, object);
  if (is_partial) {
    status = counter_->WhyClosed();
  } else if (why != core::Immovable::kNo) {
    status = NotMovableError(object, why);
  }
  Tell(one.answer, object, std::move(status));
}

void TransferKeeper::NoteRefused(core::Verdict verdict, core::Immovable why, const One& one) {
  // What is gone, or another's by now, is in the way of nobody who gives away.
  if (!refused_.is_open() || verdict == core::Verdict::kNotFound ||
      verdict == core::Verdict::kOutOfScope || verdict == core::Verdict::kNotOwner) {
    return;
  }
  const ObjectId& object = one.object.id();
  std::string text = why != core::Immovable::kNo
                         ? core::ImmovableName(why)
                         : std::string(counter_->ToStatus(verdict, object).message());
  refused_.Note(object, one.next_owner, std::move(text));
}

void TransferKeeper::NoteAnswered(const core::TransferNotice& notice) {
  if (!refused_.is_open()) return;
  const absl::Status status = Explain(notice.outcome, "its next owner");
  if (status.ok()) {
    refused_.Forget(notice.object);
  } else {
    refused_.Note(notice.object, notice.next_owner, std::string(status.message()));
  }
}

void TransferKeeper::Tell(const std::shared_ptr<Answer>& answer, const ObjectId& object,
                          absl::Status status) {
  counter_->PostJob(std::make_unique<AnswerBody>(answer, object, std::move(status)));
}

void TransferKeeper::OnNotices(const std::vector<core::TransferNotice>& notices) {
  for (const core::TransferNotice& notice : notices) {
    for (const core::RegisteredCallback& callback : notice.callbacks) {
      std::unique_ptr<ObjectCallbackBody> body(ObjectCallbackBody::FromToken(callback.token));
      counter_->watches_.Go(notice.next_owner, notice.object, callback.moment, callback.number,
                            std::move(body));
    }
    if (!notice.callbacks.empty()) counter_->endpoint().MarkReady(notice.next_owner);
    if (notice.lent) counter_->lineage().OnLent(notice);
    if (notice.record || notice.outcome == core::TransferOutcome::kSettled) continue;
    if (notice.outcome == core::TransferOutcome::kInherited) {
      Inherit(notice);
      continue;
    }
    if (notice.outcome >= core::TransferOutcome::kTakenBack) {
      const bool is_back = notice.outcome == core::TransferOutcome::kTakenBack;
      counter_->logger().Log(
          is_back ? LogLevel::kInfo : LogLevel::kError,
          absl::StrCat("object ", notice.object.ToHex(),
                       is_back ? " is owned here again" : " is gone, for there is no room for it",
                       ": its next owner died before everybody knew it"));
      if (is_back) KeepAskingHere(notice.next_owner, notice.object);
      continue;  // it was answered
    }
    NoteAnswered(notice);
    std::shared_ptr<Answer> answer;
    {
      internal::MutexLock lock(&mutex_);
      const auto at = answers_.find(notice.object);
      if (at == answers_.end()) continue;
      answer = std::move(at->second);
      answers_.erase(at);
    }
    Tell(answer, notice.object,
         Explain(notice.outcome, absl::StrCat("the next owner of object ", notice.object.ToHex())));
  }
}

absl::Status TransferKeeper::Explain(core::TransferOutcome outcome, const std::string& what) {
  switch (outcome) {
    case core::TransferOutcome::kMoved:
    case core::TransferOutcome::kSettled:
    case core::TransferOutcome::kTakenBack:
    case core::TransferOutcome::kInherited:
    case core::TransferOutcome::kDiedWithNextOwner:
      return absl::OkStatus();
    case core::TransferOutcome::kExists:
      return absl::AlreadyExistsError(absl::StrCat(what, " has that id as its own"));
    case core::TransferOutcome::kRefused:
      return WithReason(
          absl::FailedPreconditionError(absl::StrCat(what, " takes none from others")),
          ErrorReason::kRefused);
    case core::TransferOutcome::kDraining:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(what, " is draining")),
                        ErrorReason::kDraining);
    case core::TransferOutcome::kFull:
      return absl::ResourceExhaustedError(absl::StrCat(what, " has no room for it"));
    case core::TransferOutcome::kNextOwnerDied:
      return WithReason(absl::UnavailableError(absl::StrCat(what, " died before it answered")),
                        ErrorReason::kPeerExcluded);
  }
  return absl::InternalError("unknown outcome");
}

// What waits is the caller's from now on, and nothing is given away any more.
void TransferKeeper::TakeAll(std::deque<Batch>* batches, Answers* answers) {
  internal::MutexLock lock(&mutex_);
  std::swap(*batches, batches_);
  for (std::vector<ObjectRef>& objects : std::exchange(finished_, {})) {
    batches->emplace_back().objects = std::move(objects);
  }
  std::swap(*answers, answers_);
  if (begun_.has_value()) {
    One one = *std::exchange(begun_, std::nullopt);
    Batch batch;
    batch.objects.push_back(std::move(one.object));
    batch.answer = std::move(one.answer);
    batches->push_back(std::move(batch));
  }
  waiting_ = 0;
  following_.clear();
  closed_ = true;
}

void TransferKeeper::OnSelfExcluded() {
  heirs_.OnSelfExcluded();
  std::deque<Batch> batches;
  Answers answers;
  TakeAll(&batches, &answers);
  for (const auto* entry : internal::InOrder(answers)) {
    Tell(entry->second, entry->first, counter_->WhyClosed());
  }
  for (const Batch& batch : batches) {
    for (size_t i = batch.next; batch.answer != nullptr && i < batch.objects.size(); ++i) {
      Tell(batch.answer, batch.objects[i].id(), counter_->WhyClosed());
    }
  }
}

uint64_t TransferKeeper::Close() {
  std::deque<Batch> batches;
  Answers answers;
  TakeAll(&batches, &answers);
  uint64_t dropped = heirs_.Close() + answers.size();
  for (const Batch& batch : batches) {
    if (batch.answer != nullptr) dropped += batch.objects.size() - batch.next;
  }
  return dropped;
}

}  // namespace runtime
}  // namespace freehold
