#include "freehold/node_drain.h"

#include <deque>
#include <thread>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "freehold/error_reason.h"
#include "src/base/guarded_call.h"
#include "src/base/mutex.h"

namespace freehold {

namespace {

// One generation of one object.
using CopyKey = std::pair<ObjectId, uint32_t>;

enum class Need : uint8_t { kUnknown, kSafe, kSole };

bool IsElsewhere(const Location& at, const NodeId& node) {
  return at.node != node && !at.prospective && (at.in_memory || at.spilled);
}

// Whether the value is safe without the copy of `generation` at `node`.
Need NeedOf(const LocationUpdate& answer, const NodeId& node, uint32_t generation) {
  if (answer.kind == LocationUpdate::Kind::kGone ||
      answer.kind == LocationUpdate::Kind::kOwnerDied) {
    return Need::kSafe;
  }
  const ObjectLocations& known = answer.snapshot;
  if (known.generation > generation) return Need::kSafe;
  switch (known.state) {
    case ObjectState::kFreed:
    case ObjectState::kOutOfScope:
      return Need::kSafe;
    case ObjectState::kAvailable:
      break;
    case ObjectState::kPending:  // what this node has reported is on its way
    case ObjectState::kLost:
    case ObjectState::kBorrowed:
    case ObjectState::kFailed:
      return Need::kUnknown;
  }
  if (known.generation < generation) return Need::kUnknown;
  bool known_here = false;
  for (const Location& at : known.locations) {
    if (at.shared) return Need::kSafe;  // it outlives the node, also if that wrote it
    if (IsElsewhere(at, node) && (at.spilled || at.role == CopyRole::kPrimary)) return Need::kSafe;
    known_here |= at.node == node && !at.prospective;
  }
  return known_here ? Need::kSole : Need::kUnknown;
}

struct Answer {
  CopyKey copy;
  LocationUpdate update;  // pending, as it begins, where the executor dropped the answer
};

// Where answers wait for the next step. Shared with the questions, which may outlive the drain.
class Answers {
 public:
  void Add(Answer answer) {
    internal::MutexLock lock(&mutex_);
    answers_.push_back(std::move(answer));
  }
  std::vector<Answer> Take() {
    internal::MutexLock lock(&mutex_);
    return std::exchange(answers_, {});
  }

 private:
  internal::Mutex mutex_;
  std::vector<Answer> answers_ FREEHOLD_GUARDED_BY(mutex_);
};

// The callable of one question: gives exactly one answer, at the latest when it is destroyed.
class Question {
 public:
  Question(std::shared_ptr<Answers> answers, CopyKey copy)
      : answers_(std::move(answers)), copy_(std::move(copy)) {}
  Question(Question&& other) noexcept = default;
  Question& operator=(Question&& other) = delete;
  ~Question() {
    if (answers_ != nullptr) answers_->Add({copy_, {}});
  }
  void operator()(const ObjectId& /*object*/, const LocationUpdate& update) {
    if (const auto answers = std::exchange(answers_, nullptr)) {
      answers->Add({copy_, update});
    }
  }

