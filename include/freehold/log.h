// Where the library's few log lines go.
//
// The library logs what an operator must act on (a callback that threw, a store that keeps failing,
// a peer that sends garbage), never per object on a normal path. A host passes its own Logger; the
// default writes through spdlog.
//
// Thread safety: a Logger must be thread-safe; it is never called with a lock of the library held.
// It may block; the line is then late. It must not call back into the library.

#ifndef FREEHOLD_LOG_H_
#define FREEHOLD_LOG_H_

#include <cstdint>
#include <string_view>

namespace freehold {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

class Logger {
 public:
  virtual ~Logger() = default;
  virtual void Log(LogLevel level, std::string_view message) = 0;

  // Writes to standard error through spdlog's default format, under the name "freehold". Lives for
  // ever.
  static Logger& Default();
};

}  // namespace freehold

#endif  // FREEHOLD_LOG_H_
