#include "src/core/carried_files.h"

#include <algorithm>

#include "src/base/mutant.h"
#include "src/core/retry_delay.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

bool CarriedFiles::OnItem(PeerIndex from, const FileItem& item) {
  if (item.kind == FileItemKind::kGone || silent_ || excluded_.contains(from)) return false;
  const Key key = {from, item.number};
  const auto known = files_.find(key);
  if (known != files_.end()) {
    const FileItem& before = known->second.item;
    if (before.object != item.object || before.generation != item.generation ||
        before.url != item.url) {
      return false;
    }
    if (item.kind == FileItemKind::kDelete) Delete(key, &known->second);
    return true;
  }
  // One that is to go now is taken all the same: its owner waits for that.
  if (item.kind == FileItemKind::kCarry && files_.size() >= options_.files_max) return false;
  ++stats_.files;
  File& file = files_[key];
  file.item = item;
  if (item.kind == FileItemKind::kDelete) Delete(key, &file);
  return true;
}

void CarriedFiles::Delete(const Key& key, File* file) {
  if (file->to_go) return;
  file->to_go = true;
  ++stats_.deletes;
  to_delete_.push_back(key);
}

void CarriedFiles::QueueDue(Time now, uint32_t files_max) {
  // A store that failed a million times does not hold the lock for all of them.
  while (to_delete_.size() < files_max && !retries_.empty() && retries_.begin()->first <= now) {
    to_delete_.push_back(retries_.begin()->second);
    retries_.erase(retries_.begin());
  }
  for (; files_max > 0 && !dead_.empty(); --files_max) {
    const auto at = files_.lower_bound(dead_.front());
    if (at == files_.end() || at->first.owner != dead_.front().owner) {
      dead_.pop_front();
      continue;
    }
    Delete(at->first, &at->second);
    if (at->first.number == UINT64_MAX) {
      dead_.pop_front();
    } else {
      dead_.front().number = at->first.number + 1;
    }
  }
}

bool CarriedFiles::OnDeleted(const Key& key) {
  const auto at = files_.find(key);
  FileItem answer = std::move(at->second.item);
  answer.kind = FileItemKind::kGone;
  answer.url.clear();
  files_.erase(at);
  --stats_.files;
  --stats_.deletes;
  ++stats_.deleted;
  if (silent_ || excluded_.contains(key.owner)) return false;
  std::deque<FileItem>& answers = answers_[key.owner];
  answers.push_back(std::move(answer));
  ++stats_.answers;
  return answers.size() == 1;
}

bool CarriedFiles::OnFailed(const Key& key, std::string_view why, Time now, uint64_t random) {
  ++stats_.failures;
  File& file = files_.at(key);
  why = why.substr(0, kWhyBytesMax);
  const bool news = file.failures == 0 || file.why != why;
  if (file.failures < UINT32_MAX) ++file.failures;
  file.why = std::string(why);
  retries_.emplace(
      RetryAt(now, file.failures, options_.retry_delay_min, options_.retry_delay_max, random), key);
  return news;
}

Time CarriedFiles::NextWork() const {
  if (!to_delete_.empty() || !dead_.empty()) return kInfinitePast;
  return retries_.empty() ? kInfiniteFuture : retries_.begin()->first;
}

bool CarriedFiles::Fill(PeerIndex owner, PayloadWriter* writer) {
  const auto at = answers_.find(owner);
  if (at == answers_.end()) return false;
  for (std::deque<FileItem>& answers = at->second; !answers.empty(); answers.pop_front()) {
    if (!writer->Add(answers.front())) return true;
    --stats_.answers;
  }
  answers_.erase(at);
  return false;
}

void CarriedFiles::OnView(uint64_t version, absl::Span<const PeerIndex> excluded) {
  for (const PeerIndex peer : excluded) {
    excluded_.insert(peer);
    const auto answers = answers_.find(peer);
    if (answers == answers_.end()) continue;
    stats_.answers -= answers->second.size();
    answers_.erase(answers);
  }
  open_views_.emplace_back(version, std::vector<PeerIndex>(excluded.begin(), excluded.end()));
  if (version <= latest_barrier_) OnBarrier(latest_barrier_);
}

void CarriedFiles::OnBarrier(uint64_t version) {
  latest_barrier_ = std::max(latest_barrier_, version);
  for (; !open_views_.empty() && open_views_.front().first <= latest_barrier_;
       open_views_.pop_front()) {
    if (IsMutant(Mutant::kCarriedFilesKept)) continue;
    for (const PeerIndex peer : open_views_.front().second) {
      const auto first = files_.lower_bound({peer, 0});
      if (first != files_.end() && first->first.owner == peer) dead_.push_back({peer, 0});
    }
  }
}

void CarriedFiles::OnSelfExcluded() {
  silent_ = true;
  answers_.clear();
  stats_.answers = 0;
}

std::vector<std::pair<FileItem, std::string>> CarriedFiles::Undeleted() const {
  std::vector<std::pair<FileItem, std::string>> left;
  for (const auto& [key, file] : files_) {
    if (file.to_go || excluded_.contains(key.owner)) left.emplace_back(file.item, file.why);
  }
  return left;
}

}  // namespace freehold::core
