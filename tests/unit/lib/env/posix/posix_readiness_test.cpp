#include "env/posix/posix_readiness.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "env/posix/file_descriptor.h"
#include "env/posix/posix_loop.h"

namespace mendfs {
namespace {

struct PipeFixture {
  PipeFixture() {
    int ends[2] = {};
    REQUIRE(::pipe(ends) == 0);
    read_end = FileDescriptor(ends[0]);
    write_end = FileDescriptor(ends[1]);
  }
  void put(const std::string& text) {
    REQUIRE(::write(write_end.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  char take() {
    char byte = 0;
    CHECK(::read(read_end.get(), &byte, 1) == 1);
    return byte;
  }

  FileDescriptor read_end{-1};
  FileDescriptor write_end{-1};
  PosixLoop loop;
  PosixReadiness readiness{loop};
};

TEST_CASE_METHOD(PipeFixture, "a descriptor that was not read empty is told of again", "[posix]") {
  put("abc");
  std::string read;
  const auto watch = readiness.watch(read_end.get(), [&] {
    read += take();
    if (read == "abc") put("d");
    if (read == "abcd") loop.stop();
  });
  loop.run();
  CHECK(read == "abcd");
}

TEST_CASE_METHOD(PipeFixture, "the end of the other side is told of", "[posix]") {
  int calls = 0;
  const auto watch = readiness.watch(read_end.get(), [&] {
    ++calls;
    loop.stop();
  });
  write_end = FileDescriptor(-1);
  loop.run();
  CHECK(calls == 1);
}

TEST_CASE_METHOD(PipeFixture, "a watch that ends itself is not called again, and leaves the descriptor open",
                 "[posix]") {
  put("ab");
  int calls = 0;
  std::unique_ptr<ReadWatch> watch;
  watch = readiness.watch(read_end.get(), [&] {
    ++calls;
    watch.reset();
    loop.post([this] { loop.post([this] { loop.stop(); }); });
  });
  loop.run();
  CHECK(calls == 1);
  CHECK(take() == 'a');
}

}  // namespace
}  // namespace mendfs
