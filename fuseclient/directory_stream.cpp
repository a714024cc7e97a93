#include "fuseclient/directory_stream.h"

#include <optional>
#include <utility>

#include "fuseclient/convert.h"

namespace mendfs::fuse {
namespace {

constexpr std::uint64_t kAfterSelf = 1;    // "."
constexpr std::uint64_t kAfterParent = 2;  // ".."

/// Packs entries until one does not fit.
class Listing {
 public:
  Listing(fuse_req_t request, std::size_t size, ListForm form) : request_(request), size_max_(size), form_(form) {}

  bool add(const protocol::Dentry& entry, Keep keep) {
    return add(entry.name.c_str(), to_entry(entry.attributes, keep), entry.cookie);
  }

  /// "." and ".." carry no attributes: the kernel has them, and would count a reference for each that it is told.
  bool add_self(const char* name, InodeNumber inode, std::uint64_t cookie) {
    fuse_entry_param entry{};
    entry.attr.st_ino = inode;
    entry.attr.st_mode = S_IFDIR;
    return add(name, entry, cookie);
  }

  std::string take() { return std::move(bytes_); }
  bool empty() const { return bytes_.empty(); }

 private:
  bool add(const char* name, const fuse_entry_param& entry, std::uint64_t cookie) {
    const std::size_t used = bytes_.size();
    const std::size_t needed = pack(nullptr, 0, name, entry, cookie);
    if (needed > size_max_ - used) return false;
    bytes_.resize(used + needed);
    pack(bytes_.data() + used, needed, name, entry, cookie);
    return true;
  }
  std::size_t pack(char* target, std::size_t size, const char* name, const fuse_entry_param& entry,
                   std::uint64_t cookie) {
    const auto offset = static_cast<off_t>(cookie);
    return form_ == ListForm::Names ? fuse_add_direntry(request_, target, size, name, &entry.attr, offset)
                                    : fuse_add_direntry_plus(request_, target, size, name, &entry, offset);
  }

  fuse_req_t request_;
  std::size_t size_max_;
  ListForm form_;
  std::string bytes_;
};

}  // namespace

Task<Result<void>> DirectoryStream::load(client::Filesystem* filesystem, std::uint64_t after) {
  auto page = co_await filesystem->read_directory(inode_, after, protocol::kDirectoryPageMax);
  if (!page.ok()) co_return page.error();
  page_ = std::move(*page);
  page_after_ = after;
  loaded_ = true;
  co_return Result<void>();
}

std::optional<std::size_t> DirectoryStream::position_after(std::uint64_t cookie) const {
  if (!loaded_) return std::nullopt;
  if (cookie == page_after_) return 0;
  for (std::size_t i = 0; i < page_.entries.size(); ++i) {
    if (page_.entries[i].cookie == cookie) return i + 1;
  }
  return std::nullopt;
}

Task<Result<std::string>> DirectoryStream::list(client::Filesystem* filesystem, fuse_req_t request,
                                                std::uint64_t offset, std::size_t size, ListForm form) {
  std::uint64_t after = offset > kAfterParent ? offset : 0;
  // From the start means looking anew, also after rewinddir(3).
  if (offset == 0) loaded_ = false;
  if (!position_after(after)) {
    auto loaded = co_await load(filesystem, after);
    if (!loaded.ok()) co_return loaded.error();
  }
  Listing listing(request, size, form);
  if (offset < kAfterSelf && !listing.add_self(".", inode_, kAfterSelf)) co_return listing.take();
  if (offset < kAfterParent && !listing.add_self("..", page_.parent, kAfterParent)) co_return listing.take();
  // What comes after an awaited load() may have been moved on by another reader of the same descriptor.
  std::size_t next = position_after(after).value_or(page_.entries.size());
  while (true) {
    for (; next < page_.entries.size(); ++next) {
      const protocol::Dentry& entry = page_.entries[next];
      const Keep keep = keep_of(*filesystem, inode_, entry.name, entry.attributes);
      if (!listing.add(entry, keep)) co_return listing.take();
      after = entry.cookie;
    }
    if (page_.end || !listing.empty()) co_return listing.take();
    auto loaded = co_await load(filesystem, after);
    if (!loaded.ok()) co_return loaded.error();
    next = position_after(after).value_or(page_.entries.size());
    if (page_.entries.empty()) co_return listing.take();
  }
}

}  // namespace mendfs::fuse
