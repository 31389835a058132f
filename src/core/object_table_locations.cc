// ObjectTable: where the copies are, and their deletion.

#include <algorithm>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_files.h"
#include "src/core/object_table_quiet.h"
#include "src/core/object_table_scopes.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

// --- Reports -------------------------------------------------------------------------------------

Verdict ObjectTable::Step(const event::SetLocation& e, Effects* effects) {
  if (e.in_memory && !e.spilled && e.role == CopyRole::kSecondary &&
      AddCopyQuietly(e.key, e.node, e.generation, e.size, e.merge)) {
    return Verdict::kOk;
  }
  if (nodes_.IsExcluded(e.node)) return Verdict::kNodeExcluded;
  ObjectRecord* record = FindMutable(e.key);
  if ((record == nullptr || record->borrowed) && e.merge && IsElsewhere(e, effects)) {
    return Verdict::kUnchanged;
  }
  if (record == nullptr) {
    AnswerWithFree(e, effects);
    return Verdict::kNotFound;
  }
  if (record->borrowed) {
    if (!e.merge || !BorrowOf(*record).failed()) return Verdict::kNotOwner;
    // It was owned here once, and has died with an owner since.
    AnswerWithFree(e, effects);
    return Verdict::kToBeFreed;
  }
  if (e.generation > record->generation) {
    // Or its last owner had begun it, and died before this process, its heir, heard of that.
    if (!e.merge || !TransferSteps(this).IsInherited(IndexOf(*record))) {
      return Verdict::kUnknownGeneration;
    }
    AnswerWithFree(e, effects);
    return Verdict::kToBeFreed;
  }
  record = FindGeneration(record, e.generation);
  if (record == nullptr) {
    AnswerWithFree(e, effects);
    return Verdict::kToBeFreed;
  }
  return ApplyLocation(e, record, effects);
}

size_t ObjectTable::AddCopiesQuietly(const Key& key, absl::Span<const PeerIndex> nodes,
                                     uint32_t generation, uint64_t size) {
  const IdIndex::Found found = FindAgain(key);
  ObjectRecord* const record = found.record;
  if (record == nullptr || !TakesCopiesQuietly(*record, generation) ||
      record->copies >= CopyArena::kUnsortedMax) {
    return 0;
  }
  nodes = nodes.subspan(0, CopyArena::kUnsortedMax - record->copies);
  const uint32_t added = copies_.InsertAll(*record, nodes, [&](PeerIndex node, Copy* copy) {
    NodeIndex::Node& entry = nodes_.At(node);
    if (entry.excluded) return false;
    nodes_.Hold(&entry, found.index, copy);
    return true;
  });
  nodes_.CountHeld(added);
  if (size != 0 && added > 0) record->size = size;
  return added;
}

// Its node hears who owns the object now, and reports the copy there.
bool ObjectTable::IsElsewhere(const event::SetLocation& e, Effects* effects) {
  return !internal::IsMutant(internal::Mutant::kLateReportFreed) &&
         TransferSteps(this).Redirect(e.key, e.node, /*by_node=*/true, effects);
}

// No record of that generation: nothing to remember but the free itself.
void ObjectTable::AnswerWithFree(const event::SetLocation& e, Effects* effects) {
  ++counters_.late_reports_answered;
  if (config_.settle_at_once) return;
  if (internal::IsMutant(internal::Mutant::kLateReportUnanswered)) return;
  const bool had_work = nodes_.At(e.node).has_work();
  if (e.merge) nodes_.ReportLate(e.node, {e.key.id, e.generation});
  nodes_.AddLateFree(e.node, FreeItem{e.key.id, e.generation, kFirstTerm});
  if (!had_work) effects->ready.push_back(e.node);
}

