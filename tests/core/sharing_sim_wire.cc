// SharingSim: what travels between processes.

#include "src/core/codec.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"
#include "tests/core/sharing_sim.h"

namespace freehold::core {

// Applies what arrives at a process, as the runtime's sink does.
class SharingSim::Sink final : public PayloadSink {
 public:
  Sink(SharingSim* sim, PeerIndex from, PeerIndex to) : sim_(sim), from_(from), to_(to) {}

  void OnFrees(uint32_t, uint32_t, std::string_view) override { Unexpected(); }
  void OnFreeResults(uint32_t, uint32_t, FreeResult, std::string_view) override { Unexpected(); }
  void OnFreeFailed(const FreeResultItem&) override { Unexpected(); }
  void OnLocation(const LocationItem&) override { Unexpected(); }
  void OnLocationQuery(const LocationQueryItem&) override { Unexpected(); }
  void OnLocationAnswer(const LocationAnswerItem&) override { Unexpected(); }

  void OnSharing(const SharingItem& item) override {
    ++sim_->coverage_->items[static_cast<int>(item.kind)];
    Effects effects;
    const Key key{item.object, item.object.Hash()};
    const Verdict verdict = Apply(item, key, &effects);
    sim_->Trace(Name("p", to_) + Name(" takes item ", static_cast<uint64_t>(item.kind)) +
                Name("/", item.answer) + Name(" of o", sim_->NumberOf(item.object)) +
                Name(" in term ", item.term) + Name(" from p", from_) + ": " +
                VerdictName(verdict));
    Applied(verdict, &effects);
  }
  void OnShadow(const ShadowItem& item) override {
    const ObjectId& object = item.snapshot.object;
    event::Shadow e{{object, object.Hash()},
                    from_,
                    item.snapshot.term,
                    item.version,
                    std::make_unique<OwnedSnapshot>(SnapshotOf(item.snapshot))};
    if (sim_->Draw(8) == 0) e.refusal = ShadowAnswer::kRefused;
    Effects effects;
    ++sim_->coverage_->shadows;
    const Verdict verdict =
        HeirSteps(sim_->processes_[to_].table.get()).Step(std::move(e), &effects);
    sim_->Trace(Name("p", to_) + " is the heir of " + Name("o", sim_->NumberOf(object)) +
                Name(" in version ", item.version) + ": " + VerdictName(verdict));
    Applied(verdict, &effects);
  }
  void OnTransfer(const TransferItem& item) override {
    const OwnedSnapshot snapshot = SnapshotOf(item);
    event::TakeOver e{{item.object, item.object.Hash()}, from_, item.term, snapshot};
    if (sim_->Draw(5) == 0) {
      constexpr TransferAnswer kRefusals[] = {TransferAnswer::kRefused, TransferAnswer::kDraining,
                                              TransferAnswer::kFull};
      e.refusal = kRefusals[sim_->Draw(3)];
    }
    e.keep = sim_->faults_ && sim_->Draw(4) == 0;
    Effects effects;
    ObjectRecord* record = nullptr;
    SharingSim::Process& process = sim_->processes_[to_];
    const Verdict verdict = TransferSteps(process.table.get()).Step(e, &effects, &record);
    sim_->Trace(Name("p", to_) + " takes over " + Name("o", sim_->NumberOf(item.object)) +
                Name(" in term ", item.term) + ": " + VerdictName(verdict));
    if (verdict == Verdict::kOk && e.keep) {
      (void)record->cell.Add();
      ++process.handles[sim_->NumberOf(item.object)];
    }
    Applied(verdict, &effects);
  }
  void OnMoved(const MovedItem& item) override {
    const PeerIndex owner = item.owner.IsNil() ? from_ : At(item.owner);
    sim_->coverage_->moved_news += item.owner.IsNil() ? 0 : 1;
    Effects effects;
    const SharingSim::Process& process = sim_->processes_[to_];
    const Verdict verdict = TransferSteps(process.table.get())
                                .Step(event::Moved{{item.object, item.object.Hash()},
                                                   from_,
                                                   owner == to_ ? kNoPeer : owner,
                                                   item.term},
                                      &effects);
    sim_->Trace(Name("p", to_) + " hears that " + Name("o", sim_->NumberOf(item.object)) +
                Name(" is of p", owner) + Name(" in term ", item.term) + ": " +
                VerdictName(verdict));
    if (verdict == Verdict::kOtherOwner && sim_->trusted(process)) {
      sim_->Fail("two words about an owner contradict");
    }
    Applied(verdict, &effects);
  }

