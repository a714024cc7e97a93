#include "metaserver/namespace/cuts.h"

#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/limits.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

Result<void> cut(Context& context, InodeRecord& record, std::uint64_t size) {
  CutList& cuts = record.attributes.cuts;
  CutList longer = cuts;
  longer.add({cuts.number() + 1, size});
  if (longer.cuts().size() > kCutCountMax)
    return Error{ErrorCode::Unavailable, "a dataserver that is down must first learn how the file was truncated"};
  cuts = std::move(longer);
  context.queues.add(context.state, keys::kCutTag, record.inode());
  return {};
}

Body apply_body(Context& context, const AcknowledgeCuts& command) {
  MENDFS_TRY(InodeRecord record, load_inode(context.state, command.inode));
  CutList& cuts = record.attributes.cuts;
  if (command.number > cuts.number()) return Error{ErrorCode::InvalidArgument, "the file has no cut of that number"};
  CutList unknown;
  for (const Cut& each : cuts.cuts())
    if (each.number >= command.number) unknown.add(each);
  cuts = std::move(unknown);
  if (command.number == cuts.number()) context.queues.remove(context.state, keys::kCutTag, command.inode);
  store_inode(context.state, record);
  return done();
}

}  // namespace mendfs::metaserver
