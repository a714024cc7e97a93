// What the tests of lib/env/posix share: a real loop that runs one task to its end, and a directory that goes away.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "env/future.h"
#include "env/posix/posix_loop.h"
#include "env/posix/spdlog_logger.h"

namespace mendfs {

/// Runs the loop until `task` has ended; a test that hangs is ended by ctest's time limit.
template <class T>
T run_to_end(PosixLoop& loop, Task<T> task) {
  struct Runner {
    static Task<void> run(PosixLoop* loop, Task<T> wanted, std::optional<T>* answer) {
      answer->emplace(co_await std::move(wanted));
      loop->stop();
    }
  };
  std::optional<T> answer;
  Scope scope;
  scope.spawn(Runner::run(&loop, std::move(task), &answer));
  while (!answer) loop.run();
  return std::move(*answer);
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mendfs-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::unique_ptr<Logger> quiet_log() { return std::move(*SpdlogLogger::make(LogLevel::Error, "")); }

}  // namespace mendfs
