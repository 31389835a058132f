// The host's own messages between the pool and a worker, over a socket pair; Freehold's envelopes
// travel among them.
//
// Thread safety: Send and Post from any thread; Receive from one at a time.

#ifndef FREEHOLD_EXAMPLES_WORKER_POOL_CHANNEL_H_
#define FREEHOLD_EXAMPLES_WORKER_POOL_CHANNEL_H_

#include <cstdint>
#include <string>

#include "freehold/transport.h"

namespace worker_pool {

enum class Kind : uint8_t {
  kEnvelope,  // `to`, `from`, `text`: for the transport
  // Membership, kept by the pool. worker → pool:
  kJoin,     // `from`
  kFlushed,  // `from`, `number`: a view
  kLeave,    // `from`
  // pool → worker:
  kView,     // `number`, `text`: the ids that it excludes, each written by WriteAddress
  kBarrier,  // `number`
  kJoined,   // `number`: 1, or 0 when it was refused
  // Tasks. pool → worker:
  kTask,    // `text`: what to write; `number`: 1 when the pool is to own the object
  kStatus,  // and back, `number`: objects that the worker owns and somebody refers to
  kRetire,  // drain; `number`: for how many milliseconds
  kEnd,     // exit now
  // worker → pool:
  kStored,   // `from`: the owner; `text`: object, size: bytes are in the node's folder
  kResult,   // `text`: the token of a reference
  kRetired,  // `number`: 1 when nothing is left, `text`: else who holds what
};

struct Message {
  Kind kind = Kind::kEnvelope;
  uint64_t number = 0;
  freehold::Address from;
  freehold::Address to;
  std::string text;
};

void WriteAddress(const freehold::Address& address, std::string* bytes);
// REQUIRES: `bytes` begins with what WriteAddress wrote. Takes it off.
freehold::Address ReadAddress(std::string_view* bytes);

class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}  // owns it
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Blocks while the socket is full. False: the other end is gone.
  bool Send(const Message& message) const { return Write(message, false); }
  // Drops it while the socket is full.
  void Post(const Message& message) const { (void)Write(message, true); }
  // Blocks. False: the other end is gone.
  bool Receive(Message* message) const;

 private:
  bool Write(const Message& message, bool may_drop) const;
  const int fd_;
};

}  // namespace worker_pool

#endif  // FREEHOLD_EXAMPLES_WORKER_POOL_CHANNEL_H_
