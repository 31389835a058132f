#include "src/testing/sim_membership.h"

#include <utility>

namespace freehold::testing::sim {

class LateMembership::Ear final : public MembershipListener {
 public:
  explicit Ear(LateMembership* to) : to_(to) {}
  void OnView(const View& view) override { Hear({false, view}); }
  void OnBarrier(uint64_t version) override { Hear({true, View{version, {}}}); }

 private:
  void Hear(Notice notice) {
    to_->notices_.push_back(std::move(notice));
    if (!to_->joined_) to_->Deliver();
  }
  LateMembership* const to_;
};

absl::Status LateMembership::Join(const Address& self, std::weak_ptr<MembershipListener> listener) {
  ear_ = std::make_shared<Ear>(this);
  listener_ = std::move(listener);
  absl::Status status = inner_->Join(self, ear_);
  joined_ = true;
  return status;
}

void LateMembership::Leave(const Address& self) {
  if (!silent_) inner_->Leave(self);
}

void LateMembership::Deliver() {
  const Notice notice = std::move(notices_.front());
  notices_.pop_front();
  const std::shared_ptr<MembershipListener> listener = listener_.lock();
  if (listener == nullptr) return;
  for (int times = repeating_ ? 2 : 1; times > 0; --times) {
    if (notice.is_barrier) {
      listener->OnBarrier(notice.view.version);
    } else {
      listener->OnView(notice.view);
    }
  }
}

}  // namespace freehold::testing::sim
