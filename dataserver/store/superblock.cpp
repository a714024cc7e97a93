#include "dataserver/store/superblock.h"

#include <array>
#include <cstring>
#include <optional>

#include "block/checksum.h"
#include "protocol/fields.h"

namespace mendfs::store {
namespace {

constexpr std::array<const char*, 2> kFileNames = {"superblock.1", "superblock.2"};
// docs/disk-format.md, "Superblock": magic, checksum64 of the packed struct, the packed struct.
constexpr std::string_view kMagic = "mendfsS2";
constexpr std::size_t kChecksumSize = sizeof(std::uint64_t);
constexpr std::size_t kSizeMax = 16u << 20;

std::string encode(const Superblock& superblock) {
  const std::string packed = pack(superblock);
  const std::uint64_t checksum = checksum64(bytes_of(packed));
  std::string content(kMagic);
  content.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return content + packed;
}

std::optional<Superblock> decode(std::string_view content) {
  if (content.size() < kMagic.size() + kChecksumSize || !content.starts_with(kMagic)) return std::nullopt;
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, content.data() + kMagic.size(), sizeof checksum);
  content.remove_prefix(kMagic.size() + kChecksumSize);
  if (checksum64(bytes_of(content)) != checksum) return std::nullopt;
  Result<Superblock> superblock = unpack<Superblock>(content);
  if (!superblock) return std::nullopt;
  return std::move(*superblock);
}

}  // namespace

RangeState* Superblock::range_state(Slot range) {
  for (RangeState& state : ranges)
    if (state.range == range) return &state;
  return nullptr;
}

Result<Superblock> load_superblock(Disk& disk) {
  std::optional<Superblock> newest;
  bool found = false;
  for (const char* name : kFileNames) {
    Result<std::string> content = read_small_file(disk, name, kSizeMax);
    if (!content && content.code() == ErrorCode::NotFound) continue;
    if (!content && content.code() != ErrorCode::Corruption) return content.error();
    found = true;
    std::optional<Superblock> superblock;
    if (content) superblock = decode(*content);
    if (superblock && (!newest || superblock->save_number > newest->save_number)) newest = std::move(superblock);
  }
  if (newest) return std::move(*newest);
  if (!found) return Error{ErrorCode::NotFound, "no superblock"};
  return Error{ErrorCode::Corruption, "both superblock files are damaged"};
}

Task<Result<void>> write_superblock(Disk& disk, Superblock superblock) {
  const std::string content = encode(superblock);
  for (const char* name : kFileNames) {
    std::string file_name = name;
    std::string file_content = content;
    MENDFS_CO_TRY_VOID(co_await replace_file(disk, std::move(file_name), std::move(file_content)));
  }
  co_return Result<void>{};
}

}  // namespace mendfs::store
