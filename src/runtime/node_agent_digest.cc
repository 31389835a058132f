// What a NodeAgent says in digests, and what it answers to owners that found them different.

#include <vector>

#include "src/core/codec.h"
#include "src/core/digest.h"
#include "src/runtime/node_agent_impl.h"

namespace freehold {

using core::DigestRange;
using core::DigestSum;
using core::DigestTally;
using internal::MutexLock;
using runtime::PeerIndex;

namespace {

// Owners whose digests are sent in one turn.
constexpr uint32_t kDigestsPerTurn = 256;

}  // namespace

Time NodeAgent::Impl::MarkDigestsDue(Time now) {
  {
    MutexLock lock(&mutex_);
    if (phase_ != Phase::kRunning || excluded_) return kInfiniteFuture;
  }
  digests_.TakeDue(now, kDigestsPerTurn, [this](PeerIndex owner) { endpoint_->MarkReady(owner); });
  return digests_.NextDue();
}

void NodeAgent::Impl::WatchOwner(PeerIndex owner, const DigestSum& told) {
  if (told.copies == 0) return;
  // In the turn that follows, Work gives it its time.
  if (digests_.Watch(owner, endpoint_->AddressOf(owner).Hash())) endpoint_->WakeWork();
}

DigestSum NodeAgent::Impl::ToldOf(PeerIndex owner) const {
  MutexLock lock(&mutex_);
  return table_.Told(owner);
}

bool NodeAgent::Impl::FillDigest(PeerIndex owner, core::PayloadWriter* writer) {
  if (digests_.IsDue(owner)) {
    const DigestSum told = ToldOf(owner);
    // What was told before goes in front of it, what is told from now on behind it.
    if (!writer->Add(core::DigestSumsItem{0, DigestRange(), {told}})) return true;
    digests_.OnSent(owner, told);
    digests_sent_.fetch_add(1, std::memory_order_relaxed);
  }
  return digests_.QuestionsOf(owner) != nullptr && AnswerDigest(owner, writer);
}

bool NodeAgent::Impl::AnswerDigest(PeerIndex owner, core::PayloadWriter* writer) {
  const core::DigestDesk::Questions& questions = *digests_.QuestionsOf(owner);
  const uint64_t number = questions.number;
  DigestTally tally(questions.ranges, core::kDigestListMax);
  // Of whom nothing is told there is nothing to look for: a stranger may ask as often as it likes.
  uint32_t next = ToldOf(owner).copies == 0 ? core::kNoCopy : 0;
  while (next != core::kNoCopy) {
    MutexLock lock(&mutex_);
    next = table_.VisitTold(owner, next, kRecordsPerLock, &tally);
  }
  size_t answered = 0;
  for (DigestTally::Part& part : tally.parts()) {
    const bool all_listed = part.sum.copies <= core::kDigestListMax;
    const bool fits =
        all_listed || part.children.empty()
            ? writer->Add(
                  core::DigestCopiesItem{number, part.range, !all_listed, std::move(part.keys)})
            : writer->Add(core::DigestSumsItem{number, part.range, std::move(part.children)});
    if (!fits) break;
    ++answered;
  }
  const bool more = answered < tally.parts().size();
  // What did not fit is looked at anew: by then it may be another cut.
  digests_.OnAnswered(owner, answered);
  return more;
}

}  // namespace freehold
