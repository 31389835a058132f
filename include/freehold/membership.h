// Membership: who is excluded, and when everybody has dealt with it.
//
// The host's failure detector, seen as one totally ordered stream of views and barriers (PROTOCOL,
// "Model"). A view only excludes; an excluded id is fenced for ever. A member reports Flushed(v)
// when it has done what view v asks of it, unless a later view has overtaken v by then; Barrier(v)
// is announced only while v is the latest view and every member at v that is not excluded has
// reported. A barrier closes all views up to its own.
//
// Thread safety: a Membership must be thread-safe. Listeners are called one event at a time, in
// order, with no lock of the membership held that Flushed would need; they never block.
// Ownership: a membership holds its listeners weakly; it outlives nobody and nobody's end.

#ifndef FREEHOLD_MEMBERSHIP_H_
#define FREEHOLD_MEMBERSHIP_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "freehold/ids.h"

namespace freehold {

// Views are numbered from 1; `excluded` are the ids that this view adds. A node and the owners on
// it are excluded in the same view: whoever excludes a node lists its processes as well.
struct View {
  uint64_t version = 0;
  std::vector<Address> excluded;
};

class MembershipListener {
 public:
  virtual ~MembershipListener() = default;
  virtual void OnView(const View& view) = 0;
  virtual void OnBarrier(uint64_t version) = 0;
};

class Membership {
 public:
  virtual ~Membership() = default;
  // Adds `self`. The listener first hears one view with every exclusion so far (its version is the
  // latest; version 0 when there was none), then the latest barrier if there was one, then what
  // follows. It hears these two before Join returns: nobody waits for a joiner at the barrier of a
  // view that was there before it, so it must know the view before it does anything.
  // Errors: FailedPrecondition when `self` was excluded (an id is never reused), AlreadyExists when
  // it is a member.
  virtual absl::Status Join(const Address& self, std::weak_ptr<MembershipListener> listener) = 0;
  // `self` has done all that view `version` asks of it. A version that is not open is ignored.
  virtual void Flushed(const Address& self, uint64_t version) = 0;
  // `self` goes away with nothing left to do for it: excluded without a barrier to wait for.
  virtual void Leave(const Address& self) = 0;
};

// The embedded default: the host (or a test) says who is excluded.
// Thread safety: thread-safe. Listeners are called in the thread that caused the event, or in the
// one that is just delivering an earlier event (possibly a listener's own caller: what a listener
// causes is delivered after it returned). Who is excluded still hears the view that says so, and
// nothing after it; who leaves hears nothing more. A listener that is gone is waited for until its
// member is excluded. What a listener throws is caught and logged to Logger::Default().
class LocalMembership final : public Membership {
 public:
  struct Status {
    uint64_t latest_view = 0;
    uint64_t latest_barrier = 0;
    std::vector<Address> members;      // in order of joining
    std::vector<Address> waiting_for;  // members that the open barrier waits for
    uint64_t excluded = 0;             // ids; they stay for ever
    uint64_t events_waiting = 0;       // views and barriers that no delivery has taken yet
  };

  LocalMembership();
  ~LocalMembership() override;
  LocalMembership(const LocalMembership&) = delete;
  LocalMembership& operator=(const LocalMembership&) = delete;

  absl::Status Join(const Address& self, std::weak_ptr<MembershipListener> listener) override;
  void Flushed(const Address& self, uint64_t version) override;
  void Leave(const Address& self) override;

  // Announces one view that excludes all of `ids`, members or not, and returns its version; ids
  // already excluded are passed over, and if none is left the latest version is returned and
  // nothing is announced.
  uint64_t Exclude(absl::Span<const Address> ids);
  bool IsExcluded(const Address& id) const;
  Status GetStatus() const;

 private:
  struct Rep;
  const std::shared_ptr<Rep> rep_;
};

}  // namespace freehold

#endif  // FREEHOLD_MEMBERSHIP_H_
