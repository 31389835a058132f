// A node's store: values in memory, up to a limit. When one does not fit, those that were used
// longest ago are thrown out, as Ray's plasma does it: whether they are still needed, and whether
// there is another copy, the store does not know. A pinned value stays.
//
// Thread safety: for the driver's thread; Delete is called by the pump of the node's agent, which
// that thread runs. Ownership: the ledger is borrowed.
// Errors: ResourceExhausted (all that is here is pinned, or the value is larger than the store).

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_EVICTING_STORE_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_EVICTING_STORE_H_

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "freehold/object_store.h"
#include "ledger.h"

namespace batch_jobs {

class EvictingStore final : public freehold::ObjectStore {
 public:
  struct Key {
    freehold::ObjectId object;
    uint32_t generation = 0;
  };

  EvictingStore(uint64_t bytes_max, Ledger* ledger) : bytes_max_(bytes_max), ledger_(ledger) {}

  // Appends what was thrown out to `evicted`: the host is to tell the agent.
  // REQUIRES: no value of that object is here.
  absl::Status Put(const Key& key, std::string bytes, std::vector<Key>* evicted);
  bool Has(const freehold::ObjectId& object) const { return values_.count(object) != 0; }
  // Its bytes, which stay until Unpin. REQUIRES: it is here.
  std::string_view Pin(const freehold::ObjectId& object);
  void Unpin(const freehold::ObjectId& object);

  std::vector<absl::Status> Delete(absl::Span<const freehold::CopyToDelete> copies) override;

  uint64_t room() const { return bytes_max_ - held_; }

 private:
  using Order = std::list<freehold::ObjectId>;
  struct Value {
    uint32_t generation = 0;
    uint32_t pins = 0;
    std::string bytes;
    Order::iterator place;  // in unpinned_, while it is not pinned
  };

  const uint64_t bytes_max_;
  Ledger* const ledger_;
  uint64_t held_ = 0;
  std::unordered_map<freehold::ObjectId, Value> values_;  // looked up only: its order means nothing
  Order unpinned_;                                        // used longest ago first
};

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_EVICTING_STORE_H_
