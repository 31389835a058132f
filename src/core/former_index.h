// FormerIndex: the objects that this process owned and has handed over, or is the heir of, by id
// and by owner.
//
// An entry answers for an object from the moment at which its owner gives it away until the object
// has ended, so that whoever still asks here learns who owns it now. Until the next owner has told
// everybody (kSettled) it also keeps what was handed over: if the next owner dies before, the
// object is taken back. An heir is in the same position, with an owner that was always another: it
// keeps what that one has told it last, for the day on which it dies (kHeir).
//
// Thread safety: thread-compatible. Costs: O(1) each.

#ifndef FREEHOLD_SRC_CORE_FORMER_INDEX_H_
#define FREEHOLD_SRC_CORE_FORMER_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "freehold/ids.h"
#include "src/core/owned_snapshot.h"
#include "src/core/peer_map.h"
#include "src/core/pool.h"

namespace freehold::core {

enum class FormerStage : uint8_t {
  kToSend,   // the transfer waits to be sent
  kSent,     // it is not answered
  kTaken,    // the next owner has it, and tells everybody
  kSettled,  // it has told everybody: what was handed over is forgotten
  kHeir,     // it owns the object, which this process takes over when it dies
};
const char* FormerStageName(FormerStage stage);

struct Former {
  struct Asker {
    PeerIndex peer = kNoPeer;
    bool is_node = false;
    friend bool operator==(const Asker& a, const Asker& b) { return a.peer == b.peer; }
  };
  ObjectId object;
  PeerIndex next_owner = kNoPeer;
  uint32_t term = 0;  // of the next owner
  FormerStage stage = FormerStage::kToSend;
  bool lent = false;      // the task that made it went along
  uint32_t next = kNone;  // in its ring
  uint32_t previous = kNone;
  std::unique_ptr<OwnedSnapshot> snapshot;  // null: kSettled
  std::vector<Asker> asked;                 // to hear of the next owner once it has taken it

  // The owner may give it to another, who tells of itself.
  bool settled() const { return stage >= FormerStage::kSettled; }
  bool is_heir() const { return stage == FormerStage::kHeir; }
};

class FormerIndex {
 public:
  // Null when there is none. Holds until that entry is removed.
  Former* Find(const ObjectId& object);
  const Former* Find(const ObjectId& object) const {
    return const_cast<FormerIndex*>(this)->Find(object);
  }
  // In kToSend. Null: full. REQUIRES: there is none of that object.
  Former* Add(const ObjectId& object, PeerIndex next_owner, uint32_t term);
  void Remove(Former* former);
  void SetStage(Former* former, FormerStage stage);
  // Somebody else owns it now, and has told everybody.
  void Follow(Former* former, PeerIndex next_owner, uint32_t term);
  // It is owned by `owner`, whose heir this process is.
  void BecomeHeir(Former* former, PeerIndex owner, uint32_t term,
                  std::unique_ptr<OwnedSnapshot> snapshot);

  // The oldest; null when there is none.
  Former* FirstToSend(PeerIndex next_owner) { return First(next_owner, kToSendRing); }
  Former* FirstUnsettled(PeerIndex next_owner);
  Former* FirstSettled(PeerIndex next_owner) { return First(next_owner, kSettledRing); }
  Former* FirstHeir(PeerIndex owner) { return First(owner, kHeirRing); }
  // Calls `visit(former)` for those in kHeir among at most `items_max` entries, from `*resume` on,
  // which is 0 at first. False: that were all.
  template <typename Visit>
  bool VisitHeirs(uint32_t items_max, uint32_t* resume, Visit visit) const {
    const uint32_t last = pool_.handed_out();
    for (; *resume < last && items_max > 0; ++*resume, --items_max) {
      if (const Former& former = pool_.At(*resume); former.is_heir()) visit(former);
    }
    return *resume < last;
  }
  // Calls `visit(former)` for those up to kTaken, in order of their next owner and of age, until it
  // answers false.
  template <typename Visit>
  void ForEachUnsettled(Visit visit) const {
    bool go_on = true;
    rings_.ForEach([&](PeerIndex, const Rings& rings) {
      for (const Ring ring : {kToSendRing, kUnsettledRing}) {
        uint32_t at = go_on ? rings.first[ring] : kNone;
        while (at != kNone) {
          const Former& former = pool_.At(at);
          go_on = visit(former);
          at = go_on && former.next != rings.first[ring] ? former.next : kNone;
        }
      }
    });
  }
  bool AnyToSend(PeerIndex next_owner) const {
    const Rings* rings = rings_.Find(next_owner);
    return rings != nullptr && rings->first[kToSendRing] != kNone;
  }

  uint64_t size() const { return pool_.in_use(); }
  uint64_t unanswered() const { return unanswered_; }  // kToSend, kSent
  uint64_t unsettled() const { return unsettled_; }    // all up to kTaken
  uint64_t heirs() const { return heirs_; }            // kHeir
  size_t bytes() const;
  void CheckInvariants() const;

 private:
  enum Ring : uint8_t { kToSendRing, kUnsettledRing, kSettledRing, kHeirRing, kRings };
  struct Rings {
    uint32_t first[kRings] = {kNone, kNone, kNone, kNone};  // by their oldest
  };
  struct FixedHash {
    size_t operator()(const ObjectId& id) const { return static_cast<size_t>(id.Hash()); }
  };
  static Ring RingOf(FormerStage stage);
  void Count(FormerStage stage, uint64_t change);
  Former* First(PeerIndex next_owner, Ring ring);
  uint32_t NumberOf(const Former& former) const { return by_object_.find(former.object)->second; }
  void Link(uint32_t number);
  void Unlink(uint32_t number);

  Pool<Former> pool_;
  absl::flat_hash_map<ObjectId, uint32_t, FixedHash> by_object_;  // only asked, never iterated
  PeerMap<Rings> rings_;
  uint64_t unanswered_ = 0;
  uint64_t unsettled_ = 0;
  uint64_t heirs_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_FORMER_INDEX_H_
