// A member's own view of the membership, which may be late: it hears each notice, in order, when
// the world says so.
//
// Thread safety: one thread. Ownership: borrows the membership behind it, which must outlive it.

#ifndef FREEHOLD_SRC_TESTING_SIM_MEMBERSHIP_H_
#define FREEHOLD_SRC_TESTING_SIM_MEMBERSHIP_H_

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/status/status.h"
#include "freehold/ids.h"
#include "freehold/membership.h"

namespace freehold::testing::sim {

class LateMembership final : public Membership {
 public:
  struct Notice {
    bool is_barrier = false;
    View view;  // of a barrier only the version
  };

  explicit LateMembership(LocalMembership* inner) : inner_(inner) {}

  // The view that comes with joining is heard at once.
  absl::Status Join(const Address& self, std::weak_ptr<MembershipListener> listener) override;
  void Flushed(const Address& self, uint64_t version) override { inner_->Flushed(self, version); }
  void Leave(const Address& self) override;

  // Whoever crashes does not take its leave.
  void set_silent() { silent_ = true; }
  // From now on every notice comes twice.
  void set_repeating() { repeating_ = true; }
  bool has_notice() const { return !notices_.empty(); }
  // REQUIRES: has_notice().
  const Notice& next() const { return notices_.front(); }
  void Deliver();

 private:
  class Ear;

  LocalMembership* const inner_;
  std::shared_ptr<MembershipListener> ear_;
  std::weak_ptr<MembershipListener> listener_;
  std::deque<Notice> notices_;
  bool joined_ = false;
  bool silent_ = false;
  bool repeating_ = false;
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_MEMBERSHIP_H_
