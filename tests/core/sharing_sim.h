// A world of ObjectTables that share references, driven at random: the protocol of PROTOCOL.md,
// steps 3 to 8, 10 and 11, without sessions, threads or nodes, and hence fast.
//
// Each process is one table. Items travel in order, once, over a queue per pair, as sessions would
// carry them, through the codec; tokens are lost, doubled and late. Views and barriers reach each
// process at a time of its own; processes crash, or are excluded although they live and go on
// sending. An oracle that sees all tables checks at each end of an object that nobody holds it, at
// each failure of a reference that there is a reason for it, and that no two own an object. When
// the faults stop, everything is dropped, and every table must become empty.
//
// In half of the worlds owners give objects away, to whomever, at any time. If it is asked for,
// they also name heirs; and a reference that was good when the owner of a prepared heir was
// excluded must not fail while that heir lives.
//
// Same seed, same run. A violation is text in `violation`; the run stops there.
//
// Thread safety: thread-compatible; worlds share nothing.

#ifndef FREEHOLD_TESTS_CORE_SHARING_SIM_H_
#define FREEHOLD_TESTS_CORE_SHARING_SIM_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/random.h"
#include "src/core/object_table.h"

namespace freehold::core {

struct SharingCoverage {
  uint64_t steps = 0;
  uint64_t crashes = 0;
  uint64_t false_exclusions = 0;
  uint64_t barriers = 0;
  uint64_t lost_tokens = 0;
  uint64_t duplicates = 0;
  uint64_t forged_tokens = 0;
  uint64_t failed_references = 0;
  uint64_t short_borrows = 0;
  uint64_t verdicts[kVerdicts] = {};
  uint64_t items[18] = {};      // by SharingKind
  uint64_t flushes_waited = 0;  // turns in which a view waited for a registration
  uint64_t transfers = 0;
  uint64_t transfers_taken = 0;
  uint64_t transfers_refused = 0;
  uint64_t transfers_taken_back = 0;
  uint64_t immovable = 0;
  uint64_t moved_news = 0;            // from who is not the owner
  uint64_t second_transfers = 0;      // of an object, or later ones
  uint64_t returns = 0;               // to one who owned it before
  uint64_t failed_despite_owner = 0;  // references to what a process that lives owns
  uint64_t heirs_named = 0;
  uint64_t heirs_prepared = 0;
  uint64_t next_heirs = 0;       // that were named after another one
  uint64_t lists_inherited = 0;  // ... by who had inherited the object
  uint64_t shadows = 0;
  uint64_t inherited = 0;
  uint64_t survivors = 0;  // references that an heir must keep
};

// Processes have numbers, and there are no nodes.
class NumberedProcesses final : public NodeNames {
 public:
  NodeId NodeAt(PeerIndex) const override { return NodeId(); }
  ProcessId ProcessAt(PeerIndex p) const override { return ProcessId::FromNumber(p + 1); }
  bool IsNode(PeerIndex) const override { return false; }
};

// As traces and violations name things: by kind and number.
inline std::string Name(const char* kind, uint64_t number) { return kind + std::to_string(number); }

class SharingSim {
 public:
  struct Options {
    uint32_t processes_max = 5;
    uint32_t steps = 400;
    bool check_tables = true;  // invariants after every step
    bool heirs = false;        // objects have heirs, and are given away
    size_t trace_max = 60;     // lines that are kept
    // Instead of the seed: every choice takes two bytes of these, and their end is the run's.
    std::string_view choices = {};
  };

  SharingSim(uint64_t seed, const Options& options, SharingCoverage* coverage);
  // False: `violation()` says what went wrong.
  bool Run();
  const std::string& violation() const { return violation_; }
  uint64_t step() const { return step_; }
  // The last events before a violation, one line each.
  const std::deque<std::string>& trace() const { return trace_; }

 private:
  struct Process {
    std::unique_ptr<ObjectTable> table;
    bool crashed = false;
    bool excluded = false;  // in a view that was announced
    bool stopped = false;   // has seen its own exclusion
    size_t events_seen = 0;
    uint64_t view_seen = 0;
    uint64_t flushed = 0;
    std::set<PeerIndex> fenced;  // whose exclusion it has seen
    std::set<PeerIndex> closed;
    std::set<uint32_t> failed;  // objects whose failure was judged
    // What the host holds, by object: one entry for each handle.
    std::map<uint32_t, uint32_t> handles;
    std::set<uint32_t> owned;  // when it was last looked at
    // Of what it gave away: whom it listed.
    std::map<uint32_t, std::set<PeerIndex>> given;
    // Objects whose next heir is to be named, and who that is.
    std::deque<std::pair<uint32_t, PeerIndex>> next_heirs;
    // (object, borrower), once it had dealt with the latest view that it has seen.
    std::set<std::pair<uint32_t, PeerIndex>> listed_at_view;
  };
  struct Object {
    ObjectId id;
    PeerIndex owner;  // the first one
    std::vector<uint32_t> inners;
    bool ended = false;
    bool forged = false;  // its owner never declared it
    PeerIndex ended_at = kNoPeer;
    std::set<PeerIndex> owners = {};  // ever
  };
  struct InFlight {  // a token
    uint32_t object;
    PeerIndex sender;
    PeerIndex receiver;
    uint64_t number;
    uint32_t deliveries = 0;
    bool cancelled = false;
    bool forged = false;
    PeerIndex owner = kNoPeer;
    uint32_t term = kFirstTerm;
  };
  struct Announcement {
    uint64_t view;
    bool barrier;
    std::vector<PeerIndex> excluded;
  };
  class Sink;

