// What each operation costs on the wire: items, and envelopes that carry any. README's table is
// this one.
//
// Each operation is done once on idle sessions, and everybody is pumped until nothing is due.
// Acknowledgements of sessions that ride on nothing are not counted as envelopes with items; they
// are in the third column.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/codec.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

struct Traffic {
  uint64_t items = 0;
  uint64_t envelopes = 0;
  uint64_t bare_acks = 0;

  friend bool operator==(const Traffic& a, const Traffic& b) {
    return a.items == b.items && a.envelopes == b.envelopes && a.bare_acks == b.bare_acks;
  }
  friend std::ostream& operator<<(std::ostream& out, const Traffic& t) {
    return out << t.items << " items in " << t.envelopes << " envelopes, " << t.bare_acks
               << " bare acknowledgements";
  }
};

// Looks into what passes.
class MeteredTransport final : public Transport {
 public:
  void Send(Envelope envelope) override {
    core::Frame frame;
    std::string_view payload;
    ASSERT_EQ(core::DecodeFrame(envelope.bytes, envelope.from, envelope.to, core::kVersionMax,
                                &frame, &payload),
              core::CodecError::kOk);
    if (payload.empty()) {
      ++traffic.bare_acks;
    } else {
      ++traffic.envelopes;
      Counter counter(&traffic.items);
      ASSERT_EQ(core::ReadPayload(payload, &counter), core::CodecError::kOk);
    }
    local.Send(std::move(envelope));
  }

  LocalTransport local;
  Traffic traffic;

 private:
  class Counter final : public core::PayloadSink {
   public:
    explicit Counter(uint64_t* items) : items_(items) {}
    void OnFrees(uint32_t, uint32_t, std::string_view ids) override {
      *items_ += core::IdCount(ids);
    }
    void OnFreeResults(uint32_t, uint32_t, core::FreeResult, std::string_view ids) override {
      *items_ += core::IdCount(ids);
    }
    void OnFreeFailed(const core::FreeResultItem&) override { ++*items_; }
    void OnLocation(const core::LocationItem&) override { ++*items_; }
    void OnSharing(const core::SharingItem&) override { ++*items_; }
    void OnLocationQuery(const core::LocationQueryItem&) override { ++*items_; }
    void OnLocationAnswer(const core::LocationAnswerItem&) override { ++*items_; }
    void OnMovePrimary(const core::MovePrimaryItem&) override { ++*items_; }
    void OnMovePrimaryAck(const core::MovePrimaryAckItem&) override { ++*items_; }
    void OnDigestSums(absl::Span<const core::DigestSumsItem> items) override {
      *items_ += items.size();
    }

   private:
    uint64_t* const items_;
  };
};

class Messages : public ::testing::Test {
 protected:
  Messages() {
    for (uint64_t number = 1; number <= 3; ++number) {
      ReferenceCounterOptions options;
      options.process = Process(number);
      options.transport = &transport_;
      options.executor = executor_;
      options.clock = &clock_;
      options.seed = number;
      processes_[number] = *ReferenceCounter::Create(options);
      transport_.local.Connect(Process(number), processes_[number]->inbox());
    }
    for (uint64_t number = 11; number <= 14; ++number) {
      NodeAgentOptions options;
      options.node = Node(number);
      options.transport = &transport_;
      options.clock = &clock_;
      options.seed = number;
      nodes_[number] = *NodeAgent::Create(options);
      transport_.local.Connect(Node(number), nodes_[number]->inbox());
    }
    own_ = *processes_[1]->Declare(Object(7));
  }
  // What it takes until nothing is due any more.
  template <typename Operation>
  Traffic Measure(Operation operation) {
    Settle();
    transport_.traffic = Traffic();
    operation();
    Settle();
    return transport_.traffic;
  }
  void Settle() {
    for (int round = 0; round < 6; ++round) {
      for (auto& [number, process] : processes_) process->Pump(clock_.Now());
      for (auto& [number, node] : nodes_) node->Pump(clock_.Now());
    }
  }
  ObjectRef Pass(uint64_t from, uint64_t to) {
    return *processes_[to]->Import(processes_[from]->Export(Object(7), Process(to))->token);
  }

  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
  MeteredTransport transport_;
  std::shared_ptr<testing::ManualExecutor> executor_ = std::make_shared<testing::ManualExecutor>();
  std::map<uint64_t, std::unique_ptr<ReferenceCounter>> processes_;
  std::map<uint64_t, std::unique_ptr<NodeAgent>> nodes_;
  ObjectRef own_;
};

