// InlineExecutor: callbacks run at once, in the thread that caused them.
//
// The harshest executor there is: whatever a callback does, it does from inside the library's call.
// Nothing but CallbackJob's own guard stands between the two.
//
// Thread safety: thread-safe. Blocks: Post as long as the callback does.

#ifndef FREEHOLD_TESTING_INLINE_EXECUTOR_H_
#define FREEHOLD_TESTING_INLINE_EXECUTOR_H_

#include "freehold/callback_executor.h"

namespace freehold::testing {

class InlineExecutor final : public CallbackExecutor {
 public:
  bool Post(CallbackJob job) override {
    (void)job.Run();
    return true;
  }
};

}  // namespace freehold::testing

#endif  // FREEHOLD_TESTING_INLINE_EXECUTOR_H_
