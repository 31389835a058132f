// The callbacks of scopes, owned from registration to the end; see host_jobs.h.
//
// Thread safety: a body is used by one thread at a time; what LimitToken shares by the executor's.

#ifndef FREEHOLD_SRC_RUNTIME_SCOPE_JOBS_H_
#define FREEHOLD_SRC_RUNTIME_SCOPE_JOBS_H_

#include <functional>
#include <memory>

#include "freehold/callback_executor.h"
#include "freehold/scope_options.h"
#include "src/core/rare.h"

namespace freehold::runtime {

// Told once that a scope ended; the detail of its job is a ScopeEnd.
class ScopeCallbackBody final : public CallbackJob::Body {
 public:
  ScopeCallbackBody(ScopeId scope, const char* what, ScopeCallback callback)
      : scope_(scope), what_(what), callback_(std::move(callback)) {}

  static ScopeCallbackBody* FromToken(core::Token token) {
    return reinterpret_cast<ScopeCallbackBody*>(token);
  }
  core::Token token() const { return reinterpret_cast<core::Token>(this); }

  void Run() override { RunWith(static_cast<int>(ScopeEnd::kEnded)); }
  void RunWith(int detail) override { callback_(scope_, static_cast<ScopeEnd>(detail)); }
  ObjectId object() const override { return ObjectId(); }
  const char* what() const override { return what_; }

 private:
  const ScopeId scope_;
  const char* const what_;
  ScopeCallback callback_;
};

// Told each time that a limit is exceeded. Its lowest bit tells such a token from the others.
class LimitToken {
 public:
  using Callback = std::function<void(ScopeId, uint64_t bytes)>;

  static core::Token Make(const Callback& callback) {
    auto* holder = new std::shared_ptr<const Callback>(std::make_shared<const Callback>(callback));
    return reinterpret_cast<core::Token>(holder) | 1;
  }
  static bool Is(core::Token token) { return (token & 1) != 0; }
  static std::unique_ptr<CallbackJob::Body> MakeJob(core::Token token, ScopeId scope,
                                                    uint64_t bytes) {
    return std::make_unique<Job>(*Pointer(token), scope, bytes);
  }
  static void Release(core::Token token) { delete Pointer(token); }

 private:
  class Job final : public CallbackJob::Body {
   public:
    Job(std::shared_ptr<const Callback> callback, ScopeId scope, uint64_t bytes)
        : callback_(std::move(callback)), scope_(scope), bytes_(bytes) {}
    void Run() override { (*callback_)(scope_, bytes_); }
    ObjectId object() const override { return ObjectId(); }
    const char* what() const override { return "limit of a scope"; }

   private:
    const std::shared_ptr<const Callback> callback_;
    const ScopeId scope_;
    const uint64_t bytes_;
  };

  static std::shared_ptr<const Callback>* Pointer(core::Token token) {
    return reinterpret_cast<std::shared_ptr<const Callback>*>(token & ~core::Token{1});
  }
};

// Destroys whatever the token stands for. Runs the host's destructors: no lock may be held.
inline void ReleaseScopeToken(core::Token token) {
  if (LimitToken::Is(token)) {
    LimitToken::Release(token);
  } else {
    delete ScopeCallbackBody::FromToken(token);
  }
}

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_SCOPE_JOBS_H_
