// Objects of one kind, to see what they weigh.
//
// plain: a primary copy. locations3: three secondaries besides. callback: plain, with one
// out-of-scope callback. callsite: plain, declared at one of a hundred call sites. borrower: plain,
// with one of a hundred processes listed as its borrower. scope: plain, in a scope that holds it.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_BENCH_MEMORY_KINDS_H_
#define FREEHOLD_BENCH_MEMORY_KINDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "bench/workload.h"

namespace freehold::bench {

inline constexpr const char* kMemoryKinds[] = {"plain",    "locations3", "callback",
                                               "callsite", "borrower",   "scope"};

class ObjectsOfKind {
 public:
  // Makes room for the handles; what is allocated afterwards is the library's.
  ObjectsOfKind(std::string_view kind, size_t count);
  void Declare();

 private:
  void ListBorrowers();

  const bool locations_;
  const bool callback_;
  const bool call_site_;
  const bool borrower_;
  const bool scope_;
  std::vector<NodeId> nodes_;
  std::vector<std::string> call_sites_;
  Owner owner_;
  std::vector<ObjectRef> refs_;
};

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_MEMORY_KINDS_H_