  bool live(const Process& p) const { return !p.crashed && !p.stopped; }
  bool trusted(const Process& p) const { return !p.crashed && !p.excluded; }
  uint64_t Draw(uint64_t below);
  bool Chosen() const { return !options_.choices.empty(); }
  Key KeyOf(uint32_t object) const { return {objects_[object].id, objects_[object].id.Hash()}; }
  void Trace(std::string line);
  void Fail(std::string what);
  PeerIndex PickLive();
  bool PickHeld(PeerIndex process, uint32_t* object);

  void Act();
  void Declare(PeerIndex p);
  void Forge();
  void Export(PeerIndex p);
  void Import();
  void Drop(PeerIndex p, uint32_t object);
  void Nest(PeerIndex p);
  void NestIn(PeerIndex p, uint32_t inner, uint32_t outer);
  void BeginNestedChain();
  void ImportToken(InFlight* token);
  void ExportTo(PeerIndex p, uint32_t object, PeerIndex to);
  void ReadNested(PeerIndex p);
  void Transfer(PeerIndex p);
  void Cancel();
  void Crash(PeerIndex p);
  void Exclude();
  void See(PeerIndex p);
  void Transmit(PeerIndex from, PeerIndex to);
  void ReceiveFrom(PeerIndex from, PeerIndex to);
  void MaybeAnnounceBarrier();
  void After(PeerIndex p, Effects* effects);
  void Judge();
  void CheckHeld(PeerIndex p);
  void CheckFailed(PeerIndex p, uint32_t number, const ObjectRecord& record);

  // Transfers (sharing_sim_transfer.cc).
  const ObjectRecord* OwnedAt(PeerIndex p, uint32_t number) const;
  bool IsSettledAt(PeerIndex p, uint32_t number) const;
  PeerIndex TrustedOwnerOf(uint32_t number) const;
  bool AllOwnersTrusted(const Object& object) const;
  bool AnyOwnerExcluded(const Object& object) const;
  bool Lists(PeerIndex owner, uint32_t number, PeerIndex borrower) const;
  bool MayEndUnder(const ObjectRecord* record, PeerIndex q, PeerIndex ended_at) const;
  uint32_t NumberOf(const ObjectId& object) const;
  std::vector<uint32_t> UnsettledWith(PeerIndex p, PeerIndex next_owner) const;
  void Begins(PeerIndex p, uint32_t number);
  void Ends(PeerIndex p, uint32_t number);
  void TakenBack(PeerIndex p, uint32_t number);
  void CheckOwned();
  void NoteListed(PeerIndex p);
  void CheckNoTransferLeft(PeerIndex p);

  // Heirs (sharing_sim_heirs.cc).
  void NameHeir(PeerIndex p);
  void NoteNextHeirs(PeerIndex p, const Effects& effects);
  void NameNextHeir(PeerIndex p);
  void DismissHeir(PeerIndex p, uint32_t object);
  bool HasHeir(PeerIndex p, uint32_t object) const;
  void NoteExported(PeerIndex p, uint32_t object);
  void NoteSurvivors(PeerIndex excluded);
  void CheckSurvivor(PeerIndex p, uint32_t number);
  std::string Held(PeerIndex p, const ObjectRecord& record) const;
  void Finish();
  bool Turn(PeerIndex p);

  internal::SplitMix64 random_;
  Options options_;
  SharingCoverage* const coverage_;
  std::vector<Process> processes_;
  std::vector<Object> objects_;
  std::vector<InFlight> tokens_;
  std::map<std::pair<PeerIndex, PeerIndex>, std::deque<std::string>> channels_;
  std::set<std::pair<PeerIndex, PeerIndex>> slow_;  // channels on which little is sent
  std::vector<Announcement> stream_;
  uint64_t latest_view_ = 0;
  uint64_t latest_barrier_ = 0;
  bool nests_ = false;  // a world of objects that contain others
  bool moves_ = false;  // ... that are given away
  // (object, borrower) → the owner that was excluded, and its heir.
  std::map<std::pair<uint32_t, PeerIndex>, std::pair<PeerIndex, PeerIndex>> survivors_;
  bool faults_ = true;
  uint64_t step_ = 0;
  std::string violation_;
  std::deque<std::string> trace_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_SHARING_SIM_H_
