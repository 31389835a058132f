// A second, naive account of what an owner must do, to hold ObjectTable against.
//
// Written from PROTOCOL.md and the public headers, with maps and no thought of speed. Objects are
// numbers. Each event answers what must come of it; the copies of each generation are kept apart
// from the start, there are no ghosts.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_OBJECT_TABLE_MODEL_H_
#define FREEHOLD_TESTS_CORE_OBJECT_TABLE_MODEL_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "src/core/effect.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {

struct ModelCopy {
  bool primary = false;
  bool in_memory = false;
  bool spilled = false;
  bool asked_again = false;  // while it is let go of
  std::string url;
  FreeState state = FreeState::kHeld;
  uint64_t met = 0;  // when it came

  bool real() const { return in_memory || spilled; }
  bool held() const { return state == FreeState::kHeld; }
};

struct ModelObject {
  uint32_t handles = 0;
  uint64_t by_id = 0;
  uint32_t tasks = 0;
  uint32_t nested_in = 0;
  ObjectState state = ObjectState::kPending;
  uint32_t generation = 0;
  uint64_t size = 0;
  bool value_freed = false;
  bool evict_first = false;
  std::map<uint32_t, std::map<PeerIndex, ModelCopy>> copies;  // by generation, never an empty map
  struct Registered {
    Moment moment;
    uint64_t number;
    Token token;
  };
  std::vector<Registered> callbacks;
  std::map<uint64_t, Token> subscribers;  // by number
  std::vector<uint64_t> inners;

  bool in_scope() const { return state != ObjectState::kOutOfScope; }
  bool ended() const { return !in_scope() || state == ObjectState::kFreed; }
  bool held() const { return handles > 0 || by_id > 0 || tasks > 0 || nested_in > 0; }
  bool HasValue() const;
};

// What one event must lead to.
struct Expected {
  Verdict verdict = Verdict::kOk;
  std::vector<std::pair<Token, EndReason>> fired;
  std::vector<uint64_t> inners;
  std::vector<uint64_t> lost;
  std::multiset<PeerIndex> ready;
  std::multiset<std::tuple<uint64_t, PeerIndex, FreeOutcome>> settled;
  std::set<Token> gone;  // subscribers that hear kGone
  Token cancelled = 0;
};

class ObjectTableModel {
 public:
  explicit ObjectTableModel(bool settle_at_once) : settle_at_once_(settle_at_once) {}

  Expected Declare(uint64_t object, PeerIndex primary, uint64_t size);
  Expected Recreate(uint64_t object);
  Expected FreeExplicitly(uint64_t object, FreeMode mode = FreeMode::kNow);
  Expected AddHandle(uint64_t object);
  Expected DropHandle(uint64_t object);
  Expected AddById(uint64_t object, uint32_t count);
  Expected RemoveById(uint64_t object, uint32_t count);
  Expected AddTask(uint64_t object);
  Expected DropTask(uint64_t object);
  Expected AddNestedHold(uint64_t object);
  Expected DropNestedHold(uint64_t object);
  // `duplicates` gets the inner ones that are there already.
  Expected AddInners(uint64_t outer, const std::vector<uint64_t>& inners,
                     std::vector<uint64_t>* duplicates);
  Expected SetLocation(uint64_t object, PeerIndex node, uint32_t generation, const Report& report);
  Expected RemoveLocation(uint64_t object, PeerIndex node, uint32_t generation);
  Expected Answer(uint64_t object, PeerIndex node, FreeResult result, uint32_t generation);
  Expected Exclude(PeerIndex node, uint32_t records_max, bool* more);
  // Up to `records_max` were asked for, and these have left. Whether that may be: `more` is the
  // table's, which may look into what waits in vain.
  bool Sent(PeerIndex node, uint32_t records_max, const std::vector<FreedCopy>& pulled, bool more);
  Expected MovePrimary(uint64_t object, PeerIndex node, PeerIndex from, uint64_t number,
                       uint32_t generation);
  std::vector<MoveWord> PullMoves(PeerIndex node, uint32_t items_max, bool* more);
  Expected Register(uint64_t object, Moment moment, uint64_t number, Token token);
  Expected Subscribe(uint64_t object, uint64_t number, Token token);
  Expected Cancel(uint64_t object, uint64_t number);

  const std::map<uint64_t, ModelObject>& objects() const { return objects_; }
  bool IsExcluded(PeerIndex node) const { return excluded_.count(node) != 0; }
  bool HasWorkFor(PeerIndex node) const;
  // The table's answer to that. It may say so in vain, of a free that was to be sent and is not any
  // more, and then does not say that the node is ready. False: it may not say no.
  bool HearOfWork(PeerIndex node, bool has_work);
  // Those that are ready, but for nodes of which nobody can say whether they were before.
  std::multiset<PeerIndex> CertainlyReady(const std::multiset<PeerIndex>& ready) const;
  uint64_t CountCopies(FreeState state) const;
  uint64_t CountLateFrees() const;
  uint64_t CountCallbacks() const;

 private:
  ModelObject* Find(uint64_t object);
  ModelObject* FindInScope(uint64_t object, Expected* expected);
  void Fire(ModelObject* object, Moment moment, EndReason reason, Expected* expected);
  void EndIfNotHeld(uint64_t name, Expected* expected);
  void FreeValue(uint64_t name, Expected* expected);
  void FreeAllCopies(uint64_t name, Expected* expected);
  // Its copies may be evicted before all others.
  void MarkEvictable(uint64_t name, Expected* expected);
  void Enter(ModelCopy* copy, FreeState state);
  void WaitForFree(PeerIndex node, ModelCopy* copy, Expected* expected);
  // Takes a copy out and sees to what follows.
  void Drop(uint64_t name, uint32_t generation, PeerIndex node, Expected* expected);
  // The same, unless its node has asked for the bytes again: then it is prospective.
  void BeGone(uint64_t name, uint32_t generation, PeerIndex node, Expected* expected);
  void AfterDrop(uint64_t name, Expected* expected);
  // The primary has gone: another copy takes its place.
  void Promote(uint64_t name, Expected* expected);
  Verdict Move(uint64_t name, PeerIndex node, PeerIndex from, uint32_t generation,
               PeerIndex* primary, Expected* expected);
  void Tell(PeerIndex node, const MoveWord& word, Expected* expected);
  void AnswerLate(uint64_t object, PeerIndex node, uint32_t generation, Expected* expected);
  std::vector<FreedCopy> CopiesOn(PeerIndex node) const;
  // Of what there is to send to it.
  size_t CountWaiting(PeerIndex node) const;

  const bool settle_at_once_;
  std::map<uint64_t, ModelObject> objects_;
  std::map<PeerIndex, std::deque<FreedCopy>> late_;
  std::map<PeerIndex, std::deque<MoveWord>> move_words_;
  std::set<PeerIndex> excluded_;
  std::set<PeerIndex> in_vain_;  // nodes for which the table had work, and here there was none
  // Nodes that had something to wait for and not any more, since the table last had nothing for
  // them: it may look into what waits in vain.
  std::set<PeerIndex> perhaps_in_vain_;
  uint64_t clock_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_OBJECT_TABLE_MODEL_H_
