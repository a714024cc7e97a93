#include "env/posix/posix_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/unit/lib/env/posix/real_world.h"

namespace mendfs {
namespace {

struct DiskFixture {
  TemporaryDirectory directory;
  PosixLoop loop;
  std::unique_ptr<PosixDisk> disk = open();

  std::unique_ptr<PosixDisk> open() {
    Result<std::unique_ptr<PosixDisk>> opened = PosixDisk::open(loop, directory.path() + "/store");
    REQUIRE(opened.ok());
    return std::move(*opened);
  }
  std::unique_ptr<File> create(const std::string& name) {
    Result<std::unique_ptr<File>> file = disk->open(name, OpenMode::CreateNew);
    REQUIRE(file.ok());
    return std::move(*file);
  }
};

Result<void> write_text(File& file, std::uint64_t offset, std::string_view first, std::string_view second = "") {
  const std::array<ByteView, 2> pieces{bytes_of(first), bytes_of(second)};
  return file.write(offset, pieces);
}

TEST_CASE_METHOD(DiskFixture, "pieces are written one after the other and read back, short at the end", "[posix]") {
  const std::unique_ptr<File> file = create("data");
  REQUIRE(write_text(*file, 3, "abc", "defg").ok());
  CHECK(file->size().value() == 10);

  const Result<Buffer> whole = run_to_end(loop, file->read(3, 7));
  REQUIRE(whole.ok());
  CHECK(text_of(*whole) == "abcdefg");
  const Result<Buffer> tail = run_to_end(loop, file->read(8, 100));
  REQUIRE(tail.ok());
  CHECK(text_of(*tail) == "fg");
  CHECK(run_to_end(loop, file->read(10, 5)).value().empty());
  CHECK(text_of(file->read_now(0, 4).value()) == std::string_view("\0\0\0a", 4));
}

TEST_CASE_METHOD(DiskFixture, "several extents are read at once, cached or not, short at the end", "[posix]") {
  const std::shared_ptr<File> file = create("data");
  const std::shared_ptr<File> other = create("other");
  REQUIRE(write_text(*file, 0, std::string(200'000, 'a'), "end").ok());
  REQUIRE(write_text(*other, 0, "other").ok());
  REQUIRE(run_to_end(loop, file->sync()).ok());
  CHECK(text_of(other->read_cached(1, 3).value()) == "the");
  // A file that was just synced may leave the page cache: now its bytes have to be fetched.
  const int descriptor = ::open((directory.path() + "/store/data").c_str(), O_RDONLY);
  REQUIRE(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0);
  ::close(descriptor);
  std::vector<Extent> extents{{file, 199'990, 100}, {other, 0, 5}, {file, 0, 100'000}, {file, 300'000, 5}};
  const Result<std::vector<Buffer>> read = run_to_end(loop, read_all(std::move(extents)));
  REQUIRE(read.ok());
  REQUIRE(read->size() == 4);
  CHECK(text_of((*read)[0]) == "aaaaaaaaaaend");
  CHECK(text_of((*read)[1]) == "other");
  CHECK(text_of((*read)[2]) == std::string(100'000, 'a'));
  CHECK((*read)[3].empty());
}

TEST_CASE_METHOD(DiskFixture, "more pieces than one system call takes are all written", "[posix]") {
  const std::unique_ptr<File> file = create("data");
  std::string text;
  for (int i = 0; i < 3000; ++i) text.push_back(static_cast<char>('a' + i % 26));
  std::vector<ByteView> pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(bytes_of(text).subspan(i, 1));
  REQUIRE(file->write(0, pieces).ok());
  CHECK(text_of(file->read_now(0, 4000).value()) == text);
}

TEST_CASE_METHOD(DiskFixture, "a read goes on after its file object was destroyed", "[posix]") {
  struct Reader {
    static Task<std::string> run(Disk* disk, std::unique_ptr<File> file) {
      (void)co_await file->sync();
      file.reset();
      Result<void> synced = co_await disk->sync_directory("");
      co_return synced.ok() ? "synced" : "failed";
    }
  };
  std::unique_ptr<File> file = create("data");
  REQUIRE(write_text(*file, 0, "x").ok());
  file->start_writeback();
  CHECK(run_to_end(loop, Reader::run(disk.get(), std::move(file))) == "synced");
}

TEST_CASE_METHOD(DiskFixture, "a preallocated file has its size, reads as zeros and keeps what it had", "[posix]") {
  const std::unique_ptr<File> file = create("log");
  REQUIRE(write_text(*file, 0, "head").ok());
  REQUIRE(file->preallocate(100'000).ok());
  CHECK(file->size().value() == 100'000);
  const Buffer content = file->read_now(0, 100'000).value();
  CHECK(text_of(content).substr(0, 4) == "head");
  CHECK(text_of(content).substr(4) == std::string(100'000 - 4, '\0'));
  REQUIRE(file->preallocate(10).ok());
  CHECK(file->size().value() == 100'000);
}

TEST_CASE_METHOD(DiskFixture, "open modes say what is there", "[posix]") {
  CHECK(disk->open("a", OpenMode::Existing).code() == ErrorCode::NotFound);
  CHECK(disk->open("a", OpenMode::OpenOrCreate).ok());
  CHECK(disk->open("a", OpenMode::CreateNew).code() == ErrorCode::Exists);
  CHECK(disk->open("a", OpenMode::Existing).ok());
}

TEST_CASE_METHOD(DiskFixture, "names and directories: make, list, rename, remove", "[posix]") {
  REQUIRE(disk->make_directory("sub").ok());
  REQUIRE(disk->make_directory("sub").ok());
  REQUIRE(write_text(*create("sub/b"), 0, "12345").ok());
  (void)create("sub/a");
  (void)create("top");

  const auto root = disk->list("").value();
  REQUIRE(root.size() == 2);  // the lock does not show
  CHECK((root[0].name == "sub" && root[0].is_directory));
  CHECK(root[1].name == "top");
  const auto sub = disk->list("sub").value();
  REQUIRE(sub.size() == 2);
  CHECK(sub[0].name == "a");
  CHECK((sub[1].name == "b" && sub[1].size == 5));

  REQUIRE(disk->rename("sub/b", "top").ok());
  CHECK(text_of(disk->open("top", OpenMode::Existing).value()->read_now(0, 9).value()) == "12345");
  CHECK(disk->remove("sub/b").code() == ErrorCode::NotFound);
  REQUIRE(disk->remove("sub/a").ok());
  REQUIRE(disk->remove("sub").ok());
  CHECK(disk->list("sub").code() == ErrorCode::NotFound);
}

TEST_CASE_METHOD(DiskFixture, "names that lead out of the directory or deeper than two levels are refused", "[posix]") {
  for (const std::string& name :
       {std::string(""), std::string(".."), std::string("../x"), std::string("a/.."), std::string("/etc/passwd"),
        std::string("a/b/c"), std::string("a/"), std::string("."), std::string("a\0b", 3), std::string("lock")}) {
    CAPTURE(name);
    CHECK(disk->open(name, OpenMode::OpenOrCreate).code() == ErrorCode::InvalidArgument);
    CHECK(disk->remove(name).code() == ErrorCode::InvalidArgument);
    CHECK(disk->rename(name, "x").code() == ErrorCode::InvalidArgument);
  }
}

TEST_CASE_METHOD(DiskFixture, "a directory serves one process at a time, and the refusal names it", "[posix]") {
  const Result<std::unique_ptr<PosixDisk>> second = PosixDisk::open(loop, directory.path() + "/store");
  REQUIRE(second.code() == ErrorCode::Busy);
  CHECK(second.error().message.find(directory.path() + "/store") != std::string::npos);
  disk.reset();
  CHECK(PosixDisk::open(loop, directory.path() + "/store").ok());
}

TEST_CASE_METHOD(DiskFixture, "small files are replaced whole", "[posix]") {
  REQUIRE(run_to_end(loop, replace_file(*disk, "super", "first")).ok());
  REQUIRE(run_to_end(loop, replace_file(*disk, "super", "2")).ok());
  CHECK(read_small_file(*disk, "super", 100).value() == "2");
  CHECK(read_small_file(*disk, "super", 0).code() == ErrorCode::Corruption);
}

TEST_CASE_METHOD(DiskFixture, "space and boot id are the machine's", "[posix]") {
  const DiskSpace space = disk->space().value();
  CHECK(space.total_bytes >= space.free_bytes);
  CHECK(space.total_bytes > 0);
  CHECK(disk->boot_id().size() == 36);
}

TEST_CASE("a directory that cannot be made is a sentence", "[posix]") {
  PosixLoop loop;
  const auto opened = PosixDisk::open(loop, "/proc/mendfs");
  REQUIRE(!opened.ok());
  CHECK(opened.error().message.find("/proc/mendfs") != std::string::npos);
}

}  // namespace
}  // namespace mendfs
