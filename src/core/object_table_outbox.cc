// ObjectTable: what waits to be sent to a peer about references that cross processes.

#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

void ObjectTable::Answer(PeerIndex to, SharingKind kind, const ObjectId& object, uint64_t number,
                         uint8_t answer, Effects* effects) {
  if (fences_.IsFenced(to)) return;
  const bool had_work = sharing_->HasWorkFor(to);
  if (!sharing_->outbox.Add(to, SharingItem{object, number, kFirstTerm, kind, answer})) {
    ++counters_.answers_lost;
    return;
  }
  if (!had_work) effects->ready.push_back(to);
}

void ObjectTable::AnswerHandoff(PeerIndex to, const ObjectId& object, uint64_t number,
                                HandoffAnswer answer, Effects* effects) {
  Answer(to, SharingKind::kHandoffAck, object, number, static_cast<uint8_t>(answer), effects);
}

bool ObjectTable::PullSharing(PeerIndex peer, uint32_t items_max, const NodeNames& names, Time now,
                              PayloadWriter* writer) {
  if (sharing_ == nullptr) return false;
  Sharing& sharing = *sharing_;
  // Answers first: the peer may take nothing more of ours before it has them.
  sharing.outbox.TakeWhile(peer, [&](const SharingItem& item) {
    if (items_max == 0 || !writer->Add(item)) return false;
    --items_max;
    if (Transfers::IsUnasked(item.kind)) --sharing.transfers->unasked.At(peer);
    return true;
  });
  // A release, which is smaller, must not overtake the word that its sender holds the object.
  if (!sharing.outbox.empty(peer)) return true;
  PullAnswers(peer, &items_max, names, writer);
  for (; items_max > 0; --items_max) {
    const uint32_t number = sharing.borrows.FirstToSend(peer);
    if (number == kNone) break;
    const Borrow& borrow = sharing.borrows.At(number);
    ObjectRecord& record = slabs_.At(borrow.record);
    if (borrow.stage == BorrowStage::kQueued) {
      const uint64_t registration = sharing.registrations + 1;
      const SharingKind kind = borrow.declares ? SharingKind::kDeclare : SharingKind::kRegister;
      if (!writer->Add(SharingItem{record.id(), registration, borrow.term, kind, 0, record.size})) {
        return true;
      }
      sharing.registrations = registration;
      sharing.borrows.BeginRegistration(number, registration);
      if (IsMutant(Mutant::kFlushedWhenSent)) sharing.borrows.EndFlush(number);
    } else {
      if (!IsMutant(Mutant::kReleaseNeverSent) &&
          !writer->Add(SharingItem{record.id(), 0, borrow.term, SharingKind::kRelease, 0})) {
        return true;
      }
      EraseBorrowed(&record);
    }
  }
  if (TransferSteps(this).PullTransfers(peer, &items_max, names, now, writer)) {
    (void)HeirSteps(this).PullShadows(peer, &items_max, names, now, writer);
  }
  return sharing.HasWorkFor(peer);
}

}  // namespace freehold::core
