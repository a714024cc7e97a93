#include "tests/sim/world/sim_disk.h"

#include <catch2/catch.hpp>

#include "tests/sim/world/world.h"

namespace mendfs::sim {
namespace {

Result<void> write(File& file, std::uint64_t offset, std::string_view text) {
  const std::array<ByteView, 1> pieces{bytes_of(text)};
  return file.write(offset, pieces);
}

std::unique_ptr<File> open(SimDisk& disk, const std::string& name) {
  auto file = disk.open(name, OpenMode::OpenOrCreate);
  REQUIRE(file.ok());
  return std::move(*file);
}

}  // namespace

TEST_CASE("what is synced, with its name, survives a power cut under every seed", "[disk]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimWorld world(seed);
    SimProcess& p = world.process("p");
    const std::string text(10'000, 'x');
    auto file = open(p.disk(), "log");
    REQUIRE(write(*file, 0, text).ok());
    REQUIRE(run(world, file->sync()).ok());
    REQUIRE(run(world, p.disk().sync_directory("")).ok());
    REQUIRE(write(*file, 10'000, text).ok());
    const std::string boot = p.disk().boot_id();
    file.reset();
    p.power_cut();
    CHECK(p.disk().content("log").value_or("").substr(0, 10'000) == text);
    CHECK(p.disk().boot_id() != boot);
  }
}

TEST_CASE("un-synced sectors are lost, kept or torn, each under some seed", "[disk]") {
  int lost = 0, kept = 0, torn = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimWorld world(seed);
    SimProcess& p = world.process("p");
    auto file = open(p.disk(), "log");
    REQUIRE(write(*file, 0, std::string(8192, 'o')).ok());
    REQUIRE(run(world, file->sync()).ok());
    REQUIRE(run(world, p.disk().sync_directory("")).ok());
    REQUIRE(write(*file, 0, std::string(8192, 'n')).ok());
    p.power_cut();
    const std::string content = p.disk().content("log").value_or("");
    REQUIRE(content.size() == 8192);
    const auto fresh = static_cast<std::size_t>(std::count(content.begin(), content.end(), 'n'));
    CHECK(fresh % 512 == 0);
    (fresh == 0 ? lost : fresh == 8192 ? kept : torn)++;
  }
  CHECK(lost > 0);
  CHECK(kept > 0);
  CHECK(torn > 0);
}

TEST_CASE("a kill keeps everything written", "[disk]") {
  SimWorld world;
  SimProcess& p = world.process("p");
  auto file = open(p.disk(), "log");
  REQUIRE(write(*file, 3, "abc").ok());
  file.reset();
  p.kill();
  CHECK(p.disk().content("log") == std::string("\0\0\0abc", 6));
}

TEST_CASE("names that were not synced may be lost, and renames go whole", "[disk]") {
  int fresh = 0, old = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimWorld world(seed);
    SimProcess& p = world.process("p");
    p.disk().put("super", "old");
    REQUIRE(run(world, replace_file(p.disk(), "super", "first")).ok());
    auto file = open(p.disk(), "super.new");
    REQUIRE(write(*file, 0, "second").ok());
    REQUIRE(run(world, file->sync()).ok());
    REQUIRE(p.disk().rename("super.new", "super").ok());
    p.power_cut();
    const std::string content = p.disk().content("super").value_or("none");
    CHECK((content == "first" || content == "second"));
    (content == "second" ? fresh : old)++;
  }
  CHECK(fresh > 0);
  CHECK(old > 0);
}

TEST_CASE("a full disk answers NoSpace and takes what was reserved", "[disk]") {
  SimWorld world;
  SimDisk& disk = world.process("p").disk();
  disk.set_capacity(10'000);
  auto file = open(disk, "a");
  REQUIRE(file->preallocate(8'000).ok());
  CHECK(disk.space()->free_bytes == 2'000);
  auto other = open(disk, "b");
  CHECK(write(*other, 0, std::string(3'000, 'x')).code() == ErrorCode::NoSpace);
  CHECK(write(*file, 0, std::string(8'000, 'x')).ok());
  REQUIRE(disk.remove("a").ok());
  CHECK(write(*other, 0, std::string(3'000, 'x')).ok());
}

TEST_CASE("faults come where they are asked for, and a failed sync loses the bytes for good", "[disk]") {
  SimWorld world;
  SimProcess& p = world.process("p");
  auto file = open(p.disk(), "log");
  REQUIRE(run(world, p.disk().sync_directory("")).ok());
  REQUIRE(write(*file, 0, std::string(4096, 'x')).ok());
  bool fail = true;
  p.disk().set_fault([&](DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (!fail || operation != DiskOperation::Sync) return std::nullopt;
    return Error{ErrorCode::Io, "sync failed"};
  });
  CHECK(run(world, file->sync()).code() == ErrorCode::Io);
  fail = false;
  CHECK(run(world, file->sync()).ok());
  int survived = 0;
  CHECK(p.disk().flip_bit("log", 7, 0));
  CHECK(p.disk().content("log")->at(7) == 'y');
  p.power_cut();
  const std::string content = p.disk().content("log").value_or("");
  for (const char c : content) survived += c == 'x' ? 1 : 0;
  CHECK(survived <= 4096);
}

TEST_CASE("a listing names files and directories of one level", "[disk]") {
  SimWorld world;
  SimDisk& disk = world.process("p").disk();
  CHECK(disk.open("d/x", OpenMode::CreateNew).code() == ErrorCode::NotFound);
  REQUIRE(disk.make_directory("d").ok());
  (void)open(disk, "d/x");
  (void)open(disk, "y");
  const auto root = disk.list("");
  REQUIRE(root.ok());
  REQUIRE(root->size() == 2);
  CHECK(root->at(0).name == "d");
  CHECK(root->at(0).is_directory);
  CHECK(root->at(1).name == "y");
  REQUIRE(disk.list("d").ok());
  CHECK(disk.list("d")->at(0).name == "x");
}

}  // namespace mendfs::sim
