// Counters and gauges: what an operator's dashboard shows.
//
// Every queue and table that a peer or a user can grow has a gauge here. Counters only grow; gauges
// say so. Reading takes no lock that a hot path waits for; the figures of one snapshot may be a few
// operations apart from each other.

#ifndef FREEHOLD_STATS_H_
#define FREEHOLD_STATS_H_

#include <cstdint>

namespace freehold {

// The sessions of one end.
struct SessionStats {
  uint64_t sessions = 0;        // gauge
  uint64_t envelopes_sent = 0;  // with items, first transmissions
  uint64_t envelopes_retransmitted = 0;
  uint64_t acks_sent = 0;   // envelopes that carry nothing else
  uint64_t bytes_sent = 0;  // all of the above
  uint64_t envelopes_received = 0;
  uint64_t duplicates_dropped = 0;
  uint64_t garbage_rejected = 0;  // envelopes that did not decode
  uint64_t fenced_dropped = 0;    // from excluded ids
  uint64_t refused_items = 0;     // well-formed, but the sender may not send it
  uint64_t unacked_bytes = 0;     // gauge: retained for retransmission
  uint64_t inbox_bytes = 0;       // gauge
  uint64_t inbox_overflows = 0;
  uint64_t addresses = 0;          // gauge: ever seen; never forgotten, at most 2^24
  uint64_t membership_events = 0;  // gauge: views and barriers that wait for the pump
  uint64_t views_open = 0;         // gauge: views whose barrier has not come
};

struct ReferenceCounterStats {
  SessionStats sessions;
  uint64_t objects = 0;                // gauge: records, those being reclaimed included
  uint64_t objects_in_scope = 0;       // gauge
  uint64_t copies = 0;                 // gauge: known, those being freed included
  uint64_t nested = 0;                 // gauge: contained objects, each for each that contains it
  uint64_t frees_waiting = 0;          // gauge: copies whose free has not been sent
  uint64_t frees_in_flight = 0;        // gauge: sent, not settled
  uint64_t drops_deferred = 0;         // gauge: nested drops left to the pump
  uint64_t call_sites = 0;             // gauge: distinct texts
  uint64_t callbacks_registered = 0;   // gauge
  uint64_t callbacks_to_post = 0;      // gauge: fired, the executor has not been given them yet
  uint64_t borrowed = 0;               // gauge: records of objects that others own
  uint64_t borrowers = 0;              // gauge: over all objects owned here
  uint64_t handoffs_pending = 0;       // gauge: exported and not ended
  uint64_t declarations_pending = 0;   // gauge: for other processes, not acknowledged
  uint64_t token_lives = 0;            // gauge: exported with a `token_life` that has not ended
  uint64_t handoffs_owed = 0;          // gauge: imported, their senders not answered yet
  uint64_t handoff_intervals = 0;      // gauge: of numbers that are remembered of ended handoffs
  uint64_t answers_waiting = 0;        // gauge: to other processes, not yet sent
  uint64_t flush_waiting = 0;          // gauge: answers that the latest view waits for
  uint64_t registrations_waiting = 0;  // gauge: of borrowers for whom there is no room yet
  uint64_t location_watches = 0;       // gauge: subscriptions of others to objects owned here
  uint64_t location_queries = 0;       // gauge: asked of others, not answered for the last time
  uint64_t watches = 0;                // gauge: of others, for moments of objects owned here
  uint64_t watches_elsewhere = 0;      // gauge: asked of others, not answered
  uint64_t queries_to_send = 0;        // gauge: questions and cancellations that have not left
  uint64_t scopes = 0;                 // gauge: those that are not forgotten, without the root
  uint64_t scope_members = 0;          // gauge: objects that are in one
  uint64_t pinned = 0;                 // gauge: objects that are
  uint64_t unbound_files = 0;          // gauge: shared files whose node is gone, not deleted yet
  uint64_t files_without_agent = 0;    // gauge: of these: no agent is known that could delete them
  uint64_t lineage_tasks = 0;          // gauge: recorded, and kept
  uint64_t lineage_objects = 0;        // gauge: what they return, and their arguments
  uint64_t lineage_bytes = 0;          // gauge: their spec_bytes
  uint64_t lineage_tasks_away = 0;     // gauge: of the tasks, those of use to other owners alone
  uint64_t persists_pending = 0;       // gauge: values that the host was asked for, or will be
  uint64_t transfers_pending = 0;      // gauge: given away, and not everybody knows the next owner
  uint64_t transfers_untold = 0;       // gauge: ends that have not answered who their owner is
  uint64_t formerly_owned = 0;         // gauge: objects of others that this process answers for
  uint64_t heirs = 0;                  // gauge: objects owned here that have one, prepared or not
  uint64_t heir_of = 0;                // gauge: objects of others that are this process's then
  uint64_t generators = 0;             // gauge: open
  uint64_t yielded = 0;                // gauge: by them, and not taken
  uint64_t lineage_pieces = 0;         // gauge: lists of objects to be let go of
  uint64_t declared = 0;
  uint64_t out_of_scope = 0;
  uint64_t freed_explicitly = 0;
  uint64_t copies_freed = 0;           // settled
  uint64_t late_reports_answered = 0;  // location reports answered with Free
  uint64_t misuses = 0;                // double releases, releases of unknown ids
  uint64_t store_failures = 0;         // reported by nodes
  uint64_t objects_lost = 0;           // handed to the host to recover
  uint64_t short_borrows = 0;          // ended before their registration left
  uint64_t answers_lost = 0;           // no room for them: a table was full
  uint64_t references_failed = 0;      // borrowed ones, by Gone or by their owner's death
  uint64_t watches_refused = 0;        // subscriptions and watches of others beyond the limit
  uint64_t handoffs_given_up = 0;      // runs of tokens that had not come, to bound the memory
  uint64_t primaries_moved = 0;        // because a node asked for it
  uint64_t primaries_promoted = 0;     // because the former primary went
  uint64_t lineage_released = 0;       // tasks, evicted ones included
  uint64_t lineage_evicted = 0;        // for want of room
  uint64_t records_followed = 0;  // of objects out of scope, to the owner whose task needs them
  uint64_t tasks_resubmitted = 0;
  uint64_t transfers = 0;              // begun here
  uint64_t transfers_taken = 0;        // from others
  uint64_t transfers_taken_back = 0;   // refused, or their next owner died
  uint64_t heirs_prepared = 0;         // for objects owned here
  uint64_t heirs_overgrown = 0;        // dismissed: more hold the object than a message names
  uint64_t objects_inherited = 0;      // by this process
  uint64_t digests_compared = 0;       // with what was known here
  uint64_t digest_mismatches = 0;      // of these, that differed
  uint64_t digest_copies_found = 0;    // a node had them, unknown here: reported again, or freed
  uint64_t digest_copies_missing = 0;  // believed in here, not had by their node: taken out
};

struct NodeAgentStats {
  SessionStats sessions;
  uint64_t copies = 0;            // gauge
  uint64_t bytes = 0;             // gauge, spilled included
  uint64_t readers = 0;           // gauge
  uint64_t doomed = 0;            // gauge: waiting for readers or a fetch
  uint64_t deletes_pending = 0;   // gauge: to be handed to the store, retries included
  uint64_t reports_waiting = 0;   // gauge: location reports and free results not yet sent
  uint64_t location_queries = 0;  // gauge: asked of owners, not answered for the last time
  uint64_t queries_to_send = 0;   // gauge: questions and cancellations that have not left
  uint64_t moves = 0;             // gauge: primary moves asked of owners, not answered
  uint64_t files_carried = 0;     // gauge: shared files of nodes that are gone, looked after here
  uint64_t copies_added = 0;
  uint64_t frees_received = 0;
  uint64_t frees_unknown = 0;  // for copies that were not here
  uint64_t copies_deleted = 0;
  uint64_t files_deleted = 0;    // of nodes that are gone
  uint64_t orphans_deleted = 0;  // of these: because their owner was excluded
  uint64_t digests_sent = 0;
  uint64_t store_calls = 0;
  uint64_t store_failures = 0;
};

}  // namespace freehold

#endif  // FREEHOLD_STATS_H_
