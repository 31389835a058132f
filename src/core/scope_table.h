// ScopeTable: the scopes of one process as wholes: their tree, when they end, when they are done.
//
// Step(event) answers a verdict and appends effects; nothing else changes it. Which objects are in
// a scope is known to the shards (scope_members.h); here is how many, told by ScopeChanges, and
// what the host put in besides. The life of a scope:
//
//   running ── End, deadline, parent's end ──► ending ── nothing of it is left ──► done
//
// Ending asks for work, which the runtime does in pieces and reports: the shards let go of what the
// scope holds, the host's members are released, inner scopes end. A scope is done when that is
// over, no object of it is left, none is on its way into it, and its inner scopes are done. Its
// index is used again when it is done, every shard has forgotten it, what they told of it has all
// come (it may come late, from threads that were slow), and no handle names it.
//
// A scope may use objects of others: it keeps them until it is done. Scopes that have all ended and
// wait for each other in a ring do so in vain: what they use of each other is let go of together.
//
// Other processes may join a scope (scope_links.h): it is done after they are. What is here of a
// scope of theirs is a part, right below the root, which ends when its owner says so.
//
// Thread safety: thread-compatible; the runtime keeps one lock for it.
// Costs: O(1) and O(depth), which is at most kDepthMax. What has no bound goes in pieces: EndMore,
// Tick, CloseDriver, Abandon. Except for rings: the search for one is O(scopes that end and what
// they use), and what is used within one that was found is let go of at once.

#ifndef FREEHOLD_SRC_CORE_SCOPE_TABLE_H_
#define FREEHOLD_SRC_CORE_SCOPE_TABLE_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "src/core/scope_event.h"
#include "src/core/scope_links.h"

namespace freehold::core {

class ScopeTable {
 public:
  static constexpr uint32_t kDepthMax = 64;
  // So many used objects are let go of with the last step of a scope, the others in pieces before.
  static constexpr uint32_t kUsesAtOnce = 64;
  static constexpr uint64_t kHostIdMax = (uint64_t{1} << 63) - 1;

  explicit ScopeTable(Time now);
  ScopeTable(const ScopeTable&) = delete;
  ScopeTable& operator=(const ScopeTable&) = delete;

  // --- Opening, handles ----------------------------------------------------------------------

  // kAlreadyExists, kNoParent, kEnded (the parent has), kTooDeep, kInvalid.
  ScopeVerdict Step(const event::OpenScope& e, ScopeId* id, ScopeEffects* effects);
  // One more, or one less, handle names it. kNotFound.
  ScopeVerdict AddHandle(ScopeId id);
  void DropHandle(ScopeId id);
  // Null: unknown. Holds until the next step.
  const ScopeRecord* Find(ScopeId id) const;
  ScopeIndex IndexOf(ScopeId id) const;  // kNoScope: unknown
  const ScopeRecord& At(ScopeIndex index) const { return scopes_[index]; }

  // --- Objects -------------------------------------------------------------------------------

  // kNotFound, kEnded. Causes nothing by itself. Where somebody is to be told of too many bytes,
  // the object is not counted before it is there: it may never be.
  ScopeVerdict Step(const event::AdmitToScope& e, Admission* admission, ScopeEffects* effects);
  // kNotFound, kEnded (no part is made any more). One that has ended takes it, and does not hold
  // it, but for what nobody cleans up.
  ScopeVerdict Step(const event::BringIntoScope& e, Admission* admission, ScopeEffects* effects);
  // A declared object is there, or will not be.
  void Entered(const event::AdmitToScope& e, const Admission& admission, ScopeEffects* effects);
  void Withdraw(const event::AdmitToScope& e, const Admission& admission, ScopeEffects* effects);
  void Step(const ScopeChange& change, ScopeEffects* effects);
  // What was admitted as moving is there: by which move of its shard, what that took from one scope
  // and gave to another. Two empty changes: it did not come after all. Of two moves of an object
  // the later one may be told first.
  void Arrived(const Admission& admission, const InnerRef& object, uint64_t move,
               const ScopeChange& out, const ScopeChange& in, ScopeEffects* effects);
  // An object was given away, or has come with its ownership.
  void Rehomed(const UsedObject& object, WhoseObject whose, ScopeEffects* effects);
  // For Delete. Of those that were kept before, `*oldest` are to be looked at: what is gone is to
  // be told to ForgetKept. So two for each one more that there are few of those that are gone.
  void RecordKept(ScopeIndex index, const ObjectId& object, std::vector<ObjectId>* oldest);
  void ForgetKept(ScopeIndex index, const ObjectId& object);
  // `by` keeps an object, which the runtime has held for it, until it is done. Whose it is, UsedOf
  // says next, by a look at the shard after this. kNotFound, kEnded; kNotMember: it has it already,
  // the hold is the runtime's to give back.
  ScopeVerdict Use(ScopeId by, const InnerRef& object);
  void UsedOf(ScopeId by, const InnerRef& object, WhoseObject whose, ScopeEffects* effects);
  // The scope to which what this one keeps goes: the next around it that runs.
  ScopeIndex KeeperOf(ScopeIndex index) const;

