#include "channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace worker_pool {

namespace {

using freehold::Address;
using freehold::NodeId;
using freehold::ProcessId;

// An envelope and what stands before it.
constexpr size_t kMessageBytesMax = 96 * 1024;
constexpr size_t kAddressBytes = 1 + ProcessId::kSize;
constexpr size_t kHeadBytes = 1 + sizeof(uint64_t) + 2 * kAddressBytes;

}  // namespace

void WriteAddress(const Address& address, std::string* bytes) {
  bytes->push_back(static_cast<char>(address.kind()));
  bytes->append(address.id_bytes());
}

Address ReadAddress(std::string_view* bytes) {
  const auto kind = static_cast<Address::Kind>(bytes->front());
  const std::string_view id = bytes->substr(1, ProcessId::kSize);
  bytes->remove_prefix(kAddressBytes);
  if (kind == Address::Kind::kNodeAgent) return Address(NodeId::FromBytes(id).value_or(NodeId()));
  return Address(ProcessId::FromBytes(id).value_or(ProcessId()));
}

Channel::~Channel() { close(fd_); }

bool Channel::Write(const Message& message, bool may_drop) const {
  std::string bytes;
  bytes.reserve(kHeadBytes + message.text.size());
  bytes.push_back(static_cast<char>(message.kind));
  char number[sizeof(message.number)];
  std::memcpy(number, &message.number, sizeof number);  // both ends are this machine
  bytes.append(number, sizeof number);
  WriteAddress(message.from, &bytes);
  WriteAddress(message.to, &bytes);
  bytes += message.text;
  const int flags = MSG_NOSIGNAL | (may_drop ? MSG_DONTWAIT : 0);
  ssize_t sent;
  do {
    sent = send(fd_, bytes.data(), bytes.size(), flags);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

bool Channel::Receive(Message* message) const {
  std::string buffer(kMessageBytesMax, '\0');
  ssize_t got;
  do {
    got = recv(fd_, buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < static_cast<ssize_t>(kHeadBytes)) return false;
  std::string_view bytes(buffer.data(), static_cast<size_t>(got));
  message->kind = static_cast<Kind>(bytes.front());
  bytes.remove_prefix(1);
  std::memcpy(&message->number, bytes.data(), sizeof message->number);
  bytes.remove_prefix(sizeof message->number);
  message->from = ReadAddress(&bytes);
  message->to = ReadAddress(&bytes);
  message->text.assign(bytes);
  return true;
}

}  // namespace worker_pool
