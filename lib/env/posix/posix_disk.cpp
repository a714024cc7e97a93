#include "env/posix/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include "env/posix/file_descriptor.h"
#include "env/posix/posix_file.h"
#include "env/posix/thread_pool.h"

namespace mendfs {
namespace {

constexpr int kThreadCount = 4;
constexpr const char* kLockName = "lock";
/// A process that was killed a moment ago may still be on its way out.
constexpr auto kLockWaitMax = std::chrono::seconds(1);
constexpr auto kLockPause = std::chrono::milliseconds(10);

Error failure(const char* operation, const std::string& path) {
  const int error_number = errno;
  return error_from_errno(error_number, fmt::format("{} {}", operation, path));
}

/// One or two levels below the root, and nothing that leads elsewhere.
Result<void> check_name(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string first = name.substr(0, slash);
  const std::string second = slash == std::string::npos ? "x" : name.substr(slash + 1);
  for (const std::string& part : {first, second}) {
    const bool is_plain = !part.empty() && part != "." && part != ".." && part.find('/') == std::string::npos &&
                          part.find('\0') == std::string::npos;
    if (!is_plain) return Error{ErrorCode::InvalidArgument, "'" + name + "' is not a name of at most two levels"};
  }
  if (name == kLockName) return Error{ErrorCode::InvalidArgument, "'lock' is the directory's own lock"};
  return {};
}

Result<FileDescriptor> open_root(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error && !std::filesystem::is_directory(directory))
    return error_from_errno(error.value(), "make directory " + directory);
  FileDescriptor root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return failure("open directory", directory);
  return root;
}

Result<FileDescriptor> lock_root(const FileDescriptor& root, const std::string& directory) {
  FileDescriptor lock(::openat(root.get(), kLockName, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return failure("open", directory + "/" + kLockName);
  const auto deadline = std::chrono::steady_clock::now() + kLockWaitMax;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failure("lock", directory);
    if (std::chrono::steady_clock::now() >= deadline)
      return Error{
          ErrorCode::Busy,
          fmt::format("{} is in use by another process: stop that one or choose another directory", directory)};
    std::this_thread::sleep_for(kLockPause);
  }
  return lock;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

Result<std::unique_ptr<PosixDisk>> PosixDisk::open(Loop& loop, const std::string& directory) {
  MENDFS_TRY(FileDescriptor root, open_root(directory));
  MENDFS_TRY(FileDescriptor lock, lock_root(root, directory));
  return std::unique_ptr<PosixDisk>(new PosixDisk(loop, directory, std::move(root), std::move(lock)));
}

PosixDisk::PosixDisk(Loop& loop, std::string directory, FileDescriptor root, FileDescriptor lock)
    : loop_(loop),
      directory_(std::move(directory)),
      root_(std::make_unique<FileDescriptor>(std::move(root))),
      lock_(std::make_unique<FileDescriptor>(std::move(lock))),
      threads_(std::make_unique<ThreadPool>(kThreadCount)) {}

PosixDisk::~PosixDisk() = default;

std::string PosixDisk::where(const std::string& name) const {
  return name.empty() ? directory_ : directory_ + "/" + name;
}

Result<std::unique_ptr<File>> PosixDisk::open(const std::string& name, OpenMode mode) {
  MENDFS_TRY_VOID(check_name(name));
  int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  if (mode == OpenMode::CreateNew) flags |= O_CREAT | O_EXCL;
  if (mode == OpenMode::OpenOrCreate) flags |= O_CREAT;
  FileDescriptor descriptor(::openat(root_->get(), name.c_str(), flags, 0600));
  if (!descriptor.valid()) return failure("open", where(name));
  return std::unique_ptr<File>(std::make_unique<PosixFile>(loop_, *threads_, std::move(descriptor), where(name)));
}

Result<void> PosixDisk::remove(const std::string& name) {
  MENDFS_TRY_VOID(check_name(name));
  if (::unlinkat(root_->get(), name.c_str(), 0) == 0) return {};
  if (errno == EISDIR && ::unlinkat(root_->get(), name.c_str(), AT_REMOVEDIR) == 0) return {};
  return failure("remove", where(name));
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
  MENDFS_TRY_VOID(check_name(from));
  MENDFS_TRY_VOID(check_name(to));
  if (::renameat(root_->get(), from.c_str(), root_->get(), to.c_str()) != 0) return failure("rename", where(from));
  return {};
}

Result<std::vector<DirectoryEntry>> PosixDisk::list(const std::string& directory) {
  if (!directory.empty()) MENDFS_TRY_VOID(check_name(directory));
  const char* path = directory.empty() ? "." : directory.c_str();
  const int descriptor = ::openat(root_->get(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failure("open directory", where(directory));
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(descriptor));
  if (!stream) return failure("open directory", where(directory));

  std::vector<DirectoryEntry> entries;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    const bool is_own = name == "." || name == ".." || (directory.empty() && name == kLockName);
    struct stat status {};
    if (!is_own && ::fstatat(descriptor, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
      entries.push_back({name, S_ISDIR(status.st_mode), static_cast<std::uint64_t>(status.st_size)});
    errno = 0;
  }
  if (errno != 0) return failure("list", where(directory));
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return entries;
}

Result<void> PosixDisk::make_directory(const std::string& name) {
  MENDFS_TRY_VOID(check_name(name));
  if (::mkdirat(root_->get(), name.c_str(), 0700) != 0 && errno != EEXIST)
    return failure("make directory", where(name));
  return {};
}

Task<Result<void>> PosixDisk::sync_directory(const std::string& directory) {
  if (!directory.empty()) MENDFS_CO_TRY_VOID(check_name(directory));
  const char* path = directory.empty() ? "." : directory.c_str();
  auto descriptor = std::make_shared<FileDescriptor>(::openat(root_->get(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor->valid()) co_return failure("open directory", where(directory));
  std::function<Result<void>()> job = [descriptor, name = where(directory)] {
    if (::fsync(descriptor->get()) != 0) return Result<void>(failure("sync directory", name));
    return Result<void>();
  };
  co_return co_await run_on(*threads_, loop_, std::move(job));
}

Result<DiskSpace> PosixDisk::space() {
  struct statvfs status {};
  if (::fstatvfs(root_->get(), &status) != 0) return failure("statfs", directory_);
  return DiskSpace{std::uint64_t{status.f_blocks} * status.f_frsize, std::uint64_t{status.f_bavail} * status.f_frsize};
}

std::string PosixDisk::boot_id() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/sys/kernel/random/boot_id", "re"),
                                                             &std::fclose);
  char text[64] = "";
  if (!file || std::fgets(text, sizeof text, file.get()) == nullptr) return "unknown";
  const std::string id = text;
  return id.substr(0, id.find('\n'));
}

}  // namespace mendfs
