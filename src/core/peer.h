// PeerIndex: a node or process as the core knows it, interned to 32 bits by the runtime.
//
// One index space for both kinds; indices are dense, handed out from 0 in order of first sight and
// never reused, as ids are.

#ifndef FREEHOLD_SRC_CORE_PEER_H_
#define FREEHOLD_SRC_CORE_PEER_H_

#include <cstdint>

namespace freehold::core {

using PeerIndex = uint32_t;
// A location packs the index into 24 bits.
inline constexpr PeerIndex kPeerIndexMax = (1u << 24) - 2;
inline constexpr PeerIndex kNoPeer = (1u << 24) - 1;

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_PEER_H_
