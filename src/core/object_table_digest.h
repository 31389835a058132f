// The owner's part in comparing digests: what a node has said about copies here, and what to do
// about one of which it says something else. The events and the way of a comparison are in
// digest.h and digest_exchange.h.
//
// Thread safety: as the table's. A walk may be interrupted by steps of the table; it may then miss
// a copy or add one twice, so that what it shows is a guess that the steps here check.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_DIGEST_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "src/core/digest.h"
#include "src/core/event.h"
#include "src/core/object_table.h"

namespace freehold::core {

namespace event {

// At the cut, `node` has said that it has the copy, and we do not know.
struct DigestFound {
  Key key;
  PeerIndex node;
  uint32_t generation;
};
// At the cut, `node` has not said so, and we believe that it has.
struct DigestMissing {
  Key key;
  PeerIndex node;
  uint32_t generation;
};

}  // namespace event

class TableDigest {
 public:
  // Visits what the node has said that it has.
  class Walk {
   public:
    explicit Walk(PeerIndex node) : node_(node) {}
    // Adds what is found in up to `records_max` records, after a first call that lists the numbers
    // of all. True: call it again for the rest.
    bool Next(const ObjectTable& table, uint32_t records_max, DigestTally* tally);

   private:
    const PeerIndex node_;
    bool begun_ = false;
    // All of the node's, taken at once: a number each. What they stand for is looked up in pieces.
    std::vector<RecordIndex> records_;
    size_t next_ = 0;
    DigestKey late_from_;
  };

  static DigestSum SumOf(const ObjectTable& table, PeerIndex node);
  // kUnchanged: it is known after all. kToBeFreed: nobody wants it, a free of that generation is on
  // its way. kOk: the node is to report it again, which then has the effect of any report.
  // kNodeExcluded, kNotOwner, kUnknownGeneration: nothing can be done.
  static Verdict Step(const event::DigestFound& e, ObjectTable* table, Effects* effects);
  // kOk: as if the node had reported that copy, and no other, as removed. kUnchanged: it is not
  // believed any more. kNodeExcluded.
  static Verdict Step(const event::DigestMissing& e, ObjectTable* table, Effects* effects);
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_DIGEST_H_
