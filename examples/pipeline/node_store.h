// A node's store: the bytes of its copies, in memory-mapped files, spilled to other files when
// there are more of them than the node's memory takes.
//
// A copy is created pinned, filled, and unpinned right before its node's agent learns of it; a
// pinned copy is neither spilled nor deleted. When a new copy does not fit, the copies that were
// used least recently are spilled; when nothing more can be spilled the new one goes to a spill
// file at once, so the size of an object never stops a task: only the disk does. A spilled copy
// that is read comes back into memory if there is room (its spill file stays until the copy goes),
// else it is read where it lies.
//
// Figures are counted where files are made and deleted, from what the file system says of them, and
// Audit compares them with what a walk through the folders finds.
//
// Thread safety: thread-safe. Blocks on the file system.
// Ownership: the folder is the caller's to delete; the byte log is borrowed.
// Errors: ResourceExhausted (the disk is full), AlreadyExists, NotFound, Internal (Audit).

#ifndef FREEHOLD_EXAMPLES_PIPELINE_NODE_STORE_H_
#define FREEHOLD_EXAMPLES_PIPELINE_NODE_STORE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "byte_log.h"
#include "freehold/location.h"
#include "freehold/object_store.h"
#include "kinds.h"
#include "mapped_file.h"

namespace pipeline {

struct StoreFigures {
  uint64_t copies = 0;       // files made for a copy that was not here
  uint64_t remote = 0;       // of these: fetched from another node
  uint64_t bytes = 0;        // of these copies
  uint64_t deleted = 0;      // copies that are physically gone
  uint64_t spill_files = 0;  // made
  uint64_t restored = 0;     // spilled copies brought back into memory
};
using FiguresByKind = std::array<StoreFigures, kKinds>;

class NodeStore final : public freehold::ObjectStore {
 public:
  // Told, with the store's lock held, what became of a copy that is here already. Allowed, because
  // a NodeAgent never calls its store from these calls, only from its pump, with no lock held.
  struct Events {
    std::function<void(const freehold::ObjectId&, const std::string& url, bool in_memory)> spilled;
    std::function<void(const freehold::ObjectId&)> restored;
  };

  // Makes `folder` and the folders of the two tiers in it.
  static absl::StatusOr<std::unique_ptr<NodeStore>> Open(const std::string& folder,
                                                         uint64_t memory_bytes_max,
                                                         ByteLog* byte_log);

  // Before the first copy.
  void SetEvents(Events events) { events_ = std::move(events); }

  // A new, pinned copy of `bytes` bytes to be written.
  absl::StatusOr<char*> Create(const freehold::ObjectId& object, uint64_t bytes,
                               freehold::CopyRole role);
  // The bytes of a copy, which stay where they are until Unpin.
  absl::StatusOr<std::string_view> Pin(const freehold::ObjectId& object);
  void Unpin(const freehold::ObjectId& object);
  bool Has(const freehold::ObjectId& object) const;
  // Where a copy's spill file is; empty when it has none.
  std::string SpilledUrl(const freehold::ObjectId& object) const;

  std::vector<absl::Status> Delete(absl::Span<const freehold::CopyToDelete> copies) override;

  FiguresByKind figures() const;
  // Walks the folders. Internal when they hold other files than the figures say.
  absl::Status Audit() const;
  // How many files a walk finds.
  absl::StatusOr<uint64_t> FilesLeft() const;

 private:
  struct Copy {
    uint64_t bytes = 0;
    std::optional<MappedFile> memory;    // set: in memory
    std::optional<MappedFile> in_place;  // set: being read where it was spilled
    bool spilled = false;                // has a spill file
    uint32_t pins = 0;
    uint64_t last_used = 0;
  };
  using Copies = std::map<freehold::ObjectId, Copy>;
  struct Found {
    uint64_t files = 0;
    uint64_t bytes = 0;
  };
  struct Tier {
    std::string folder;
    bool is_memory = false;
    Found held;  // what lies in the folder, by the files made and deleted
  };

  NodeStore(const std::string& folder, uint64_t memory_bytes_max, ByteLog* byte_log);
  static absl::StatusOr<Found> Walk(const std::string& folder);

  // REQUIRE mutex_.
  absl::StatusOr<bool> MakeRoom(uint64_t bytes);
  absl::Status Spill(const freehold::ObjectId& object, Copy* copy);
  absl::Status Restore(const freehold::ObjectId& object, Copy* copy);
  absl::Status DeleteOne(const freehold::ObjectId& object);
  // Makes, and deletes, the object's file in a tier; notes the size that the file system reports.
  absl::StatusOr<MappedFile> MakeFile(Tier* tier, const freehold::ObjectId& object, uint64_t bytes,
                                      bool is_new_copy);
  absl::Status DeleteFile(Tier* tier, const freehold::ObjectId& object);
  StoreFigures& FiguresOf(const freehold::ObjectId& object) {
    return figures_[static_cast<size_t>(KindOf(object))];
  }

  const uint64_t memory_bytes_max_;
  ByteLog* const byte_log_;
  Events events_;
  mutable std::mutex mutex_;
  Copies copies_;  // guarded by mutex_, like all below
  Tier memory_;
  Tier spilled_;
  uint64_t clock_ = 0;
  FiguresByKind figures_;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_NODE_STORE_H_
