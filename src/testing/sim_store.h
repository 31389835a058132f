// The bytes of one simulated node, or rather the memory that there are some: what its host knows.
// The agent is told of it by whoever changes it.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_STORE_H_
#define FREEHOLD_SRC_TESTING_SIM_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "freehold/ids.h"
#include "freehold/object_store.h"

namespace freehold::testing::sim {

class Store final : public ObjectStore {
 public:
  using Key = std::pair<ObjectId, uint32_t>;  // object, generation
  struct Stored {
    uint64_t instance = 0;  // differs between any two copies that were ever stored here
    bool first = false;     // of its key
    uint64_t size = 0;
    bool in_memory = true;
    std::string url;      // of the file; empty: none
    bool shared = false;  // any node can delete that file
    int readers = 0;
    bool told_first = false;  // that it may be evicted before all others
  };
  enum class Answer : uint8_t {
    kDelete,         // deletes, says so
    kFail,           // does nothing, says so
    kFailOtherwise,  // as kFail, for another reason
    kDeleteAndFail,  // deletes, and says that it failed
    kNoStatus,       // does nothing, and gives no status for this copy and all after it
    kThrow,          // throws, for the whole batch
  };

  // Files that any node can delete have names that begin so.
  static constexpr std::string_view kSharedPrefix = "s3://";
  static bool IsShared(std::string_view url) {
    return url.substr(0, kSharedPrefix.size()) == kSharedPrefix;
  }

  // What becomes of each copy that is to be deleted; `stored` is null when it is not here, or when
  // another node's file is meant. Default: kDelete.
  std::function<Answer(const CopyToDelete& copy, const Stored* stored)> on_delete;

  // Called when the batch has been gone through, before the agent is answered. It may call the
  // agent.
  std::function<void(absl::Span<const CopyToDelete> copies)> before_answer;

  // What this store is told that it may evict first.
  std::function<void(const CopyToEvict& copy)> on_evict_first;

  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override;
  void EvictFirst(absl::Span<const CopyToEvict> copies) override;

  // Puts bytes in, or brings those of a spilled copy back to memory.
  Stored& Put(const Key& key, uint64_t size);
  Stored* Find(const Key& key);
  // Null when no generation of the object is here.
  const Key* Newest(const ObjectId& object) const;
  void Remove(const Key& key) { copies_.erase(key); }
  bool EverHad(const Key& key) const { return ever_.count(key) > 0; }
  const std::map<Key, Stored>& copies() const { return copies_; }
  // It was deleted, but the agent does not know: it was told otherwise.
  bool IsUnsure(const Key& key) const { return unsure_.count(key) > 0; }
  void MarkUnsure(const Key& key) { unsure_.insert(key); }

 private:
  std::map<Key, Stored> copies_;
  std::set<Key> unsure_;
  std::set<Key> ever_;
  uint64_t instances_ = 0;
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_STORE_H_
