// The tokens of references that cross processes: doubled, lost, cancelled, sealed, and not tokens.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/handoff_ledger.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

TEST(SharingTokens, ADuplicateTokenIsOneMoreHandleOrSaysThatItWasRedeemed) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  const std::string token = world.Export(1, 7, 2).token;
  ObjectRef first = world.Import(2, token);
  ObjectRef second = world.Import(2, token);
  EXPECT_EQ(first, second);
  EXPECT_EQ(world.Counts(2, 7).handles, 2u);
  world.Settle();
  EXPECT_TRUE(world[2].Import(token).ok());  // confirmed: the same
  first.Reset();
  second.Reset();
  world.Settle();
  EXPECT_EQ(world.WhyNot(2, token), ErrorReason::kAlreadyRedeemed);
  EXPECT_EQ(world[2].GetStats().objects, 0u);
  EXPECT_EQ(world[2].GetStats().handoff_intervals, 1u);
}

TEST(SharingTokens, ATokenForAnotherProcessIsRefusedAndStaysGood) {
  SharingWorld world(3);
  const ObjectRef own = world.Declare(1, 7);
  const std::string token = world.Export(1, 7, 2).token;
  EXPECT_EQ(world.WhyNot(3, token), ErrorReason::kWrongReceiver);
  EXPECT_EQ(world.WhyNot(1, token), ErrorReason::kWrongReceiver);
  EXPECT_EQ(world[3].GetStats().objects, 0u);
  EXPECT_TRUE(world.Import(2, token));
}

TEST(SharingTokens, WhatIsNotATokenIsRefused) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  std::string token = world.Export(1, 7, 2).token;
  EXPECT_EQ(world.WhyNot(2, ""), ErrorReason::kMalformedToken);
  EXPECT_EQ(world.WhyNot(2, token.substr(1)), ErrorReason::kMalformedToken);
  token[token.size() / 2] = static_cast<char>(token[token.size() / 2] ^ 1);
  EXPECT_EQ(world.WhyNot(2, token), ErrorReason::kMalformedToken);
  EXPECT_EQ(world[2].GetStats().objects, 0u);
}

TEST(SharingTokens, ATokenThatComesBackToTheOwnerIsCountedAndAnsweredAtOnce) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  const std::string back = world.Export(2, 7, 1).token;
  borrowed.Reset();
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);  // pinned at the borrower
  ObjectRef again = world.Import(1, back);
  EXPECT_EQ(again, own);
  world.Settle();
  EXPECT_EQ(world[2].GetStats().objects, 0u);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 0u);
  own.Reset();
  EXPECT_TRUE(world.InScope(1, 7));
  again.Reset();
  EXPECT_EQ(world.WhyNot(1, back), ErrorReason::kAlreadyRedeemed);
  world.Settle();
  world.ExpectClean();
}

TEST(SharingTokens, ALostTokenIsCancelledAndRefusedWhenItComesYet) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  const ExportedReference lost = world.Export(1, 7, 2);
  own.Reset();
  ASSERT_TRUE(world[1].CancelHandoff(lost.handoff).ok());
  world.Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  EXPECT_EQ(world.WhyNot(2, lost.token), ErrorReason::kRefused);
  EXPECT_EQ(world[1].CancelHandoff(lost.handoff).code(), absl::StatusCode::kNotFound);
  world.ExpectClean();
}

TEST(SharingTokens, AHandoffThatIsCancelledAgainAndAgainIsCancelledOnce) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  const ExportedReference lost = world.Export(1, 7, 2);
  world.transport.unreachable[Process(2)] = true;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(world[1].CancelHandoff(lost.handoff).ok());
  EXPECT_EQ(world[1].GetStats().answers_waiting, 1u);
  world.transport.unreachable.clear();
  world.SettleFor(std::chrono::seconds(10));
  EXPECT_EQ(world.Counts(1, 7).handoffs, 0u);
}

