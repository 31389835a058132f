#include "src/runtime/watches.h"

#include <optional>

namespace freehold::runtime {

namespace {

// Of one that was not cancelled.
EndReason ReasonOf(core::WatchAnswer answer) {
  switch (answer) {
    case core::WatchAnswer::kOutOfScope:
      return EndReason::kOutOfScope;
    case core::WatchAnswer::kFreed:
      return EndReason::kFreed;
    case core::WatchAnswer::kRefused:
      return EndReason::kRefused;
    case core::WatchAnswer::kGone:
    case core::WatchAnswer::kCancelled:
      break;
  }
  return EndReason::kGone;
}

}  // namespace

absl::StatusOr<uint64_t> Watches::Ask(core::PeerIndex owner, const ObjectId& object, Moment moment,
                                      std::unique_ptr<ObjectCallbackBody> body) {
  Watch watch{moment, std::move(body)};
  return questions_.Ask(owner, object, &watch);
}

void Watches::Go(core::PeerIndex owner, const ObjectId& object, Moment moment,
                 uint64_t registration, std::unique_ptr<ObjectCallbackBody> body) {
  // One whose owner has died meanwhile hears so; after the end nobody hears anything.
  Watch watch{moment, std::move(body), registration};
  const absl::StatusOr<uint64_t> number = questions_.Ask(owner, object, &watch);
  if (!number.ok() && number.status().code() == absl::StatusCode::kUnavailable) {
    Post(std::move(watch.body), EndReason::kOwnerDied);
  }
}

uint64_t Watches::FindMoved(const ObjectId& object, uint64_t registration) const {
  return questions_.FindOf(object,
                           [&](const Watch& watch) { return watch.registration == registration; });
}

std::vector<Watches::Taken> Watches::TakeOf(core::PeerIndex from, const ObjectId& object) {
  std::vector<Taken> taken;
  for (Question& question : questions_.TakeOf(from, object)) {
    const uint64_t known = question.what.registration;
    taken.push_back({question.what.moment, std::move(question.what.body),
                     known != 0 ? known : Mark(question.number)});
  }
  return taken;
}

bool Watches::Cancel(uint64_t number, core::PeerIndex* owner) {
  return questions_.Cancel(number, owner).has_value();
}

bool Watches::Fill(core::PeerIndex owner, core::PayloadWriter* writer) {
  return questions_.Fill(owner, [writer](uint64_t number, const ObjectId& object,
                                         const Question* question, bool cancel) {
    if (question == nullptr) return true;  // its answer overtook its cancellation
    const auto kind = cancel ? core::SharingKind::kUnwatch : core::SharingKind::kWatch;
    return writer->Add(core::SharingItem{object, number, core::kFirstTerm, kind,
                                         static_cast<uint8_t>(question->what.moment)});
  });
}

bool Watches::OnFired(core::PeerIndex from, const core::SharingItem& item) {
  const auto answer = static_cast<core::WatchAnswer>(item.answer);
  const bool called_off = answer == core::WatchAnswer::kCancelled;
  std::unique_ptr<ObjectCallbackBody> body;
  bool believed = true;
  const auto matched = questions_.OnAnswer(from, item.number, item.object, [&](Question* question) {
    // Nobody else calls it off.
    believed = !called_off || question->cancelled;
    if (believed) body = std::move(question->what.body);
    return believed;
  });
  if (matched == OwnerQuestions<Watch>::Matched::kLate) return true;
  if (matched != OwnerQuestions<Watch>::Matched::kYes || !believed) return false;
  // Without one it was cancelled while this was on its way.
  if (body != nullptr) Post(std::move(body), ReasonOf(answer));
  return true;
}

void Watches::OnBarrier(uint64_t version) {
  questions_.OnBarrier(version, [this](Question& question) {
    Post(std::move(question.what.body), EndReason::kOwnerDied);
  });
}

void Watches::OnSelfExcluded() {
  for (Question& question : questions_.OnSelfExcluded()) {
    Post(std::move(question.what.body), EndReason::kExcluded);
  }
}

void Watches::Post(std::unique_ptr<ObjectCallbackBody> body, EndReason reason) {
  PostGuarded(executor_.get(), &logger_, std::move(body), static_cast<int>(reason));
}

}  // namespace freehold::runtime
