#include "env/posix/posix_threads.h"

#include <catch2/catch.hpp>
#include <thread>

#include "env/posix/posix_loop.h"

namespace mendfs {
namespace {

TEST_CASE("a job runs on another thread, and what follows it on the loop", "[posix]") {
  PosixLoop loop;
  PosixThreads threads(loop);
  std::thread::id job_thread;
  std::thread::id done_thread;
  threads.run([&] { job_thread = std::this_thread::get_id(); },
              [&] {
                done_thread = std::this_thread::get_id();
                loop.stop();
              });
  loop.run();
  CHECK(job_thread != std::thread::id());
  CHECK(job_thread != std::this_thread::get_id());
  CHECK(done_thread == std::this_thread::get_id());
}

}  // namespace
}  // namespace mendfs