Verdict ObjectTable::ApplyLocation(const event::SetLocation& e, ObjectRecord* record,
                                   Effects* effects) {
  const bool unwanted = record->is_over();
  Copy* copy = copies_.Find(*record, e.node);
  const bool is_new = copy == nullptr;
  // Whoever asks for the bytes although its node has them changes nothing, unless they are about to
  // go: then it fetches them after that.
  if (!is_new && !e.in_memory && !e.spilled && copy->real()) {
    if (unwanted) return Verdict::kToBeFreed;
    if (!copy->held() && copy->prospective == 0) {
      copy->prospective = 1;
      if (record->has_rare()) {
        NotifyCopy(*record, Facts(*record, *copy), LocationUpdate::Kind::kChanged, effects);
      }
      if (record->has_askers) AnswerAskers(*record, effects);
    }
    return Verdict::kUnchanged;
  }
  if (unwanted && is_new) {
    ++counters_.late_reports_answered;
    if (config_.settle_at_once) return Verdict::kToBeFreed;
  }
  if (is_new) {
    copy = copies_.Insert(*record, e.node);
    if (copy == nullptr) return Verdict::kTableFull;
    nodes_.Link(IndexOf(*record), copy);
    CountInScope(*record, 1, 0, effects);
  }
  // What is known by hearsay alone, from the owner before or the host, may not be so any more: the
  // first word of the copy's node says all.
  const bool is_hearsay = !is_new && copy->spilled && copy->reported == 0 &&
                          TransferSteps(this).IsTelling(IndexOf(*record), e.node) &&
                          TransferSteps(this).CountsReport(e.key, e.node, e.term);
  const bool keep = e.merge && !is_new && !is_hearsay;
  // The role is never taken away: a report may be older than the move. Who is let go of has none.
  const bool is_let_go = !unwanted && !copy->held();
  const bool evict_first = EvictSteps::IsMarked(*this, *record);
  const bool was_real = copy->real();
  const bool is_primary =
      !is_let_go && !evict_first &&
      (copy->primary || (e.role == CopyRole::kPrimary && !HasPrimaryElsewhere(*record, e.node)));
  copy->in_memory = e.in_memory;
  copy->spilled = e.spilled || (keep && copy->spilled);
  copy->shared = copy->spilled && (e.spilled ? e.shared : copy->shared);
  copy->prospective = !copy->real() || (is_let_go && copy->prospective);
  copy->primary = copy->real() && is_primary;
  if (e.merge && (e.in_memory || e.spilled) &&
      TransferSteps(this).CountsReport(e.key, e.node, e.term)) {
    nodes_.Report(&nodes_.At(e.node), copy, DigestHash(e.key.hash, e.generation));
  }
  if (e.spilled || (!keep && record->has_rare()))
    SetUrl(record, e.node, e.spilled ? e.url : std::string_view());
  if (e.size != 0 && !is_let_go) SetSize(record, e.size, effects);
  if (unwanted || is_let_go) {
    // A copy whose free is under way needs no second one: the node gets that free after it sent
    // this report, sessions being first in, first out.
    if (is_new) WaitForFree(*record, copy, effects);
    return Verdict::kToBeFreed;
  }
  const bool real = copy->real();
  // What a former owner told its node may have come after the object had gone.
  const bool tell_again =
      e.merge && real && was_real && TransferSteps(this).HasTenure(IndexOf(*record));
  if (evict_first && real && (!was_real || tell_again)) {
    EvictSteps(this).TellNode(*record, *copy, effects);
  }
  if (tell_again && copy->primary && e.role == CopyRole::kSecondary) {
    Tell(e.node, {record->id(), 0, record->generation, MoveAnswer::kPromoted, kNoPeer}, effects);
  }
  const bool value_appeared =
      real && (record->state() == ObjectState::kPending || record->state() == ObjectState::kLost);
  // A value that was lost had a primary, most likely, and comes back without one.
  const bool comes_back = value_appeared && record->state() == ObjectState::kLost && !is_primary;
  // Here `copy` still holds: nothing above or below changes the set.
  if (value_appeared) SetState(record, ObjectState::kAvailable, effects);
  if (comes_back) Promote(record, effects);
  if (const Rare* rare = rares_.Find(*record); rare != nullptr && !rare->subscribers.empty()) {
    NotifyCopy(*record, Facts(*record, *copy), LocationUpdate::Kind::kChanged, effects);
  }
  if (record->has_askers) AnswerAskers(*record, effects);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::RemoveLocation& e, Effects* effects) {
  ObjectRecord* newest = FindMutable(e.key);
  if (newest != nullptr && newest->borrowed) {
    const bool moved = TransferSteps(this).FindFormer(e.key.id) != nullptr;
    return moved ? Verdict::kUnchanged : Verdict::kNotOwner;
  }
  if (newest != nullptr && e.generation > newest->generation) return Verdict::kUnknownGeneration;
  ObjectRecord* record = newest == nullptr ? nullptr : FindGeneration(newest, e.generation);
  if (record == nullptr) {
    if (e.reported) (void)nodes_.UnreportLate(e.node, {e.key.id, e.generation});
    return newest == nullptr ? Verdict::kNotFound : Verdict::kUnchanged;
  }
  Copy* copy = copies_.Find(*record, e.node);
  if (copy == nullptr) return Verdict::kUnchanged;
  const FreeState state = nodes_.StateOf(*copy);
  if (e.reported || state == FreeState::kHeld || state == FreeState::kWaiting) {
    nodes_.Unreport(copy, DigestHash(e.key.hash, e.generation));
  }
  switch (state) {
    case FreeState::kHeld:
      RemoveHeldCopy(record, copy, effects);
      break;
    case FreeState::kWaiting:
      Settle(record, copy, FreeOutcome::kSettled, effects);
      break;
    case FreeState::kSent:
    case FreeState::kDoomed:
      return Verdict::kUnchanged;  // the answer to the free is on its way and settles it
  }
  AfterCopiesGone(record, effects);
  return Verdict::kOk;
}

