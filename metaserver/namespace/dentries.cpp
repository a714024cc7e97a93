#include "metaserver/namespace/dentries.h"

#include <algorithm>

#include "block/checksum.h"
#include "metaserver/namespace/ring_record.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

Result<void> check_name(std::string_view name) {
  if (name.empty()) return Error{ErrorCode::NotFound, "an empty name names nothing"};
  if (name.size() > protocol::kNameSizeMax) return Error{ErrorCode::NameTooLong, "names have at most 255 bytes"};
  if (name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos)
    return Error{ErrorCode::InvalidArgument, "names have no '/' and no NUL in them"};
  return {};
}

std::uint64_t name_hash(std::string_view name, std::uint64_t seed) {
  return std::max<std::uint64_t>(checksum64(bytes_of(name), seed) >> 1, 3);
}

Result<Dentries> Dentries::open(State& state, InodeNumber directory) {
  MENDFS_TRY(std::optional<ClusterRecord> cluster, state.get_record<ClusterRecord>(keys::cluster()));
  if (!cluster) return Error{ErrorCode::Unavailable, "no filesystem was made yet: mount once with the dataservers"};
  return Dentries(state, directory, cluster->name_seed);
}

std::string Dentries::key(std::string_view name) const {
  return keys::dentry(directory_, name_hash(name, seed_), name);
}

Result<std::optional<InodeNumber>> Dentries::find(std::string_view name) const {
  MENDFS_TRY(std::optional<DentryRecord> record, state_->get_record<DentryRecord>(key(name)));
  if (!record) return std::optional<InodeNumber>();
  return std::optional<InodeNumber>(record->inode);
}

void Dentries::set(std::string_view name, InodeNumber inode) { state_->put_record(key(name), DentryRecord{inode}); }

void Dentries::remove(std::string_view name) { state_->remove(key(name)); }

Result<DirectoryPage> Dentries::page(std::uint64_t after, std::uint32_t count_max) const {
  DirectoryPage page;
  page.end = true;
  if (after >= UINT64_MAX >> 1) return page;
  bool readable = true;
  MENDFS_TRY_VOID(
      state_->scan(keys::dentries_from(directory_, after + 1), keys::after_prefix(keys::dentries(directory_)),
                   [&](std::string_view key, std::string_view value) {
                     Result<DentryRecord> record = unpack<DentryRecord>(value);
                     readable = record.ok() && key.size() > keys::kDentryNameOffset;
                     if (!readable) return false;
                     const std::uint64_t hash = keys::big_endian_at(key, keys::kDentryHashOffset);
                     if (page.entries.size() >= count_max && page.entries.back().hash != hash) {
                       page.end = false;
                       return false;
                     }
                     page.entries.push_back({std::string(key.substr(keys::kDentryNameOffset)), hash, record->inode});
                     return true;
                   }));
  if (!readable) return Error{ErrorCode::Corruption, "the metadata store holds a directory entry that cannot be read"};
  return page;
}

}  // namespace mendfs::metaserver
