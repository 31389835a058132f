// What ReferenceCounter::Export answers: the token that the host carries to the other process, and
// the name of this one passage of the reference.
//
// Thread safety: values.

#ifndef FREEHOLD_EXPORTED_REFERENCE_H_
#define FREEHOLD_EXPORTED_REFERENCE_H_

#include <cstdint>
#include <string>

#include "freehold/ids.h"

namespace freehold {

// One passage of a reference from this process to another. For CancelHandoff.
struct Handoff {
  ObjectId object;
  ProcessId receiver;
  uint64_t number = 0;
};

struct ExportedReference {
  // Bytes for the host's own message to the receiver, which gives them to Import. Good for one
  // import; a duplicate is recognised. Who has an unsealed token can read it and use it in the
  // receiver's name (token_sealer.h).
  std::string token;
  Handoff handoff;
};

}  // namespace freehold

#endif  // FREEHOLD_EXPORTED_REFERENCE_H_
