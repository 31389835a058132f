// What another process has written of an object, which it gives away or names this one the heir of;
// and HeirKeeper: the side of the heir.

#include <memory>
#include <utility>
#include <vector>

#include "src/core/object_table_heirs.h"
#include "src/core/object_table_pins.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

core::OwnedSnapshot TransferKeeper::SnapshotOf(CounterImpl* counter, core::PeerIndex from,
                                               const core::TransferItem& item) {
  core::OwnedSnapshot snapshot;
  snapshot.generation = item.generation;
  snapshot.size = item.size;
  snapshot.state = item.state;
  snapshot.evict_first = item.evict_first;
  for (const core::TransferItem::At& at : item.nodes) {
    const core::PeerIndex node = counter->InternNode(at.node);
    if (node == core::kNoPeer) continue;
    const bool shared = at.shared && counter->files().EnsurePlace() != core::kNoPeer;
    snapshot.nodes.push_back(
        {node, at.in_memory, at.spilled, at.prospective, at.primary, shared, at.url});
  }
  const auto add = [&](const ProcessId& process, std::vector<core::PeerIndex>* to) {
    if (process == counter->options().process) return;
    const core::PeerIndex peer = counter->endpoint().Intern(Address(process));
    if (peer != core::kNoPeer && peer != from) to->push_back(peer);
  };
  for (const ProcessId& process : item.processes) add(process, &snapshot.processes);
  for (const ProcessId& process : item.formers) add(process, &snapshot.formers);
  for (const ProcessId& process : item.heirs) add(process, &snapshot.heirs);
  if (!item.pins.empty()) snapshot.pins = core::PinSteps::Told(item, counter->clock().Now());
  return snapshot;
}

// --- The heir ------------------------------------------------------------------------------------

// What has come twice is let go of once.
std::unique_ptr<core::Contained> HeirKeeper::Contain(const std::vector<core::InnerRef>& inners) {
  auto contained = std::make_unique<core::Contained>();
  std::vector<core::InnerRef> back;
  for (const core::InnerRef& inner : inners) {
    if (!contained->inners.Add(inner)) back.push_back(inner);
  }
  counter_->ReleaseInners(std::move(back));
  return contained;
}

void HeirKeeper::GiveUp() {
  for (const std::unique_ptr<Shard>& shard : counter_->shards()) {
    uint32_t resume = 0;
    bool more = true;
    while (more) {
      more = false;  // a shard that is closed has none
      (void)counter_->Apply(*shard, [&](core::ObjectTable& table, core::Effects* effects) {
        more = core::HeirSteps(&table).GiveUp(CounterImpl::kPieceMax, &resume, effects);
        return core::Verdict::kOk;
      });
    }
  }
}

void HeirKeeper::Take(core::PeerIndex from, const core::ShadowItem& item) {
  const core::Key key = counter_->KeyOf(item.snapshot.object);
  Shard& shard = counter_->ShardOf(key);
  core::event::Shadow event{key, from, item.snapshot.term, item.version,
                            std::make_unique<core::OwnedSnapshot>()};
  *event.snapshot = TransferKeeper::SnapshotOf(counter_, from, item.snapshot);
  ContainedKeeper::Staged staged =
      counter_->transfers().contained().Take(from, item.snapshot.object, item.snapshot.term);
  if (staged.failed) event.refusal = core::ShadowAnswer::kFull;
  if (!staged.inners.empty()) event.snapshot->contained = Contain(staged.inners);
  (void)counter_->Apply(shard, [&](core::ObjectTable& table, core::Effects* effects)
                                   FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
                                     if (shard.draining || !shard.is_open)
                                       event.refusal = core::ShadowAnswer::kDraining;
                                     if (!counter_->options().takes_transfers)
                                       event.refusal = core::ShadowAnswer::kRefused;
                                     return core::HeirSteps(&table).Step(std::move(event), effects);
                                   });
}

}  // namespace freehold::runtime
