// CounterImpl: references that cross processes — tokens out and in, and what exclusions ask for.

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "src/core/object_table_declare.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"
#include "src/core/token.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/declarations.h"
#include "src/runtime/errors.h"
#include "src/runtime/token_seal.h"

namespace freehold::runtime {

namespace {

absl::Status MalformedToken(const std::string& why) {
  return WithReason(absl::InvalidArgumentError("not a token of a reference: " + why),
                    ErrorReason::kMalformedToken);
}

}  // namespace

// --- Out -----------------------------------------------------------------------------------------

absl::StatusOr<ExportedReference> CounterImpl::Export(const ObjectId& object,
                                                      const ProcessId& receiver) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (options_.transport == nullptr) return NoTransportError();
  if (receiver.IsNil() || receiver == options_.process) {
    return absl::InvalidArgumentError("a reference is exported to another process, not to itself");
  }
  const core::PeerIndex peer = endpoint_->Intern(Address(receiver));
  if (peer == core::kNoPeer) return TooManyPeersError();
  core::event::Export event{KeyOf(object), peer, kInfiniteFuture};
  const bool ends = options_.token_life > Duration::zero();
  if (ends) event.ends = SaturatingAdd(clock_.Now(), options_.token_life);
  core::Exported exported;
  bool any_heirs = false;
  const core::Verdict verdict = ApplyQuietly(ShardOf(event.key), [&](core::ObjectTable& table) {
    any_heirs = core::HeirSteps::Any(table);
    return table.Step(event, &exported);
  });
  if (verdict != core::Verdict::kOk) return ToStatus(verdict, object);
  if (ends) endpoint_->WakeWork();  // it has one more thing to wait for
  if (any_heirs) {
    (void)Apply(ShardOf(event.key), [&](core::ObjectTable& table, core::Effects* effects) {
      return core::HeirSteps(&table).Step(core::event::Exported{event.key}, effects);
    });
  }

  core::ReferenceToken token;
  token.object = object;
  token.owner = exported.owner == core::kNoPeer ? options_.process
                                                : endpoint_->AddressOf(exported.owner).process();
  token.term = exported.term;
  token.sender = options_.process;
  token.receiver = receiver;
  token.number = exported.number;
  ExportedReference answer{core::EncodeToken(token), {object, receiver, exported.number}};
  const absl::Status sealed = SealToken(options_.token_sealer, &answer.token);
  if (sealed.ok()) return answer;
  (void)CancelHandoff(answer.handoff);
  return sealed;
}

absl::Status CounterImpl::CancelHandoff(const Handoff& handoff) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  const core::PeerIndex peer = endpoint_->Find(Address(handoff.receiver));
  const core::Key key = KeyOf(handoff.object);
  core::Verdict verdict = core::Verdict::kNotFound;
  if (peer != core::kNoPeer) {
    verdict = Apply(ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
      return table.Step(core::event::CancelHandoff{key, peer, handoff.number}, effects);
    });
  }
  if (verdict != core::Verdict::kNotFound) return ToStatus(verdict, handoff.object);
  return absl::NotFoundError(absl::StrCat("handoff ", handoff.number, " of object ",
                                          handoff.object.ToHex(),
                                          " has ended, or was never begun"));
}

// --- In ------------------------------------------------------------------------------------------

absl::StatusOr<ObjectRef> CounterImpl::Import(std::string_view bytes) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (options_.transport == nullptr) return NoTransportError();
  std::optional<std::string> opened;
  if (absl::Status open = OpenToken(options_.token_sealer, &bytes, &opened); !open.ok()) {
    return open;
  }
  core::ReferenceToken token;
  const core::TokenError error = core::DecodeToken(bytes, &token);
  if (error != core::TokenError::kOk) return MalformedToken(core::TokenErrorName(error));
  if (token.receiver != options_.process) {
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat("the token of object ", token.object.ToHex(),
                                                " was made for process ", token.receiver.ToHex())),
        ErrorReason::kWrongReceiver);
  }
  if (token.sender == options_.process)
    return MalformedToken("it names this process as its sender");

  const core::PeerIndex sender = endpoint_->Intern(Address(token.sender));
  const core::PeerIndex owner =
      token.owner == options_.process ? core::kNoPeer : endpoint_->Intern(Address(token.owner));
  if (sender == core::kNoPeer || (owner == core::kNoPeer && token.owner != options_.process)) {
    return TooManyPeersError();
  }
  const core::Key key = KeyOf(token.object);
  return TakeHandle(
      key, [&](core::ObjectTable& table, core::Effects* effects, core::ObjectRecord** record) {
        return table.Step(core::event::Import{key, owner, sender, token.number, token.term},
                          effects, record);
      });
}

