// CopyTable: what owners have been told, summed up, and told once more.

#include <algorithm>

#include "src/core/copy_table.h"

namespace freehold::core {

void CopyTable::Tell(Owner* owner, CopyRecord* copy, CopyReport report) {
  bool told = copy->told;
  switch (report) {
    case CopyReport::kAdded:
    case CopyReport::kSpilled:
      told = true;
      break;
    case CopyReport::kRemoved:
    case CopyReport::kDeleted:
    case CopyReport::kUnknown:
      told = false;
      break;
    case CopyReport::kNothing:
    case CopyReport::kDoomed:  // it is still here
    case CopyReport::kFailed:
      break;
  }
  if (told == copy->told) return;
  copy->told = told;
  const uint64_t hash = DigestHash(copy->object.Hash(), copy->generation);
  if (told) {
    owner->told.Add(hash);
  } else {
    owner->told.Remove(hash);
  }
}

DigestSum CopyTable::Told(PeerIndex peer) const {
  const Owner* owner = FindOwner(peer);
  return owner == nullptr || !Reports(*owner) ? DigestSum() : owner->told;
}

uint32_t CopyTable::VisitTold(PeerIndex peer, uint32_t from, uint32_t records_max,
                              DigestTally* tally) const {
  const uint32_t end = copies_.end() - from > records_max ? from + records_max : copies_.end();
  for (; from < end; ++from) {
    const CopyRecord& copy = copies_[from];
    if (!copy.told || copy.owner != peer) continue;
    const DigestKey key{copy.object, copy.generation};
    tally->Add(key, DigestHash(key));
  }
  return from < copies_.end() ? from : kNoCopy;
}

CopyVerdict CopyTable::Step(const copy_event::ReportAgain& event, CopyEffects* effects) {
  const Owner* owner = FindOwner(event.from);
  const uint32_t index = Lookup(event.object, event.generation);
  if (owner == nullptr || !Reports(*owner)) return CopyVerdict::kRefused;
  if (index == kNoCopy) return CopyVerdict::kNotHere;
  const CopyRecord& copy = copies_[index];
  if (copy.owner != event.from) return RefuseStranger(copy);
  // Whatever else has become of it is going to be told.
  if (copy.state != CopyState::kHeld || copy.waits_to_report()) return CopyVerdict::kNoChange;
  Report(index, copy.spilled_url().empty() ? CopyReport::kAdded : CopyReport::kSpilled, effects);
  return CopyVerdict::kOk;
}

}  // namespace freehold::core