 private:
  OwnedSnapshot SnapshotOf(const TransferItem& item) const {
    OwnedSnapshot snapshot;
    snapshot.generation = item.generation;
    snapshot.size = item.size;
    snapshot.state = item.state;
    for (const ProcessId& process : item.processes) {
      if (At(process) != to_) snapshot.processes.push_back(At(process));
    }
    for (const ProcessId& process : item.formers) {
      if (At(process) != to_) snapshot.formers.push_back(At(process));
    }
    for (const ProcessId& process : item.heirs) {
      if (At(process) != to_) snapshot.heirs.push_back(At(process));
    }
    return snapshot;
  }
  // The other way round than NumberedProcesses.
  PeerIndex At(const ProcessId& process) const {
    for (PeerIndex p = 0; p < sim_->processes_.size(); ++p) {
      if (NumberedProcesses().ProcessAt(p) == process) return p;
    }
    sim_->Fail("a process that nobody knows");
    return 0;
  }
  void Applied(Verdict verdict, Effects* effects) {
    ++sim_->coverage_->verdicts[static_cast<int>(verdict)];
    if (verdict == Verdict::kNotOwner) sim_->Fail("an item came from one who may not send it");
    sim_->After(to_, effects);
  }
  Verdict Apply(const SharingItem& item, const Key& key, Effects* effects) {
    ObjectTable& table = *sim_->processes_[to_].table;
    TransferSteps transfers(&table);
    switch (item.kind) {
      case SharingKind::kRegister:
        return table.Step(event::BorrowerRegistered{key, from_, item.number}, effects);
      case SharingKind::kRegisterAck:
        return table.Step(event::RegisterAnswered{key, from_, item.number,
                                                  RegisterAnswer{item.answer}, item.term},
                          effects);
      case SharingKind::kRelease:
        return table.Step(event::BorrowerReleased{key, from_}, effects);
      case SharingKind::kHandoffAck:
        return table.Step(event::HandoffEnded{key, from_, item.number, HandoffAnswer{item.answer}},
                          effects);
      case SharingKind::kHandoffCancel:
        return table.Step(event::HandoffCancelled{key, from_, item.number}, effects);
      case SharingKind::kTransferAck: {
        const TransferAnswer answer{item.answer};
        const Verdict verdict =
            transfers.Step(event::TransferAnswered{key, from_, item.term, answer}, effects);
        const uint32_t number = sim_->NumberOf(item.object);
        const bool taken = answer == TransferAnswer::kTaken;
        sim_->coverage_->transfers_refused += taken ? 0 : 1;
        if (verdict == Verdict::kOk && !taken) sim_->TakenBack(to_, number);
        return verdict;
      }
      case SharingKind::kMovedAck:
        return transfers.Step(
            event::MovedAcked{key, from_, item.term, item.answer != 0, /*by_node=*/false}, effects);
      case SharingKind::kSettled:
        return transfers.Step(event::Settled{key, from_, item.term}, effects);
      case SharingKind::kSettledAck:
        return transfers.Step(event::SettledAcked{key, from_, item.term}, effects);
      case SharingKind::kMovedEnded:
        return transfers.Step(event::MovedEnded{key, from_, item.term}, effects);
      case SharingKind::kShadowAck:
        return HeirSteps(&table).Step(
            event::ShadowAcked{key, from_, item.term, item.number, ShadowAnswer{item.answer}},
            effects);
      case SharingKind::kShadowEnd:
        return HeirSteps(&table).Step(event::ShadowEnded{key, from_, item.term}, effects);
      case SharingKind::kWatch:
      case SharingKind::kUnwatch:
      case SharingKind::kWatchFired:
      case SharingKind::kDeclare:
      case SharingKind::kDeclareAck:
        Unexpected();
        break;
    }
    return Verdict::kUnchanged;
  }
  void Unexpected() { sim_->Fail("an item that nobody sends here"); }

  SharingSim* const sim_;
  const PeerIndex from_;
  const PeerIndex to_;
};

void SharingSim::Transmit(PeerIndex from, PeerIndex to) {
  Process& sender = processes_[from];
  if (from == to || !live(sender) || sender.fenced.count(to) > 0) return;
  if (faults_ && slow_.count({from, to}) > 0 && Draw(12) != 0) return;
  PayloadWriter writer(8192);
  const NumberedProcesses names;
  // Now and then a piece only, so that items of one turn part.
  const uint32_t piece = faults_ ? 1 + static_cast<uint32_t>(Draw(4)) : 100;
  if (moves_) (void)sender.table->PullMoves(to, piece, names, &writer);
  (void)sender.table->PullSharing(to, piece, names, Time(), &writer);
  if (writer.empty()) return;
  Trace(Name("p", from) + Name(" sends to p", to));
  channels_[{from, to}].push_back(writer.Take());
  Effects effects;
  After(from, &effects);
}

void SharingSim::ReceiveFrom(PeerIndex from, PeerIndex to) {
  std::deque<std::string>& channel = channels_[{from, to}];
  Process& receiver = processes_[to];
  if (channel.empty()) return;
  if (!live(receiver) || receiver.fenced.count(from) > 0) {
    channel.clear();
    return;
  }
  const std::string payload = std::move(channel.front());
  channel.pop_front();
  Trace(Name("p", to) + Name(" receives from p", from));
  Sink sink(this, from, to);
  if (ReadPayload(payload, &sink) != CodecError::kOk) Fail("garbage on the wire");
}

}  // namespace freehold::core
