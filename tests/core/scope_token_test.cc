// Tokens of scopes: bytes out, the same back, and nothing else.

#include "src/core/scope_token.h"

#include <string>

#include "gtest/gtest.h"
#include "src/core/token.h"

namespace freehold::core {
namespace {

ScopeToken Some() {
  ScopeToken token;
  token.owner = ProcessId::FromNumber(1);
  token.scope = ScopeId(4711);
  token.sender = ProcessId::FromNumber(2);
  token.receiver = ProcessId::FromNumber(3);
  token.hold = true;
  return token;
}

TEST(ScopeToken, ComesBackAsItWas) {
  for (const bool no_cleanup : {false, true}) {
    ScopeToken token = Some();
    token.no_cleanup = no_cleanup;
    const std::string bytes = EncodeScopeToken(token);
    EXPECT_EQ(bytes.size(), kScopeTokenBytes);
    ScopeToken back;
    ASSERT_EQ(DecodeScopeToken(bytes, &back), TokenError::kOk);
    EXPECT_EQ(back.owner, token.owner);
    EXPECT_EQ(back.scope, token.scope);
    EXPECT_EQ(back.sender, token.sender);
    EXPECT_EQ(back.receiver, token.receiver);
    EXPECT_TRUE(back.hold);
    EXPECT_EQ(back.no_cleanup, no_cleanup);
  }
}

TEST(ScopeToken, AnyByteThatIsAlteredIsNoticed) {
  const std::string bytes = EncodeScopeToken(Some());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    ScopeToken token;
    EXPECT_NE(DecodeScopeToken(altered, &token), TokenError::kOk) << at;
    EXPECT_TRUE(token.owner.IsNil()) << "nothing was written";
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    ScopeToken token;
    EXPECT_EQ(DecodeScopeToken(bytes.substr(0, size), &token), TokenError::kBadLength) << size;
  }
}

TEST(ScopeToken, IsNoneOfAReferenceNorTheOtherWayRound) {
  ReferenceToken reference;
  EXPECT_EQ(DecodeToken(EncodeScopeToken(Some()), &reference), TokenError::kBadMagic);
  reference.object = ObjectId::FromNumber(1);
  reference.owner = reference.sender = ProcessId::FromNumber(1);
  reference.receiver = ProcessId::FromNumber(2);
  reference.number = 1;
  ScopeToken token;
  EXPECT_EQ(DecodeScopeToken(EncodeToken(reference), &token), TokenError::kBadMagic);
}

}  // namespace
}  // namespace freehold::core
