// Scopes across processes keep their promises whatever happens.

#include "tests/core/scope_links_sim.h"
#include "gtest/gtest.h"

namespace freehold::core {
namespace {

TEST(ScopeLinks, WhatHappensAtRandomKeepsThePromises) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    LinkedScopes world(seed);
    ASSERT_TRUE(world.Run(300)) << "seed " << seed << ": " << world.violation();
  }
}

}  // namespace
}  // namespace freehold::core
