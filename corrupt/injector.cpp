#include "corrupt/injector.h"

#include <fmt/format.h>

#include <utility>

#include "protocol/timing.h"
#include "rpc/arguments.h"
#include "rpc/client.h"

namespace mendfs::corrupt {
namespace {

Error not_understood(const char* name) {
  return {ErrorCode::Malformed, fmt::format("the server's answer has no proper member '{}': another version?", name)};
}

const rpc::Value* member_of(const rpc::Value& value, const char* name) {
  const auto* members = value.get<rpc::Struct>();
  if (members == nullptr) return nullptr;
  const auto found = members->find(name);
  return found == members->end() ? nullptr : &found->second;
}

Result<std::uint64_t> integer_of(const rpc::Value& value, const char* name) {
  const rpc::Value* member = member_of(value, name);
  if (member == nullptr) return not_understood(name);
  return rpc::as_integer({*member}, 0, name);
}

Result<std::uint32_t> small_integer_of(const rpc::Value& value, const char* name) {
  MENDFS_TRY(const std::uint64_t number, integer_of(value, name));
  if (number > UINT32_MAX) return not_understood(name);
  return static_cast<std::uint32_t>(number);
}

Result<std::string> text_member(const rpc::Value& value, const char* name) {
  const rpc::Value* member = member_of(value, name);
  if (member == nullptr) return not_understood(name);
  return rpc::as_text({*member}, 0, name);
}

Result<LocatedFile> parse_located(const rpc::Value& value) {
  LocatedFile file;
  MENDFS_TRY(file.inode, integer_of(value, "inode"));
  MENDFS_TRY(file.size, integer_of(value, "size"));
  MENDFS_TRY(file.layout.ring, integer_of(value, "ring"));
  MENDFS_TRY(file.layout.start, small_integer_of(value, "start"));
  MENDFS_TRY(file.layout.slot_count, small_integer_of(value, "slot_count"));
  MENDFS_TRY(file.layout.block_size, small_integer_of(value, "block_size"));
  MENDFS_TRY(file.layout.copy_count, small_integer_of(value, "copy_count"));
  MENDFS_TRY_VOID(check_layout(file.layout));
  const rpc::Value* addresses = member_of(value, "addresses");
  const auto* list = addresses == nullptr ? nullptr : addresses->get<rpc::Array>();
  if (list == nullptr || list->size() != file.layout.slot_count) return not_understood("addresses");
  for (std::size_t i = 0; i < list->size(); ++i) {
    MENDFS_TRY(std::string address, rpc::as_text(*list, i, "addresses"));
    file.addresses.push_back(std::move(address));
  }
  return file;
}

/// Holes, and copies that are damaged already, are nothing to damage.
Result<std::vector<StoredBlock>> parse_stored(const rpc::Value& value) {
  const auto* list = value.get<rpc::Array>();
  if (list == nullptr) return not_understood("block");
  std::vector<StoredBlock> stored;
  for (const rpc::Value& entry : *list) {
    MENDFS_TRY(const std::string state, text_member(entry, "state"));
    if (state != "data") continue;
    StoredBlock block;
    MENDFS_TRY(block.block, integer_of(entry, "block"));
    MENDFS_TRY(block.copy, small_integer_of(entry, "copy"));
    stored.push_back(block);
  }
  return stored;
}

}  // namespace

Task<Result<rpc::Value>> Injector::call(Address server, std::string method, std::vector<rpc::Value> parameters) {
  const Time deadline = loop_.now() + timing::kMetaCallTimeout;
  co_return co_await rpc::call(network_, std::move(server), std::move(method), std::move(parameters), deadline);
}

Task<Result<void>> Injector::introduce() {
  std::vector<rpc::Value> nothing;
  auto identity = co_await call(dataserver_, "node.identity", std::move(nothing));
  if (!identity.ok()) co_return identity.error();
  const rpc::Value* adopted = member_of(*identity, "adopted");
  if (adopted == nullptr) co_return not_understood("adopted");
  if (const bool* is_adopted = adopted->get<bool>(); is_adopted == nullptr || !*is_adopted) {
    co_return Error{ErrorCode::NotFound,
                    fmt::format("the dataserver {} belongs to no filesystem yet: mount once", to_string(dataserver_))};
  }
  MENDFS_CO_TRY(slot_, small_integer_of(*identity, "slot"));
  MENDFS_CO_TRY(const std::string metaserver, text_member(*identity, "metaserver"));
  MENDFS_CO_TRY(metaserver_, parse_address(metaserver));
  co_return Result<void>();
}

Task<Result<LocatedFile>> Injector::locate(std::string path) {
  std::vector<rpc::Value> parameters{rpc::text_or_bytes(path)};
  auto answer = co_await call(metaserver_, "ns.locate", std::move(parameters));
  if (!answer.ok()) {
    co_return Error{answer.error().code, fmt::format("{}: {}", path, answer.error().message)};
  }
  MENDFS_CO_TRY(LocatedFile file, parse_located(*answer));
  if (slot_ >= file.layout.slot_count) co_return not_understood("slot_count");
  co_return file;
}

Task<Result<std::vector<StoredBlock>>> Injector::list(InodeNumber inode, Window window) {
  std::vector<rpc::Value> parameters{std::to_string(inode), std::to_string(window.first),
                                     static_cast<std::int64_t>(window.count)};
  auto answer = co_await call(dataserver_, "block.list", std::move(parameters));
  if (!answer.ok()) co_return answer.error();
  co_return parse_stored(*answer);
}

Task<Result<Damaged>> Injector::damage(LocatedFile file, Wish wish, std::string mode, std::uint64_t seed) {
  std::optional<StoredBlock> chosen;
  const std::vector<Window> windows = windows_of(file, wish, seed);
  for (std::size_t i = 0; i < windows.size() && !chosen; ++i) {
    MENDFS_CO_TRY(const std::vector<StoredBlock> stored, co_await list(file.inode, windows[i]));
    chosen = choose_block(file, stored, wish, seed);
  }
  if (!chosen) co_return explain_absence(file, slot_, wish);

  std::vector<rpc::Value> parameters{std::to_string(file.inode), std::to_string(chosen->block), mode,
                                     std::to_string(seed)};
  auto answer = co_await call(dataserver_, "block.corrupt", std::move(parameters));
  if (!answer.ok()) co_return answer.error();
  Damaged damaged;
  damaged.mode = std::move(mode);
  damaged.slot = slot_;
  damaged.server = to_string(dataserver_);
  damaged.inode = file.inode;
  damaged.block = *chosen;
  damaged.block_size = file.layout.block_size;
  MENDFS_CO_TRY(damaged.byte, small_integer_of(*answer, "byte"));
  MENDFS_CO_TRY(damaged.old_value, small_integer_of(*answer, "old"));
  MENDFS_CO_TRY(damaged.new_value, small_integer_of(*answer, "new"));
  MENDFS_CO_TRY(damaged.place, text_member(*answer, "what"));
  co_return damaged;
}

}  // namespace mendfs::corrupt
