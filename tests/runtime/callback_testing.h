// What the tests of the callback executor share: an event to wait for, a logger that remembers, and
// jobs made of functions.

#ifndef FREEHOLD_TESTS_RUNTIME_CALLBACK_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_CALLBACK_TESTING_H_

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "freehold/callback_executor.h"

namespace freehold::callback_testing {

// Something that one thread announces and another waits for.
class Event {
 public:
  void Set() {
    std::lock_guard<std::mutex> lock(mutex_);
    set_ = true;
    condition_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    condition_.wait(lock, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool set_ = false;
};

class RecordingLogger final : public Logger {
 public:
  void Log(LogLevel level, std::string_view message) override {
    std::lock_guard<std::mutex> lock(mutex_);
    static_cast<void>(level);
    lines_.emplace_back(message);
    condition_.notify_all();
  }
  std::vector<std::string> lines() {
    std::lock_guard<std::mutex> lock(mutex_);
    return lines_;
  }
  void AwaitLines(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    condition_.wait(lock, [&] { return lines_.size() >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  std::vector<std::string> lines_;
};

class TestBody final : public CallbackJob::Body {
 public:
  TestBody(uint64_t number, std::function<void()> run, std::function<void()> destroy)
      : number_(number), run_(std::move(run)), destroy_(std::move(destroy)) {}
  ~TestBody() noexcept(false) override {
    if (destroy_) destroy_();
  }
  void Run() override {
    if (run_) run_();
  }
  ObjectId object() const override { return ObjectId::FromNumber(number_); }
  const char* what() const override { return "test callback"; }

 private:
  const uint64_t number_;
  const std::function<void()> run_;
  const std::function<void()> destroy_;
};

inline CallbackJob Job(Logger* logger, uint64_t number, std::function<void()> run,
                       std::function<void()> destroy = nullptr) {
  return CallbackJob(std::make_unique<TestBody>(number, std::move(run), std::move(destroy)),
                     logger);
}

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::string Hex(uint64_t number) { return ObjectId::FromNumber(number).ToHex(); }

class CallbackThreadTest : public ::testing::Test {
 protected:
  // Without a watchdog unless `threshold` is given.
  std::shared_ptr<CallbackThread> Start(Duration threshold = Duration::zero()) {
    CallbackThreadOptions options;
    options.slow_callback_threshold = threshold;
    options.logger = &logger_;
    return *CallbackThread::Start(options);
  }
  CallbackJob MakeJob(uint64_t number, std::function<void()> run,
                      std::function<void()> destroy = nullptr) {
    return Job(&logger_, number, std::move(run), std::move(destroy));
  }
  // A job that announces itself in `entered_` and holds the thread until `gate_`.
  CallbackJob Blocker(uint64_t number = 999) {
    return MakeJob(number, [this] {
      entered_.Set();
      gate_.Wait();
    });
  }

  RecordingLogger logger_;
  Event entered_;
  Event gate_;
};

}  // namespace freehold::callback_testing

#endif  // FREEHOLD_TESTS_RUNTIME_CALLBACK_TESTING_H_
