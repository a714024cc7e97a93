#include "env/disk.h"

#include <array>

namespace mendfs {

Task<Result<std::vector<Buffer>>> read_all(std::vector<Extent> extents) {
  std::vector<std::optional<Buffer>> found;
  found.reserve(extents.size());
  for (const Extent& extent : extents) {
    found.push_back(extent.file->read_cached(extent.offset, extent.size));
    if (!found.back()) extent.file->will_need(extent.offset, extent.size);
  }
  std::vector<Buffer> buffers;
  buffers.reserve(extents.size());
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (found[i]) {
      buffers.push_back(std::move(*found[i]));
    } else {
      MENDFS_CO_TRY(Buffer read, co_await extents[i].file->read(extents[i].offset, extents[i].size));
      buffers.push_back(std::move(read));
    }
  }
  co_return buffers;
}

Task<Result<void>> replace_file(Disk& disk, std::string name, std::string content) {
  const std::string fresh = name + ".new";
  MENDFS_CO_TRY(std::unique_ptr<File> file, disk.open(fresh, OpenMode::OpenOrCreate));
  MENDFS_CO_TRY_VOID(file->truncate(0));
  const std::array<ByteView, 1> pieces{bytes_of(content)};
  MENDFS_CO_TRY_VOID(file->write(0, pieces));
  MENDFS_CO_TRY_VOID(co_await file->sync());
  file.reset();
  MENDFS_CO_TRY_VOID(disk.rename(fresh, name));
  const std::size_t slash = name.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : name.substr(0, slash);
  co_return co_await disk.sync_directory(directory);
}

Result<std::string> read_small_file(Disk& disk, const std::string& name, std::size_t size_max) {
  MENDFS_TRY(std::unique_ptr<File> file, disk.open(name, OpenMode::Existing));
  MENDFS_TRY(const std::uint64_t size, file->size());
  if (size > size_max) return Error{ErrorCode::Corruption, name + " is larger than such a file can be"};
  MENDFS_TRY(const Buffer content, file->read_now(0, static_cast<std::size_t>(size)));
  return std::string(text_of(content));
}

}  // namespace mendfs
