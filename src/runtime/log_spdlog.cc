// The default Logger, and the only file that knows spdlog.

#include "freehold/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace freehold {

namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;  // a level that was cast from a number: better loud than lost
}

class SpdlogLogger final : public Logger {
 public:
  // Not registered with spdlog: the name may be taken by the host, and registering would throw.
  SpdlogLogger() : logger_("freehold", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {}

  void Log(LogLevel level, std::string_view message) override {
    // The overload that takes a view does not read braces in the message as a format.
    logger_.log(ToSpdlog(level), spdlog::string_view_t(message.data(), message.size()));
  }

 private:
  spdlog::logger logger_;
};

}  // namespace

Logger& Logger::Default() {
  // Never destroyed: threads that outlive main() may still log.
  static Logger* const logger = new SpdlogLogger;
  return *logger;
}

}  // namespace freehold
