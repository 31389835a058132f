// A thread that waits for the program's end. While it is alive libstdc++ counts shared_ptr with
// atomic instructions, as it does in every program that has a use for this library.

#ifndef FREEHOLD_BENCH_SECOND_THREAD_H_
#define FREEHOLD_BENCH_SECOND_THREAD_H_

#include <condition_variable>
#include <mutex>
#include <thread>

namespace freehold::bench {

class SecondThread {
 public:
  SecondThread() {
    thread_ = std::thread([this] {
      std::unique_lock<std::mutex> lock(mutex_);
      end_.wait(lock, [this] { return ending_; });
    });
  }
  ~SecondThread() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    end_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable end_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_SECOND_THREAD_H_
