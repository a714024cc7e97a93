#include "tests/sim/world/recording_logger.h"

#include <algorithm>
#include <cstdlib>

namespace mendfs::sim {
namespace {

constexpr std::size_t kLinesMax = 4096;

}  // namespace

RecordingLogger::RecordingLogger(std::string name, const Loop& loop)
    : name_(std::move(name)), loop_(loop), print_(std::getenv("MENDFS_SIM_LOG") != nullptr) {}

bool RecordingLogger::enabled(LogLevel level) const { return print_ || level != LogLevel::Debug; }

void RecordingLogger::write(LogLevel level, std::string_view line) {
  if (print_) {
    const double seconds = static_cast<double>(loop_.now().count()) / 1e9;
    fmt::print(stderr, "{:12.6f} {:6} {} {}\n", seconds, name_, "DIWE"[static_cast<int>(level)], line);
  }
  if (lines_.size() == kLinesMax) lines_.pop_front();
  lines_.push_back({level, loop_.now(), std::string(line)});
}

bool RecordingLogger::contains(std::string_view part) const {
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const Line& line) { return line.text.find(part) != std::string::npos; });
}

std::size_t RecordingLogger::count(LogLevel level) const {
  return static_cast<std::size_t>(
      std::count_if(lines_.begin(), lines_.end(), [&](const Line& line) { return line.level == level; }));
}

}  // namespace mendfs::sim
