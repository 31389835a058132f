// The owner's side of comparing digests, for a ReferenceCounter: what node agents say that they
// have is held against its shards, and what differs is asked about, down to the copies, and healed.
//
// A shard is looked at under its lock in pieces, but for the numbers of the node's records, four
// bytes each, which are taken at once: after a difference only. Nothing that a node says is applied
// meanwhile (the pump role does both), so that the shards, one after the other, show one cut of its
// stream.
//
// Thread safety: pump role, but for AddTo. Ownership: borrows the counter, whose member it is.

#ifndef FREEHOLD_SRC_RUNTIME_OWNER_DIGESTS_H_
#define FREEHOLD_SRC_RUNTIME_OWNER_DIGESTS_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "freehold/stats.h"
#include "src/core/codec.h"
#include "src/core/digest.h"
#include "src/core/digest_exchange.h"
#include "src/core/peer.h"

namespace freehold::runtime {

class CounterImpl;

class OwnerDigests {
 public:
  explicit OwnerDigests(CounterImpl* counter) : counter_(*counter) {}

  // From the node agent `from`.
  void OnSums(core::PeerIndex from, absl::Span<const core::DigestSumsItem> items);
  void OnCopies(core::PeerIndex from, absl::Span<const core::DigestCopiesItem> items);
  // Questions for a node. True: the writer is full.
  bool Fill(core::PeerIndex node, core::PayloadWriter* writer);
  // It is excluded.
  void Forget(core::PeerIndex node) { exchanges_.erase(node); }
  // Any thread.
  void AddTo(ReferenceCounterStats* stats) const;

 private:
  void Compare(core::PeerIndex from, const core::DigestSum& theirs);
  // Sorts what the node has said, as we know it.
  void Tally(core::PeerIndex from, core::DigestTally* tally) const;
  // The node has it, and we do not know; or we believe that it has it, and it has not.
  void HealFound(core::PeerIndex from, const core::DigestKey& copy);
  void HealMissing(core::PeerIndex from, const core::DigestKey& copy);
  void CountHeal(core::PeerIndex from, const core::DigestKey& copy, std::atomic<uint64_t>* count,
                 const char* what);
  void Continue(core::PeerIndex from);

  CounterImpl& counter_;
  // Of nodes with which we are comparing. Never iterated.
  absl::flat_hash_map<core::PeerIndex, core::DigestExchange> exchanges_;
  std::atomic<uint64_t> compared_{0};
  std::atomic<uint64_t> mismatches_{0};
  std::atomic<uint64_t> found_{0};
  std::atomic<uint64_t> missing_{0};
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_OWNER_DIGESTS_H_
