#include "fuseclient/write_hasher.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

namespace mendfs::fuse {
namespace {

/// Runs what it is given when, and in the order in which, the test says.
class FakeThreads final : public Threads {
 public:
  void run(std::function<void()> job, std::function<void()> done) override {
    jobs.emplace_back(std::move(job), std::move(done));
  }
  void finish(std::size_t index) {
    jobs[index].first();
    jobs[index].second();
  }
  std::vector<std::pair<std::function<void()>, std::function<void()>>> jobs;
};

struct HasherFixture {
  FakeThreads threads;
  bool more_waits = true;
  WriteHasher hasher{threads, [this] { return more_waits; }};
  std::vector<std::uint64_t> handed_on;  // the offsets of the writes

  void write(InodeNumber file, std::uint64_t offset, std::size_t size) {
    Buffer data = Buffer::copy_of(bytes_of(std::string(size, 'x')));
    hasher.prepare(file, offset, data, 512, [this, data](client::PreparedWrite prepared) {
      CHECK(prepared.digests == client::prepare_write(prepared.offset, data, 512).digests);
      handed_on.push_back(prepared.offset);
    });
  }
};

constexpr std::size_t kLarge = 1u << 20;

TEST_CASE_METHOD(HasherFixture, "a small write goes on at once", "[fuse]") {
  write(1, 700, 4096);
  CHECK(handed_on == std::vector<std::uint64_t>{700});
  CHECK(threads.jobs.empty());
}

TEST_CASE_METHOD(HasherFixture, "a large write that nothing waits behind goes on at once", "[fuse]") {
  more_waits = false;
  write(1, 0, kLarge);
  CHECK(handed_on == std::vector<std::uint64_t>{0});
  CHECK(threads.jobs.empty());
}

TEST_CASE_METHOD(HasherFixture, "a large write is hashed on another core when more requests wait", "[fuse]") {
  write(1, 0, kLarge);
  CHECK(handed_on.empty());
  REQUIRE(threads.jobs.size() == 1);
  threads.finish(0);
  CHECK(handed_on == std::vector<std::uint64_t>{0});
}

TEST_CASE_METHOD(HasherFixture, "the writes of a file keep their order, whichever is hashed first", "[fuse]") {
  write(1, 0, kLarge);
  more_waits = false;
  write(1, 1, kLarge);
  more_waits = true;
  write(1, 2, kLarge);
  write(1, 3, 10);
  CHECK(handed_on.empty());
  threads.finish(1);
  CHECK(handed_on.empty());
  threads.finish(0);
  CHECK(handed_on == std::vector<std::uint64_t>{0, 1, 2, 3});
  write(1, 4, 10);  // nothing is left to wait for
  CHECK(handed_on.back() == 4);
}

TEST_CASE_METHOD(HasherFixture, "files do not wait for one another", "[fuse]") {
  write(1, 0, kLarge);
  write(2, 5, 10);
  CHECK(handed_on == std::vector<std::uint64_t>{5});
}

}  // namespace
}  // namespace mendfs::fuse
