// Free envelopes to bytes and back. One unit is one id.

#include <cstring>

#include "bench/operation.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "src/core/codec.h"

namespace freehold::bench {

namespace {

// As many ids as one envelope of the default size takes.
constexpr size_t kIds = 2300;
constexpr size_t kPayloadBytesMax = 64 * 1024 - core::kFrameBytes;

std::vector<ObjectId> SomeIds() {
  std::vector<ObjectId> ids;
  for (size_t i = 0; i < kIds; ++i) ids.push_back(MakeId(IdKind::kRandom, i));
  return ids;
}

const Address& From() {
  static const Address from(ProcessId::FromNumber(1));
  return from;
}

const Address& To() {
  static const Address to(NodeNumber(1));
  return to;
}

std::string Encode(const std::vector<ObjectId>& ids) {
  core::PayloadWriter writer(kPayloadBytesMax);
  for (const ObjectId& id : ids) {
    if (!writer.Add(core::FreeItem{id, 0, core::kFirstTerm})) Require(false, "an id does not fit");
  }
  core::Frame frame;
  frame.sequence = 1;
  return core::EncodeFrame(frame, From(), To(), writer.Take());
}

// Payload, frame and checksum.
class EnvelopeEncode final : public Operation {
 public:
  size_t batch() const override { return kIds; }
  void Run(size_t count) override {
    for (size_t done = 0; done < count; done += kIds) {
      const std::string bytes = Encode(ids_);
      benchmark::DoNotOptimize(bytes.data());
    }
  }

 private:
  const std::vector<ObjectId> ids_ = SomeIds();
};

// Frame, checksum, the check of the whole payload, and each id read once.
class EnvelopeDecode final : public Operation {
 public:
  size_t batch() const override { return kIds; }
  void Run(size_t count) override {
    for (size_t done = 0; done < count; done += kIds) {
      core::Frame frame;
      std::string_view payload;
      const bool good = core::DecodeFrame(bytes_, From(), To(), core::kVersionMax, &frame,
                                          &payload) == core::CodecError::kOk &&
                        core::CheckPayload(payload) == core::CodecError::kOk &&
                        core::ReadPayload(payload, &reader_) == core::CodecError::kOk;
      if (!good) Require(false, "an envelope does not decode");
    }
  }

 private:
  class Reader final : public core::PayloadSink {
   public:
    void OnFrees(uint32_t, uint32_t, std::string_view ids) override {
      for (size_t i = 0; i < core::IdCount(ids); ++i) {
        const ObjectId id = core::IdAt(ids, i);
        benchmark::DoNotOptimize(id);
      }
    }
    void OnFreeResults(uint32_t, uint32_t, core::FreeResult, std::string_view) override {}
    void OnFreeFailed(const core::FreeResultItem&) override {}
    void OnLocation(const core::LocationItem&) override {}
    void OnSharing(const core::SharingItem&) override {}
    void OnLocationQuery(const core::LocationQueryItem&) override {}
    void OnLocationAnswer(const core::LocationAnswerItem&) override {}
  };

  const std::string bytes_ = Encode(SomeIds());
  Reader reader_;
};

// The same bytes, copied.
class MemcpyIds final : public Operation {
 public:
  size_t batch() const override { return kIds; }
  void Run(size_t count) override {
    for (size_t done = 0; done < count; done += kIds) {
      std::memcpy(to_.data(), from_.data(), kIds * sizeof(ObjectId));
      benchmark::DoNotOptimize(to_.data());
      benchmark::ClobberMemory();
    }
  }

 private:
  const std::vector<ObjectId> from_ = SomeIds();
  std::vector<ObjectId> to_ = SomeIds();
};

}  // namespace

std::unique_ptr<Operation> MakeCodecOperation(std::string_view name,
                                              std::string_view /*argument*/) {
  if (name == "envelope_encode") return std::make_unique<EnvelopeEncode>();
  if (name == "envelope_decode") return std::make_unique<EnvelopeDecode>();
  if (name == "limit_memcpy_ids") return std::make_unique<MemcpyIds>();
  return nullptr;
}

}  // namespace freehold::bench
