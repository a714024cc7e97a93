#include "metaserver/namespace/command.h"

#include <utility>

namespace mendfs::metaserver {

namespace {

constexpr std::uint8_t kCommandVersion = 1;
using Tag = std::uint8_t;
static_assert(std::variant_size_v<Command::Body> <= 256);

template <std::size_t kTag = 0>
void unpack_body(std::size_t tag, Unpacker& unpacker, Command::Body& body) {
  if constexpr (kTag < std::variant_size_v<Command::Body>) {
    if (tag == kTag)
      unpacker.get(body.emplace<kTag>());
    else
      unpack_body<kTag + 1>(tag, unpacker, body);
  }
}

}  // namespace

const protocol::CallHeader* call_of(const Command& command) {
  return std::visit(
      [](const auto& body) -> const protocol::CallHeader* {
        if constexpr (requires { body.call; })
          return &body.call;
        else
          return nullptr;
      },
      command.body);
}

std::string encode(const Command& command) {
  Packer packer;
  packer.put(kCommandVersion);
  packer.put(static_cast<Tag>(command.body.index()));
  packer.put(command.time);
  packer.put(command.epoch);
  std::visit([&](const auto& body) { packer.put(body); }, command.body);
  return packer.take();
}

Result<Command> decode_command(std::string_view bytes) {
  Unpacker unpacker(bytes);
  std::uint8_t version = 0;
  Tag tag = 0;
  Command command;
  unpacker.get(version);
  unpacker.get(tag);
  unpacker.get(command.time);
  unpacker.get(command.epoch);
  if (!unpacker.ok()) return Error{ErrorCode::Malformed, "a command is cut short"};
  if (version != kCommandVersion || tag >= std::variant_size_v<Command::Body>)
    return Error{ErrorCode::Malformed, "a command was written by another version of the metaserver"};
  unpack_body(tag, unpacker, command.body);
  if (!unpacker.finished()) return Error{ErrorCode::Malformed, "a command is cut short, too long or impossible"};
  return command;
}

}  // namespace mendfs::metaserver
