#include "corrupt/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mendfs::corrupt {
namespace {

using Json = nlohmann::ordered_json;

/// Paths are arbitrary bytes: what is not UTF-8 is shown as U+FFFD.
std::string print(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string describe(const Damaged& damaged) {
  const std::uint64_t offset = damaged.block.block * damaged.block_size + damaged.byte;
  std::string text = fmt::format("{}: block {} (copy {} of it) on slot {} ({}): ", damaged.path, damaged.block.block,
                                 damaged.block.copy, damaged.slot, damaged.server);
  if (damaged.mode == "flip") {
    text += fmt::format("byte {} (offset {} of the file) was 0x{:02x}, is 0x{:02x}", damaged.byte, offset,
                        damaged.old_value, damaged.new_value);
  } else {
    text += fmt::format("{}, first changed byte {} was 0x{:02x}, is 0x{:02x}", damaged.mode, damaged.byte,
                        damaged.old_value, damaged.new_value);
  }
  if (!damaged.place.empty()) text += fmt::format("; {}", damaged.place);
  return text + "\n";
}

std::string describe_as_json(const Damaged& damaged) {
  Json json;
  json["path"] = damaged.path;
  json["mode"] = damaged.mode;
  json["slot"] = damaged.slot;
  json["server"] = damaged.server;
  json["inode"] = damaged.inode;
  json["block"] = damaged.block.block;
  json["copy"] = damaged.block.copy;
  json["byte"] = damaged.byte;
  json["offset"] = damaged.block.block * damaged.block_size + damaged.byte;
  json["old"] = damaged.old_value;
  json["new"] = damaged.new_value;
  json["place"] = damaged.place;
  return print(json);
}

std::string list_blocks(const std::string& path, const LocatedFile& file) {
  const Layout& layout = file.layout;
  std::string text = fmt::format("{}: inode {}, {} bytes, {} blocks of {}, x = {}, {} slots\n", path, file.inode,
                                 file.size, file.block_count(), layout.block_size, layout.start, layout.slot_count);
  for (BlockIndex block = 0; block < file.block_count(); ++block) {
    text += fmt::format("{:>10}", block);
    for (std::uint32_t copy = 0; copy < layout.copy_count; ++copy) {
      const Slot slot = slot_of(block, copy, layout);
      text += fmt::format("   copy {}: slot {} {}", copy, slot, file.addresses.at(slot));
    }
    text += '\n';
  }
  return text;
}

std::string list_blocks_as_json(const std::string& path, const LocatedFile& file) {
  const Layout& layout = file.layout;
  Json json;
  json["path"] = path;
  json["inode"] = file.inode;
  json["size"] = file.size;
  json["block_size"] = layout.block_size;
  json["x"] = layout.start;
  json["addresses"] = file.addresses;
  json["blocks"] = Json::array();
  for (BlockIndex block = 0; block < file.block_count(); ++block) {
    Json slots = Json::array();
    for (std::uint32_t copy = 0; copy < layout.copy_count; ++copy) slots.push_back(slot_of(block, copy, layout));
    json["blocks"].push_back(std::move(slots));
  }
  return print(json);
}

}  // namespace mendfs::corrupt
