#include "metaserver/namespace/touched.h"

#include "metaserver/namespace/inode_record.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {
namespace {

Result<void> add_inode(protocol::Touched& touched, const std::string& key, const std::optional<std::string>& value) {
  if (!value) {
    touched.gone.push_back(keys::big_endian_at(key, 1));
    return {};
  }
  MENDFS_TRY(InodeRecord record, unpack<InodeRecord>(*value));
  if (record.deleting) {
    touched.gone.push_back(record.inode());
  } else {
    touched.inodes.push_back(std::move(record.attributes));
  }
  return {};
}

Result<void> add_name(protocol::Touched& touched, const std::string& key, const std::optional<std::string>& value) {
  protocol::NameState name;
  name.parent = keys::big_endian_at(key, 1);
  name.name = key.substr(keys::kDentryNameOffset);
  if (value) {
    MENDFS_TRY(const DentryRecord record, unpack<DentryRecord>(*value));
    name.inode = record.inode;
  }
  touched.names.push_back(std::move(name));
  return {};
}

}  // namespace

Result<protocol::Touched> touched_by_command(const State& state) {
  protocol::Touched touched;
  for (const auto& [key, value] : state.command_changes()) {
    if (key.front() == keys::kInodeTag) MENDFS_TRY_VOID(add_inode(touched, key, value));
    if (key.front() == keys::kDentryTag) MENDFS_TRY_VOID(add_name(touched, key, value));
  }
  return touched;
}

}  // namespace mendfs::metaserver