// `step` answers a record to which a handle is added before the lock is released.
template <typename StepFunction>
absl::StatusOr<ObjectRef> CounterImpl::TakeHandle(const core::Key& key, StepFunction step) {
  Shard& shard = ShardOf(key);
  core::ObjectRecord* record = nullptr;
  const core::Verdict verdict = Apply(shard, [&](core::ObjectTable& table, core::Effects* effects)
                                                 FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
                                                   const core::Verdict answer =
                                                       step(table, effects, &record);
                                                   if (answer != core::Verdict::kOk) return answer;
                                                   const bool first = record->cell.count() == 0;
                                                   if (!record->cell.Add())
                                                     return core::Verdict::kCountFull;
                                                   shard.outstanding += first ? 1 : 0;
                                                   return core::Verdict::kOk;
                                                 });
  if (verdict == core::Verdict::kOk) return ObjectRef(&record->cell);
  return ToStatus(verdict, key.id);
}

absl::StatusOr<ObjectRef> CounterImpl::ImportNested(const ObjectId& outer, const ObjectId& inner,
                                                    const ProcessId& inner_owner) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (inner_owner.IsNil()) return absl::InvalidArgumentError("the owner must not be nil");
  if (options_.transport == nullptr && inner_owner != options_.process) return NoTransportError();
  core::PeerIndex outer_owner = core::kNoPeer;
  std::vector<core::InnerRef> hold(1);
  const core::Key outer_key = KeyOf(outer);
  Shard& outer_shard = ShardOf(outer_key);
  hold[0].shard = outer_shard.number;
  const core::Verdict held = ApplyQuietly(outer_shard, [&](core::ObjectTable& table) {
    const core::Verdict verdict =
        table.Step(core::event::AddNestedHold{outer_key}, &hold[0].record);
    if (verdict == core::Verdict::kOk && table.At(hold[0].record).borrowed) {
      outer_owner = table.BorrowOf(table.At(hold[0].record)).owner;
    }
    return verdict;
  });
  if (held != core::Verdict::kOk) return ToStatus(held, outer);

  const core::InnerRef outer_ref = hold[0];
  const core::Key key = KeyOf(inner);
  absl::StatusOr<ObjectRef> answer;
  core::PeerIndex owner = core::kNoPeer;
  if (inner_owner == options_.process) {
    // It may have been given away since the outer one was written.
    Shard& shard = ShardOf(key);
    internal::MutexLock lock(&shard.mutex);
    const core::Former* former = core::TransferSteps(&shard.table).FindFormer(inner);
    if (former != nullptr && shard.table.Find(key) == nullptr) owner = former->next_owner;
  }
  if (outer_owner == core::kNoPeer || (inner_owner == options_.process && owner == core::kNoPeer)) {
    // The outer object, as long as it is held, holds the inner one here.
    answer = GetRef(inner);
  } else {
    if (owner == core::kNoPeer) owner = endpoint_->Intern(Address(inner_owner));
    if (owner == core::kNoPeer) {
      answer = TooManyPeersError();
    } else {
      answer = TakeHandle(
          key, [&](core::ObjectTable& table, core::Effects* effects, core::ObjectRecord** record) {
            const core::event::ImportNested event{key, owner, outer_owner, hold[0]};
            const core::Verdict verdict = table.Step(event, effects, record);
            if (verdict == core::Verdict::kOk) hold.clear();
            return verdict;
          });
    }
  }
  if (hold.empty()) transfers_.contained().OnRead(outer_key, outer_ref, outer_owner);
  ReleaseInners(std::move(hold));
  return answer;
}

