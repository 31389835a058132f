// A NodeAgent and the files of other nodes, which are gone, that it looks after.

#include <utility>

#include "src/core/codec.h"
#include "src/runtime/node_agent_impl.h"

namespace freehold {

using core::CarriedFiles;
using internal::MutexLock;
using runtime::PeerIndex;

bool NodeAgent::Impl::OnFile(PeerIndex from, const core::FileItem& item) {
  {
    MutexLock lock(&mutex_);
    if (!files_.OnItem(from, item)) return false;
  }
  endpoint_->WakeWork();
  return true;
}

void NodeAgent::Impl::DeleteFiles(Time now) {
  std::vector<CarriedFiles::Key> keys;
  std::vector<CopyToDelete> batch;
  {
    MutexLock lock(&mutex_);
    if (phase_ == Phase::kStopped) return;  // the store may have ended us just now
    files_.TakeDeletes(
        now, std::min(options_.delete_batch_max, kRecordsPerLock),
        [&](const CarriedFiles::Key& key, const core::FileItem& file) {
          keys.push_back(key);
          batch.push_back({file.object, file.generation, file.size, false, file.url});
        });
  }
  if (batch.empty()) return;
  const std::vector<absl::Status> statuses = AskStore(batch);
  std::vector<PeerIndex> ready;
  std::string first_failure;
  size_t failures = 0;
  {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        if (files_.OnDeleted(keys[i])) ready.push_back(keys[i].owner);
        continue;
      }
      const std::string why = statuses[i].ToString();
      if (!files_.OnFailed(keys[i], why, now, random_.Next())) continue;
      if (failures++ == 0) first_failure = batch[i].object.ToHex() + ": " + why;
    }
  }
  for (const PeerIndex owner : ready) endpoint_->MarkReady(owner);
  if (failures > 0) LogFailures(first_failure, failures);
}

bool NodeAgent::Impl::FillFiles(PeerIndex owner, core::PayloadWriter* writer) {
  MutexLock lock(&mutex_);
  return files_.Fill(owner, writer);
}

void NodeAgent::Impl::ReportFilesLeft(ShutdownReport* report) const {
  for (auto& [file, why] : files_.Undeleted()) {
    Undeleted left;
    left.object = file.object;
    left.generation = file.generation;
    left.outcome = why.empty() ? FreeOutcome::kShutDown : FreeOutcome::kStoreFailed;
    left.why = file.url + (why.empty() ? " was not deleted in time" : ": " + why);
    report->undeleted.push_back(std::move(left));
  }
}

}  // namespace freehold
