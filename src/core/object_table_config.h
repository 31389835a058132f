// What an ObjectTable is told when it is made, and what it counts.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_CONFIG_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_CONFIG_H_

#include <cstdint>

#include "freehold/location.h"
#include "src/core/slab_source.h"

namespace freehold::core {

struct ObjectTableConfig {
  void* context = nullptr;      // what RecordSlabs::ContextOf answers
  bool settle_at_once = false;  // nobody to ask: a copy is gone as soon as it is to be freed
  bool observe_frees = false;   // report SettledFree effects
  // Of objects and of older values that are still being deleted; see RecordSlabs.
  uint32_t records_max = UINT32_MAX;
  uint32_t borrowers_max = UINT32_MAX;  // over all objects
  // Subscriptions of one other end to locations, in this table.
  uint32_t watches_per_peer_max = UINT32_MAX;
  // Watches of one other process for moments, in this table.
  uint32_t moment_watches_per_peer_max = UINT32_MAX;
  SlabSource* slabs = nullptr;  // of the records; null: its own. It must outlive the table
};
struct ObjectTableCounters {
  uint64_t by_state[kObjectStates] = {};  // gauge, by ObjectState; without ghosts
  uint64_t callbacks = 0;                 // gauge
  uint64_t nested = 0;                    // gauge: holds on contained objects
  uint64_t declared = 0;
  uint64_t out_of_scope = 0;
  uint64_t freed_explicitly = 0;
  uint64_t copies_freed = 0;
  uint64_t late_reports_answered = 0;
  uint64_t store_failures = 0;
  uint64_t objects_lost = 0;
  uint64_t short_borrows = 0;  // ended before their registration left
  uint64_t references_failed = 0;
  uint64_t answers_lost = 0;  // no room for them in the outbox
  uint64_t watches_refused = 0;
  uint64_t primaries_moved = 0;
  uint64_t primaries_promoted = 0;    // because the former one went
  uint64_t transfers = 0;             // begun here
  uint64_t transfers_taken = 0;       // by this process, from others
  uint64_t transfers_taken_back = 0;  // refused, or the next owner has died
  uint64_t records_followed = 0;      // of objects out of scope, to the tasks that need them
  uint64_t heirs_prepared = 0;        // of objects owned here
  uint64_t heirs_overgrown = 0;       // dismissed: more hold the object than a message names
  uint64_t objects_inherited = 0;     // by this process, whose owner has died
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_CONFIG_H_
