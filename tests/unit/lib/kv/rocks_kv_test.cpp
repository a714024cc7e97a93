#include "kv/rocks_kv.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "tests/unit/lib/env/posix/real_world.h"

namespace mendfs {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

struct Store {
  TemporaryDirectory directory;
  PosixLoop loop;
  RocksKvFactory factory{directory.path(), loop};
  std::unique_ptr<Kv> kv = open();

  std::unique_ptr<Kv> open() {
    Result<std::unique_ptr<Kv>> opened = factory.open("store");
    INFO((opened.ok() ? "" : opened.error().message));
    REQUIRE(opened.ok());
    return std::move(*opened);
  }
  void reopen() {
    kv.reset();
    kv = open();
  }
  void put(const std::string& key, const std::string& value) {
    KvBatch batch;
    batch.put(key, value);
    REQUIRE(kv->apply(batch).ok());
  }
  Result<void> checkpoint() { return run_to_end(loop, kv->checkpoint()); }
};

std::optional<std::string> get(Kv& kv, std::string_view key) {
  auto value = kv.get(key);
  REQUIRE(value.ok());
  return *value;
}

Entries scan(Kv& kv, std::string_view begin, std::string_view end, std::size_t count_max = SIZE_MAX) {
  Entries entries;
  REQUIRE(kv.scan(begin, end, [&](std::string_view key, std::string_view value) {
              entries.emplace_back(key, value);
              return entries.size() < count_max;
            }).ok());
  return entries;
}

std::vector<std::filesystem::path> tables_of(const Store& store) {
  std::vector<std::filesystem::path> tables;
  for (const auto& entry : std::filesystem::directory_iterator(store.directory.path() + "/store"))
    if (entry.path().extension() == ".sst") tables.push_back(entry.path());
  return tables;
}

TEST_CASE("an ordered map holds what was put and not what was removed", "[kv]") {
  Store store;
  KvBatch batch;
  batch.put("a", "1");
  batch.put("b", "2");
  batch.put("c", "3");
  batch.remove("b");
  batch.put("a", "4");
  batch.put(std::string("\0\xff", 2), "");
  REQUIRE(store.kv->apply(batch).ok());

  CHECK(get(*store.kv, "a") == "4");
  CHECK(get(*store.kv, "b") == std::nullopt);
  CHECK(get(*store.kv, std::string("\0\xff", 2)) == "");
  CHECK(scan(*store.kv, "a", "") == Entries{{"a", "4"}, {"c", "3"}});
  CHECK(scan(*store.kv, "a", "c") == Entries{{"a", "4"}});
  CHECK(scan(*store.kv, "", "", 1).size() == 1);
  CHECK(scan(*store.kv, "c", "a").empty());
}

TEST_CASE("floor finds the greatest key that is not above, down to a bound", "[kv]") {
  Store store;
  store.put("b", "1");
  store.put("d", "2");
  const auto floor = [&](std::string_view key, std::string_view least) {
    auto found = store.kv->floor(key, least);
    REQUIRE(found.ok());
    return *found ? (*found)->first + (*found)->second : "none";
  };
  CHECK(floor("d", "") == "d2");
  CHECK(floor("z", "") == "d2");
  CHECK(floor("c", "") == "b1");
  CHECK(floor("c", "b") == "b1");
  CHECK(floor("c", "bb") == "none");
  CHECK(floor("a", "") == "none");
  CHECK(floor("z", "e") == "none");
}

TEST_CASE("a store answers as a map in memory does, over checkpoints and restarts", "[kv]") {
  Store store;
  std::map<std::string, std::string> model;
  std::mt19937_64 random(7);
  const auto random_key = [&] { return std::to_string(random() % 300); };
  for (int round = 0; round < 400; ++round) {
    KvBatch batch;
    for (int i = 0; i < 10; ++i) {
      const std::string key = random_key();
      if (random() % 3 == 0) {
        batch.remove(key);
        model.erase(key);
      } else {
        model[key] = std::string(random() % 200, 'x') + std::to_string(random());
        batch.put(key, model[key]);
      }
    }
    REQUIRE(store.kv->apply(batch).ok());
    if (round % 40 == 20) REQUIRE(store.checkpoint().ok());
    if (round % 160 == 100) {
      REQUIRE(store.checkpoint().ok());
      store.reopen();
    }
    const std::string key = random_key();
    const auto found = model.find(key);
    CHECK(get(*store.kv, key) == (found == model.end() ? std::nullopt : std::optional(found->second)));
    auto above = model.upper_bound(key);
    auto floor = store.kv->floor(key, "");
    REQUIRE(floor.ok());
    REQUIRE(floor->has_value() == (above != model.begin()));
    if (*floor) CHECK((*floor)->first == std::prev(above)->first);
  }
  CHECK(scan(*store.kv, "", "") == Entries(model.begin(), model.end()));
}

TEST_CASE("without a checkpoint nothing is on disk, not even after a clean end", "[kv]") {
  Store store;
  store.put("a", "1");
  CHECK(store.kv->unflushed_size() == 2);
  REQUIRE(store.checkpoint().ok());
  CHECK(store.kv->unflushed_size() == 0);
  store.put("a", "2");
  store.put("b", "3");
  store.reopen();
  CHECK(scan(*store.kv, "", "") == Entries{{"a", "1"}});
}

TEST_CASE("a checkpoint covers what was applied before it was asked for, and nothing later", "[kv]") {
  Store store;
  store.put("before", "1");
  Task<Result<void>> checkpoint = store.kv->checkpoint();
  store.put("after", "1");
  REQUIRE(run_to_end(store.loop, std::move(checkpoint)).ok());
  CHECK(get(*store.kv, "after") == "1");
  store.reopen();
  CHECK(scan(*store.kv, "", "") == Entries{{"before", "1"}});
}

TEST_CASE("checkpoints with nothing new end at once", "[kv]") {
  Store store;
  REQUIRE(store.checkpoint().ok());
  store.put("a", "1");
  REQUIRE(store.checkpoint().ok());
  REQUIRE(store.checkpoint().ok());
  store.reopen();
  REQUIRE(store.checkpoint().ok());
  CHECK(get(*store.kv, "a") == "1");
}

TEST_CASE("a checkpoint of removals alone ends, and they stay removed", "[kv]") {
  Store store;
  store.put("a", "1");
  KvBatch batch;
  batch.remove("a");
  REQUIRE(store.kv->apply(batch).ok());
  REQUIRE(store.checkpoint().ok());
  store.reopen();
  CHECK(scan(*store.kv, "", "").empty());
}

TEST_CASE("a store is opened once", "[kv]") {
  Store store;
  CHECK(store.factory.open("store").code() == ErrorCode::Busy);
}

TEST_CASE("a destroyed store is empty when it is opened again", "[kv]") {
  Store store;
  store.put("a", "1");
  REQUIRE(store.checkpoint().ok());
  store.kv.reset();
  REQUIRE(store.factory.destroy("store").ok());
  REQUIRE(store.factory.destroy("never there").ok());
  store.kv = store.open();
  CHECK(scan(*store.kv, "", "").empty());
}

TEST_CASE("a store that was being made when its process died is made anew", "[kv]") {
  Store store;
  store.kv.reset();
  std::filesystem::rename(store.directory.path() + "/store", store.directory.path() + "/store.new");
  std::filesystem::remove(store.directory.path() + "/store.new/CURRENT");
  store.kv = store.open();
  CHECK(scan(*store.kv, "", "").empty());
}

/// Values of one size, so that where a table keeps them can be guessed.
void fill(Store& store) {
  KvBatch batch;
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string value;
    for (int j = 0; j < 16; ++j) value += std::to_string(random());
    batch.put(std::to_string(100000 + i), value);
  }
  REQUIRE(store.kv->apply(batch).ok());
  REQUIRE(store.checkpoint().ok());
}

