#include "freehold/session_options.h"

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;

TEST(SessionOptions, DefaultsAreValid) { EXPECT_TRUE(Validate(SessionOptions()).ok()); }

TEST(SessionOptions, ErrorsNameTheField) {
  const auto expect_invalid = [](const char* field, auto change) {
    SessionOptions options;
    change(&options);
    const absl::Status status = Validate(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_NE(std::string(status.message()).find(field), std::string::npos) << status;
  };
  expect_invalid("envelope_bytes_max", [](SessionOptions* o) { o->envelope_bytes_max = 8191; });
  expect_invalid("envelope_bytes_max",
                 [](SessionOptions* o) { o->envelope_bytes_max = (16u << 20) + 1; });
  expect_invalid("window_envelopes", [](SessionOptions* o) { o->window_envelopes = 0; });
  expect_invalid("window_envelopes", [](SessionOptions* o) { o->window_envelopes = 1025; });
  expect_invalid("retransmit_delay_min",
                 [](SessionOptions* o) { o->retransmit_delay_min = Duration(0); });
  expect_invalid("retransmit_delay_min",
                 [](SessionOptions* o) { o->retransmit_delay_min = Duration(-1); });
  expect_invalid("retransmit_delay_max",
                 [](SessionOptions* o) { o->retransmit_delay_max = milliseconds(49); });
  expect_invalid("retransmit_delay_max",
                 [](SessionOptions* o) { o->retransmit_delay_max = Duration::max(); });
  expect_invalid("inbox_bytes_max", [](SessionOptions* o) { o->inbox_bytes_max = 65535; });
}

TEST(SessionOptions, TheBoundsThemselvesAreValid) {
  SessionOptions options;
  options.envelope_bytes_max = 8192;
  options.window_envelopes = 1;
  options.retransmit_delay_min = Duration(1);
  options.retransmit_delay_max = Duration(1);
  options.inbox_bytes_max = 8192;
  EXPECT_TRUE(Validate(options).ok());
  options.envelope_bytes_max = 16u << 20;
  options.window_envelopes = 1024;
  options.retransmit_delay_max = std::chrono::hours(24);
  options.retransmit_delay_min = std::chrono::hours(24);
  options.inbox_bytes_max = 16u << 20;
  EXPECT_TRUE(Validate(options).ok());
}

}  // namespace
}  // namespace freehold