TEST_F(Messages, ShareByTheOwner) {
  ObjectRef borrowed;
  // Register, its answer, the acknowledgement of the handoff.
  EXPECT_EQ(Measure([&] { borrowed = Pass(1, 2); }), (Traffic{3, 3, 1}));
  EXPECT_EQ(Measure([&] { borrowed.Reset(); }), (Traffic{1, 1, 1}));  // Release
}

TEST_F(Messages, HandoffToAThirdProcess) {
  ObjectRef second = Pass(1, 2);
  ObjectRef third;
  EXPECT_EQ(Measure([&] { third = Pass(2, 3); }), (Traffic{3, 3, 2}));
}

TEST_F(Messages, ShareOfWhatIsBorrowedAlready) {
  ObjectRef second = Pass(1, 2);
  ObjectRef again;
  EXPECT_EQ(Measure([&] { again = Pass(1, 2); }), (Traffic{1, 1, 1}));
}

TEST_F(Messages, AShortBorrow) {
  ObjectRef second = Pass(1, 2);
  EXPECT_EQ(Measure([&] { Pass(2, 3).Reset(); }), (Traffic{1, 1, 1}));
}

TEST_F(Messages, AnObjectDeclaredForAnotherOwner) {
  ObjectRef declared;
  EXPECT_EQ(Measure([&] { declared = *processes_[2]->DeclareFor(Process(1), Object(8)); }),
            (Traffic{2, 2, 1}));
  EXPECT_EQ(Measure([&] { declared.Reset(); }), (Traffic{1, 1, 1}));  // Release
}

TEST_F(Messages, ALocationQuery) {
  LocationQuery query;
  query.object = Object(7);
  query.owner = Process(1);
  EXPECT_EQ(Measure([&] {
              ASSERT_TRUE(processes_[2]
                              ->QueryLocations(query, [](const ObjectId&, const LocationUpdate&) {})
                              .ok());
            }),
            (Traffic{2, 2, 1}));
}

TEST_F(Messages, AWatchAndItsAnswer) {
  EXPECT_EQ(Measure([&] {
              ASSERT_TRUE(processes_[2]
                              ->Watch(Moment::kErased, Object(7), Process(1),
                                      [](const ObjectId&, EndReason) {})
                              .ok());
            }),
            (Traffic{1, 1, 1}));
  EXPECT_EQ(Measure([&] { own_.Reset(); }), (Traffic{1, 1, 1}));
}

TEST_F(Messages, AFreeToFourNodes) {
  for (uint64_t node = 11; node <= 14; ++node) {
    ASSERT_TRUE(nodes_[node]->AddCopy({Object(7), 0, Process(1), CopyRole::kSecondary, 1}).ok());
  }
  // A free and a result for each.
  EXPECT_EQ(Measure([&] { own_.Reset(); }), (Traffic{8, 8, 4}));
}

TEST_F(Messages, APrimaryMoved) {
  ASSERT_TRUE(nodes_[11]->AddCopy({Object(7), 0, Process(1), CopyRole::kPrimary, 1}).ok());
  // The move, its answer, the free of the former primary and its result.
  EXPECT_EQ(
      Measure([&] {
        ASSERT_TRUE(nodes_[12]->AddCopy({Object(7), 0, Process(1), CopyRole::kSecondary, 1}).ok());
        ASSERT_TRUE(nodes_[12]->MovePrimary(Object(7), 0, Node(11)).ok());
      }),
      (Traffic{5, 4, 2}));  // with the report of the new copy, in one envelope with the move
}

TEST_F(Messages, ADigestThatAgrees) {
  ASSERT_TRUE(nodes_[11]->AddCopy({Object(7), 0, Process(1), CopyRole::kSecondary, 1}).ok());
  EXPECT_EQ(Measure([&] { clock_.Advance(NodeAgentOptions().digest_interval); }),
            (Traffic{1, 1, 1}));
}

TEST_F(Messages, AThousandSharesAtOnceAreThreeEnvelopes) {
  std::vector<ObjectRef> refs;
  const Traffic traffic = Measure([&] {
    for (uint64_t i = 100; i < 1100; ++i) {
      refs.push_back(*processes_[1]->Declare(Object(i)));
      refs.push_back(*processes_[2]->Import(processes_[1]->Export(Object(i), Process(2))->token));
    }
  });
  EXPECT_EQ(traffic.items, 3000u);
  EXPECT_LE(traffic.envelopes, 6u);
}

TEST_F(Messages, WhatStaysAtHomeCostsNothing) {
  EXPECT_EQ(Measure([&] {
              const ObjectRef copy = own_;
              ASSERT_TRUE(processes_[1]->SubmitTask({Object(7)}).ok());
              const ObjectRef other = *processes_[1]->Declare(Object(8));
            }),
            (Traffic{0, 0, 0}));
}

}  // namespace
}  // namespace freehold
