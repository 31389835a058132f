#include <utility>

#include "absl/container/flat_hash_map.h"
#include "freehold/transport.h"
#include "src/base/mutex.h"

namespace freehold {

using internal::Mutex;
using internal::MutexLock;

struct LocalTransport::Rep {
  Mutex mutex;
  absl::flat_hash_map<Address, std::weak_ptr<Inbox>> inboxes FREEHOLD_GUARDED_BY(mutex);
};

LocalTransport::LocalTransport() : rep_(std::make_unique<Rep>()) {}
LocalTransport::~LocalTransport() = default;

void LocalTransport::Connect(const Address& address, const std::shared_ptr<Inbox>& inbox) {
  MutexLock lock(&rep_->mutex);
  rep_->inboxes[address] = inbox;
}

void LocalTransport::Disconnect(const Address& address) {
  MutexLock lock(&rep_->mutex);
  rep_->inboxes.erase(address);
}

uint64_t LocalTransport::connected() const {
  MutexLock lock(&rep_->mutex);
  return rep_->inboxes.size();
}

void LocalTransport::Send(Envelope envelope) {
  // Declared outside the locked block: this may become the last reference, and the inbox's
  // destructor is not ours to run under a lock.
  std::shared_ptr<Inbox> inbox;
  {
    MutexLock lock(&rep_->mutex);
    const auto found = rep_->inboxes.find(envelope.to);
    if (found == rep_->inboxes.end()) return;
    inbox = found->second.lock();
    if (inbox == nullptr) rep_->inboxes.erase(found);  // its end is gone, and ids are not reused
  }
  if (inbox != nullptr) inbox->Deliver(std::move(envelope));
}

}  // namespace freehold
