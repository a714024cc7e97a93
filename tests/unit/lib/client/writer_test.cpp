// What waits for servers that are away, and what ends a wait.
#include <catch2/catch.hpp>

#include "client/interrupt.h"
#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

TEST_CASE("a write waits for a server that is away, and succeeds when it is back", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.cluster.server(1).kill();
  mount.cluster.world.run_for(100ms);
  const auto bytes = pattern(10'000, 1);
  std::optional<Result<std::uint32_t>> written;
  Scope scope;
  scope.spawn(sim::detail::keep_result(mount.write_task(file.handle, 0, bytes), &written));
  mount.cluster.world.run_for(15s);
  CHECK_FALSE(written.has_value());
  const std::vector<Blocked> blocked = mount.filesystem->blocked();
  REQUIRE_FALSE(blocked.empty());
  CHECK(blocked.front().what == std::string("write"));
  CHECK(blocked.front().slot == Slot{1});
  CHECK(blocked.front().inode == file.attributes.inode);
  CHECK(mount.cluster.client().log().contains("write blocked on server 1 (127.0.0.1:2001)"));
  mount.cluster.start_server(1);
  REQUIRE(mount.cluster.world.run_until([&] { return written.has_value(); }, 3s));
  REQUIRE(*written);
  mount.flush(file.handle);
  CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
}

TEST_CASE("an interrupt ends the wait after a second and leaves the write queued", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.cluster.server(1).kill();
  mount.cluster.world.run_for(100ms);
  const auto bytes = pattern(4000, 1);
  auto interrupt = std::make_shared<Interrupt>(mount.cluster.client().loop());
  std::optional<Result<std::uint32_t>> written;
  Scope scope;
  const Time before = mount.cluster.world.now();
  scope.spawn(sim::detail::keep_result(Interrupt::run(interrupt, mount.write_task(file.handle, 0, bytes)), &written));
  mount.cluster.world.run_for(100ms);
  interrupt->interrupt();
  REQUIRE(mount.cluster.world.run_until([&] { return written.has_value(); }, 5s));
  CHECK(written->code() == ErrorCode::Interrupted);
  CHECK(mount.cluster.world.now() - before >= 1s);
  CHECK(mount.cluster.world.now() - before < 1100ms);
  mount.cluster.start_server(1);
  mount.flush(file.handle);
  CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
}

TEST_CASE("the metaserver being away stops names, not reads and writes of open files", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.cluster.metaserver().kill();
  const auto bytes = pattern(4000, 1);
  mount.write(file.handle, 0, bytes);
  CHECK((mount.read(file.handle, 0, 4000) == bytes));
  std::optional<Result<Attributes>> found;
  Scope scope;
  scope.spawn(sim::detail::keep_result(mount.filesystem->lookup(kRootInode, "a"), &found));
  mount.cluster.world.run_for(5s);
  CHECK_FALSE(found.has_value());
  mount.cluster.start_metaserver();
  REQUIRE(mount.cluster.world.run_until([&] { return found.has_value(); }, 2s));
  CHECK(found->ok());
}

TEST_CASE("an unmount brings the queue home, or says what it drops", "[client]") {
  {
    Mounted mount;
    const Opened file = mount.create("a");
    mount.write(file.handle, 0, pattern(4000, 1));
    mount.cluster.run(mount.filesystem->unmount(mount.cluster.world.now() + 5s));
    CHECK((mount.cluster.stored(file.attributes.inode) == pattern(4000, 1)));
    CHECK(mount.cluster.names.sessions.empty());
  }
  Mounted mount;
  const Opened file = mount.create("a");
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::Unavailable, "not now"};
  mount.write(file.handle, 0, pattern(4000, 1));
  const Time before = mount.cluster.world.now();
  mount.cluster.run(mount.filesystem->unmount(before + 5s));
  CHECK(mount.cluster.world.now() - before < 7s);
  CHECK(mount.cluster.client().log().contains("dropped at unmount"));
}

TEST_CASE("once a disk is full the write itself fails, until there is space again", "[client]") {
  Mounted mount;
  const Opened first = mount.create("a");
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::NoSpace, "server 1 is full"};
  mount.write(first.handle, 0, pattern(4000, 1));
  CHECK(mount.cluster.run(mount.filesystem->flush(first.handle)).code() == ErrorCode::NoSpace);
  // Programs that do not look at what close() says hear of it, too.
  const Opened second = mount.create("b");
  CHECK(mount.cluster.run(mount.write_task(second.handle, 0, pattern(4000, 2))).code() == ErrorCode::NoSpace);
  mount.flush(second.handle);
  for (FakeStore& store : mount.cluster.stores) store.write_refusal.reset();
  mount.write(second.handle, 0, pattern(4000, 2));
  mount.flush(second.handle);
  CHECK((mount.cluster.stored(second.attributes.inode) == pattern(4000, 2)));
}

TEST_CASE("with a timeout a write ends with EIO instead of waiting for ever", "[client]") {
  Options options;
  options.timeout = 3s;
  Mounted mount(3, options);
  const Opened file = mount.create("a");
  mount.cluster.server(1).kill();
  mount.cluster.world.run_for(100ms);
  const Time before = mount.cluster.world.now();
  const auto written = mount.cluster.run(mount.write_task(file.handle, 0, pattern(10'000, 1)));
  CHECK(written.code() == ErrorCode::Io);
  CHECK(mount.cluster.world.now() - before < 5s);
}

}  // namespace
}  // namespace mendfs::client
