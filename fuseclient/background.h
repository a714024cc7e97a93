// Going into the background, and telling whoever started the program how it went.
//
//   Background background = Background::fork();     // the caller's process waits here and never returns
//   ...
//   background.ready("");                           // it exits 0; this process lets go of its terminal
//   background.failed("the sentence");              // it prints the sentence and exits 1
//
// fork() comes before any thread, event loop or store exists: none of them would survive it.
#pragma once

#include <string>

namespace mendfs::fuse {

class Background {
 public:
  /// Also closes every file that was inherited, other than the three standard ones.
  static Background fork();
  /// Stays in the foreground: failed() only prints.
  static Background none();
  Background(Background&& other) noexcept;
  ~Background();

  /// `pid_file` is written first, unless it is empty.
  void ready(const std::string& pid_file);
  void failed(const std::string& sentence);

 private:
  explicit Background(int parent) : parent_(parent) {}
  int parent_;  // the pipe to it, or -1
};

}  // namespace mendfs::fuse
