#include "src/runtime/owner_digests.h"

#include <algorithm>
#include <string>

#include "src/base/guarded_call.h"
#include "src/core/object_table_digest.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

using core::DigestKey;
using core::DigestRange;
using core::DigestSum;
using core::DigestTally;
using core::PeerIndex;
using core::TableDigest;
using core::Verdict;

namespace {

// Copies of one range that are compared with a list of kDigestListMax at most: those beyond are
// left to the next digest.
constexpr size_t kKeysMax = 4096;

void SortOut(std::vector<DigestKey>* keys) {
  std::sort(keys->begin(), keys->end());
  keys->erase(std::unique(keys->begin(), keys->end()), keys->end());
}

}  // namespace

// --- Comparing -----------------------------------------------------------------------------------

void OwnerDigests::OnSums(PeerIndex from, absl::Span<const core::DigestSumsItem> items) {
  std::vector<DigestRange> ranges;
  std::vector<const core::DigestSumsItem*> answers;
  bool compared = false;  // what stands in a row shares a cut: one digest of it is enough
  for (const core::DigestSumsItem& item : items) {
    if (item.number == 0) {
      if (compared || !(item.range == DigestRange()) || item.sums.size() != 1) continue;
      compared = true;
      Compare(from, item.sums[0]);
      continue;
    }
    const auto exchange = exchanges_.find(from);
    if (exchange == exchanges_.end() || !exchange->second.OnAnswer(item.number, item.range)) {
      continue;
    }
    if (item.sums.size() != core::kDigestChildren) continue;
    ranges.push_back(item.range);
    answers.push_back(&item);
  }
  DigestTally ours(ranges, 0);
  if (!ranges.empty()) Tally(from, &ours);
  for (size_t i = 0; i < ranges.size(); ++i) {
    for (uint32_t child = 0; child < core::kDigestChildren; ++child) {
      if (ours.parts()[i].children[child] == answers[i]->sums[child]) continue;
      exchanges_[from].Differs(ranges[i].Child(child));
    }
  }
  Continue(from);
}

void OwnerDigests::Compare(PeerIndex from, const DigestSum& theirs) {
  DigestSum ours;
  for (const std::unique_ptr<Shard>& shard : counter_.shards()) {
    internal::MutexLock lock(&shard->mutex);
    if (shard->closed) return;
    const DigestSum part = TableDigest::SumOf(shard->table, from);
    ours.hash += part.hash;
    ours.copies += part.copies;
  }
  compared_.fetch_add(1, std::memory_order_relaxed);
  if (ours == theirs) return;
  mismatches_.fetch_add(1, std::memory_order_relaxed);
  if (exchanges_[from].OnDigest(false)) counter_.endpoint().MarkReady(from);
}

void OwnerDigests::Tally(PeerIndex from, DigestTally* tally) const {
  for (const std::unique_ptr<Shard>& shard : counter_.shards()) {
    TableDigest::Walk walk(from);
    for (bool more = true; more;) {
      internal::MutexLock lock(&shard->mutex);
      more = walk.Next(shard->table, CounterImpl::kPieceMax, tally);
    }
  }
}

void OwnerDigests::OnCopies(PeerIndex from, absl::Span<const core::DigestCopiesItem> items) {
  std::vector<DigestRange> ranges;
  std::vector<const core::DigestCopiesItem*> answers;
  for (const core::DigestCopiesItem& item : items) {
    const auto exchange = exchanges_.find(from);
    if (exchange == exchanges_.end() || !exchange->second.OnAnswer(item.number, item.range)) {
      continue;
    }
    ranges.push_back(item.range);
    answers.push_back(&item);
  }
  if (ranges.empty()) return;
  DigestTally tally(ranges, kKeysMax);
  Tally(from, &tally);
  for (size_t i = 0; i < ranges.size(); ++i) {
    std::vector<DigestKey> theirs = answers[i]->copies;
    std::vector<DigestKey>& ours = tally.parts()[i].keys;
    SortOut(&theirs);
    SortOut(&ours);
    for (const DigestKey& copy : DigestDifference(theirs, ours)) HealFound(from, copy);
    if (answers[i]->truncated) continue;
    for (const DigestKey& copy : DigestDifference(ours, theirs)) HealMissing(from, copy);
  }
  Continue(from);
}

void OwnerDigests::Continue(PeerIndex from) {
  const auto exchange = exchanges_.find(from);
  if (exchange == exchanges_.end()) return;
  if (exchange->second.Continue()) {
    counter_.endpoint().MarkReady(from);
  } else if (!exchange->second.open()) {
    exchanges_.erase(exchange);
  }
}

bool OwnerDigests::Fill(PeerIndex node, core::PayloadWriter* writer) {
  const auto exchange = exchanges_.find(node);
  if (exchange == exchanges_.end()) return false;
  if (exchange->second.Pull(writer)) return true;
  if (!exchange->second.open()) exchanges_.erase(exchange);
  return false;
}

// --- Healing -------------------------------------------------------------------------------------

void OwnerDigests::HealFound(PeerIndex from, const DigestKey& copy) {
  const core::Key key = counter_.KeyOf(copy.object);
  const Verdict verdict = counter_.Apply(counter_.ShardOf(key), [&](core::ObjectTable& table,
                                                                    core::Effects* effects) {
    return TableDigest::Step(core::event::DigestFound{key, from, copy.generation}, &table, effects);
  });
  if (verdict != Verdict::kOk && verdict != Verdict::kToBeFreed) return;
  if (verdict == Verdict::kOk) exchanges_[from].AskAgain(copy);
  CountHeal(from, copy, &found_, " has a copy that its owner did not know of");
}

void OwnerDigests::HealMissing(PeerIndex from, const DigestKey& copy) {
  const core::Key key = counter_.KeyOf(copy.object);
  const Verdict verdict =
      counter_.Apply(counter_.ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return TableDigest::Step(core::event::DigestMissing{key, from, copy.generation}, &table,
                                 effects);
      });
  if (verdict != Verdict::kOk) return;
  CountHeal(from, copy, &missing_, " has not the copy that its owner believed in");
}

// A line at every power of two: a million copies that one end forgot are one disagreement.
void OwnerDigests::CountHeal(PeerIndex from, const DigestKey& copy, std::atomic<uint64_t>* count,
                             const char* what) {
  const uint64_t so_far = count->fetch_add(1, std::memory_order_relaxed) + 1;
  if ((so_far & (so_far - 1)) != 0) return;
  (void)internal::CallGuarded([&] {
    counter_.LogHeal(counter_.endpoint().AddressOf(from).ToString() + what +
                     ", as a digest shows: object " + copy.object.ToHex() + " generation " +
                     std::to_string(copy.generation) + " (the " + std::to_string(so_far) +
                     ". of that kind so far)");
  });
}

void OwnerDigests::AddTo(ReferenceCounterStats* stats) const {
  stats->digests_compared = compared_.load(std::memory_order_relaxed);
  stats->digest_mismatches = mismatches_.load(std::memory_order_relaxed);
  stats->digest_copies_found = found_.load(std::memory_order_relaxed);
  stats->digest_copies_missing = missing_.load(std::memory_order_relaxed);
}

}  // namespace freehold::runtime
