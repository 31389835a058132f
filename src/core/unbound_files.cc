#include "src/core/unbound_files.h"

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

void UnboundFiles::Add(UnboundFile file) {
  if (file.use == UnboundFile::Use::kStays) {
    const auto value = values_.find(ValueOf(file));
    if (value == values_.end()) return;
    for (const uint64_t known : value->second.files) {
      if (files_.at(known).what.url == file.url) Release(known);
    }
    return;
  }
  const uint64_t number = ++last_number_;
  if (file.use != UnboundFile::Use::kLoose) {
    Value& value = values_[ValueOf(file)];
    value.files.push_back(number);
    // One that has appeared since the value's end was not counted then.
    if (value.over && file.use == UnboundFile::Use::kOver) ++value.to_go;
  }
  File& added = files_[number];
  added.held_back = file.use == UnboundFile::Use::kHeldBack && !values_.at(ValueOf(file)).over;
  added.what = std::move(file);
  if (!added.held_back) without_agent_.insert(number);
}

void UnboundFiles::Release(uint64_t number) {
  if (std::exchange(files_.at(number).held_back, false)) without_agent_.insert(number);
}

void UnboundFiles::Delete(const DigestKey& value, uint32_t files, std::vector<PeerIndex>* ready) {
  Value& ended = values_[value];
  ended.over = true;
  ended.to_go = files;
  for (const uint64_t number : ended.files) {
    Release(number);
    const PeerIndex carrier = files_[number].carrier;
    if (carrier == kNoPeer) continue;
    to_tell_[carrier].insert(number);
    ready->push_back(carrier);
  }
}

bool UnboundFiles::ExcludeNode(PeerIndex node, uint32_t files_max) {
  const auto carried = carried_.find(node);
  if (carried == carried_.end()) return false;
  if (IsMutant(Mutant::kCarrierNotReplaced)) {
    carried_.erase(carried);
    return false;
  }
  const auto to_tell = to_tell_.find(node);
  for (; files_max > 0 && !carried->second.empty(); --files_max) {
    const uint64_t number = *carried->second.begin();
    carried->second.erase(carried->second.begin());
    if (to_tell != to_tell_.end()) to_tell->second.erase(number);
    File& file = files_[number];
    file.carrier = kNoPeer;
    file.asked = false;
    without_agent_.insert(number);
  }
  if (!carried->second.empty()) return true;
  carried_.erase(carried);
  if (to_tell != to_tell_.end()) to_tell_.erase(to_tell);
  return false;
}

void UnboundFiles::Assign(PeerIndex node, uint32_t files_max) {
  for (; files_max > 0 && !without_agent_.empty(); --files_max) {
    const uint64_t number = *without_agent_.begin();
    without_agent_.erase(without_agent_.begin());
    files_[number].carrier = node;
    carried_[node].insert(number);
    to_tell_[node].insert(number);
  }
}

bool UnboundFiles::Fill(PeerIndex node, PayloadWriter* writer) {
  const auto to_tell = to_tell_.find(node);
  if (to_tell == to_tell_.end()) return false;
  absl::btree_set<uint64_t>& numbers = to_tell->second;
  while (!numbers.empty()) {
    const uint64_t number = *numbers.begin();
    File& file = files_[number];
    const bool over = IsOver(file);
    FileItem item;
    item.object = file.what.object;
    item.generation = file.what.generation;
    item.size = file.what.size;
    item.url = file.what.url;
    item.number = number;
    item.kind = over ? FileItemKind::kDelete : FileItemKind::kCarry;
    if (!writer->Add(item)) return true;
    file.asked = over;
    numbers.erase(numbers.begin());
  }
  to_tell_.erase(to_tell);
  return false;
}

UnboundFiles::Gone UnboundFiles::OnGone(PeerIndex node, const FileItem& item) {
  const auto at = files_.find(item.number);
  if (at == files_.end()) return Gone::kRefused;
  const File& file = at->second;
  if (file.carrier != node || !file.asked || file.what.object != item.object ||
      file.what.generation != item.generation) {
    return Gone::kRefused;
  }
  const auto carried = carried_.find(node);
  carried->second.erase(item.number);
  if (carried->second.empty()) carried_.erase(carried);
  if (IsLoose(file)) {
    files_.erase(at);
    return Gone::kYes;
  }
  const auto value = values_.find(ValueOf(file.what));
  std::vector<uint64_t>& files = value->second.files;
  files.erase(std::find(files.begin(), files.end(), item.number));
  files_.erase(at);
  if (--value->second.to_go > 0) return Gone::kYes;
  values_.erase(value);
  return Gone::kLast;
}

bool UnboundFiles::IsOver(const File& file) const {
  return IsLoose(file) || values_.at(ValueOf(file.what)).over;
}

void UnboundFiles::CheckInvariants() const {
  size_t of_values = 0;
  for (const auto& [key, value] : values_) {
    of_values += value.files.size();
    if (value.over) FREEHOLD_CHECK(value.to_go >= value.files.size() && value.to_go > 0);
    for (const uint64_t number : value.files) {
      FREEHOLD_CHECK(ValueOf(files_.at(number).what) == key);
    }
  }
  for (const auto& [number, file] : files_) {
    of_values += IsLoose(file) ? 1 : 0;
    FREEHOLD_CHECK((file.carrier == kNoPeer && !file.held_back) == without_agent_.contains(number));
    FREEHOLD_CHECK(!file.held_back || (file.carrier == kNoPeer && !IsOver(file)));
    if (file.carrier == kNoPeer) continue;
    FREEHOLD_CHECK(carried_.at(file.carrier).contains(number));
    const auto to_tell = to_tell_.find(file.carrier);
    const bool waits = to_tell != to_tell_.end() && to_tell->second.contains(number);
    FREEHOLD_CHECK(file.asked || waits || !IsOver(file));
  }
  FREEHOLD_CHECK(of_values == files_.size());
}

}  // namespace freehold::core
