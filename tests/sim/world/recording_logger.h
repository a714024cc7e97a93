// Keeps the lines that a program logs, so that tests can look for them. With MENDFS_SIM_LOG set in the environment they
// are printed too, with the virtual time.
#pragma once

#include <deque>
#include <string>

#include "base/logger.h"
#include "env/loop.h"

namespace mendfs::sim {

class RecordingLogger : public Logger {
 public:
  RecordingLogger(std::string name, const Loop& loop);

  bool enabled(LogLevel level) const override;
  void write(LogLevel level, std::string_view line) override;

  struct Line {
    LogLevel level;
    Time time;
    std::string text;
  };
  /// The newest few thousand.
  const std::deque<Line>& lines() const { return lines_; }
  bool contains(std::string_view part) const;
  std::size_t count(LogLevel level) const;

 private:
  std::string name_;
  const Loop& loop_;
  bool print_;
  std::deque<Line> lines_;
};

}  // namespace mendfs::sim
