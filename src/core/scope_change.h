// How the core names scopes, and what a step of an ObjectTable changes about one.
//
// Thread safety: values.

#ifndef FREEHOLD_SRC_CORE_SCOPE_CHANGE_H_
#define FREEHOLD_SRC_CORE_SCOPE_CHANGE_H_

#include <cstdint>

namespace freehold::core {

// A scope, dense; used again once nothing names it any more.
using ScopeIndex = uint32_t;
inline constexpr ScopeIndex kRootScope = 0;
inline constexpr ScopeIndex kNoScope = UINT32_MAX;

// A label, interned by the runtime. 0: the empty one, which is not accounted for.
using LabelIndex = uint32_t;
inline constexpr LabelIndex kNoLabel = 0;
inline constexpr LabelIndex kLabelsMax = 1u << 20;

// What became more or less of one label in one scope.
struct ScopeChange {
  ScopeIndex scope = kNoScope;
  LabelIndex label = kNoLabel;
  int32_t objects = 0;
  int32_t copies = 0;
  int64_t bytes = 0;
  uint32_t steps = 0;  // of how many it is the sum, so that none can be missed
};

// Of the members of a scope in one shard, the list that one is in.
enum class MemberList : uint8_t {
  kHeld = 0,    // the scope holds it, by one count of `nested_in`
  kLoose = 1,   // it goes when nobody refers to it
  kForced = 2,  // not held; its value was freed because the scope was ended by force
};
inline constexpr int kMemberLists = 3;

// In which scope an object is, after how many moves in its shard.
struct WhoseObject {
  ScopeIndex scope = kNoScope;
  uint64_t move = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SCOPE_CHANGE_H_