bool ObjectTable::HasRealCopy(const ObjectRecord& record) const {
  for (uint32_t i = 0; i < record.copies; ++i) {
    const Copy& copy = copies_.At(record, i);
    if (copy.real() && copy.held()) return true;
  }
  return false;
}

bool ObjectTable::HasPrimaryElsewhere(const ObjectRecord& record, PeerIndex node) const {
  for (uint32_t i = 0; i < record.copies; ++i) {
    const Copy& copy = copies_.At(record, i);
    if (copy.primary && copy.node != node) return true;
  }
  return false;
}

void ObjectTable::SetUrl(ObjectRecord* record, PeerIndex node, std::string_view url) {
  auto& urls = rares_.Ensure(*record).spill_urls;
  const auto is_its = [&](const auto& entry) { return entry.first == node; };
  if (url.empty()) {  // without a node there may be several
    urls.erase(std::remove_if(urls.begin(), urls.end(), is_its), urls.end());
    return;
  }
  const auto at = std::find_if(urls.begin(), urls.end(), is_its);
  if (at != urls.end()) {
    at->second = std::string(url);
  } else {
    urls.emplace_back(node, std::string(url));
  }
}

// --- Copies leave --------------------------------------------------------------------------------

void ObjectTable::RemoveCopy(ObjectRecord* record, Copy* copy) {
  const PeerIndex node = copy->node;
  if (copy->spilled) SetUrl(record, node, {});
  nodes_.Unlink(*copy);
  copies_.Remove(*record, node);
}

// Subscribers are told of held copies only: that the others go, kFreed or kGone has said for all.
void ObjectTable::RemoveHeldCopy(ObjectRecord* record, Copy* copy, Effects* effects) {
  const PeerIndex node = copy->node;
  const bool was_primary = copy->primary != 0;
  RemoveCopy(record, copy);
  CountInScope(*record, -1, 0, effects);
  if (record->has_rare()) NotifyRemoved(*record, node, effects);
  if (was_primary) Promote(record, effects);
  if (record->has_askers) AnswerAskers(*record, effects);
}

void ObjectTable::Settle(ObjectRecord* record, Copy* copy, FreeOutcome outcome, Effects* effects) {
  ++counters_.copies_freed;
  if (config_.observe_frees)
    effects->Rarely().settled.push_back({record->id(), copy->node, outcome});
  if (!copy->asked_again()) {
    RemoveCopy(record, copy);
    CountInScope(*record, -1, 0, effects);
    return;
  }
  const bool unwanted = record->is_over();
  const PeerIndex node = copy->node;
  if (outcome == FreeOutcome::kSettled) {
    if (copy->spilled) SetUrl(record, node, {});
    copy->in_memory = copy->spilled = copy->shared = 0;
    nodes_.HoldAgain(copy);
    if (unwanted) WaitForFree(*record, copy, effects);
    return;
  }
  RemoveCopy(record, copy);
  CountInScope(*record, -1, 0, effects);
  if (unwanted) return;
  if (record->has_rare()) NotifyRemoved(*record, node, effects);
  if (record->has_askers) AnswerAskers(*record, effects);
}

