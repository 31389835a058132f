// The transport: how envelopes leave, and the door by which they come in.
//
// A host implements Transport::Send over its own connections and hands what arrives to the Inbox of
// the receiving end (ReferenceCounter::inbox(), NodeAgent::inbox()). The transport may lose,
// duplicate, delay and reorder: sessions repair that. It must not alter bytes (garbage is rejected
// and counted, and costs a retransmission).
//
// Thread safety: Send may be called from any thread that pumps, from several at once when several
// ends share a transport; it must be thread-safe, must not block, and may drop. Inbox is
// thread-safe; Deliver never blocks on a peer, runs no host code but the wake hook, and is harmless
// after the end it belongs to is gone.
// Ownership: an Envelope owns its bytes. An Inbox is shared; it outlives its end.

#ifndef FREEHOLD_TRANSPORT_H_
#define FREEHOLD_TRANSPORT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "freehold/ids.h"

namespace freehold {

// One message of a session. `bytes` is opaque to the transport.
struct Envelope {
  Address from;
  Address to;
  std::string bytes;
};

// The door of one end.
class Inbox {
 public:
  virtual ~Inbox() = default;
  // Takes the envelope, or drops it when the end is gone, the envelope is not addressed to it, or
  // more than `inbox_bytes_max` wait (counted in Stats; the sender retransmits).
  virtual void Deliver(Envelope envelope) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Queues or drops; never blocks, never calls back into the sender.
  virtual void Send(Envelope envelope) = 0;
};

// The embedded default: every end lives in this process. Send delivers at once to the connected
// inbox, in the caller's thread; an address that is not connected drops.
class LocalTransport final : public Transport {
 public:
  LocalTransport();
  ~LocalTransport() override;
  LocalTransport(const LocalTransport&) = delete;
  LocalTransport& operator=(const LocalTransport&) = delete;

  // Makes `address` reachable; replaces an earlier inbox. Holds the inbox weakly.
  void Connect(const Address& address, const std::shared_ptr<Inbox>& inbox);
  void Disconnect(const Address& address);
  // Addresses that are connected. One whose end is gone is forgotten at the next Send to it.
  uint64_t connected() const;
  void Send(Envelope envelope) override;

 private:
  struct Rep;
  const std::unique_ptr<Rep> rep_;
};

}  // namespace freehold

#endif  // FREEHOLD_TRANSPORT_H_
