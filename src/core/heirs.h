// Heirs: what an owner knows of those who take its objects over when it dies (PROTOCOL, step 15).
// What an heir knows is in its FormerIndex.
//
// Made when the first one is named. The rules are in object_table_heirs.cc.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_HEIRS_H_
#define FREEHOLD_SRC_CORE_HEIRS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "freehold/ids.h"
#include "src/core/holder_index.h"
#include "src/core/item.h"
#include "src/core/owned_snapshot.h"

namespace freehold::core {

struct Heirs {
  // Changes of what a snapshot has are counted; the count is the version of the snapshot that is
  // made after them.
  struct Heirship {
    // What is answered once the heir has that version.
    struct Registration {
      PeerIndex borrower = kNoPeer;
      uint64_t number = 0;
      uint64_t version = 0;
    };
    struct Question {  // of an event::MovePrimary
      PeerIndex node = kNoPeer;
      uint32_t generation = 0;
      uint64_t number = 0;
      PeerIndex from = kNoPeer;
      uint32_t term = kFirstTerm;
      uint64_t version = 0;
    };
    // A copy with a file that outlives its node and is to go, or such a file at no node
    // (FileSteps).
    struct File {
      PeerIndex node = kNoPeer;
      uint32_t generation = 0;
      uint64_t version = 0;
    };

    PeerIndex heir = kNoPeer;
    uint64_t changes = 1;    // the naming is one
    uint64_t sent = 0;       // the version on its way, or answered
    uint64_t kept = 0;       // the version that the heir has
    bool is_former = false;  // it answers for the object anyhow: it owned it before
    bool ending = false;     // it was told so, and has not answered
    bool overgrown = false;  // no snapshot fits a message any more: it is to end
    bool contains = false;   // the heir was, or is to be, passed on what the object contains
    bool listed = false;     // it was named with others, before it or after it
    // That, until it is sent; it goes before the first snapshot.
    std::unique_ptr<HandedInners> handed;
    std::vector<Registration> registrations;
    std::vector<Question> questions;
    std::vector<File> files;

    bool prepared() const { return kept != 0; }
    bool takes_more() const { return !ending && !overgrown; }
  };

  absl::flat_hash_map<RecordIndex, Heirship> of;  // only asked, never iterated
  HolderIndex all;                                // (object, heir, 0)
  HolderIndex to_send;  // of these, those whose heir is to be sent a snapshot
  std::vector<ObjectId> overgrown;
  // Who comes after the heir, in order; at least one, at most kNextHeirsMax. Of an object that has
  // lost its heir, or was inherited: who is to be named now. Only asked, never iterated.
  absl::flat_hash_map<RecordIndex, std::vector<PeerIndex>> next;

  size_t bytes() const {
    return sizeof(*this) + of.capacity() * (sizeof(Heirship) + 9) + all.bytes() + to_send.bytes() +
           next.capacity() * (sizeof(std::vector<PeerIndex>) + 9) +
           next.size() * kNextHeirsMax * sizeof(PeerIndex);
  }
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_HEIRS_H_
