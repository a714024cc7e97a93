// Records that are written together, with one write.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "block/run.h"
#include "dataserver/store/record_format.h"

namespace mendfs::store {

class RecordBatch {
 public:
  void add(RecordType type, std::string meta);
  /// Requires: a checked run; its digests and data stay where they are as long as the batch.
  void add(const Run& run);

  std::uint64_t size() const { return size_; }
  /// The bytes, to be written at `base`; views into the batch and its runs.
  std::vector<ByteView> encode(Position base);
  /// After encode(): of the record that was added as number `index`.
  Position place(std::size_t index) const { return base_ + entries_[index].offset; }

 private:
  struct Entry {
    RecordType type = RecordType::Void;
    std::string meta;
    std::span<const Digest> digests;
    ByteView data;
    std::uint64_t offset = 0;
  };
  void add(Entry entry);

  std::vector<Entry> entries_;
  std::list<std::string> heads_;  // a list: views of them stay valid
  std::uint64_t size_ = 0;
  Position base_ = 0;
};

}  // namespace mendfs::store
