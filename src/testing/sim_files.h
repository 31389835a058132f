// Files that any node can read and delete, in a simulated world: which there are, and who may
// delete them.
//
// A file that its node has written counts as known once the owner has named it as a location when
// it heard of the node's exclusion; what its node had not told by then is the host's to find.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_FILES_H_
#define FREEHOLD_SRC_TESTING_SIM_FILES_H_

#include <cstdint>
#include <string>

#include "freehold/object_store.h"
#include "src/core/item.h"
#include "src/testing/sim_membership.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// The name of a file that the node writes.
std::string SharedUrl(const Node& node, const Store::Stored& stored);
// It is there from now on.
void FileWritten(State* state, const std::string& url, const Object& object, uint32_t generation,
                 const Node& node);
// `process` hears of a view.
void HearsOfFiles(State* state, const Process& process, const View& view);
// An item goes over the wire.
void OnFileSent(Oracle* oracle, State* state, int64_t from, int64_t to, const core::FileItem& item);
// A node is to delete a file that is no part of a copy there.
void OnFileDelete(Oracle* oracle, State* state, const Node& node, const CopyToDelete& file);
// The object's value is in one, for its owner, and nobody's.
bool IsInFile(const State& state, const Object& object);

void LookAtFilesAtRest(Oracle* oracle, const State& state);
void LookAtUnboundLocation(Oracle* oracle, const State& state, const Object& object,
                           const Location& location);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_FILES_H_
