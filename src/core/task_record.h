// A recorded task, as one process tells another of it whose object it made (PROTOCOL, step 17).
//
// Thread safety: a value.

#ifndef FREEHOLD_SRC_CORE_TASK_RECORD_H_
#define FREEHOLD_SRC_CORE_TASK_RECORD_H_

#include <cstdint>
#include <vector>

#include "freehold/ids.h"

namespace freehold::core {

struct TaskRecord {
  TaskId id;  // not nil
  uint64_t spec_bytes = 0;
  uint32_t retries = 0;             // that are left
  std::vector<ObjectId> arguments;  // none of them nil; none when it has no retries
};
// More are told to nobody: one message has them all.
inline constexpr size_t kTaskArgumentsMax = 128;

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_TASK_RECORD_H_
