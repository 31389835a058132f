// Files that this node looks after although another one wrote them: their node is gone.
//
// An owner hands each of them over by a number of its own (kCarry), and asks for its deletion when
// the value is over (kDelete), which needs no kCarry before it. A file ends by that, or at the
// barrier after its owner's exclusion. The store deletes; what fails is tried again with
// exponential backoff until it succeeds, and only then the owner is told (kGone). These files are
// no copies of this node: nobody reads them through it, and no digest counts them.
//
// Thread safety: thread-compatible; the runtime holds its lock around every call. Pure.
// Costs: O(log files) each; a dead owner's files are handed to the store in pieces.

#ifndef FREEHOLD_SRC_CORE_CARRIED_FILES_H_
#define FREEHOLD_SRC_CORE_CARRIED_FILES_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/types/span.h"
#include "freehold/clock.h"
#include "src/core/codec.h"
#include "src/core/item.h"
#include "src/core/peer.h"

namespace freehold::core {

class CarriedFiles {
 public:
  struct Options {
    Duration retry_delay_min = std::chrono::milliseconds(100);
    Duration retry_delay_max = std::chrono::seconds(10);
    uint32_t files_max = 1u << 24;
  };
  struct Stats {
    uint64_t files = 0;    // gauge: carried, those to be deleted included
    uint64_t deletes = 0;  // gauge: of these: to be handed to the store, or there
    uint64_t answers = 0;  // gauge: not yet sent
    uint64_t deleted = 0;
    uint64_t failures = 0;
  };
  // Names a file here.
  struct Key {
    PeerIndex owner = kNoPeer;
    uint64_t number = 0;

    friend bool operator<(const Key& a, const Key& b) {
      return a.owner < b.owner || (a.owner == b.owner && a.number < b.number);
    }
  };

  explicit CarriedFiles(const Options& options) : options_(options) {}

  // From the owner `from`, kCarry or kDelete. False: refused, because it is excluded, because there
  // is no room (of a kCarry), or because the number names another file.
  [[nodiscard]] bool OnItem(PeerIndex from, const FileItem& item);
  // Hands up to `files_max` files over for deletion, those whose retry is due at `now` included:
  // calls `visit(key, item)` for each. Each must be answered by OnDeleted or OnFailed.
  template <typename Visitor>
  void TakeDeletes(Time now, uint32_t files_max, Visitor visit) {
    QueueDue(now, files_max);
    for (; files_max > 0 && !to_delete_.empty(); --files_max) {
      const Key key = to_delete_.front();
      to_delete_.pop_front();
      visit(key, files_.at(key).item);
    }
  }
  // True: its owner has an answer, and had none. It is to be marked ready.
  [[nodiscard]] bool OnDeleted(const Key& key);
  // True: for the first time, or for another reason than before.
  bool OnFailed(const Key& key, std::string_view why, Time now, uint64_t random);
  // When TakeDeletes has something to do; kInfinitePast: now.
  Time NextWork() const;

  // Moves the answers that wait for `owner` into the writer. True: more wait.
  bool Fill(PeerIndex owner, PayloadWriter* writer);
  size_t answers_waiting(PeerIndex owner) const {
    const auto at = answers_.find(owner);
    return at == answers_.end() ? 0 : at->second.size();
  }

  // Who is excluded is told nothing more, and nothing is taken from it. What it owned goes at the
  // barrier of that view.
  void OnView(uint64_t version, absl::Span<const PeerIndex> excluded);
  void OnBarrier(uint64_t version);
  void OnSelfExcluded();  // nobody is told anything any more

  // Something is to be deleted now, or its store has failed.
  bool deleting() const { return stats_.deletes > 0 || !dead_.empty(); }
  // Those that are to be deleted and are not, with why, in order of owner and number; those of
  // excluded owners whose barrier has not come included.
  std::vector<std::pair<FileItem, std::string>> Undeleted() const;
  const Stats& stats() const { return stats_; }

 private:
  struct File {
    FileItem item;
    bool to_go = false;
    uint32_t failures = 0;
    std::string why;  // the store's last failure
  };

  void Delete(const Key& key, File* file);
  // Puts what is due into to_delete_, up to `files_max` of dead owners.
  void QueueDue(Time now, uint32_t files_max);

  const Options options_;
  Stats stats_;
  absl::btree_map<Key, File> files_;
  std::deque<Key> to_delete_;  // in order
  absl::btree_set<std::pair<Time, Key>> retries_;
  absl::btree_map<PeerIndex, std::deque<FileItem>> answers_;
  absl::btree_set<PeerIndex> excluded_;
  // Views whose barrier has not come, oldest first; and owners that are past theirs, whose files
  // from that key on are still to be looked at.
  std::deque<std::pair<uint64_t, std::vector<PeerIndex>>> open_views_;
  std::deque<Key> dead_;
  uint64_t latest_barrier_ = 0;
  bool silent_ = false;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_CARRIED_FILES_H_
