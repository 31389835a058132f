#include "src/core/object_table_evict.h"

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_lineage.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

Verdict EvictSteps::Mark(ObjectRecord* record, Effects* effects) {
  FREEHOLD_CHECK(record->state() == ObjectState::kAvailable);
  if (IsMarked(table_, *record)) return Verdict::kUnchanged;
  if (IsMutant(Mutant::kEvictFirstAtOnce)) {
    Free(record, effects);
    table_.AfterCopiesGone(record, effects);
    return Verdict::kOk;
  }
  table_.rares_.Ensure(*record).evict_first = true;
  table_.copies_.ForEach(*record, [&](Copy* copy) {
    if (!copy->real() || !copy->held()) return;
    const bool was_primary = copy->primary != 0;
    if (!IsMutant(Mutant::kEvictFirstKeepsPrimary)) copy->primary = 0;
    if (was_primary) {
      table_.NotifyCopy(*record, table_.Facts(*record, *copy), LocationUpdate::Kind::kChanged,
                        effects);
    }
    TellNode(*record, *copy, effects);
  });
  if (record->has_askers) table_.AnswerAskers(*record, effects);
  return Verdict::kOk;
}

// That it is lost, if the queue of the node is full, costs the store space, and nothing else.
void EvictSteps::TellNode(const ObjectRecord& record, const Copy& copy, Effects* effects) {
  const bool nobody = table_.config_.settle_at_once || copy.node == table_.nodes_.unbound();
  if (nobody || IsMutant(Mutant::kEvictFirstNotTold)) return;
  table_.Tell(copy.node, {record.id(), 0, record.generation, MoveAnswer::kEvictFirst, kNoPeer},
              effects);
}

void EvictSteps::Free(ObjectRecord* record, Effects* effects) {
  ++table_.counters_.freed_explicitly;
  Unmark(*record);
  record->was_freed = 1;
  table_.SetState(record, ObjectState::kFreed, effects);
  LineageSteps(&table_).NoteFreed(*record, effects);
  table_.Fire(record, Moment::kOutOfScope, EndReason::kFreed, effects);
  table_.BeginFree(record, effects);
}

}  // namespace freehold::core
