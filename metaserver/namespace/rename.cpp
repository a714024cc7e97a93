// Renames, as renameat2(2) of Linux does them.
#include <map>

#include "metaserver/namespace/dentries.h"
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/links.h"
#include "metaserver/namespace/operations.h"

namespace mendfs::metaserver {

namespace {

/// The inodes a rename changes, each once: both parents may be one directory.
class InodeSet {
 public:
  explicit InodeSet(State& state) : state_(state) {}
  InodeRecord* add(InodeRecord record) {
    const InodeNumber inode = record.inode();
    return &records_.try_emplace(inode, std::move(record)).first->second;
  }
  void store() const {
    for (const auto& [inode, record] : records_) store_inode(state_, record);
  }

 private:
  State& state_;
  std::map<InodeNumber, InodeRecord> records_;
};

struct Move {
  InodeRecord* parent = nullptr;
  InodeRecord* new_parent = nullptr;
  InodeRecord* source = nullptr;
  InodeRecord* target = nullptr;  // what has the new name now, if anything
};

Result<void> check_names(const protocol::RenameRequest& request) {
  MENDFS_TRY_VOID(check_name(request.name));
  MENDFS_TRY_VOID(check_name(request.new_name));
  if (request.no_replace && request.exchange)
    return Error{ErrorCode::InvalidArgument, "a rename either replaces nothing or exchanges"};
  if (is_dot_or_dot_dot(request.name)) return Error{ErrorCode::Busy, "\".\" and \"..\" are not renamed"};
  if (is_dot_or_dot_dot(request.new_name))
    return Error{request.no_replace ? ErrorCode::Exists : ErrorCode::Busy, "the new name is \".\" or \"..\""};
  return {};
}

/// Whether `directory` is `ancestor` or lies below it.
Result<bool> is_within(State& state, const InodeRecord& directory, const InodeRecord& ancestor) {
  if (directory.inode() == ancestor.inode()) return true;
  if (ancestor.entry_count == 0) return false;
  InodeNumber at = directory.inode();
  InodeNumber above = directory.parent;
  while (at != kRootInode) {
    if (above == ancestor.inode()) return true;
    MENDFS_TRY(const InodeRecord record, load_named_inode(state, above));
    at = above;
    above = record.parent;
  }
  return false;
}

Result<void> check_no_circle(State& state, const protocol::RenameRequest& request, const Move& move) {
  // Within one directory nothing moves below itself.
  if (move.parent == move.new_parent) return {};
  if (move.source->is_directory()) {
    MENDFS_TRY(const bool within, is_within(state, *move.new_parent, *move.source));
    if (within) return Error{ErrorCode::InvalidArgument, "a directory is not moved below itself"};
  }
  if (move.target != nullptr && move.target->is_directory()) {
    MENDFS_TRY(const bool within, is_within(state, *move.parent, *move.target));
    if (within && request.exchange)
      return Error{ErrorCode::InvalidArgument, "a directory is not exchanged with what lies below it"};
    if (within) return Error{ErrorCode::NotEmpty, "the directory is not empty"};
  }
  return {};
}

Result<void> check_replaced(const Move& move) {
  if (move.target == nullptr) return {};
  if (move.source->is_directory() && !move.target->is_directory())
    return Error{ErrorCode::NotDirectory, "a directory replaces directories only"};
  if (!move.source->is_directory() && move.target->is_directory())
    return Error{ErrorCode::IsDirectory, "a directory is replaced by directories only"};
  if (move.target->is_directory()) return check_empty(*move.target);
  return {};
}

Result<void> check_link_count(const InodeRecord& directory, const InodeRecord& comes, const InodeRecord* goes) {
  const bool grows = comes.is_directory() && (goes == nullptr || !goes->is_directory());
  if (grows && directory.attributes.link_count >= protocol::kLinkCountMax)
    return Error{ErrorCode::TooManyLinks, "a directory has at most 65000 links"};
  return {};
}

void set_parent(InodeRecord& record, InodeRecord& from, InodeRecord& to, const std::string& name) {
  if (!record.is_directory()) return;
  record.parent = to.inode();
  record.name = name;
  --from.attributes.link_count;
  ++to.attributes.link_count;
}

}  // namespace

Body apply_body(Context& context, const protocol::RenameRequest& request) {
  State& state = context.state;
  MENDFS_TRY_VOID(check_names(request));
  MENDFS_TRY(InodeRecord parent, load_directory(state, request.parent));
  MENDFS_TRY(InodeRecord new_parent, load_directory(state, request.new_parent));
  if (new_parent.is_orphan()) return Error{ErrorCode::NotFound, "the directory was removed"};
  MENDFS_TRY(Dentries dentries, Dentries::open(state, request.parent));
  MENDFS_TRY(Dentries new_dentries, Dentries::open(state, request.new_parent));
  MENDFS_TRY(const std::optional<InodeNumber> source, dentries.find(request.name));
  if (!source) return Error{ErrorCode::NotFound, "no such name"};
  MENDFS_TRY(const std::optional<InodeNumber> target, new_dentries.find(request.new_name));
  if (target && request.no_replace) return Error{ErrorCode::Exists, "the new name is taken"};
  if (!target && request.exchange) return Error{ErrorCode::NotFound, "nothing to exchange with"};

  InodeSet inodes(state);
  Move move;
  move.parent = inodes.add(std::move(parent));
  move.new_parent = inodes.add(std::move(new_parent));
  MENDFS_TRY(InodeRecord source_record, load_named_inode(state, *source));
  move.source = inodes.add(std::move(source_record));
  if (target) {
    MENDFS_TRY(InodeRecord target_record, load_named_inode(state, *target));
    move.target = inodes.add(std::move(target_record));
  }
  MENDFS_TRY_VOID(check_no_circle(state, request, move));
  // Two names of one file: POSIX wants both kept.
  if (move.source == move.target) return pack(protocol::Nothing{});
  if (!request.exchange) MENDFS_TRY_VOID(check_replaced(move));
  if (move.parent != move.new_parent) {
    MENDFS_TRY_VOID(check_link_count(*move.new_parent, *move.source, move.target));
    if (request.exchange) MENDFS_TRY_VOID(check_link_count(*move.parent, *move.target, move.source));
  }

  touch(context, *move.source);
  set_parent(*move.source, *move.parent, *move.new_parent, request.new_name);
  new_dentries.set(request.new_name, *source);
  if (request.exchange) {
    touch(context, *move.target);
    set_parent(*move.target, *move.new_parent, *move.parent, request.name);
    dentries.set(request.name, *target);
  } else {
    dentries.remove(request.name);
    --move.parent->entry_count;
    ++move.new_parent->entry_count;
    if (move.target != nullptr) {
      if (move.target->is_directory()) --move.new_parent->attributes.link_count;
      --move.new_parent->entry_count;
      drop_name(context, *move.target);
    }
  }
  touch_content(context, *move.parent);
  if (move.new_parent != move.parent) touch_content(context, *move.new_parent);
  if (move.source->is_directory() || (request.exchange && move.target->is_directory())) context.paths.clear();
  inodes.store();
  return pack(protocol::Nothing{});
}

}  // namespace mendfs::metaserver
