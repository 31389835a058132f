#include "src/core/digest_exchange.h"

#include <algorithm>

#include "src/base/check.h"

namespace freehold::core {

// --- The node agent's end ------------------------------------------------------------------------

bool DigestDesk::Watch(PeerIndex owner, uint64_t owner_hash) {
  if (interval_ <= Duration::zero()) return false;
  const auto [pair, is_new] = pairs_.try_emplace(owner);
  if (!is_new) return false;
  // The two hashes may be close to each other, and so may those of other pairs.
  const uint64_t mixed = internal::MultiplyFold(owner_hash ^ internal::kHashSecret[0],
                                                self_ ^ internal::kHashSecret[2]);
  pair->second.phase = mixed % static_cast<uint64_t>(interval_.count());
  fresh_.push_back(owner);
  return true;
}

Time DigestDesk::NextPhase(Time now, uint64_t phase) const {
  const int64_t interval = interval_.count();
  const int64_t at = now.time_since_epoch().count();
  int64_t within = at % interval - static_cast<int64_t>(phase);
  if (within < 0) within += interval;
  if (within < 0) within += interval;  // times before the epoch
  return SaturatingAdd(now, Duration(interval - within));
}

void DigestDesk::Schedule(Time now) {
  if (fresh_.empty() || now == kInfinitePast) return;
  for (const PeerIndex owner : fresh_) {
    const auto found = pairs_.find(owner);
    if (found == pairs_.end()) continue;  // forgotten meanwhile
    found->second.next = NextPhase(now, found->second.phase);
    due_.emplace(found->second.next, owner);
  }
  fresh_.clear();
}

void DigestDesk::OnSent(PeerIndex owner, const DigestSum& sum) {
  const auto found = pairs_.find(owner);
  if (found == pairs_.end()) return;
  found->second.is_due = false;
  if (sum.copies > 0) return;
  due_.erase({found->second.next, owner});
  pairs_.erase(found);
}

void DigestDesk::OnQueries(PeerIndex owner, const DigestQueryItem& query) {
  Questions& questions = questions_[owner];
  if (questions.number != query.number) questions = {query.number, {}};
  // An owner that keeps to the rules never asks more at once.
  if (questions.ranges.size() < kDigestRangesMax) questions.ranges.push_back(query.range);
}

const DigestDesk::Questions* DigestDesk::QuestionsOf(PeerIndex owner) const {
  const auto found = questions_.find(owner);
  return found == questions_.end() ? nullptr : &found->second;
}

void DigestDesk::OnAnswered(PeerIndex owner, size_t count) {
  const auto found = questions_.find(owner);
  FREEHOLD_CHECK(found != questions_.end() && count <= found->second.ranges.size());
  std::vector<DigestRange>& ranges = found->second.ranges;
  ranges.erase(ranges.begin(), ranges.begin() + static_cast<ptrdiff_t>(count));
  if (ranges.empty()) questions_.erase(found);
}

void DigestDesk::Forget(PeerIndex owner) {
  questions_.erase(owner);
  const auto found = pairs_.find(owner);
  if (found == pairs_.end()) return;
  due_.erase({found->second.next, owner});
  pairs_.erase(found);
  fresh_.erase(std::remove(fresh_.begin(), fresh_.end(), owner), fresh_.end());
}

// --- The owner's end -----------------------------------------------------------------------------

bool DigestExchange::OnDigest(bool equal) {
  if (equal) return false;  // answers that are under way will find nothing either
  // What has not moved for a whole interval is begun anew.
  if (open() && std::exchange(progressed_, false)) return false;
  asked_.clear();
  unsent_ = 0;
  todo_ = {DigestRange()};
  return Continue();
}

bool DigestExchange::OnAnswer(uint64_t number, const DigestRange& range) {
  if (number != number_) return false;
  const auto sent_end = asked_.end() - static_cast<ptrdiff_t>(unsent_);
  const auto found = std::find(asked_.begin(), sent_end, range);
  if (found == sent_end) return false;
  asked_.erase(found);
  progressed_ = true;
  return true;
}

void DigestExchange::Differs(const DigestRange& range) {
  if (todo_.size() < kTodoMax) todo_.push_back(range);
}

// The last ones first: a part of the keys is healed before the next is looked at, and what waits
// stays little.
bool DigestExchange::Continue() {
  if (asked_.empty() && !todo_.empty()) {
    ++number_;
    const size_t batch = std::min<size_t>(todo_.size(), kDigestRangesMax);
    asked_.assign(todo_.rbegin(), todo_.rbegin() + static_cast<ptrdiff_t>(batch));
    todo_.resize(todo_.size() - batch);
    unsent_ = batch;
  }
  return has_work();
}

bool DigestExchange::Pull(PayloadWriter* writer) {
  while (!again_.empty()) {
    if (!writer->Add(ReportAgainItem{again_.front()})) return true;
    again_.pop_front();
  }
  for (; unsent_ > 0; --unsent_) {
    if (!writer->Add(DigestQueryItem{number_, asked_[asked_.size() - unsent_]})) return true;
  }
  return false;
}

}  // namespace freehold::core