TEST(SharingTokens, TheLivesOfTokensThatHaveArrivedAreForgotten) {
  ReferenceCounterOptions options;
  options.token_life = std::chrono::hours(1);
  SharingWorld world(2, options);
  ObjectRef own = world.Declare(1, 7);
  for (int i = 0; i < 1000; ++i) {
    world.Pass(1, 7, 2).Reset();
    world.Settle();
    world.clock.Advance(std::chrono::milliseconds(1));
  }
  // Only the latest ones can still be waited for.
  EXPECT_GT(world[1].NextDeadline(), world.clock.Now() + std::chrono::minutes(59));
  world[1].Pump(kInfiniteFuture);
  EXPECT_EQ(world.Counts(1, 7).handoffs, 0u);
}

TEST(SharingTokens, TokensThatStayAwayForTooLongAreRefusedAndTheirHandoffsEnd) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  world.Settle();
  std::vector<ExportedReference> missing;
  for (size_t i = 0; i <= core::HandoffLedger::kIntervalsMax + 1; ++i) {
    missing.push_back(world.Export(1, 7, 2));
    world.Pass(1, 7, 2).Reset();
  }
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).handoffs, missing.size());
  EXPECT_EQ(world[2].GetStats().handoffs_given_up, 3u);
  // The first has been given up, and its sender learns it when it comes,
  EXPECT_EQ(world.WhyNot(2, missing[0].token), ErrorReason::kRefused);
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).handoffs, missing.size() - 1);
  // or when it is cancelled; the last is as good as ever.
  EXPECT_TRUE(world[1].CancelHandoff(missing[1].handoff).ok());
  EXPECT_TRUE(world.Import(2, missing.back().token));
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).handoffs, missing.size() - 3);
}

TEST(SharingTokens, ACancellationThatComesAfterTheTokenChangesNothing) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  const ExportedReference exported = world.Export(1, 7, 2);
  ObjectRef borrowed = world.Import(2, exported.token);
  own.Reset();
  ASSERT_TRUE(world[1].CancelHandoff(exported.handoff).ok());
  world.Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
}

TEST(SharingTokens, TokensAreGivenUpForLostAfterTheirLife) {
  ReferenceCounterOptions options;
  options.token_life = std::chrono::seconds(10);
  SharingWorld world(2, options);
  ObjectRef own = world.Declare(1, 7);
  const std::string token = world.Export(1, 7, 2).token;
  own.Reset();
  world.SettleFor(std::chrono::seconds(9));
  EXPECT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world[1].NextDeadline(), Time(std::chrono::seconds(11)));
  world.SettleFor(std::chrono::seconds(2));
  EXPECT_FALSE(world.InScope(1, 7));
  EXPECT_EQ(world.WhyNot(2, token), ErrorReason::kRefused);
  world.ExpectClean();
}

class XorSealer final : public TokenSealer {
 public:
  std::string Seal(std::string_view token) override { return "sealed" + Mix(token); }
  std::optional<std::string> Open(std::string_view sealed) override {
    if (sealed.substr(0, 6) != "sealed") return std::nullopt;
    return Mix(sealed.substr(6));
  }

 private:
  static std::string Mix(std::string_view text) {
    std::string mixed(text);
    for (char& c : mixed) c = static_cast<char>(c ^ 0x5a);
    return mixed;
  }
};

TEST(SharingTokens, SealedTokensShowNothingAndOpenForThoseWithTheSealer) {
  XorSealer sealer;
  ReferenceCounterOptions options;
  options.token_sealer = &sealer;
  SharingWorld world(2, options);
  const ObjectRef own = world.Declare(1, 7);
  const std::string token = world.Export(1, 7, 2).token;
  EXPECT_EQ(token.find(std::string(Object(7).bytes())), std::string::npos);
  EXPECT_EQ(world.WhyNot(2, *sealer.Open(token)), ErrorReason::kMalformedToken);
  EXPECT_TRUE(world.Import(2, token));
}

}  // namespace
}  // namespace freehold
