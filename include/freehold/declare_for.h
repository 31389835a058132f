// Owner at creation: an object that one process declares and another one owns from the start.
//
// A worker that ends takes the objects along that it owns. What outlives it is declared for a
// long-lived process, or for whoever asked for it: the caller of a generator, say. The order is
// everything, for an id that its owner does not know is gone:
//
//   DeclareFor → the owner lists this process → it acknowledges → WaitForOwner, `on_answer`
//   → the bytes are put, their node agent is told (CopyOf), the reference is exported
//   → this process may exit, whatever becomes of it.
//
// Before the acknowledgement Export, CopyOf, AddNested and QueryLocations refuse the object
// (ErrorReason::kNotAcknowledged). The declarer may die at any moment. Before the owner has heard
// of it there is no object. Afterwards it is listed like any borrower: at the barrier of its
// exclusion its entry leaves, and what nobody else holds is reclaimed, copies included. An owner
// that sets ReferenceCounterOptions::on_declared holds the object itself, from the same moment.
//
// ReferenceCounter::DeclareFor answers a borrowed reference. Errors: AlreadyExists, as far as is
// known here; InvalidArgument for nil or this process as the owner; Unavailable (kOwnerDied: it is
// excluded); FailedPrecondition without a transport, or with `on_answer` and no executor;
// ResourceExhausted.
// WaitForOwner: Ok once the owner has acknowledged, the errors of DeclareCallback, NotFound
// (kGone), or DeadlineExceeded (kNotAcknowledged).
// CopyOf: what a node agent is to be told of bytes of the object, with its owner. Refused like
// CheckReference, and so before the owner has acknowledged the object: a copy that is reported
// earlier is deleted, for its owner takes it for one of an object that is gone.
//
// Thread safety: values. Ownership: the library owns the callable until it ran or was dropped.

#ifndef FREEHOLD_DECLARE_FOR_H_
#define FREEHOLD_DECLARE_FOR_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "freehold/ids.h"

namespace freehold {

// How a declaration ended. Ok: the owner has the object and lists this process. AlreadyExists: it
// knows the id. FailedPrecondition: it takes no objects from others (kRefused), is about to leave
// (kDraining), or this process was excluded (kExcluded). ResourceExhausted: it has no room.
// Unavailable (kOwnerDied): it was excluded. Cancelled (kGone): every reference here was dropped
// before it answered; it reclaims what it had made.
using DeclareCallback = absl::AnyInvocable<void(const ObjectId&, const absl::Status&)>;

struct DeclareForOptions {
  uint64_t size = 0;  // bytes; 0 while unknown
  // Runs on the executor, once; a shutdown drops it.
  DeclareCallback on_answer;
};

}  // namespace freehold

#endif  // FREEHOLD_DECLARE_FOR_H_
