#include "src/core/object_table_files.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_scopes.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

Verdict FileSteps::Step(const event::AddFile& e, Effects* effects) {
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (record->borrowed) return Verdict::kNotOwner;
  if (e.generation > record->generation) return Verdict::kUnknownGeneration;
  if (e.generation < record->generation || record->is_over()) return Verdict::kToBeFreed;
  const PeerIndex place = table_.nodes_.unbound();
  FREEHOLD_CHECK(place != kNoPeer);
  Copy* copy = table_.copies_.Find(*record, place);
  if (copy == nullptr) {
    copy = table_.copies_.Insert(*record, place);
    if (copy == nullptr) return Verdict::kTableFull;
    table_.nodes_.Link(table_.IndexOf(*record), copy);
    table_.CountInScope(*record, 1, 0, effects);
  }
  if (e.size != 0) table_.SetSize(record, e.size, effects);
  // One that a node has as well goes back with the object.
  const UnboundFile::Use use = TransferSteps(&table_).MayGoBack(*record) && IsANodes(*record, e.url)
                                   ? UnboundFile::Use::kHeldBack
                                   : UnboundFile::Use::kKept;
  if (!Enter(record, copy, std::string(e.url), use, effects)) {
    return Verdict::kUnchanged;
  }
  SayThatItIsThere(record, *copy, effects);
  return Verdict::kOk;
}

void FileSteps::SayThatItIsThere(ObjectRecord* record, const Copy& copy, Effects* effects) {
  // While a node's death is worked off in pieces, its other copies may have been taken for all.
  const bool appeared =
      record->state() == ObjectState::kPending || record->state() == ObjectState::kLost;
  if (appeared) table_.SetState(record, ObjectState::kAvailable, effects);
  table_.NotifyCopy(*record, table_.Facts(*record, copy), LocationUpdate::Kind::kChanged, effects);
  if (record->has_askers) table_.AnswerAskers(*record, effects);
}

bool FileSteps::Enter(ObjectRecord* record, Copy* copy, std::string url, UnboundFile::Use use,
                      Effects* effects) {
  copy->spilled = 1;
  copy->shared = 1;
  auto& urls = table_.rares_.Ensure(*record).spill_urls;
  if (Knows(*record, url)) return false;
  urls.emplace_back(table_.nodes_.unbound(), url);
  Tell(*record, std::move(url), use, effects);
  return true;
}

bool FileSteps::Knows(const ObjectRecord& record, std::string_view url) const {
  const PeerIndex place = table_.nodes_.unbound();
  return IsAt(record, url, [place](PeerIndex node) { return node == place; });
}

bool FileSteps::IsANodes(const ObjectRecord& record, std::string_view url) const {
  const PeerIndex place = table_.nodes_.unbound();
  return IsAt(record, url, [place](PeerIndex node) { return node != place; });
}

template <typename Where>
bool FileSteps::IsAt(const ObjectRecord& record, std::string_view url, Where where) const {
  const Rare* rare = table_.rares_.Find(record);
  return rare != nullptr &&
         std::any_of(rare->spill_urls.begin(), rare->spill_urls.end(),
                     [&](const auto& entry) { return where(entry.first) && entry.second == url; });
}

void FileSteps::Tell(const ObjectRecord& record, std::string url, UnboundFile::Use use,
                     Effects* effects) const {
  if (table_.config_.settle_at_once) return;  // nobody to ask
  effects->Rarely().files.push_back(
      {record.id(), record.generation, record.size, std::move(url), use});
}

std::string FileSteps::UrlOf(const ObjectTable& table, const ObjectRecord& record,
                             const Copy& copy) {
  if (copy.shared == 0 || copy.spilled == 0 || IsMutant(Mutant::kSharedFileGoesWithNode)) return "";
  const Rare* rare = table.rares_.Find(record);
  if (rare == nullptr) return "";
  for (const auto& [node, url] : rare->spill_urls) {
    if (node == copy.node) return url;
  }
  return "";
}

void FileSteps::Outlive(ObjectRecord* record, std::string url, FreeState state, Effects* effects) {
  const bool over = record->is_ghost || record->is_over();
  const bool asked = state == FreeState::kSent || state == FreeState::kDoomed;
  // A former primary, whose node was asked to let go of it: who would read it might find nothing.
  if (!over && asked && !IsMutant(Mutant::kLetGoFileKept)) {
    if (Knows(*record, url)) return;  // its host has named it besides, and answers for that
    return Tell(*record, std::move(url), UnboundFile::Use::kLoose, effects);
  }
  Copy* copy = table_.copies_.Find(*record, table_.nodes_.unbound());
  const bool is_new = copy == nullptr;
  if (is_new) {
    // Where a copy has just left there is room for one.
    copy = table_.copies_.Insert(*record, table_.nodes_.unbound());
    FREEHOLD_CHECK(copy != nullptr);
    table_.nodes_.Link(table_.IndexOf(*record), copy);
    table_.CountInScope(*record, 1, 0, effects);
  }
  // What is over and was not held back before goes at once.
  const bool held_back = MayBeTakenOver(*record) && (is_new || !over || copy->held_back());
  const UnboundFile::Use use = held_back ? UnboundFile::Use::kHeldBack
                               : over    ? UnboundFile::Use::kOver
                                         : UnboundFile::Use::kKept;
  (void)Enter(record, copy, std::move(url), use, effects);
  if (over && is_new) return table_.WaitForFree(*record, copy, effects);
  if (held_back) WaitForHeir(*record, copy->node, effects);
  if (!over) SayThatItIsThere(record, *copy, effects);
}

