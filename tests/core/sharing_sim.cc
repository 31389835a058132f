#include "tests/core/sharing_sim.h"

#include <algorithm>

#include "src/base/check.h"

namespace freehold::core {

namespace {

constexpr size_t kObjectsMax = 12;

}  // namespace

SharingSim::SharingSim(uint64_t seed, const Options& options, SharingCoverage* coverage)
    : random_(seed), options_(options), coverage_(coverage) {
  const uint64_t processes = 3 + Draw(options.processes_max - 2);
  processes_.resize(processes);
  for (Process& process : processes_) {
    process.table = std::make_unique<ObjectTable>(ObjectTable::Config{});
  }
  nests_ = Draw(3) == 0;
  moves_ = Draw(2) == 0 || options.heirs;
  for (PeerIndex from = 0; from < processes; ++from) {
    for (PeerIndex to = 0; to < processes; ++to) {
      if (Draw(3) == 0) slow_.insert({from, to});
    }
  }
}

uint64_t SharingSim::Draw(uint64_t below) {
  if (!Chosen()) return below == 0 ? 0 : random_.Next() % below;
  if (options_.choices.size() < 2) {
    options_.steps = 0;
    return 0;
  }
  const uint64_t choice =
      static_cast<uint8_t>(options_.choices[0]) * 256u + static_cast<uint8_t>(options_.choices[1]);
  // Never to the last byte: what is empty asks the seed.
  if (options_.choices.size() > 3) {
    options_.choices.remove_prefix(2);
  } else {
    options_.steps = 0;
  }
  return below == 0 ? 0 : choice % below;
}

bool SharingSim::Run() {
  while (step_ < options_.steps && violation_.empty()) {
    ++step_;
    Act();
  }
  if (violation_.empty()) Finish();
  coverage_->steps += step_;
  for (const Process& process : processes_) {
    coverage_->failed_references += process.table->counters().references_failed;
    const ObjectTable::Counters& counters = process.table->counters();
    coverage_->short_borrows += counters.short_borrows;
    coverage_->transfers_taken += counters.transfers_taken;
    coverage_->transfers_taken_back += counters.transfers_taken_back;
    coverage_->heirs_prepared += counters.heirs_prepared;
    coverage_->inherited += counters.objects_inherited;
  }
  return violation_.empty();
}

void SharingSim::Trace(std::string line) {
  trace_.push_back(std::to_string(step_) + " " + std::move(line));
  if (trace_.size() > options_.trace_max) trace_.pop_front();
}

void SharingSim::Fail(std::string what) {
  if (violation_.empty()) violation_ = "step " + std::to_string(step_) + ": " + std::move(what);
}

// --- What hosts do -------------------------------------------------------------------------------

PeerIndex SharingSim::PickLive() {
  for (int tries = 0; tries < 8; ++tries) {
    const auto p = static_cast<PeerIndex>(Draw(processes_.size()));
    if (live(processes_[p])) return p;
  }
  return kNoPeer;
}

bool SharingSim::PickHeld(PeerIndex process, uint32_t* object) {
  const std::map<uint32_t, uint32_t>& handles = processes_[process].handles;
  if (handles.empty()) return false;
  auto at = handles.begin();
  std::advance(at, Draw(handles.size()));
  *object = at->first;
  return true;
}

void SharingSim::Act() {
  const PeerIndex p = PickLive();
  if (p == kNoPeer) return;
  if (!processes_[p].next_heirs.empty() && Draw(3) > 0) return NameNextHeir(p);
  const auto q = static_cast<PeerIndex>(Draw(processes_.size()));
  uint64_t what = Draw((moves_ ? 1100 : 1000) + (options_.heirs ? 100 : 0));
  // The weights are such that objects end often, chains are short, and views come soon after
  // deaths.
  const auto is = [&what](uint64_t weight) {
    const bool chosen = what < weight;
    what -= chosen ? 0 : weight;
    return chosen;
  };
  uint32_t object = 0;
  if (is(moves_ ? 100 : 0)) {
    Transfer(p);
  } else if (is(options_.heirs ? 100 : 0)) {
    NameHeir(p);
  } else if (is(50)) {
    Declare(p);
  } else if (is(140)) {
    Export(p);
  } else if (is(180)) {
    Import();
  } else if (is(140)) {
    if (PickHeld(p, &object)) Drop(p, object);
  } else if (is(nests_ ? 30 : 10)) {
    BeginNestedChain();
  } else if (is(20)) {
    Nest(p);
  } else if (is(nests_ ? 130 : 20)) {
    ReadNested(p);
  } else if (is(25)) {
    Cancel();
  } else if (is(3)) {
    Forge();
  } else if (is(2)) {
    Crash(p);
  } else if (is(40)) {
    Exclude();
  } else if (is(60)) {
    See(p);
  } else if (is(105)) {
    Transmit(p, q);
  } else if (is(105)) {
    ReceiveFrom(q, p);
  } else {
    MaybeAnnounceBarrier();
  }
  // What is not slow is fast, so that registrations are often through when their process dies.
  const PeerIndex from = PickLive();
  if (from == kNoPeer || slow_.count({from, q}) > 0) return;
  Transmit(from, q);
  ReceiveFrom(from, q);
}

void SharingSim::Declare(PeerIndex p) {
  if (objects_.size() == kObjectsMax) return;
  const auto number = static_cast<uint32_t>(objects_.size());
  objects_.push_back({ObjectId::FromNumber(number + 1), p, {}, false, false});
  Trace(Name("p", p) + " declare " + Name("o", number));
  Effects effects;
  ObjectRecord* record = nullptr;
  if (processes_[p].table->Step(event::Declare{KeyOf(number)}, &effects, &record) != Verdict::kOk) {
    Fail("a new object is refused");
  }
  processes_[p].handles[number] = 1;
  After(p, &effects);
}

// A host that lies, or a token of another world: nobody ever declared its object.
void SharingSim::Forge() {
  const auto sender = static_cast<PeerIndex>(Draw(processes_.size()));
  const auto receiver = static_cast<PeerIndex>(Draw(processes_.size()));
  const auto owner = static_cast<PeerIndex>(Draw(processes_.size()));
  if (objects_.size() == kObjectsMax || sender == receiver || owner == receiver) return;
  const auto number = static_cast<uint32_t>(objects_.size());
  objects_.push_back({ObjectId::FromNumber(number + 1), owner, {}, true, true, owner, {owner}});
  ++coverage_->forged_tokens;
  Trace("a forged token of " + Name("o", number) + Name(" for p", receiver));
  // Far from the numbers that the sender gives.
  tokens_.push_back({number, sender, receiver, 1000 + number, 0, false, true, owner, kFirstTerm});
}

void SharingSim::Export(PeerIndex p) {
  uint32_t object = 0;
  const auto to = static_cast<PeerIndex>(Draw(processes_.size()));
  if (to == p || !PickHeld(p, &object)) return;
  ExportTo(p, object, to);
  if (Draw(25) == 0) Crash(p);
}

void SharingSim::ExportTo(PeerIndex p, uint32_t object, PeerIndex to) {
  Exported exported;
  const Verdict verdict = processes_[p].table->Step(event::Export{KeyOf(object), to}, &exported);
  ++coverage_->verdicts[static_cast<int>(verdict)];
  Trace(Name("p", p) + " export " + Name("o", object) + Name(" to p", to) + ": " +
        VerdictName(verdict));
  if (verdict != Verdict::kOk) return;
  tokens_.push_back({object, p, to, exported.number, 0, false, false,
                     exported.owner == kNoPeer ? p : exported.owner, exported.term});
  if (options_.heirs) NoteExported(p, object);
  // Often passed on and let go of in one breath, or with the last one: what breaks shortcuts.
  if (Draw(2) == 0) Drop(p, object);
}

void SharingSim::Import() {
  if (tokens_.empty()) return;
  // The latest ones more often: chains grow before anybody registers.
  const size_t back = static_cast<size_t>(Draw(2) == 0 ? Draw(tokens_.size()) : Draw(3));
  if (back >= tokens_.size()) return;
  InFlight& token = tokens_[tokens_.size() - 1 - back];
  if (token.deliveries > 0 && Draw(4) != 0) return;
  ImportToken(&token);
}

void SharingSim::ImportToken(InFlight* in_flight) {
  InFlight& token = *in_flight;
  Process& receiver = processes_[token.receiver];
  if (!live(receiver)) return;
  const Object& object = objects_[token.object];
  const PeerIndex owner = token.owner == token.receiver ? kNoPeer : token.owner;
  Effects effects;
  ObjectRecord* record = nullptr;
  const Verdict verdict = receiver.table->Step(
      event::Import{KeyOf(token.object), owner, token.sender, token.number, token.term}, &effects,
      &record);
  ++coverage_->verdicts[static_cast<int>(verdict)];
  Trace(Name("p", token.receiver) + " import " + Name("o", token.object) +
        Name(" of p", token.sender) + ": " + VerdictName(verdict));
  const bool first = token.deliveries++ == 0;
  coverage_->duplicates += first ? 0 : 1;
  const bool sound = !object.forged && trusted(receiver) && trusted(processes_[token.sender]) &&
                     AllOwnersTrusted(object);
  if (verdict == Verdict::kOtherOwner && !object.forged && trusted(receiver) &&
      trusted(processes_[token.sender])) {
    Fail("a token names another owner");
  }
  if (first && sound && !token.cancelled && verdict != Verdict::kOk) {
    Fail("a good token is answered: " + std::string(VerdictName(verdict)));
  }
  if (receiver.fenced.count(token.sender) > 0 && verdict != Verdict::kPeerExcluded) {
    Fail("a token of an excluded process is taken");
  }
  if (verdict == Verdict::kOk) {
    (void)record->cell.Add();
    ++receiver.handles[token.object];
  }
  After(token.receiver, &effects);
}

void SharingSim::Drop(PeerIndex p, uint32_t object) {
  Process& process = processes_[p];
  auto* record = const_cast<ObjectRecord*>(process.table->Find(KeyOf(object)));
  Trace(Name("p", p) + " drop " + Name("o", object));
  if (record == nullptr) {
    Fail("a record is gone under its handle");
    return;
  }
  if (--process.handles[object] == 0) process.handles.erase(object);
  Effects effects;
  if (record->cell.DropUnderLock()) {
    (void)process.table->Step(event::DropLastHandle{record}, &effects);
  }
  After(p, &effects);
}

// An owned object comes to contain another one that is held here, owned or borrowed.
void SharingSim::Nest(PeerIndex p) {
  uint32_t outer = 0;
  uint32_t inner = 0;
  if (!PickHeld(p, &outer) || !PickHeld(p, &inner)) return;
  // Of objects in order of their numbers only, so that no ring can form.
  if (OwnedAt(p, outer) == nullptr || outer <= inner) return;
  // What is taken back does not know what was put into it meanwhile.
  if (!IsSettledAt(p, outer) || HasHeir(p, outer)) return;
  NestIn(p, inner, outer);
}

void SharingSim::NestIn(PeerIndex p, uint32_t inner, uint32_t outer) {
  std::vector<uint32_t>& inners = objects_[outer].inners;
  if (std::find(inners.begin(), inners.end(), inner) != inners.end()) return;
  ObjectTable& table = *processes_[p].table;
  InnerRef ref;
  if (table.Step(event::AddNestedHold{KeyOf(inner)}, &ref.record) != Verdict::kOk) return;
  std::vector<InnerRef> duplicates;
  (void)table.Step(event::AddInners{KeyOf(outer), {&ref, 1}, &duplicates});
  inners.push_back(inner);
  Trace(Name("p", p) + " nest " + Name("o", inner) + Name(" in o", outer));
  if (Draw(2) == 0) Drop(p, inner);
}

// One process owns the inner object, another the outer one, a third holds that.
void SharingSim::BeginNestedChain() {
  const PeerIndex a = PickLive();
  const PeerIndex b = PickLive();
  const PeerIndex c = PickLive();
  if (a == kNoPeer || b == kNoPeer || c == kNoPeer || a == b || b == c || a == c) return;
  if (objects_.size() + 2 > kObjectsMax) return;
  const auto inner = static_cast<uint32_t>(objects_.size());
  const uint32_t outer = inner + 1;
  Declare(a);
  Declare(b);
  ExportTo(a, inner, b);
  if (tokens_.empty() || tokens_.back().object != inner) return;
  ImportToken(&tokens_.back());
  if (processes_[b].handles.count(inner) == 0) return;
  NestIn(b, inner, outer);
  ExportTo(b, outer, c);
  if (tokens_.back().object == outer) ImportToken(&tokens_.back());
  for (const PeerIndex p : {a, b}) {
    for (const uint32_t object : {inner, outer}) {
      if (processes_[p].handles.count(object) > 0 && Draw(4) != 0) Drop(p, object);
    }
  }
}

void SharingSim::ReadNested(PeerIndex p) {
  std::vector<uint32_t> outers;
  for (const auto& [object, handles] : processes_[p].handles) {
    if (OwnedAt(p, object) == nullptr && !objects_[object].inners.empty()) outers.push_back(object);
  }
  if (outers.empty()) return;
  const uint32_t outer = outers[Draw(outers.size())];
  const uint32_t inner = objects_[outer].inners[Draw(objects_[outer].inners.size())];
  Process& process = processes_[p];
  if (objects_[inner].owner == p) return;
  InnerRef hold;
  if (process.table->Step(event::AddNestedHold{KeyOf(outer)}, &hold.record) != Verdict::kOk) return;
  const PeerIndex sender = process.table->BorrowOf(process.table->At(hold.record)).owner;
  Effects effects;
  ObjectRecord* record = nullptr;
  const Verdict verdict = process.table->Step(
      event::ImportNested{KeyOf(inner), objects_[inner].owner, sender, hold}, &effects, &record);
  ++coverage_->verdicts[static_cast<int>(verdict)];
  Trace(Name("p", p) + " read " + Name("o", inner) + Name(" out of o", outer) + ": " +
        VerdictName(verdict));
  if (verdict == Verdict::kOk) {
    (void)record->cell.Add();
    ++process.handles[inner];
    if (Draw(4) != 0) {
      After(p, &effects);
      Drop(p, outer);
      return;
    }
  } else {
    effects.Rarely().inners.push_back(hold);
  }
  After(p, &effects);
}

void SharingSim::Cancel() {
  if (tokens_.empty()) return;
  InFlight& token = tokens_[tokens_.size() - 1 - Draw(std::min<size_t>(tokens_.size(), 4))];
  Process& sender = processes_[token.sender];
  if (!live(sender) || token.cancelled || token.forged) return;
  // A host may believe that it was lost although it has come.
  token.cancelled = token.deliveries == 0;
  ++coverage_->lost_tokens;
  Effects effects;
  const Verdict verdict = sender.table->Step(
      event::CancelHandoff{KeyOf(token.object), token.receiver, token.number}, &effects);
  Trace(Name("p", token.sender) + " cancel " + Name("o", token.object) +
        Name(" to p", token.receiver) + ": " + VerdictName(verdict));
  After(token.sender, &effects);
}

}  // namespace freehold::core
