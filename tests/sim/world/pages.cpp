#include <algorithm>

#include "tests/sim/world/sim_disk.h"

namespace mendfs::sim {

Pages::PagePointer Pages::page(std::uint64_t index) const {
  const auto found = pages_.find(index);
  return found == pages_.end() ? nullptr : found->second;
}

void Pages::set_page(std::uint64_t index, PagePointer page) {
  if (page) {
    pages_[index] = std::move(page);
  } else {
    pages_.erase(index);
  }
}

void Pages::write(std::uint64_t offset, ByteView bytes, std::set<std::uint64_t>& touched) {
  size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    const std::uint64_t index = offset / kPageSize;
    const std::size_t place = offset % kPageSize;
    const std::size_t part = std::min(bytes.size(), kPageSize - place);
    const PagePointer old = page(index);
    auto fresh = std::make_shared<Page>(old ? *old : Page{});
    std::copy_n(bytes.begin(), part, fresh->begin() + static_cast<std::ptrdiff_t>(place));
    pages_[index] = std::move(fresh);
    touched.insert(index);
    bytes = bytes.subspan(part);
    offset += part;
  }
}

void Pages::truncate(std::uint64_t size, std::set<std::uint64_t>& touched) {
  const std::uint64_t first_gone = (size + kPageSize - 1) / kPageSize;
  for (auto page = pages_.lower_bound(first_gone); page != pages_.end(); page = pages_.erase(page))
    touched.insert(page->first);
  if (const std::size_t place = size % kPageSize; place != 0) {
    if (const PagePointer old = page(size / kPageSize)) {
      auto fresh = std::make_shared<Page>(*old);
      std::fill(fresh->begin() + static_cast<std::ptrdiff_t>(place), fresh->end(), std::byte{0});
      pages_[size / kPageSize] = std::move(fresh);
      touched.insert(size / kPageSize);
    }
  }
  size_ = size;
}

Buffer Pages::read(std::uint64_t offset, std::size_t size) const {
  if (offset >= size_) return {};
  Buffer buffer = Buffer::allocate(static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - offset)));
  std::span<std::byte> left = buffer.writable();
  while (!left.empty()) {
    const std::size_t place = offset % kPageSize;
    const std::size_t part = std::min(left.size(), kPageSize - place);
    if (const PagePointer source = page(offset / kPageSize)) {
      std::copy_n(source->begin() + static_cast<std::ptrdiff_t>(place), part, left.begin());
    } else {
      std::fill_n(left.begin(), part, std::byte{0});
    }
    left = left.subspan(part);
    offset += part;
  }
  return buffer;
}

}  // namespace mendfs::sim
