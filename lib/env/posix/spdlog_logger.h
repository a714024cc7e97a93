#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/logger.h"

namespace spdlog {
class logger;
}

namespace mendfs {

/// Lines with time and level, on standard error or in a file that is bounded (3 of 8 MiB). Any thread.
class SpdlogLogger final : public Logger {
 public:
  /// An empty `file` is standard error.
  static Result<std::unique_ptr<SpdlogLogger>> make(LogLevel level, const std::string& file);
  ~SpdlogLogger() override;

  bool enabled(LogLevel level) const override { return level >= level_; }
  void write(LogLevel level, std::string_view line) override;

 private:
  SpdlogLogger(LogLevel level, std::shared_ptr<spdlog::logger> out);

  LogLevel level_;
  std::shared_ptr<spdlog::logger> out_;
};

}  // namespace mendfs
