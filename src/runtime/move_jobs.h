// The jobs that a NodeAgent posts of moves of the primary.
//
// Thread safety: pure functions. Null executor: the job is dropped. What Post throws is caught and
// logged. Ownership: the callables are the job's.

#ifndef FREEHOLD_SRC_RUNTIME_MOVE_JOBS_H_
#define FREEHOLD_SRC_RUNTIME_MOVE_JOBS_H_

#include <cstdint>
#include <functional>

#include "freehold/callback_executor.h"
#include "freehold/callbacks.h"
#include "freehold/ids.h"
#include "freehold/log.h"

namespace freehold::runtime {

using PromotedCallback = std::function<void(const ObjectId&, uint32_t generation)>;

void PostMoveResult(CallbackExecutor* executor, Logger* logger, const ObjectId& object,
                    MoveCallback callback, const MoveResult& result);
void PostPromoted(CallbackExecutor* executor, Logger* logger, const ObjectId& object,
                  uint32_t generation, PromotedCallback callback);

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_MOVE_JOBS_H_