Verdict ObjectTable::Step(const event::FreeAnswered& e, Effects* effects) {
  ObjectRecord* newest = FindMutable(e.key);
  const bool is_final = e.result == FreeResult::kDeleted || e.result == FreeResult::kUnknown;
  if (newest != nullptr && newest->borrowed) {
    // Of a late report from before the object was given away.
    if (is_final) (void)nodes_.UnreportLate(e.node, {e.key.id, e.generation});
    return Verdict::kUnchanged;
  }
  ObjectRecord* record = newest;
  if (record != nullptr && !internal::IsMutant(internal::Mutant::kGenerationIgnored)) {
    record = FindGeneration(record, e.generation);
  }
  if (record == nullptr) {
    if (is_final) (void)nodes_.UnreportLate(e.node, {e.key.id, e.generation});
    return newest == nullptr ? Verdict::kNotFound : Verdict::kUnchanged;
  }
  Copy* copy = copies_.Find(*record, e.node);
  // Only a copy whose free was sent can be answered for; anything else answers a late free, or is
  // a lie that must not make us forget a copy.
  const FreeState state = copy == nullptr ? FreeState::kHeld : nodes_.StateOf(*copy);
  if (state != FreeState::kSent && state != FreeState::kDoomed) return Verdict::kUnchanged;
  switch (e.result) {
    case FreeResult::kDeleted:
    case FreeResult::kUnknown:
      nodes_.Unreport(copy, DigestHash(e.key.hash, record->generation));
      Settle(record, copy, FreeOutcome::kSettled, effects);
      AfterCopiesGone(record, effects);
      return Verdict::kOk;
    case FreeResult::kFailed:
      ++counters_.store_failures;
      if (config_.observe_frees) {
        effects->Rarely().settled.push_back({record->id(), e.node, FreeOutcome::kStoreFailed});
      }
      [[fallthrough]];
    case FreeResult::kDoomed:
      if (state == FreeState::kSent) nodes_.Doom(copy);
      return Verdict::kOk;
  }
  return Verdict::kUnchanged;
}

bool ObjectTable::PullFrees(PeerIndex node, uint32_t records_max, PayloadWriter* writer) {
  if (!HasWorkFor(node)) return false;
  bool full = false;
  nodes_.TakeLateFrees(node, [&](const FreeItem& item) {
    if (records_max == 0 || !writer->Add(item)) {
      full = true;
      return false;
    }
    --records_max;
    return true;
  });
  if (full) return true;
  PayloadWriter::FreeRun run = writer->BeginFrees(kFirstTerm);
  // A node that has not heard of a move knows by the term that its recorded owner is not the last.
  const bool any_moved = TransferSteps::Any(*this);
  nodes_.HandOver(node, records_max, [this, any_moved, &run, writer](const ObjectRecord& record) {
    const uint32_t term = any_moved ? TransferSteps(this).TermOf(record) : kFirstTerm;
    if (term == kFirstTerm && run.Add(record.id(), record.generation)) return true;
    writer->EndFrees(run);
    const bool added = writer->AddFree(record.id(), record.generation, term);
    run = writer->BeginFrees(kFirstTerm);
    return added;
  });
  writer->EndFrees(run);
  return HasWorkFor(node);
}

bool ObjectTable::ExcludeNode(PeerIndex node, uint32_t records_max, Effects* effects) {
  nodes_.At(node).excluded = true;
  nodes_.ForgetReports(node);
  nodes_.TakeLateFrees(node, [&](const FreeItem&) { return records_max > 0 && records_max-- > 0; });
  if (nodes_.At(node).late_frees > 0) return true;
  while (true) {
    const RecordIndex index = nodes_.First(node);
    if (index == kNoRecord) break;
    if (records_max-- == 0) return true;
    ObjectRecord& record = slabs_.At(index);
    Copy* copy = copies_.Find(record, node);
    std::string url = FileSteps::UrlOf(*this, record, *copy);
    const FreeState state = nodes_.StateOf(*copy);
    if (copy->held()) {
      RemoveHeldCopy(&record, copy, effects);
    } else {
      Settle(&record, copy, FreeOutcome::kNodeExcluded, effects);
    }
    if (!url.empty()) FileSteps(this).Outlive(&record, std::move(url), state, effects);
    AfterCopiesGone(&record, effects);
  }
  if (nodes_.TrimQueue(node, records_max)) return true;
  if (sharing_ == nullptr) return false;
  return ForgetAsker(node, &records_max) || TransferSteps(this).Fence(node, &records_max, effects);
}

uint64_t ObjectTable::unsettled_frees() const {
  return nodes_.total(FreeState::kWaiting) + nodes_.total(FreeState::kSent) +
         nodes_.total(FreeState::kDoomed) + nodes_.late_frees();
}

uint64_t ObjectTable::unanswered_frees() const {
  return nodes_.total(FreeState::kWaiting) + nodes_.total(FreeState::kSent) + nodes_.late_frees();
}

}  // namespace freehold::core
