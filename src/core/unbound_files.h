// Files of this owner's objects that have outlived their node, and which agents look after them.
//
// Each file is carried by one node agent: that one is told of it, so that somebody deletes it if
// this owner dies, and is asked to delete it when the value is over. It is told at once, but of a
// file that the owner before may take back, or an heir would count on: of that, once neither does.
// When the carrier goes, another one takes its place; while no agent is known, the file waits for
// one. The object's record has one copy at no node, which stands for all files of a value: it is
// settled when the last one is deleted.
//
// Thread safety: thread-compatible; the runtime holds its lock around every call. Pure.
// Costs: O(log files) each, and the files of one value; what concerns a carrier that goes is done
// in pieces.

#ifndef FREEHOLD_SRC_CORE_UNBOUND_FILES_H_
#define FREEHOLD_SRC_CORE_UNBOUND_FILES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "src/core/codec.h"
#include "src/core/digest.h"
#include "src/core/effect.h"
#include "src/core/peer.h"

namespace freehold::core {

class UnboundFiles {
 public:
  // A file is known now and waits for a carrier; one that is held back does when the same file is
  // added once more as one that stays.
  void Add(UnboundFile file);
  // The value is over: its files, `files` in all, are to be deleted. One of them may be added after
  // this. Agents that are to be marked ready are appended to `ready`.
  void Delete(const DigestKey& value, uint32_t files, std::vector<PeerIndex>* ready);
  // The agent is excluded: up to `files_max` of its files wait for another one. True: call again.
  bool ExcludeNode(PeerIndex node, uint32_t files_max);
  // Gives up to `files_max` of those that wait to `node`, which is to be marked ready.
  void Assign(PeerIndex node, uint32_t files_max);
  size_t without_agent() const { return without_agent_.size(); }
  size_t size() const { return files_.size(); }

  // Moves what `node` is to be told into the writer. True: more waits.
  bool Fill(PeerIndex node, PayloadWriter* writer);
  // From the wire: the file is deleted.
  enum class [[nodiscard]] Gone : uint8_t{
      kRefused,  // that agent was not asked to delete it
      kYes,
      kLast,  // and so are all others of the value
  };
  Gone OnGone(PeerIndex node, const FileItem& item);

  // Aborts on a violation. O(files); for tests.
  void CheckInvariants() const;

 private:
  struct File {
    UnboundFile what;
    PeerIndex carrier = kNoPeer;
    bool asked = false;      // the carrier was, to delete it
    bool held_back = false;  // it has none yet, and waits for none
  };
  struct Value {
    std::vector<uint64_t> files;  // those that are not gone
    bool over = false;
    uint32_t to_go = 0;  // of one that is over: files that are not gone, not known yet included
  };
  static bool IsLoose(const File& file) { return file.what.use == UnboundFile::Use::kLoose; }
  bool IsOver(const File& file) const;  // it is to be deleted
  // It waits for a carrier from now on, if it did not.
  void Release(uint64_t number);
  static DigestKey ValueOf(const UnboundFile& file) { return {file.object, file.generation}; }

  uint64_t last_number_ = 0;
  absl::btree_map<uint64_t, File> files_;  // by number
  absl::btree_map<DigestKey, Value> values_;
  absl::btree_set<uint64_t> without_agent_;
  absl::btree_map<PeerIndex, absl::btree_set<uint64_t>> carried_;
  absl::btree_map<PeerIndex, absl::btree_set<uint64_t>> to_tell_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_UNBOUND_FILES_H_