void flip_byte(const std::filesystem::path& file, std::uintmax_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  const int byte = stream.get();
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(static_cast<char>(byte ^ 0x40));
  REQUIRE(stream.good());
}

TEST_CASE("a flipped byte anywhere in a table is Corruption, never a wrong or missing entry", "[kv]") {
  Store store;
  fill(store);
  const Entries all = scan(*store.kv, "", "");
  const std::filesystem::path table = tables_of(store).at(0);
  const std::uintmax_t size = std::filesystem::file_size(table);
  int found = 0;
  for (std::uintmax_t part = 0; part < 24; ++part) {
    store.kv.reset();
    const std::uintmax_t offset = size * part / 24 + 11;
    flip_byte(table, offset);
    Result<std::unique_ptr<Kv>> opened = store.factory.open("store");
    if (!opened.ok()) {
      CHECK(opened.code() == ErrorCode::Corruption);
      ++found;
    } else {
      Entries read;
      const Result<void> scanned = (*opened)->scan("", "", [&](std::string_view key, std::string_view value) {
        read.emplace_back(key, value);
        return true;
      });
      if (scanned.ok()) {
        CHECK(read == all);
      } else {
        ++found;
        CHECK(scanned.code() == ErrorCode::Corruption);
        // Sticky: whoever goes on is told again.
        CHECK((*opened)->get("elsewhere").code() == ErrorCode::Corruption);
        CHECK((*opened)->apply(KvBatch()).code() == ErrorCode::Corruption);
        CHECK(run_to_end(store.loop, (*opened)->checkpoint()).code() == ErrorCode::Corruption);
      }
    }
    flip_byte(table, offset);
  }
  // A scan does not read the filter; everything else it does.
  CHECK(found >= 22);
  store.kv.reset();
  store.kv = store.open();
  CHECK(scan(*store.kv, "", "") == all);
}