void FileSteps::Stay(const ObjectRecord& record, Effects* effects) {
  const PeerIndex place = table_.nodes_.unbound();
  const Rare* const rare = table_.rares_.Find(record);
  if (rare == nullptr || place == kNoPeer) return;
  for (const auto& [node, url] : rare->spill_urls) {
    if (node == place) Tell(record, url, UnboundFile::Use::kStays, effects);
  }
}

// --- Frees that are held back --------------------------------------------------------------------

const ObjectRecord& FileSteps::NewestOf(const ObjectRecord& record) const {
  if (!record.is_ghost) return record;
  ObjectRecord* const newest = table_.FindMutable({record.id(), record.id().Hash()});
  FREEHOLD_CHECK(newest != nullptr);  // a ghost ends with it
  return *newest;
}

bool FileSteps::MayBeTakenOver(const ObjectRecord& record) const {
  const ObjectRecord& newest = NewestOf(record);
  return (HeirSteps::Has(table_, newest) && !IsMutant(Mutant::kHeirsFileFreed)) ||
         (TransferSteps(&table_).MayGoBack(newest) && !IsMutant(Mutant::kFormersFileFreed));
}

bool FileSteps::HoldBack(const ObjectRecord& record, Copy* copy, Effects* effects) {
  if (!MayBeTakenOver(record)) return false;
  table_.nodes_.HoldBack(copy);
  WaitForHeir(record, copy->node, effects);
  return true;
}

void FileSteps::HoldBackAll(ObjectRecord* record, Effects* effects) {
  table_.copies_.ForEach(*record, [&](Copy* copy) {
    if (copy->shared != 0 && copy->held()) (void)HoldBack(*record, copy, effects);
  });
}

void FileSteps::WaitForHeir(const ObjectRecord& record, PeerIndex node, Effects* effects) {
  const RecordIndex index = table_.IndexOf(NewestOf(record));
  Heirs::Heirship* const heirship = HeirSteps(&table_).Find(index);
  if (heirship == nullptr) return;
  const Heirs::Heirship::File waits{node, record.generation, heirship->changes + 1};
  auto& files = heirship->files;
  const auto at = std::find_if(files.begin(), files.end(), [&](const auto& other) {
    return other.node == node && other.generation == record.generation;
  });
  if (at == files.end()) {
    files.push_back(waits);
  } else {
    *at = waits;
  }
  HeirSteps(&table_).Changed(index, effects);
}

bool FileSteps::WaitsForHeir(const ObjectRecord& record, PeerIndex node) const {
  const Heirs::Heirship* const heirship = HeirSteps(&table_).Find(table_.IndexOf(NewestOf(record)));
  return heirship != nullptr &&
         std::any_of(heirship->files.begin(), heirship->files.end(), [&](const auto& waits) {
           return waits.node == node && waits.generation == record.generation;
         });
}

void FileSteps::GoOnWithoutFormer(ObjectRecord* record, Effects* effects) {
  ObjectRecord* value = record;
  while (true) {
    // It may have an heir by now.
    if (!WaitsForHeir(*value, table_.nodes_.unbound())) Stay(*value, effects);
    table_.copies_.ForEach(*value, [&](Copy* copy) {
      if (copy->held_back() && !WaitsForHeir(*value, copy->node)) Release(copy, effects);
    });
    const Rare* const rare = table_.rares_.Find(*value);
    if (rare == nullptr || rare->ghost == kNoRecord) return;
    value = &table_.slabs_.At(rare->ghost);
  }
}

void FileSteps::GoOnAfterHeir(ObjectRecord* record, Heirs::Heirship* heirship, bool ended,
                              Effects* effects) {
  const auto is_due = [&](const auto& waits) { return ended || waits.version <= heirship->kept; };
  auto& files = heirship->files;
  for (const Heirs::Heirship::File& waits : files) {
    ObjectRecord* const value =
        is_due(waits) ? table_.FindGeneration(record, waits.generation) : nullptr;
    if (value == nullptr) continue;
    if (waits.node == table_.nodes_.unbound()) Stay(*value, effects);
    Copy* const copy = table_.copies_.Find(*value, waits.node);
    // It may have gone otherwise, or be held again.
    if (copy != nullptr && copy->held_back()) Release(copy, effects);
  }
  files.erase(std::remove_if(files.begin(), files.end(), is_due), files.end());
}

void FileSteps::Release(Copy* copy, Effects* effects) {
  if (table_.nodes_.Release(copy)) effects->ready.push_back(copy->node);
}

bool FileSteps::TakeFrees(uint32_t values_max,
                          std::vector<std::pair<DigestKey, uint32_t>>* values) {
  const PeerIndex place = table_.nodes_.unbound();
  table_.nodes_.HandOver(place, values_max, [&](const ObjectRecord& record) {
    uint32_t files = 0;
    for (const auto& [node, url] : table_.rares_.Find(record)->spill_urls) {
      files += node == place ? 1 : 0;
    }
    values->push_back({{record.id(), record.generation}, files});
    return true;
  });
  return table_.HasWorkFor(place);
}

}  // namespace freehold::core