  // --- The host's members --------------------------------------------------------------------

  ScopeVerdict AddMember(ScopeId id, ScopeRecord::Member member, uint64_t* number);
  // `*token` is the caller's. kNotFound, kNotMember: it was released, or never was.
  ScopeVerdict RemoveMember(ScopeId id, uint64_t number, Token* token, ScopeEffects* effects);
  // kEnded: it is done, nobody will be told.
  ScopeVerdict OnEnded(ScopeId id, Token token);

  // --- The end -------------------------------------------------------------------------------

  // kNotFound, kEnded, kInvalid (the root), kNotOwner.
  ScopeVerdict Step(const event::EndScope& e, ScopeEffects* effects);
  // Frees what is left of it and what it kept, also after its end.
  ScopeVerdict Delete(ScopeId id, std::vector<ObjectId>* kept, ScopeEffects* effects);
  // Goes on with inner scopes and with the release of members. True: more is left.
  bool EndMore(uint32_t steps_max, ScopeEffects* effects);
  // One Release is done with.
  void Released(ScopeIndex index, ScopeEffects* effects);
  // The shards of a Forget have done so, and have told this many changes before.
  void Forgotten(ScopeIndex index, uint64_t told);
  // Ends those whose deadline has passed. True: more have.
  bool Tick(Time now, uint32_t scopes_max, ScopeEffects* effects);
  Time NextDeadline() const {
    return deadlines_.empty() ? kInfiniteFuture : deadlines_.begin()->first;
  }
  // The time that the next steps happen at.
  void SetNow(Time now) { now_ = now; }
  // Ends up to so many jobs of that driver. True: more are left.
  bool CloseDriver(PeerIndex driver, uint32_t scopes_max, ScopeEffects* effects);
  // This process was excluded: what is left of its objects nobody will hear of. All scopes are
  // done, inner ones first, and whoever waits is told. No scope is opened any more. True: more are
  // left.
  bool Abandon(uint32_t steps_max, ScopeEffects* effects);
  // Takes every token out, for the end of the world.
  std::vector<Token> TakeAllTokens();

  // --- Other processes (scope_table_links.cc) ------------------------------------------------

  // kNotFound, kEnded, kInvalid (the root). Changes nothing: a token may never arrive.
  ScopeVerdict Export(ScopeId id, ScopeExport* exported) const;
  // The same of one that has objects, in whatever state, and of the root.
  ScopeExport ExportOf(ScopeIndex index) const;
  // One more handle names the part, which is made unless it is here.
  ScopeVerdict Step(const event::JoinScope& e, ScopeId* id, ScopeEffects* effects);
  // kNotMember: `from` may not say that. kNotFound: it comes too late to mean anything.
  ScopeVerdict Step(PeerIndex from, const ScopeItem& item, ScopeEffects* effects);
  // After the barrier of an excluded process: up to so many of those that it drives, has joined or
  // owns. True: more are left.
  bool ClosePeer(PeerIndex peer, uint32_t scopes_max, ScopeEffects* effects);
  // The same of one part.
  void LoseOwner(ScopeId id, ScopeEffects* effects);
  bool PullLinks(PeerIndex peer, PayloadWriter* writer) { return links_.Pull(peer, writer); }
  const ScopeLinks& links() const { return links_; }

