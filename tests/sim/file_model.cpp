#include "tests/sim/file_model.h"

#include <fmt/core.h>

#include <algorithm>

namespace mendfs::sim {

FileModel::History& FileModel::history_of(std::uint64_t cell) {
  const auto [place, fresh] = cells_.try_emplace(cell);
  if (fresh) place->second.push_back({0, std::string(cell_size_, '\0')});
  return place->second;
}

void FileModel::write(std::uint64_t offset, std::string_view bytes) {
  ++last_;
  sizes_[last_] = std::max(size(), offset + bytes.size());
  while (!bytes.empty()) {
    const std::uint64_t cell = offset / cell_size_;
    const std::size_t begin = offset % cell_size_;
    const std::size_t count = std::min(bytes.size(), cell_size_ - begin);
    History& history = history_of(cell);
    std::string value = history.back().bytes;
    value.replace(begin, count, bytes.substr(0, count));
    history.push_back({last_, std::move(value)});
    bytes.remove_prefix(count);
    offset += count;
  }
}

void FileModel::truncate(std::uint64_t size) {
  ++last_;
  sizes_[last_] = size;
  for (auto& [cell, history] : cells_) {
    const std::uint64_t begin = cell * cell_size_;
    if (begin + cell_size_ <= size) continue;
    std::string value = history.back().bytes;
    const std::size_t keep = size > begin ? static_cast<std::size_t>(size - begin) : 0;
    std::fill(value.begin() + static_cast<std::ptrdiff_t>(keep), value.end(), '\0');
    history.push_back({last_, std::move(value)});
  }
}

void FileModel::settle(Mark mark) {
  settle_bytes(mark);
  size_settled_ = std::max(size_settled_, mark);
}

void FileModel::lose_told_size(Mark known) { size_settled_ = std::max(durable_, std::min(size_settled_, known)); }

void FileModel::lose_writer() {
  report_loss();
  lost_.push_back({settled_, last_, false, true});
  lost_.push_back({size_settled_, last_, true, true});
  others_until_ = last_;
}

void FileModel::lose_power() {
  if (durable_ < others_until_) lost_.push_back({durable_, others_until_, false, true});
  lost_.push_back({std::max(durable_, others_until_), last_, false, false});
}

void FileModel::report_loss() {
  for (Lost& lost : lost_) lost.for_good = true;
}

std::optional<std::string> FileModel::adopt_size(std::uint64_t size) {
  const auto [least, most] = size_bounds(size_settled_);
  if (size < least || size > most) return fmt::format("{} bytes, not {} to {}", size, least, most);
  sizes_[++last_] = size;
  return std::nullopt;
}

void FileModel::make_durable(Mark mark) {
  durable_ = std::max(durable_, mark);
  for (Lost& lost : lost_)
    if (!lost.for_good) lost.after = std::max(lost.after, mark);
  settle(mark);
}

std::pair<std::uint64_t, std::uint64_t> FileModel::size_bounds(Mark seen) const {
  auto size = std::prev(sizes_.upper_bound(seen));
  while (!is_certain_size(size->first, seen) && size != sizes_.begin()) --size;
  std::uint64_t least = size->second;
  std::uint64_t most = size->second;
  for (; size != sizes_.end(); ++size) {
    least = std::min(least, size->second);
    most = std::max(most, size->second);
  }
  return {least, most};
}

bool FileModel::may_be(std::uint64_t cell, std::size_t begin, std::string_view bytes, Mark seen) const {
  const auto found = cells_.find(cell);
  if (found == cells_.end()) return bytes.find_first_not_of('\0') == std::string_view::npos;
  const History& history = found->second;
  for (auto value = history.rbegin(); value != history.rend(); ++value) {
    if (std::string_view(value->bytes).substr(begin, bytes.size()) == bytes) return true;
    if (is_certain(value->mark, seen)) return false;
  }
  return false;
}

bool FileModel::is_certain(Mark mark, Mark seen) const {
  const auto has = [mark](const Lost& lost) { return !lost.sizes && lost.after < mark && mark <= lost.last; };
  return mark <= seen && std::none_of(lost_.begin(), lost_.end(), has);
}

bool FileModel::is_certain_size(Mark mark, Mark seen) const {
  const auto has = [mark](const Lost& lost) { return lost.sizes && lost.after < mark && mark <= lost.last; };
  return mark <= seen && std::none_of(lost_.begin(), lost_.end(), has);
}

std::optional<std::string> FileModel::check(std::uint64_t offset, std::uint64_t asked, std::string_view bytes,
                                            Seen seen) const {
  const auto [least, most] = size_bounds(seen.size);
  const std::uint64_t end = offset + bytes.size();
  if (bytes.size() > asked) return fmt::format("{} bytes for {}", bytes.size(), asked);
  if (!bytes.empty() && end > most) return fmt::format("bytes up to {} of a file of at most {}", end, most);
  if (bytes.size() < asked && end < least)
    return fmt::format("an end at {} in a file of at least {} bytes", end, least);
  while (!bytes.empty()) {
    const std::uint64_t cell = offset / cell_size_;
    const std::size_t begin = offset % cell_size_;
    const std::size_t count = std::min(bytes.size(), cell_size_ - begin);
    if (!may_be(cell, begin, bytes.substr(0, count), seen.bytes)) {
      const bool zeros = bytes.substr(0, count).find_first_not_of('\0') == std::string_view::npos;
      return fmt::format("block {}: {} that no write since change {} (of {}; durable {}, settled {}) has left there",
                         offset / 512, zeros ? "zeros" : "bytes", seen.bytes, last_, durable_, settled_);
    }
    bytes.remove_prefix(count);
    offset += count;
  }
  return std::nullopt;
}

}  // namespace mendfs::sim
