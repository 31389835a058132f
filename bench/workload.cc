#include "bench/workload.h"

#include <cstring>
#include <utility>

#include "src/base/little_endian.h"
#include "src/core/codec.h"

namespace freehold::bench {

namespace {

// Where a frame carries its sequence number: see src/core/codec.h.
constexpr size_t kSequenceAt = 8;
// Frames in flight that an owner's window lets through.
constexpr uint32_t kAnswerBytesMax = 64 * 1024 - core::kFrameBytes;

void PutWord(uint64_t word, uint8_t* at, size_t bytes) { std::memcpy(at, &word, bytes); }

// Turns frees into "deleted", payload by payload.
class Answers final : public core::PayloadSink {
 public:
  void OnFrees(uint32_t generation, uint32_t term, std::string_view ids) override {
    for (size_t i = 0; i < core::IdCount(ids); ++i) {
      const core::FreeResultItem item{
          core::IdAt(ids, i), generation, term, core::FreeResult::kDeleted, {}};
      if (writer_.Add(item)) continue;
      payloads_.push_back(writer_.Take());
      Require(writer_.Add(item), "an answer does not fit an envelope");
    }
  }
  void OnFreeResults(uint32_t, uint32_t, core::FreeResult, std::string_view) override {}
  void OnFreeFailed(const core::FreeResultItem&) override {}
  void OnLocation(const core::LocationItem&) override {}
  void OnSharing(const core::SharingItem&) override {}
  void OnLocationQuery(const core::LocationQueryItem&) override {}
  void OnLocationAnswer(const core::LocationAnswerItem&) override {}

  std::vector<std::string> Take() {
    if (!writer_.empty()) payloads_.push_back(writer_.Take());
    return std::move(payloads_);
  }

 private:
  core::PayloadWriter writer_{kAnswerBytesMax};
  std::vector<std::string> payloads_;
};

}  // namespace

ObjectId MakeId(IdKind kind, uint64_t number) {
  ObjectId id;
  uint8_t* bytes = id.mutable_data();
  const auto fill_random = [&](uint64_t seed) {
    internal::SplitMix64 random(seed);
    for (size_t at = 0; at < ObjectId::kSize; at += 7) PutWord(random.Next(), bytes + at, 7);
  };
  switch (kind) {
    case IdKind::kRandom:
      fill_random(number);
      break;
    case IdKind::kHost:
      fill_random(~(number >> 12));
      PutWord(number, bytes + 24, 4);
      break;
    default:
      std::memset(bytes, 0x5a, ObjectId::kSize);
      PutWord(number,
              bytes + 4 * (static_cast<size_t>(kind) - static_cast<size_t>(IdKind::kWindow0)), 4);
      break;
  }
  return id;
}

Location SecondaryOn(const NodeId& node) {
  Location location;
  location.node = node;
  location.in_memory = true;
  return location;
}

void PickNodes(uint64_t number, size_t count, size_t nodes, NodeId* picked) {
  internal::SplitMix64 random(number);
  for (size_t i = 0; i < count;) {
    picked[i] = NodeNumber(random.Next() % nodes);
    bool seen = false;
    for (size_t j = 0; j < i; ++j) seen = seen || picked[j] == picked[i];
    if (!seen) ++i;
  }
}

void EvictCaches() {
  static std::vector<uint64_t> memory(size_t{12} << 20);  // 96 MiB, three times the last level
  for (size_t i = 0; i < memory.size(); i += 8) ++memory[i];
}

// --- NullTransport -------------------------------------------------------------------------------

void NullTransport::Send(Envelope envelope) {
  const uint64_t sequence = internal::LoadLittle<uint64_t>(envelope.bytes.data() + kSequenceAt);
  if (sequence == 0) return;  // a bare acknowledgement
  ++envelopes_;
  bytes_ += envelope.bytes.size();
  nodes_[envelope.to].received = sequence;
  core::Frame frame;
  frame.acknowledged = sequence;
  owner_->Deliver(
      {envelope.to, envelope.from, core::EncodeFrame(frame, envelope.to, envelope.from, {})});
  if (keep_) kept_.push_back(std::move(envelope));
}

bool NullTransport::AnswerKept() {
  if (kept_.empty()) return false;
  const std::vector<Envelope> kept = std::move(kept_);
  kept_.clear();
  for (const Envelope& envelope : kept) Answer(envelope);
  return true;
}

void NullTransport::Say(const Address& from, const std::string& payload) {
  Node& node = nodes_[from];
  const Address to = ProcessId::FromNumber(1);
  core::Frame frame;
  frame.sequence = ++node.sent;
  frame.acknowledged = node.received;
  owner_->Deliver({from, to, core::EncodeFrame(frame, from, to, payload)});
}

void NullTransport::Answer(const Envelope& envelope) {
  core::Frame frame;
  std::string_view payload;
  Require(core::DecodeFrame(envelope.bytes, envelope.from, envelope.to, core::kVersionMax, &frame,
                            &payload) == core::CodecError::kOk,
          "the owner sent an envelope that does not decode");
  Answers answers;
  Require(core::ReadPayload(payload, &answers) == core::CodecError::kOk,
          "the owner sent a payload that does not decode");
  for (const std::string& answer : answers.Take()) Say(envelope.to, answer);
}

// --- Owner ---------------------------------------------------------------------------------------

Owner::Owner(Wiring wiring, ReferenceCounterOptions options) {
  options.process = ProcessId::FromNumber(1);
  options.membership = &membership_;
  options.clock = &clock_;
  options.seed = 1;
  if (wiring == Wiring::kNullTransport) options.transport = &transport_;
  // The answers to a million frees are delivered before the next pump.
  options.session.inbox_bytes_max = uint64_t{1} << 30;
  absl::StatusOr<std::unique_ptr<ReferenceCounter>> made = ReferenceCounter::Create(options);
  Require(made.ok(), "no counter");
  counter_ = *std::move(made);
  transport_.Connect(counter_->inbox());
}

void Owner::Pump() {
  const Time now = clock_.Now();
  while (counter_->NextDeadline() <= now) counter_->Pump(now);
}

void Owner::Settle() {
  do {
    Pump();
  } while (transport_.AnswerKept());
}

ObjectRef Owner::Put(const ObjectId& object, const NodeId* nodes, size_t count) {
  DeclareOptions options;
  options.size = 1024;
  if (count > 0) options.primary = nodes[0];
  absl::StatusOr<ObjectRef> ref = counter_->Declare(object, options);
  Require(ref.ok(), "declare failed");
  for (size_t i = 1; i < count; ++i) {
    Require(counter_->AddLocation(object, SecondaryOn(nodes[i])).ok(), "a location was refused");
  }
  return *std::move(ref);
}

}  // namespace freehold::bench
