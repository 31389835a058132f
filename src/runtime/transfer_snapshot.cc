// TransferKeeper: what another process has written of an object, which it gives away or names this
// one the heir of.

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
  if (!item.pins.empty()) snapshot.pins = core::PinSteps::Told(item, counter->clock().Now());
  return snapshot;
}

}  // namespace freehold::runtime
