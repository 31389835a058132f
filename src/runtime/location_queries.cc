#include "src/runtime/location_queries.h"

#include <algorithm>
#include <optional>

#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

namespace {

ObjectState StateOf(core::LocationAnswerState state) {
  switch (state) {
    case core::LocationAnswerState::kPending:
      return ObjectState::kPending;
    case core::LocationAnswerState::kAvailable:
      return ObjectState::kAvailable;
    case core::LocationAnswerState::kFreed:
      return ObjectState::kFreed;
    case core::LocationAnswerState::kLost:
      return ObjectState::kLost;
    case core::LocationAnswerState::kGone:
      break;
  }
  return ObjectState::kOutOfScope;
}

}  // namespace

absl::StatusOr<uint64_t> LocationQueries::Ask(core::PeerIndex owner, const LocationQuery& query,
                                              LocationCallback callback) {
  if (!callback) return absl::InvalidArgumentError("the callback is empty");
  if (executor_ == nullptr) {
    return absl::FailedPreconditionError("a location query needs the option `executor`");
  }
  Query what{query.subscribe, query.fetch_to,
             std::make_shared<LocationSubscription>(std::move(callback))};
  return questions_.Ask(owner, query.object, &what);
}

bool LocationQueries::Cancel(uint64_t number, core::PeerIndex* owner) {
  const std::optional<Query> ended = questions_.Cancel(number, owner);
  if (!ended.has_value()) return false;
  ended->subscription->cancelled.store(true, std::memory_order_release);
  return true;
}

void LocationQueries::Close() {
  for (const Question& question : questions_.Close()) {
    question.what.subscription->cancelled.store(true, std::memory_order_release);
  }
}

bool LocationQueries::Fill(core::PeerIndex owner, core::PayloadWriter* writer) {
  return questions_.Fill(owner, [writer](uint64_t number, const ObjectId& object,
                                         const Question* question, bool cancel) {
    core::LocationQueryItem item;
    item.object = object;
    item.number = number;
    item.cancel = cancel;
    if (question != nullptr) {
      item.subscribe = question->what.subscribe;
      item.fetch_to = question->what.fetch_to;
    }
    return writer->Add(item);
  });
}

bool LocationQueries::OnAnswer(core::PeerIndex from, const core::LocationAnswerItem& item) {
  std::shared_ptr<LocationSubscription> subscription;
  const bool gone = item.state == core::LocationAnswerState::kGone;
  bool refused = false;
  const auto matched =
      questions_.OnAnswer(from, item.number, item.object, [&](const Question* question) {
        subscription = question->what.subscription;
        // A subscription ends with its object; otherwise there is none.
        refused = item.final && !gone && question->what.subscribe;
        return item.final;
      });
  if (matched != OwnerQuestions<Query>::Matched::kYes) {
    return matched != OwnerQuestions<Query>::Matched::kOther;  // cancelled meanwhile
  }
  LocationUpdate update;
  update.kind = gone ? LocationUpdate::Kind::kGone : LocationUpdate::Kind::kSnapshot;
  update.snapshot.state = StateOf(item.state);
  update.snapshot.generation = item.generation;
  update.snapshot.size = item.size;
  update.truncated = item.truncated;
  update.snapshot.locations = item.locations;
  std::sort(update.snapshot.locations.begin(), update.snapshot.locations.end(),
            [](const Location& a, const Location& b) { return a.node < b.node; });
  if (!refused) {
    Tell(subscription, item.object, std::move(update));
    return true;
  }
  LocationUpdate end;
  end.kind = LocationUpdate::Kind::kRefused;
  end.snapshot.state = update.snapshot.state;
  Tell(subscription, item.object, std::move(update));
  Tell(subscription, item.object, std::move(end));
  return true;
}

void LocationQueries::AnswerHere(core::PeerIndex from, const ObjectId& object,
                                 absl::FunctionRef<ObjectLocations()> locations) {
  for (const Question& question : questions_.TakeOf(from, object)) {
    LocationUpdate update;
    update.kind = LocationUpdate::Kind::kSnapshot;
    update.snapshot = locations();
    Tell(question.what.subscription, object, std::move(update));
    if (!question.what.subscribe) continue;
    LocationUpdate end;
    end.kind = LocationUpdate::Kind::kRefused;
    Tell(question.what.subscription, object, std::move(end));
  }
}

void LocationQueries::OnBarrier(uint64_t version) {
  questions_.OnBarrier(version, [this](const Question& question) {
    Fail(question, LocationUpdate::Kind::kOwnerDied);
  });
}

void LocationQueries::OnSelfExcluded() {
  for (const Question& question : questions_.OnSelfExcluded()) {
    Fail(question, LocationUpdate::Kind::kExcluded);
  }
}

void LocationQueries::Fail(const Question& question, LocationUpdate::Kind kind) {
  LocationUpdate update;
  update.kind = kind;
  update.snapshot.state = ObjectState::kFailed;
  Tell(question.what.subscription, question.object, std::move(update));
}

void LocationQueries::Tell(const std::shared_ptr<LocationSubscription>& to, const ObjectId& object,
                           LocationUpdate update) {
  PostGuarded(executor_.get(), &logger_, MakeLocationJob(to, object, std::move(update)));
}

}  // namespace freehold::runtime
