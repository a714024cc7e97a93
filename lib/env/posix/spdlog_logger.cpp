#include "env/posix/spdlog_logger.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <utility>

namespace mendfs {
namespace {

constexpr std::size_t kFileSizeMax = 8u << 20;
constexpr std::size_t kOldFileCount = 2;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warn:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

Result<std::unique_ptr<SpdlogLogger>> SpdlogLogger::make(LogLevel level, const std::string& file) {
  try {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, kFileSizeMax, kOldFileCount);
    }
    auto out = std::make_shared<spdlog::logger>("mendfs", std::move(sink));
    out->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    out->set_level(to_spdlog(level));
    out->flush_on(spdlog::level::debug);
    return std::unique_ptr<SpdlogLogger>(new SpdlogLogger(level, std::move(out)));
  } catch (const std::exception& error) {
    return Error{ErrorCode::Io, "cannot log to " + file + ": " + error.what()};
  }
}

SpdlogLogger::SpdlogLogger(LogLevel level, std::shared_ptr<spdlog::logger> out) : level_(level), out_(std::move(out)) {}
SpdlogLogger::~SpdlogLogger() = default;

void SpdlogLogger::write(LogLevel level, std::string_view line) {
  out_->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace mendfs