 private:
  std::shared_ptr<Answers> answers_;
  CopyKey copy_;
};

absl::Status Validate(const NodeAgent* agent, const NodeDrainOptions& options) {
  if (agent == nullptr) return absl::InvalidArgumentError("NodeDrain needs an agent");
  if (options.evacuations_max == 0) {
    return absl::InvalidArgumentError("NodeDrainOptions.evacuations_max must be at least 1");
  }
  if (options.questions_max == 0) {
    return absl::InvalidArgumentError("NodeDrainOptions.questions_max must be at least 1");
  }
  if (options.evacuate_again <= Duration::zero()) {
    return absl::InvalidArgumentError("NodeDrainOptions.evacuate_again must be positive");
  }
  if (options.ask_again <= Duration::zero()) {
    return absl::InvalidArgumentError("NodeDrainOptions.ask_again must be positive");
  }
  return absl::OkStatus();
}

}  // namespace

const char* NodeDrainStateName(NodeDrainState state) {
  switch (state) {
    case NodeDrainState::kDraining:
      return "draining";
    case NodeDrainState::kDrained:
      return "drained";
    case NodeDrainState::kDeadlinePassed:
      return "deadline passed";
    case NodeDrainState::kStopped:
      return "stopped";
  }
  return "unknown";
}

// Goes by rounds. A round lists what lies on the node and asks about it; a whole one about
// everything, the others, while some are to be made safe, about what is not known to be safe. Only
// a whole round ends the drain: what was safe may be so no more, when the node of its primary died.
class NodeDrain::Impl {
 public:
  Impl(NodeAgent* agent, const NodeDrainOptions& options) : agent_(*agent), options_(options) {}
  ~Impl() {
    for (const auto& [copy, number] : asked_) agent_.CancelQuery(number);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  NodeDrainStatus Step(Time now) {
    if (status_.state == NodeDrainState::kDraining) {
      TakeAnswers();
      if (!in_round_ && now >= next_round_) BeginRound(now);
      Ask();
      Evacuate(now);
      if (in_round_ && to_ask_.empty() && asked_.empty()) EndRound(now);
      if (status_.state == NodeDrainState::kDraining && now >= options_.deadline) {
        status_.state = NodeDrainState::kDeadlinePassed;
      }
    }
    status_.evacuations = evacuating_.size();
    return status_;
  }

  std::vector<NodeCopyStatus> Left(size_t copies_max) const {
    std::vector<NodeCopyStatus> left;
    const bool failed = status_.state == NodeDrainState::kDeadlinePassed;
    for (const auto& [key, copy] : copies_) {
      if (left.size() == copies_max) break;
      if (copy.need == Need::kSole || (failed && copy.need == Need::kUnknown)) {
        left.push_back(copy.status);
      }
    }
    return left;
  }

 private:
  struct Copy {
    NodeCopyStatus status;
    Need need = Need::kUnknown;
    std::vector<Location> others;
  };

  uint64_t* CountOf(Need need) {
    switch (need) {
      case Need::kUnknown:
        return &status_.unknown_copies;
      case Need::kSole:
        return &status_.sole_copies;
      case Need::kSafe:
        break;
    }
    return &safe_copies_;
  }
  void Become(Copy* copy, Need need) {
    --*CountOf(copy->need);
    copy->need = need;
    ++*CountOf(need);
  }
  void Stop(absl::Status why) {
    status_.state = NodeDrainState::kStopped;
    status_.why = std::move(why);
  }

  void BeginRound(Time now) {
    in_round_ = true;
    arrived_ = agent_.GetStats().copies_added;
    absl::btree_map<CopyKey, Copy> before = std::exchange(copies_, {});
    status_.unknown_copies = status_.sole_copies = safe_copies_ = 0;
    for (NodeCopyStatus& here : agent_.Copies()) {
      if (here.doomed || here.fetching) continue;
      const CopyKey key(here.copy.object, here.copy.generation);
      Copy copy;
      const auto known = before.find(key);
      if (known != before.end()) copy = std::move(known->second);
      copy.status = std::move(here);
      const Need need = copy.need;
      // One that went and came again while it was listed is listed twice.
      if (!copies_.emplace(key, std::move(copy)).second) continue;
      ++*CountOf(need);
      if (whole_ || need != Need::kSafe) to_ask_.push_back(key);
    }
    for (auto at = evacuating_.begin(); at != evacuating_.end();) {
      const bool here = copies_.contains(at->first);
      const bool again = here && now >= SaturatingAdd(at->second, options_.evacuate_again);
      if (again) to_evacuate_.insert(at->first);
      at = here && !again ? std::next(at) : evacuating_.erase(at);
    }
  }

  void Ask() {
    while (!to_ask_.empty() && asked_.size() < options_.questions_max &&
           status_.state == NodeDrainState::kDraining) {
      const CopyKey key = to_ask_.front();
      to_ask_.pop_front();
      LocationQuery query;
      query.object = key.first;
      query.owner = copies_.at(key).status.copy.owner;
      absl::StatusOr<uint64_t> number = agent_.QueryLocations(query, Question(answers_, key));
      if (number.ok()) {
        asked_[key] = *number;
      } else if (ReasonOf(number.status()) == ErrorReason::kOwnerDied) {
        Become(&copies_.at(key), Need::kSafe);
      } else {
        Stop(number.status());
      }
    }
  }

  void TakeAnswers() {
    for (const Answer& answer : answers_->Take()) {
      // Of a question that was refused, its owner's death was told by QueryLocations already.
      if (asked_.erase(answer.copy) == 0) continue;
      if (answer.update.kind == LocationUpdate::Kind::kExcluded) {
        return Stop(absl::FailedPreconditionError("the node was excluded"));
      }
      Take(answer, &copies_.at(answer.copy));
    }
  }
  void Take(const Answer& answer, Copy* copy) {
    const NodeId& node = agent_.node();
    Become(copy, NeedOf(answer.update, node, answer.copy.second));
    copy->others.clear();
    if (copy->need == Need::kSafe) {
      evacuating_.erase(answer.copy);
      return;
    }
    if (copy->need == Need::kUnknown) return;
    for (const Location& at : answer.update.snapshot.locations) {
      if (IsElsewhere(at, node)) copy->others.push_back(at);
    }
    if (!evacuating_.contains(answer.copy)) to_evacuate_.insert(answer.copy);
  }

  void Evacuate(Time now) {
    if (options_.evacuate == nullptr) return;
    while (!to_evacuate_.empty() && evacuating_.size() < options_.evacuations_max) {
      const CopyKey key = *to_evacuate_.begin();
      to_evacuate_.erase(to_evacuate_.begin());
      const auto at = copies_.find(key);
      if (at == copies_.end() || at->second.need != Need::kSole) continue;
      evacuating_.emplace(key, now);
      (void)internal::CallGuarded([&] { options_.evacuate(at->second.status, at->second.others); });
    }
  }

  void EndRound(Time now) {
    in_round_ = false;
    next_round_ = SaturatingAdd(now, options_.ask_again);
    const bool was_whole = std::exchange(whole_, status_.sole_copies + status_.unknown_copies == 0);
    if (!whole_) return;
    if (!was_whole) {
      next_round_ = now;
      return;
    }
    status_.owned_in_scope = 0;
    if (options_.owned_in_scope != nullptr) {
      // What throws is asked again.
      status_.owned_in_scope = 1;
      (void)internal::CallGuarded([&] { status_.owned_in_scope = options_.owned_in_scope(); });
    }
    const NodeAgentStats stats = agent_.GetStats();
    if (status_.owned_in_scope == 0 && stats.moves == 0 && stats.copies_added == arrived_) {
      status_.state = NodeDrainState::kDrained;
    }
  }

  NodeAgent& agent_;
  const NodeDrainOptions options_;
  const std::shared_ptr<Answers> answers_ = std::make_shared<Answers>();
  NodeDrainStatus status_;
  uint64_t safe_copies_ = 0;
  absl::btree_map<CopyKey, Copy> copies_;  // as listed when the round began

  bool in_round_ = false;
  bool whole_ = true;     // the present round, or the next
  uint64_t arrived_ = 0;  // copies that had ever arrived when the round began
  Time next_round_ = kInfinitePast;
  std::deque<CopyKey> to_ask_;
  absl::btree_map<CopyKey, uint64_t> asked_;  // number of the query

  absl::btree_set<CopyKey> to_evacuate_;
  absl::btree_map<CopyKey, Time> evacuating_;  // since when
};

NodeDrain::NodeDrain(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NodeDrain::~NodeDrain() = default;

absl::StatusOr<std::unique_ptr<NodeDrain>> NodeDrain::Create(NodeAgent* agent,
                                                             const NodeDrainOptions& options) {
  absl::Status status = Validate(agent, options);
  if (!status.ok()) return status;
  return std::unique_ptr<NodeDrain>(new NodeDrain(std::make_unique<Impl>(agent, options)));
}

NodeDrainStatus NodeDrain::Step(Time now) { return impl_->Step(now); }
std::vector<NodeCopyStatus> NodeDrain::Left(size_t copies_max) const {
  return impl_->Left(copies_max);
}

absl::StatusOr<NodeDrainReport> DrainNode(NodeAgent* agent, const NodeDrainOptions& options) {
  absl::StatusOr<std::unique_ptr<NodeDrain>> drain = NodeDrain::Create(agent, options);
  if (!drain.ok()) return drain.status();
  NodeDrainReport report;
  for (;;) {
    const Time now = Clock::Monotonic().Now();
    report.status = (*drain)->Step(now);
    if (report.status.state != NodeDrainState::kDraining) break;
    agent->Pump(now);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  report.left = (*drain)->Left();
  return report;
}

}  // namespace freehold
