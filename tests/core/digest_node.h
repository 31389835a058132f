// A node's table for tests of both ends: behind a wall, because gcc warns of both headers in one
// file (a kNone of one shadows that of the other). Invariants are checked after each step.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_DIGEST_NODE_H_
#define FREEHOLD_TESTS_CORE_DIGEST_NODE_H_

#include <cstdint>
#include <memory>

#include "src/core/copy_event.h"
#include "src/core/digest.h"

namespace freehold::core {

class DigestNode {
 public:
  static constexpr PeerIndex kOwner = 3;

  DigestNode();
  ~DigestNode();

  void Add(const DigestKey& copy);
  void Fetch(const DigestKey& copy);
  void Abort(const DigestKey& copy);
  void Spill(const DigestKey& copy, bool in_memory);
  void Drop(const DigestKey& copy);
  void Free(const DigestKey& copy);
  void Deleted(const DigestKey& copy);
  // False: there is nothing to delete.
  bool TakeDelete(DigestKey* copy);
  // One report.
  void Pull(ReportSink* sink);
  DigestSum Told() const;

 private:
  class Table;
  std::unique_ptr<Table> table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_DIGEST_NODE_H_
