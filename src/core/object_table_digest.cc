#include "src/core/object_table_digest.h"

#include <algorithm>

#include "src/base/mutant.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

DigestSum TableDigest::SumOf(const ObjectTable& table, PeerIndex node) {
  const NodeIndex::Node* entry = table.nodes_.Find(node);
  return entry == nullptr ? DigestSum() : entry->reported;
}

bool TableDigest::Walk::Next(const ObjectTable& table, uint32_t records_max, DigestTally* tally) {
  if (!begun_) {
    begun_ = true;
    table.nodes_.ForEach(node_, [&](RecordIndex index) { records_.push_back(index); });
  }
  const size_t end = std::min(records_.size(), next_ + records_max);
  for (; next_ < end; ++next_) {
    // It may stand for something else by now, or for nothing.
    const ObjectRecord& record = table.slabs_.At(records_[next_]);
    const Copy* copy = record.in_use ? table.copies_.Find(record, node_) : nullptr;
    if (copy == nullptr || copy->reported == 0) continue;
    const DigestKey key{record.id(), record.generation};
    tally->Add(key, DigestHash(key));
  }
  if (next_ < records_.size()) return true;
  return table.nodes_.reported_late().Visit(
      node_, &late_from_, records_max,
      [&](const DigestKey& key) { tally->Add(key, DigestHash(key)); });
}

Verdict TableDigest::Step(const event::DigestFound& e, ObjectTable* table, Effects* effects) {
  if (table->nodes_.IsExcluded(e.node)) return Verdict::kNodeExcluded;
  ObjectRecord* newest = table->FindMutable(e.key);
  if (newest == nullptr || newest->borrowed) {
    // Its node has not heard yet, or its report was on its way.
    event::SetLocation asked{e.key, e.node, e.generation, 0, CopyRole::kSecondary};
    if (table->IsElsewhere(asked, effects)) return Verdict::kUnchanged;
  }
  // It was owned here once, and has died with an owner since: nothing is left of it here.
  const bool died = newest != nullptr && newest->borrowed && table->BorrowOf(*newest).failed();
  if (died) newest = nullptr;
  if (newest != nullptr && newest->borrowed) return Verdict::kNotOwner;
  if (newest != nullptr && e.generation > newest->generation) return Verdict::kUnknownGeneration;
  ObjectRecord* record = newest == nullptr ? nullptr : table->FindGeneration(newest, e.generation);
  if (record != nullptr) {
    Copy* copy = table->copies_.Find(*record, e.node);
    if (copy == nullptr) return Verdict::kOk;
    if (copy->reported != 0) return Verdict::kUnchanged;
    if (copy->held()) return Verdict::kOk;
    // Its free has been begun for what only the host had said: that settles it, and its node, which
    // may have taken that free, reports it no more.
    if (!copy->asked_again()) copy->prospective = 0;
    copy->in_memory = 1;
    table->nodes_.Report(&table->nodes_.At(e.node), copy, DigestHash(e.key.hash, e.generation));
    return Verdict::kToBeFreed;
  }
  if (table->nodes_.reported_late().Contains(e.node, {e.key.id, e.generation})) {
    return Verdict::kUnchanged;
  }
  event::SetLocation late{e.key, e.node, e.generation, 0, CopyRole::kSecondary};
  late.merge = true;
  if (internal::IsMutant(internal::Mutant::kDigestFreesNewest) && newest != nullptr) {
    late.generation = newest->generation;
  }
  table->AnswerWithFree(late, effects);
  return Verdict::kToBeFreed;
}

Verdict TableDigest::Step(const event::DigestMissing& e, ObjectTable* table, Effects* effects) {
  if (table->nodes_.IsExcluded(e.node)) return Verdict::kNodeExcluded;
  const Verdict otherwise = table->nodes_.UnreportLate(e.node, {e.key.id, e.generation})
                                ? Verdict::kOk
                                : Verdict::kUnchanged;
  ObjectRecord* record = table->FindMutable(e.key);
  if (record == nullptr || record->borrowed || e.generation > record->generation) return otherwise;
  // A node that is being told of this owner says before it answers what it has.
  const bool is_telling = TransferSteps(table).IsTelling(table->IndexOf(*record), e.node);
  if (is_telling && !internal::IsMutant(internal::Mutant::kEarlierReportCounts)) return otherwise;
  record = table->FindGeneration(record, e.generation);
  Copy* copy = record == nullptr ? nullptr : table->copies_.Find(*record, e.node);
  if (copy == nullptr || copy->reported == 0) return otherwise;
  table->nodes_.Unreport(copy, DigestHash(e.key.hash, e.generation));
  switch (table->nodes_.StateOf(*copy)) {
    case FreeState::kHeld:
      table->RemoveHeldCopy(record, copy, effects);
      break;
    case FreeState::kSent:
      return Verdict::kOk;  // the answer to the free is on its way and settles it
    case FreeState::kWaiting:
    case FreeState::kDoomed:
      table->Settle(record, copy, FreeOutcome::kSettled, effects);
      break;
  }
  table->AfterCopiesGone(record, effects);
  return Verdict::kOk;
}

}  // namespace freehold::core
