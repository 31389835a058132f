#include "freehold/ids.h"

#include <gtest/gtest.h>

#include <string>

#include "freehold/clock.h"
#include "freehold/location.h"
#include "freehold/log.h"

namespace freehold {
namespace {

TEST(Ids, HexAndBackIsTheSameId) {
  std::string bytes;
  for (int i = 0; i < 28; ++i) bytes.push_back(static_cast<char>(i * 9 + 3));
  const ObjectId id = *ObjectId::FromBytes(bytes);
  const std::string hex = id.ToHex();
  EXPECT_EQ(hex.size(), 56u);
  EXPECT_EQ(hex.substr(0, 8), "030c151e");
  EXPECT_EQ(ObjectId::FromHex(hex), id);
  EXPECT_EQ(id.bytes(), bytes);
}

TEST(Ids, HexIsReadInEitherCaseAndWrittenInLowerCase) {
  const std::string upper = std::string(54, '0') + "FA";
  const ObjectId id = *ObjectId::FromHex(upper);
  EXPECT_EQ(id.ToHex(), std::string(54, '0') + "fa");
  EXPECT_EQ(id.data()[27], 0xfa);
}

TEST(Ids, HexOfTheWrongLengthOrFormIsRefused) {
  EXPECT_FALSE(ObjectId::FromHex("").has_value());
  EXPECT_FALSE(ObjectId::FromHex(std::string(55, '0')).has_value());
  EXPECT_FALSE(ObjectId::FromHex(std::string(57, '0')).has_value());
  EXPECT_FALSE(ObjectId::FromHex(std::string(58, '0')).has_value());
  // The neighbours of the digits in ASCII, a sign, a blank, NUL, and a byte above ASCII.
  for (const char c : {'/', ':', '@', 'G', '`', 'g', '-', ' ', '\0', '\xe4'}) {
    for (const size_t at : {size_t{0}, size_t{1}, size_t{55}}) {
      std::string hex(56, '0');
      hex[at] = c;
      EXPECT_FALSE(ObjectId::FromHex(hex).has_value()) << static_cast<int>(c) << " at " << at;
    }
  }
}

TEST(Ids, EveryByteHasTwoDigits) {
  for (int value = 0; value < 256; ++value) {
    const uint8_t byte = static_cast<uint8_t>(value);
    const std::string hex = internal::BytesToHex(&byte, 1);
    uint8_t back = static_cast<uint8_t>(~byte);
    ASSERT_TRUE(internal::HexToBytes(hex, &back, 1)) << hex;
    EXPECT_EQ(back, byte);
  }
  EXPECT_EQ(internal::BytesToHex(nullptr, 0), "");
  EXPECT_TRUE(internal::HexToBytes("", nullptr, 0));
}

TEST(Ids, BytesOfTheWrongLengthAreRefused) {
  EXPECT_FALSE(NodeId::FromBytes(std::string(27, 'x')).has_value());
  EXPECT_FALSE(NodeId::FromBytes(std::string(29, 'x')).has_value());
  EXPECT_FALSE(NodeId::FromBytes("").has_value());
}

TEST(Ids, OnlyTheDefaultIdIsNil) {
  EXPECT_TRUE(ObjectId().IsNil());
  EXPECT_TRUE(ObjectId::FromNumber(0).IsNil());
  EXPECT_FALSE(ObjectId::FromNumber(1).IsNil());
}

TEST(Ids, AProcessAndANodeWithTheSameBytesAreDifferentAddresses) {
  const Address process(ProcessId::FromNumber(5));
  const Address node(NodeId::FromNumber(5));
  EXPECT_NE(process, node);
  EXPECT_TRUE(process < node || node < process);
  EXPECT_EQ(node.node(), NodeId::FromNumber(5));
  EXPECT_EQ(process.process(), ProcessId::FromNumber(5));
  EXPECT_NE(process.ToString(), node.ToString());
}

TEST(Names, EveryStateAndOutcomeHasOne) {
  EXPECT_STREQ(ObjectStateName(ObjectState::kPending), "pending");
  EXPECT_STREQ(ObjectStateName(ObjectState::kAvailable), "available");
  EXPECT_STREQ(ObjectStateName(ObjectState::kFreed), "freed");
  EXPECT_STREQ(ObjectStateName(ObjectState::kLost), "lost");
  EXPECT_STREQ(ObjectStateName(ObjectState::kOutOfScope), "out of scope");
  EXPECT_STREQ(ObjectStateName(static_cast<ObjectState>(200)), "unknown");
  EXPECT_STREQ(FreeOutcomeName(FreeOutcome::kSettled), "settled");
  EXPECT_STREQ(FreeOutcomeName(FreeOutcome::kNodeExcluded), "node excluded");
  EXPECT_STREQ(FreeOutcomeName(FreeOutcome::kStoreFailed), "store failed");
  EXPECT_STREQ(FreeOutcomeName(FreeOutcome::kShutDown), "shut down");
  EXPECT_STREQ(FreeOutcomeName(static_cast<FreeOutcome>(200)), "unknown");
}

TEST(Clock, TheMonotonicClockNeverGoesBack) {
  const Clock& clock = Clock::Monotonic();
  Time last = clock.Now();
  for (int i = 0; i < 10000; ++i) {
    const Time now = clock.Now();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_EQ(&clock, &Clock::Monotonic());
}

TEST(Clock, AdditionStopsAtInfinity) {
  EXPECT_EQ(SaturatingAdd(kInfiniteFuture, Duration(1)), kInfiniteFuture);
  EXPECT_EQ(SaturatingAdd(Time(Duration(5)), Duration::max()), kInfiniteFuture);
  EXPECT_EQ(SaturatingAdd(Time(Duration(5)), Duration(6)), Time(Duration(11)));
}

TEST(Logger, TheDefaultWritesTheLineToStandardErrorAsItIs) {
  ::testing::internal::CaptureStderr();
  Logger::Default().Log(LogLevel::kWarning, "braces {} and {0:d} stay, percent %s too");
  Logger::Default().Log(LogLevel::kError, std::string_view("cut here, not there", 8));
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("braces {} and {0:d} stay, percent %s too"), std::string::npos) << text;
  EXPECT_NE(text.find("[freehold] "), std::string::npos) << text;
  EXPECT_NE(text.find("warning"), std::string::npos) << text;
  EXPECT_NE(text.find("cut here\n"), std::string::npos) << text;
  EXPECT_EQ(&Logger::Default(), &Logger::Default());
}

}  // namespace
}  // namespace freehold
