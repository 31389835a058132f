// What an owner sends to nodes, as tests read it.
//
// Thread safety: values.

#ifndef FREEHOLD_TESTS_CORE_OWNER_PAYLOAD_H_
#define FREEHOLD_TESTS_CORE_OWNER_PAYLOAD_H_

#include <cstdint>
#include <string_view>
#include <tuple>
#include <vector>

#include "src/base/check.h"
#include "src/base/little_endian.h"
#include "src/core/codec.h"
#include "src/core/peer.h"
#include "src/core/sharing.h"

namespace freehold::core {

inline uint64_t NumberOf(const ObjectId& id) {
  return internal::LoadLittle<uint64_t>(id.data() + ObjectId::kSize - 8);
}

// Whatever comes that the test does not expect is a failure.
struct StraySink : PayloadSink {
  void OnFrees(uint32_t, uint32_t, std::string_view) override { Stray(); }
  void OnFreeResults(uint32_t, uint32_t, FreeResult, std::string_view) override { Stray(); }
  void OnFreeFailed(const FreeResultItem&) override { Stray(); }
  void OnLocation(const LocationItem&) override { Stray(); }
  void OnSharing(const SharingItem&) override { Stray(); }
  void OnLocationQuery(const LocationQueryItem&) override { Stray(); }
  void OnLocationAnswer(const LocationAnswerItem&) override { Stray(); }
  void OnMovePrimary(const MovePrimaryItem&) override { Stray(); }
  void OnMovePrimaryAck(const MovePrimaryAckItem&) override { Stray(); }
  static void Stray() { FREEHOLD_CHECK(false && "an owner does not send that here"); }
};

// Nodes, and processes, by their index, plus one: no id is nil.
struct NumberedNodes : NodeNames {
  NodeId NodeAt(PeerIndex at) const override { return NodeId::FromNumber(at + 1); }
  ProcessId ProcessAt(PeerIndex at) const override { return ProcessId::FromNumber(at + 1); }
  bool IsNode(PeerIndex) const override { return true; }
};

// What a node is told of its copy: object, generation, number of the move, answer, and who is the
// primary instead, kNoPeer when that is not said.
using MoveWord = std::tuple<uint64_t, uint32_t, uint64_t, MoveAnswer, PeerIndex>;

inline std::vector<MoveWord> MovesIn(std::string_view payload) {
  struct Sink : StraySink {
    void OnMovePrimaryAck(const MovePrimaryAckItem& item) override {
      const auto number = internal::LoadLittle<uint64_t>(item.primary.data() + NodeId::kSize - 8);
      const PeerIndex primary = item.primary.IsNil() ? kNoPeer : static_cast<PeerIndex>(number - 1);
      words.emplace_back(NumberOf(item.object), item.generation, item.number, item.answer, primary);
    }
    std::vector<MoveWord> words;
  } sink;
  FREEHOLD_CHECK(ReadPayload(payload, &sink) == CodecError::kOk);
  return sink.words;
}

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_OWNER_PAYLOAD_H_