absl::Status CounterImpl::CheckReference(const ObjectId& object) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  const core::Key key = KeyOf(object);
  core::Verdict verdict = core::Verdict::kNotFound;
  core::DeclareAnswer answer = core::DeclareAnswer::kOk;
  ObjectState state = ObjectState::kOutOfScope;
  {
    Shard& shard = ShardOf(key);
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record != nullptr) {
      state = record->state();
      verdict = record->in_scope() ? core::Verdict::kOk : core::Verdict::kOutOfScope;
      if (record->in_scope() && record->borrowed) {
        const core::Borrow& borrow = shard.table.BorrowOf(*record);
        verdict = core::DeclareSteps::UseOf(borrow);
        answer = borrow.answer;
      }
    }
  }
  if (verdict == core::Verdict::kNotDeclared) return Declarations::ToStatus(answer, object);
  const std::string id = object.ToHex();
  if (state == ObjectState::kFreed) {
    return WithReason(absl::AbortedError(absl::StrCat("the value of object ", id, " was freed")),
                      ErrorReason::kFreed);
  }
  if (state == ObjectState::kLost) {
    return WithReason(absl::DataLossError(absl::StrCat("every copy of object ", id, " was lost")),
                      ErrorReason::kLost);
  }
  return ToStatus(verdict, object);
}

// --- Exclusion -----------------------------------------------------------------------------------

template <typename Piece>
void CounterImpl::InPieces(Piece piece) {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    bool more = true;
    while (more) {
      more = false;  // a shard that is closed has none
      (void)Apply(*shard, [&](core::ObjectTable& table, core::Effects* effects) {
        more = piece(table, effects);
        return core::Verdict::kOk;
      });
    }
  }
}

void CounterImpl::OnView(uint64_t version, const std::vector<PeerIndex>& excluded) {
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  std::vector<PeerIndex> processes;
  for (const PeerIndex peer : excluded) {
    if (peer == files_.place()) continue;  // files at no node have none that could die
    if (endpoint_->AddressOf(peer).is_node_agent()) {
      InPieces([peer](core::ObjectTable& table, core::Effects* effects) {
        return table.ExcludeNode(peer, kPieceMax, effects);
      });
      digests_.Forget(peer);
      files_.ExcludeNode(peer);
      continue;
    }
    InPieces([peer](core::ObjectTable& table, core::Effects* effects) {
      return table.FenceProcess(peer, kPieceMax, effects);
    });
    processes.push_back(peer);
  }
  if (processes.empty()) return;
  for (const PeerIndex process : processes) transfers_.contained().OnFenced(process);
  queries_.OnView(version, processes);
  watches_.OnView(version, processes);
  open_views_.emplace_back(version, std::move(processes));
}

bool CounterImpl::IsFlushed(uint64_t /*version*/) {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    if (shard->table.flush_waiting() != 0) return false;
  }
  return true;
}

void CounterImpl::OnBarrier(uint64_t version) {
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  queries_.OnBarrier(version);
  watches_.OnBarrier(version);
  while (!open_views_.empty() && open_views_.front().first <= version) {
    const std::vector<PeerIndex> processes = std::move(open_views_.front().second);
    open_views_.pop_front();
    for (const PeerIndex process : processes) {
      InPieces([process](core::ObjectTable& table, core::Effects* effects) {
        return table.CloseProcess(process, kPieceMax, effects);
      });
      scopes_.ClosePeer(process);
    }
  }
}

void CounterImpl::FailBorrows() {
  PeerIndex owner = 0;
  InPieces([&](core::ObjectTable& table, core::Effects* effects) {
    const bool more = table.FailBorrows(kPieceMax, &owner, effects);
    if (!more) owner = 0;  // the next shard's
    return more;
  });
}

Time CounterImpl::ExpireTokens(Time now) {
  Time next = kInfiniteFuture;
  if (options_.token_life <= Duration::zero()) return next;
  InPieces([&](core::ObjectTable& table, core::Effects* effects) {
    const bool more = table.ExpireTokens(now, kPieceMax, effects);
    if (!more && table.NextTokenEnd() < next) next = table.NextTokenEnd();
    return more;
  });
  return next;
}

}  // namespace freehold::runtime
