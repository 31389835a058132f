// Two ends, an owner and a node, that one thread pumps with a clock that is set.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_ENDPOINT_FIXTURE_H_
#define FREEHOLD_TESTS_RUNTIME_ENDPOINT_FIXTURE_H_

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/runtime/endpoint_testing.h"

namespace freehold::runtime {

inline const Address kOwner = ProcessId::FromNumber(1);
inline const Address kNode = NodeId::FromNumber(2);
inline const Address kStranger = NodeId::FromNumber(3);

class EndpointTest : public ::testing::Test {
 protected:
  void StartBoth() {
    owner_.Start(&wire_);
    node_.Start(&wire_);
    owner_.wakes = 0;
    node_.wakes = 0;
  }
  // Pumps until neither end is due.
  void Settle() {
    for (int i = 0; i < 1000 && (owner_.due() || node_.due()); ++i) {
      if (owner_.due()) owner_.Pump();
      if (node_.due()) node_.Pump();
    }
  }
  // A well-formed envelope with one free.
  static Envelope Valid(const Address& from, const Address& to, uint64_t sequence) {
    core::PayloadWriter writer(1000);
    EXPECT_TRUE(writer.Add(core::FreeItem{ObjectId::FromNumber(sequence), 0}));
    core::Frame frame;
    frame.sequence = sequence;
    return {from, to, core::EncodeFrame(frame, from, to, writer.Take())};
  }

  SetClock clock_;
  Wire wire_;
  End owner_{kOwner, &wire_, &clock_};
  End node_{kNode, &wire_, &clock_};
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_TESTS_RUNTIME_ENDPOINT_FIXTURE_H_