  // --- Queries -------------------------------------------------------------------------------

  // What an ending scope waits for, up to `max`: inner scopes, and those that use its objects.
  std::vector<ScopeId> AwaitedBy(const ScopeRecord& scope, size_t max) const;
  ScopeUsage UsageOf(LabelIndex label) const;
  // Calls `visit(label, usage)` for those with something, in order of label.
  template <typename Visit>
  void ForEachLabel(Visit visit) const {
    for (LabelIndex label = 1; label < labels_.size(); ++label) {
      const ScopeUsage usage = UsageOf(label);
      if (usage.objects != 0 || usage.bytes != 0 || usage.copies != 0) visit(label, usage);
    }
  }
  size_t size() const { return by_id_.size(); }  // the root included
  bool HasMore() const { return !ending_.empty(); }
  void CheckInvariants() const;

 private:
  struct Sums {
    int64_t objects = 0;
    int64_t copies = 0;
    int64_t bytes = 0;
  };

  ScopeVerdict Running(ScopeId id, ScopeIndex* index) const;
  ScopeIndex Allocate();
  void Link(ScopeIndex parent, ScopeIndex index);
  void Unlink(ScopeIndex index);
  void Apply(const ScopeChange& change);
  void CheckLimits(ScopeIndex index, ScopeEffects* effects);
  // Somebody is to be told of too many bytes in it, or in one around it.
  bool IsLimited(ScopeIndex index) const;
  void Begin(ScopeIndex index, ScopeEnd why, ScopeEffects* effects);
  void SetEnding(ScopeIndex index, ScopeEnd why);
  // One that is ending, and all in it.
  void Force(ScopeIndex index, ScopeEffects* effects);
  void AskRelease(ScopeIndex index, bool force, ScopeEffects* effects);
  void EndChildrenAndMembers(ScopeIndex index, ScopeEffects* effects);
  void Queue(ScopeIndex index, ScopeEffects* effects);
  ScopeVerdict TakeJoin(PeerIndex from, const ScopeItem& item, ScopeEffects* effects);
  ScopeVerdict TakeEnd(PeerIndex from, const ScopeItem& item, ScopeEffects* effects);
  void EndOrphan(ScopeIndex part, ScopeEnd why, ScopeEffects* effects);
  void ReleaseMember(ScopeRecord* scope, ScopeEffects* effects);
  void TellEnded(ScopeIndex index, ScopeEffects* effects);
  void Settle(ScopeIndex index, ScopeEffects* effects);
  void Finish(ScopeIndex index, ScopeEffects* effects);
  using IndexSet = absl::btree_set<ScopeIndex>;
  // Null: all of them.
  void DropUses(ScopeIndex index, const IndexSet* of, ScopeEffects* effects);
  // An object that `by` uses has come to `whose`, unless a later move was heard of.
  void SetUsed(ScopeIndex by, const UsedObject& object, WhoseObject whose);
  void SetUsers(const UsedObject& object, WhoseObject whose);
  void ForgetUser(ScopeIndex by, const ScopeUse& use);
  void DropUse(ScopeIndex by, const UsedObject& object, ScopeEffects* effects);
  void BreakRing(ScopeIndex index, ScopeEffects* effects);
  // Ending scopes that `from` waits for (or that wait for it), over any number of others.
  IndexSet Awaited(ScopeIndex from, bool waits) const;
  void EraseIfUnnamed(ScopeIndex index);

  std::deque<ScopeRecord> scopes_;  // by index; stable places
  std::vector<ScopeIndex> free_;
  absl::flat_hash_map<uint64_t, ScopeIndex> by_id_;  // never iterated, but to check
  uint64_t last_made_ = kHostIdMax;
  absl::btree_set<std::pair<Time, ScopeIndex>> deadlines_;
  absl::btree_set<std::pair<PeerIndex, ScopeIndex>> drivers_;
  absl::btree_set<std::pair<UsedObject, ScopeIndex>> users_;
  std::deque<ScopeIndex> ending_;  // with inner scopes to end, or members to release
  std::vector<Sums> labels_;
  ScopeLinks links_;
  Time now_;
  bool abandoned_ = false;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SCOPE_TABLE_H_
