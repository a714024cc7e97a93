// A part of a stored run: where it is within its record, and reading it. Of a long record only its head and what
// belongs to the part is read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "dataserver/store/record_format.h"
#include "dataserver/store/stored_run.h"
#include "env/disk.h"

namespace mendfs::store {

struct PartPlaces {
  std::size_t head_size = 0;
  std::size_t digests_offset = 0;  // of the part's first block
  std::size_t digests_size = 0;
  std::size_t data_offset = 0;
  std::size_t data_size = 0;
  bool is_one_read = false;  // from the record's start on

  /// How much is read.
  std::size_t size() const { return is_one_read ? data_offset + data_size : head_size + digests_size + data_size; }
};

PartPlaces places_of(const StoredRun& run);

/// What is to be read of a part of the record at `record`: all at once, or head, digests and data.
void add_extents(const std::shared_ptr<File>& file, Position record, const PartPlaces& places,
                 std::vector<Extent>& extents);

/// What was read of it: views of the buffers that were taken.
struct PartBytes {
  ByteView head;
  ByteView digests;
  Buffer data;
};

/// Takes from `next` what add_extents() asked for; nothing when the file ends before.
std::optional<PartBytes> take_part(const PartPlaces& places, std::vector<Buffer>::const_iterator& next);

}  // namespace mendfs::store
