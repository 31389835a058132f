// Fuzzes two sessions over a channel that loses, duplicates, reorders, garbles, truncates and
// delays as the input says. SessionPair checks that everything arrives once, whole and in order.
//
// Input: one byte of options, then two bytes per step: what to do, and to which envelope.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "tests/core/session_pair.h"

using freehold::core::SessionPair;

namespace {

SessionPair::SideOptions Options(bool small_window, bool newer) {
  SessionPair::SideOptions options;
  options.session.window_envelopes = small_window ? 2 : 8;
  options.version_max = newer ? 2 : 1;
  return options;
}

void OnEnvelope(SessionPair* pair, int to, uint8_t action, uint8_t operand) {
  if (pair->InFlight(to) == 0) return;
  const size_t index = operand % pair->InFlight(to);
  switch (action) {
    case 0:
      pair->Deliver(to, index);
      return;
    case 1:
      pair->Deliver(to, 0);
      return;
    case 2:
      pair->Drop(to, index);
      return;
    case 3:
      pair->Duplicate(to, index);
      return;
    case 4:
      pair->DeliverGarbled(to, index, operand * size_t{7}, static_cast<uint8_t>(operand | 1));
      return;
    case 5:
      pair->DeliverTruncated(to, index, operand * size_t{3});
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  SessionPair pair(Options(data[0] & 1, data[0] & 4), Options(data[0] & 2, data[0] & 8));
  bool excluded = false;
  // More steps find nothing new and cost much: invariants are checked after each.
  const size_t end = std::min<size_t>(size, 2048);
  for (size_t at = 1; at + 1 < end; at += 2) {
    const int side = data[at] & 1;
    const uint8_t action = static_cast<uint8_t>(data[at] >> 1) % 10;
    const uint8_t operand = data[at + 1];
    switch (action) {
      case 6:
        for (int i = 0; i <= operand % 4; ++i) pair.Submit(side);
        break;
      case 7:
        pair.Turn(side);
        break;
      case 8:
        pair.Advance(std::chrono::milliseconds(operand));
        break;
      case 9:
        if (operand == 255) {
          pair.Exclude(side);
          excluded = true;
        }
        break;
      default:
        OnEnvelope(&pair, side, action, operand);
        break;
    }
  }
  FREEHOLD_CHECK(excluded || pair.Finish(10000));
  return 0;
}
