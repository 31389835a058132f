#include "interrupt.h"

#include <pthread.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace pipeline {
namespace {

const char* Name(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "SIGQUIT";
  }
}

}  // namespace

Interrupt::Interrupt() {
  // A reader that went away (`pipeline | head -1`) must not kill the process over its folder.
  std::signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals_);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    // One that whoever started us has ignored (nohup, a script's background job) stays ignored.
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&signals_, signal);
  }
  // The destructor's own, which wakes the thread.
  sigaddset(&signals_, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { Wait(); });
}

Interrupt::~Interrupt() {
  stopping_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void Interrupt::Wait() {
  while (true) {
    int signal = 0;
    if (sigwait(&signals_, &signal) != 0) continue;
    if (stopping_) return;
    if (signal == SIGUSR1) continue;  // somebody else's
    int none = 0;
    if (!signal_.compare_exchange_strong(none, signal)) continue;
    std::lock_guard<std::mutex> lock(mutex_);
    if (waker_) waker_();
  }
}

absl::Status Interrupt::Check() const {
  const int signal = signal_number();
  if (signal == 0) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat("interrupted by ", Name(signal)));
}

void Interrupt::SetWaker(std::function<void()> waker) {
  std::lock_guard<std::mutex> lock(mutex_);
  waker_ = std::move(waker);
}

}  // namespace pipeline
