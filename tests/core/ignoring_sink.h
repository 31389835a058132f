// What a test overrides to look at one kind of item, and names for a test that has none to look up.
//
// Thread safety: thread-compatible. Free of GoogleTest, so that fuzzers can use it.

#ifndef FREEHOLD_TESTS_CORE_IGNORING_SINK_H_
#define FREEHOLD_TESTS_CORE_IGNORING_SINK_H_

#include <cstdint>
#include <string_view>

#include "src/core/codec.h"
#include "src/core/sharing.h"

namespace freehold::core {

class IgnoringSink : public PayloadSink {
 public:
  void OnFrees(uint32_t, uint32_t, std::string_view) override {}
  void OnFreeResults(uint32_t, uint32_t, FreeResult, std::string_view) override {}
  void OnFreeFailed(const FreeResultItem&) override {}
  void OnLocation(const LocationItem&) override {}
  void OnSharing(const SharingItem&) override {}
  void OnLocationQuery(const LocationQueryItem&) override {}
  void OnLocationAnswer(const LocationAnswerItem&) override {}
};

class NoNames final : public NodeNames {
 public:
  NodeId NodeAt(PeerIndex) const override { return NodeId(); }
  ProcessId ProcessAt(PeerIndex) const override { return ProcessId(); }
  bool IsNode(PeerIndex) const override { return false; }
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_IGNORING_SINK_H_
