// Ownership that moves: records of objects that are out of scope, which follow the tasks that need
// them (PROTOCOL, step 17).
//
// Nobody holds such an object, and no node has a copy: what moves is its generation and its task.
// So no record stays here, but an entry for whoever still asks, and for the day on which the next
// owner dies too early.

#include <memory>
#include <utility>

#include "src/base/mutant.h"
#include "src/core/object_table_files.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_lineage.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

bool TransferSteps::IsOnlyRecord(const ObjectRecord& record) const {
  if (record.in_scope() || record.borrowed || !LineageSteps::IsMarked(table_, record)) return false;
  if (record.copies > 0 || HeirSteps::Has(table_, record)) return false;
  const Rare* const rare = table_.rares_.Find(record);
  if (rare != nullptr && (rare->ghost != kNoRecord || !rare->callbacks.empty())) return false;
  const RecordIndex index = RecordSlabs::IndexOf(record);
  const Sharing& sharing = *table_.sharing_;
  for (const HolderIndex* askers : {&sharing.watches, &sharing.due, &sharing.moments}) {
    if (askers->FirstOf(index) != nullptr) return false;
  }
  return !Any(table_) || WhyNotYet(record) == Immovable::kNo;
}

void TransferSteps::GoOnFollowing(RecordIndex index, Effects* effects) const {
  const ObjectRecord& record = table_.slabs_.At(index);
  if (IsOnlyRecord(record)) LineageSteps::NoteKept(record, effects);
}

// Whoever handed it over has said so itself.
void TransferSteps::TellSettled(RecordIndex index, Effects* effects) {
  ObjectRecord& record = table_.slabs_.At(index);
  FileSteps(&table_).GoOnWithoutFormer(&record, effects);
  if (!LineageSteps::IsMarked(table_, record) || IsMutant(Mutant::kLaterOwnerNotTold)) return;
  const Tenure& tenure = transfers()->tenures.find(index)->second;
  transfers()->previous.ForEachOf(index, [&](const HolderIndex::Holder& former) {
    if (former.peer != tenure.from) {
      Answer(former.peer, SharingKind::kSettled, record.id(), tenure.term, 0, effects);
    }
    return true;
  });
}

Verdict TransferSteps::Step(const event::TransferRecord& e, Effects* effects) {
  if (table_.fences_.IsFenced(e.to)) return Verdict::kPeerExcluded;
  ObjectRecord* const record = table_.FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  Transfers& all = Share();
  if (!IsOnlyRecord(*record)) return Verdict::kWrongState;
  const RecordIndex index = table_.IndexOf(*record);
  // As many former owners as one message names.
  size_t bytes = TransferTaskBytes(**e.task);
  all.previous.ForEachOf(index, [&](const HolderIndex::Holder&) {
    bytes += kTransferProcessBytes;
    return bytes <= kTransferListBytesMax;
  });
  if (bytes > kTransferListBytesMax) return Verdict::kWrongState;
  const bool had_work = table_.sharing_->HasWorkFor(e.to);
  Former* const former = all.formers.Add(e.key.id, e.to, TermOf(*record) + 1);
  if (former == nullptr) return Verdict::kTableFull;
  former->lent = true;
  former->snapshot = std::make_unique<OwnedSnapshot>();
  OwnedSnapshot& snapshot = *former->snapshot;
  snapshot.generation = record->generation;
  snapshot.size = record->size;
  snapshot.state = TransferState::kRecord;
  snapshot.task = std::move(*e.task);
  while (const HolderIndex::Holder* first = all.previous.FirstOf(index)) {
    snapshot.formers.push_back(first->peer);
    (void)all.previous.Remove(index, first->peer, 0);
  }
  (void)HeirSteps(&table_).EndList(index, HeirOutcome::kObjectEnded, effects);
  all.tenures.erase(index);
  table_.Unmake(record);
  if (!had_work) effects->ready.push_back(e.to);
  return Verdict::kOk;
}

}  // namespace freehold::core
