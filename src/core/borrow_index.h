// BorrowIndex: what this process borrows, by owner and by where its registration stands.
//
// A borrow is beside its record (ObjectRecord::overflow names it) and in one of two lists of its
// owner: what waits to be sent to it, in order of arrival there, and what does not. So the pump
// finds what to send without a queue, and an owner's death touches what was borrowed from it.
//
// It also counts the borrows for which this process still owes the membership its Flushed
// (PROTOCOL, step 7).
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_BORROW_INDEX_H_
#define FREEHOLD_SRC_CORE_BORROW_INDEX_H_

#include <cstddef>
#include <cstdint>

#include "src/core/item.h"
#include "src/core/object_record.h"
#include "src/core/peer_map.h"
#include "src/core/pool.h"

namespace freehold::core {

// Where a borrow stands with its owner (PROTOCOL, steps 4 to 6).
enum class BorrowStage : uint8_t {
  kQueued,       // Register, or Declare, waits to be sent
  kOutstanding,  // it was sent and is not answered
  kConfirmed,    // the owner lists us
  kReleasing,    // Release waits to be sent; a new import withdraws it
  kGone,         // the owner does not know the object
  kOwnerDied,    // the owner is excluded and the barrier has come
  kExcluded,     // this process is excluded
  kNotDeclared,  // the owner has not taken it
  kMoving,       // it was owned here, and its next owner has not answered
};
const char* BorrowStageName(BorrowStage stage);

struct Borrow {
  RecordIndex record = kNoRecord;
  PeerIndex owner = kNoPeer;
  uint64_t registration = 0;  // number of the outstanding Register or Declare
  uint32_t next = kNone;      // in its owner's list
  uint32_t previous = kNone;
  BorrowStage stage = BorrowStage::kQueued;
  bool flushing = false;  // a view waits for the answer to its Register, whatever its count
  // This process declares it for its owner, who has not answered: nobody else may hear of it.
  bool declares = false;
  DeclareAnswer answer = DeclareAnswer::kOk;  // of kNotDeclared: why
  uint32_t term = kFirstTerm;                 // of the owner

  bool failed() const {
    return stage == BorrowStage::kGone || stage == BorrowStage::kOwnerDied ||
           stage == BorrowStage::kExcluded || stage == BorrowStage::kNotDeclared;
  }
  // An owner counts it: also the one that gives the object away, which is this process.
  bool confirmed() const {
    return stage == BorrowStage::kConfirmed || stage == BorrowStage::kReleasing ||
           stage == BorrowStage::kMoving;
  }
};

class BorrowIndex {
 public:
  // A borrow in stage kQueued; kNone when the table is full.
  uint32_t Add(RecordIndex record, PeerIndex owner);
  void Remove(uint32_t number);
  void SetStage(uint32_t number, BorrowStage stage);
  // The object has another owner. REQUIRES: no view waits for it.
  void Follow(uint32_t number, PeerIndex owner, uint32_t term, BorrowStage stage);
  const Borrow& At(uint32_t number) const { return pool_.At(number); }
  // A Register, or Declare, with this number leaves now.
  void BeginRegistration(uint32_t number, uint64_t registration);
  // Declare is sent in place of Register. EndDeclaration: it was answered, or is given up.
  void BeginDeclaration(uint32_t number);
  void EndDeclaration(uint32_t number, DeclareAnswer answer);
  uint64_t declaring() const { return declaring_; }

  // kNone when there is none.
  uint32_t FirstToSend(PeerIndex owner) const;
  // Any that has not failed.
  uint32_t FirstOf(PeerIndex owner) const;
  // The same of any owner from `*owner` on, which is moved to it.
  uint32_t FirstFrom(PeerIndex* owner) const;

  // The latest view waits for the final answer to this borrow's Register; not if its owner is not
  // waited for any more.
  void RequireFlush(uint32_t number);
  void EndFlush(uint32_t number);
  // The owner was excluded: nobody waits for its answers.
  void StopWaitingFor(PeerIndex owner);
  uint64_t flush_waiting() const { return flush_waiting_; }

  uint64_t size() const { return pool_.in_use(); }
  size_t bytes() const { return pool_.bytes(); }
  void CheckInvariants() const;

 private:
  struct Owner {
    uint32_t to_send = kNone;  // rings, by their oldest
    uint32_t others = kNone;
    uint32_t flushing = 0;
    bool not_waited_for = false;
  };
  // The ring for a stage; null for failed ones, which are in none.
  uint32_t* RingOf(PeerIndex owner, BorrowStage stage);
  void Link(uint32_t number);
  void Unlink(uint32_t number);

  Pool<Borrow> pool_;
  PeerMap<Owner> owners_;
  uint64_t flush_waiting_ = 0;
  uint64_t declaring_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_BORROW_INDEX_H_
