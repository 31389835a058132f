// What simulations see of counters and agents that hosts do not.
//
// Thread safety: thread-safe. Blocks: takes the locks of what it looks at, one at a time.

#ifndef FREEHOLD_SRC_RUNTIME_INSIDE_H_
#define FREEHOLD_SRC_RUNTIME_INSIDE_H_

#include <cstdint>
#include <vector>

#include "freehold/ids.h"
#include "freehold/scope_options.h"

namespace freehold {

class NodeAgent;
class ReferenceCounter;

namespace runtime {

struct Inside {
  // How the tables have answered so far: a count for each core::Verdict, or core::CopyVerdict, but
  // for kOk, which is not counted.
  static std::vector<uint64_t> CountVerdicts(const ReferenceCounter& counter);
  static std::vector<uint64_t> CountVerdicts(const NodeAgent& agent);
  // How many returns of recorded tasks were looked at so far.
  static uint64_t CountReturnsRead(const ReferenceCounter& counter);
  // Its table has the object as its own. Unlike OwnerOf, no while the next owner's answer is open.
  static bool Owns(const ReferenceCounter& counter, const ObjectId& object);
  // The scope in which an object is that it owns, and of what scope that is a part; else nil.
  struct MemberOf {
    ScopeId scope;
    ProcessId owner;  // nil: it is none
    ScopeId owner_scope;
  };
  static MemberOf ScopeOf(const ReferenceCounter& counter, const ObjectId& object);
  // It has a part of that scope, for whose end its owner waits.
  static bool HasPart(const ReferenceCounter& counter, const ProcessId& owner, ScopeId scope);
};

}  // namespace runtime
}  // namespace freehold

#endif  // FREEHOLD_SRC_RUNTIME_INSIDE_H_
