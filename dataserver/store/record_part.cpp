#include "dataserver/store/record_part.h"

namespace mendfs::store {
namespace {

/// Up to so many bytes a record is read from its start on, with one read.
constexpr std::size_t kReadFromStartMax = 8u << 10;

}  // namespace

PartPlaces places_of(const StoredRun& run) {
  const RunPlaces record = run_places(run.kind, run.record_count, run.block_size(), run.last_size);
  PartPlaces places;
  places.head_size = record.digests_offset;
  places.digests_offset = record.digests_offset;
  places.data_offset = record.data_offset;
  if (run.kind == RunKind::Data) {
    places.digests_offset += run.skip * sizeof(Digest);
    places.digests_size = run.count * sizeof(Digest);
    places.data_offset += std::size_t{run.skip} * run.block_size();
    places.data_size = std::size_t{run.count - 1} * run.block_size() + run.own_last_size();
  }
  places.is_one_read = places.data_offset + places.data_size <= kReadFromStartMax || run.count == run.record_count;
  return places;
}

void add_extents(const std::shared_ptr<File>& file, Position record, const PartPlaces& places,
                 std::vector<Extent>& extents) {
  const std::uint64_t begin = offset_of(record);
  if (places.is_one_read) {
    extents.push_back({file, begin, places.size()});
    return;
  }
  extents.push_back({file, begin, places.head_size});
  extents.push_back({file, begin + places.digests_offset, places.digests_size});
  extents.push_back({file, begin + places.data_offset, places.data_size});
}

std::optional<PartBytes> take_part(const PartPlaces& places, std::vector<Buffer>::const_iterator& next) {
  if (places.is_one_read) {
    const Buffer& all = *next++;
    if (all.size() != places.size()) return std::nullopt;
    return PartBytes{all.view().first(places.head_size), all.view().subspan(places.digests_offset, places.digests_size),
                     all.slice(places.data_offset, places.data_size)};
  }
  const Buffer& head = *next++;
  const Buffer& digests = *next++;
  const Buffer& data = *next++;
  if (head.size() != places.head_size || digests.size() != places.digests_size || data.size() != places.data_size)
    return std::nullopt;
  return PartBytes{head.view(), digests.view(), data};
}

}  // namespace mendfs::store
