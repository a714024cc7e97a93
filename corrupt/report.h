// What corrupt prints: a sentence for people, or JSON. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "corrupt/choice.h"

namespace mendfs::corrupt {

struct Damaged {
  std::string path;
  std::string mode;
  Slot slot = 0;
  std::string server;
  InodeNumber inode = 0;
  StoredBlock block;
  std::uint32_t block_size = 0;
  std::uint32_t byte = 0;  // within the block
  std::uint32_t old_value = 0;
  std::uint32_t new_value = 0;
  std::string place;  // the server's words: file and offset, or what was done
};

std::string describe(const Damaged& damaged);
std::string describe_as_json(const Damaged& damaged);

/// Where each block of the file is, x included.
std::string list_blocks(const std::string& path, const LocatedFile& file);
std::string list_blocks_as_json(const std::string& path, const LocatedFile& file);

}  // namespace mendfs::corrupt
