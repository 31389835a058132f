#include "src/core/common_peer.h"

#include "gtest/gtest.h"

namespace freehold::core {
namespace {

TEST(CommonPeer, ThereIsNoneAtFirst) {
  CommonPeer peers;
  EXPECT_EQ(peers.Get(), kNoPeer);
  peers.Add(5);
  EXPECT_EQ(peers.Get(), 5u);
  peers.Remove(5);
  EXPECT_EQ(peers.Get(), kNoPeer);
  EXPECT_EQ(peers.count(), 0u);
  EXPECT_EQ(peers, CommonPeer());
}

TEST(CommonPeer, AsOftenAsItWasAddedItIsThatOne) {
  for (const PeerIndex peer : {PeerIndex{0}, PeerIndex{7}, kPeerIndexMax, kManyPeers}) {
    CommonPeer peers;
    for (int i = 0; i < 1000; ++i) peers.Add(peer);
    EXPECT_EQ(peers.Get(), peer);
    EXPECT_EQ(peers.count(), 1000u);
  }
}

TEST(CommonPeer, OnesThatDifferAreMany) {
  CommonPeer peers;
  peers.Add(1);
  peers.Add(3);
  EXPECT_EQ(peers.Get(), kManyPeers);  // not their mean
  peers.Add(2);
  EXPECT_EQ(peers.Get(), kManyPeers);
  peers.Remove(1);
  peers.Remove(3);
  EXPECT_EQ(peers.Get(), 2u);
}

TEST(CommonPeer, OneOfMillionsMakesThemMany) {
  CommonPeer peers;
  for (int i = 0; i < 60'000; ++i) peers.Add(kPeerIndexMax);
  peers.Add(0);
  EXPECT_EQ(peers.Get(), kManyPeers);
  peers.Remove(0);
  EXPECT_EQ(peers.Get(), kPeerIndexMax);
}

TEST(CommonPeer, AllMoveFromOneToAnother) {
  CommonPeer peers;
  for (int i = 0; i < 100; ++i) peers.Add(4);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(peers.Get(), i == 0 ? 4u : kManyPeers);
    peers.Remove(4);
    peers.Add(9);
  }
  EXPECT_EQ(peers.Get(), 9u);
}

}  // namespace
}  // namespace freehold::core
