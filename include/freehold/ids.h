// Identifiers: ObjectId, NodeId, ProcessId, TaskId, and Address, the name of a session's end.
//
// All are 28 opaque bytes that the host chooses (the width that Ray uses for objects, nodes and
// workers, so that a host's own ids fit unchanged). An id is never reused: a restarted process or
// node comes back under a new one, so an id is a member or it is excluded for ever.
//
// Thread safety: values; thread-compatible. Nothing here allocates except ToHex().
// Errors: FromBytes and FromHex answer std::nullopt for input of the wrong length or form.

#ifndef FREEHOLD_IDS_H_
#define FREEHOLD_IDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "freehold/internal/hash_id.h"

namespace freehold {

namespace internal {

std::string BytesToHex(const uint8_t* bytes, size_t size);
bool HexToBytes(std::string_view hex, uint8_t* bytes, size_t size);

}  // namespace internal

// A 28-byte identifier; `Tag` keeps objects, nodes and processes from being mixed up.
template <typename Tag>
class Id {
 public:
  static constexpr size_t kSize = 28;

  // The nil id: all bytes zero. Names nothing.
  constexpr Id() = default;

  // `bytes` must be kSize long.
  static std::optional<Id> FromBytes(std::string_view bytes) {
    if (bytes.size() != kSize) return std::nullopt;
    Id id;
    std::memcpy(id.bytes_.data(), bytes.data(), kSize);
    return id;
  }

  // `hex` must be 2 * kSize hexadecimal digits, either case.
  static std::optional<Id> FromHex(std::string_view hex) {
    Id id;
    if (!internal::HexToBytes(hex, id.bytes_.data(), kSize)) return std::nullopt;
    return id;
  }

  // For tests and examples: an id that carries `number` (little endian) in its last eight bytes.
  static Id FromNumber(uint64_t number) {
    Id id;
    for (size_t i = 0; i < 8; ++i) {
      id.bytes_[kSize - 8 + i] = static_cast<uint8_t>(number >> (8 * i));
    }
    return id;
  }

  bool IsNil() const { return *this == Id(); }
  const uint8_t* data() const { return bytes_.data(); }
  uint8_t* mutable_data() { return bytes_.data(); }
  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), kSize}; }
  std::string ToHex() const { return internal::BytesToHex(bytes_.data(), kSize); }
  uint64_t Hash() const { return internal::HashId(bytes_.data()); }

  friend bool operator==(const Id& a, const Id& b) { return internal::SameId(a.data(), b.data()); }
  friend bool operator!=(const Id& a, const Id& b) { return !(a == b); }
  friend bool operator<(const Id& a, const Id& b) {
    return std::memcmp(a.bytes_.data(), b.bytes_.data(), kSize) < 0;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.Hash());
  }

 private:
  std::array<uint8_t, kSize> bytes_{};
};

using ObjectId = Id<struct ObjectIdTag>;
using NodeId = Id<struct NodeIdTag>;
using ProcessId = Id<struct ProcessIdTag>;
// Of a host's task (lineage.h).
using TaskId = Id<struct TaskIdTag>;

// The end of a session: a process, or the agent of a node. The host's transport maps it to a
// connection.
class Address {
 public:
  enum class Kind : uint8_t { kProcess = 1, kNodeAgent = 2 };

  Address() = default;
  // Implicit on purpose: a ProcessId or a NodeId *is* an address.
  Address(const ProcessId& process)  // NOLINT(google-explicit-constructor)
      : kind_(Kind::kProcess), process_(process) {}
  Address(const NodeId& node)  // NOLINT(google-explicit-constructor)
      : kind_(Kind::kNodeAgent) {
    std::memcpy(process_.mutable_data(), node.data(), NodeId::kSize);
  }

  Kind kind() const { return kind_; }
  bool is_process() const { return kind_ == Kind::kProcess; }
  bool is_node_agent() const { return kind_ == Kind::kNodeAgent; }
  // REQUIRES: is_process().
  const ProcessId& process() const { return process_; }
  // REQUIRES: is_node_agent().
  NodeId node() const { return *NodeId::FromBytes(process_.bytes()); }
  // The 28 bytes, whichever kind it is.
  std::string_view id_bytes() const { return process_.bytes(); }
  // "process:0a1b…" or "node:0a1b…", in full.
  std::string ToString() const { return (is_process() ? "process:" : "node:") + process_.ToHex(); }
  uint64_t Hash() const { return process_.Hash() + static_cast<uint64_t>(kind_); }

  friend bool operator==(const Address& a, const Address& b) {
    return a.kind_ == b.kind_ && a.process_ == b.process_;
  }
  friend bool operator!=(const Address& a, const Address& b) { return !(a == b); }
  friend bool operator<(const Address& a, const Address& b) {
    return a.kind_ != b.kind_ ? a.kind_ < b.kind_ : a.process_ < b.process_;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Address& a) {
    return H::combine(std::move(h), a.Hash());
  }

 private:
  Kind kind_ = Kind::kProcess;
  ProcessId process_;
};

}  // namespace freehold

template <typename Tag>
struct std::hash<freehold::Id<Tag>> {
  size_t operator()(const freehold::Id<Tag>& id) const { return id.Hash(); }
};
template <>
struct std::hash<freehold::Address> {
  size_t operator()(const freehold::Address& a) const { return a.Hash(); }
};

#endif  // FREEHOLD_IDS_H_
