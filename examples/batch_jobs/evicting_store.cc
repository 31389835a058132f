#include "evicting_store.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace batch_jobs {

using freehold::CopyToDelete;
using freehold::ObjectId;

absl::Status EvictingStore::Put(const Key& key, std::string bytes, std::vector<Key>* evicted) {
  if (bytes.size() > room()) ledger_->Overflow();
  while (bytes.size() > room()) {
    if (unpinned_.empty()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a value of ", bytes.size(), " bytes does not fit into a node's store of ",
                       bytes_max_, ", where ", held_, " are being read"));
    }
    const auto it = values_.find(unpinned_.front());
    evicted->push_back({it->first, it->second.generation});
    held_ -= it->second.bytes.size();
    ledger_->Evict(it->first, it->second.bytes.size());
    values_.erase(it);
    unpinned_.pop_front();
  }
  held_ += bytes.size();
  ledger_->Put(key.object, bytes.size());
  Value& value = values_[key.object];
  value.generation = key.generation;
  value.bytes = std::move(bytes);
  value.place = unpinned_.insert(unpinned_.end(), key.object);
  return absl::OkStatus();
}

std::string_view EvictingStore::Pin(const ObjectId& object) {
  Value& value = values_.find(object)->second;
  if (value.pins++ == 0) unpinned_.erase(value.place);
  return value.bytes;
}

void EvictingStore::Unpin(const ObjectId& object) {
  Value& value = values_.find(object)->second;
  if (--value.pins == 0) value.place = unpinned_.insert(unpinned_.end(), object);
}

std::vector<absl::Status> EvictingStore::Delete(absl::Span<const CopyToDelete> copies) {
  std::vector<absl::Status> statuses(copies.size());
  for (size_t i = 0; i < copies.size(); ++i) {
    const auto it = values_.find(copies[i].object);
    // Thrown out before, perhaps made again since: gone as well.
    if (it == values_.end() || it->second.generation != copies[i].generation) continue;
    if (it->second.pins != 0) {
      // The agent waits for its readers first.
      statuses[i] = absl::InternalError("a value was to be deleted while it was read");
      continue;
    }
    held_ -= it->second.bytes.size();
    ledger_->Deleted(it->first, it->second.bytes.size());
    unpinned_.erase(it->second.place);
    values_.erase(it);
  }
  return statuses;
}

}  // namespace batch_jobs