TEST_CASE("a store that lost a file is damaged, not new", "[kv]") {
  Store store;
  fill(store);
  store.kv.reset();
  SECTION("its table") { std::filesystem::remove(tables_of(store).at(0)); }
  SECTION("half of its table") { std::filesystem::resize_file(tables_of(store).at(0), 1000); }
  SECTION("its CURRENT") { std::filesystem::remove(store.directory.path() + "/store/CURRENT"); }
  SECTION("its manifest") {
    for (const auto& entry : std::filesystem::directory_iterator(store.directory.path() + "/store"))
      if (entry.path().filename().string().starts_with("MANIFEST")) std::filesystem::remove(entry.path());
  }
  const Result<std::unique_ptr<Kv>> opened = store.factory.open("store");
  CHECK(opened.code() == ErrorCode::Corruption);
  INFO(opened.error().message);
  CHECK(opened.error().message.find("store") != std::string::npos);
}

constexpr const char* kWriterRoot = "MENDFS_TEST_WRITER_ROOT";

/// Applies batches 1, 2, 3 ... for ever, each with its number as the watermark, and writes to standard output the
/// watermark of each finished checkpoint. A process of its own: RocksDB's threads do not survive a fork.
TEST_CASE("writer, for the test of kills", "[.writer]") {
  PosixLoop loop;
  RocksKvFactory factory(std::getenv(kWriterRoot), loop);
  Result<std::unique_ptr<Kv>> kv = factory.open("store");
  if (!kv.ok()) ::_exit(1);
  for (std::uint32_t number = 1;; ++number) {
    KvBatch batch;
    batch.put("watermark", std::to_string(number));
    batch.put("entry " + std::to_string(number), std::string(500, 'x'));
    if (number > 10) batch.remove("entry " + std::to_string(number - 10));
    if (!(*kv)->apply(batch).ok()) ::_exit(2);
    if (number % 100 == 0) {
      if (!run_to_end(loop, (*kv)->checkpoint()).ok()) ::_exit(3);
      if (::write(STDOUT_FILENO, &number, sizeof number) != sizeof number) ::_exit(4);
    }
  }
}

pid_t start_writer(const std::string& root, int progress) {
  const pid_t writer = ::fork();
  if (writer != 0) return writer;
  ::setenv(kWriterRoot, root.c_str(), 1);
  ::dup2(progress, STDOUT_FILENO);
  ::execl("/proc/self/exe", "writer", "[.writer]", nullptr);
  ::_exit(5);
}

TEST_CASE("killed with -9, a store comes back as exactly what it was after some batch", "[kv]") {
  for (int kills = 0; kills < 5; ++kills) {
    TemporaryDirectory directory;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t writer = start_writer(directory.path(), ends[1]);
    REQUIRE(writer > 0);
    ::close(ends[1]);
    std::uint32_t promised = 0;
    for (int checkpoints = 0; checkpoints < 3 + kills; ++checkpoints)
      REQUIRE(::read(ends[0], &promised, sizeof promised) == sizeof promised);
    REQUIRE(::kill(writer, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(writer, &status, 0) == writer);
    std::uint32_t later = 0;
    while (::read(ends[0], &later, sizeof later) == sizeof later) promised = later;
    ::close(ends[0]);

    PosixLoop loop;
    RocksKvFactory factory(directory.path(), loop);
    Result<std::unique_ptr<Kv>> kv = factory.open("store");
    REQUIRE(kv.ok());
    const int watermark = std::stoi(get(**kv, "watermark").value());
    CHECK(watermark >= static_cast<int>(promised));
    CHECK(watermark % 100 == 0);  // only checkpoints reach the disk
    CHECK(scan(**kv, "entry ", "f").size() == 10);
    for (int number = watermark - 9; number <= watermark; ++number)
      CHECK(get(**kv, "entry " + std::to_string(number)).has_value());
  }
}

}  // namespace
}  // namespace mendfs
