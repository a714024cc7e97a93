// Packing and unpacking of what travels most: attributes, and a write of one server's share of 1 MiB.
#include <benchmark/benchmark.h>

#include "protocol/data.h"
#include "protocol/meta.h"

namespace mendfs::protocol {
namespace {

void pack_attributes(benchmark::State& state) {
  const Attributes attributes;
  for (auto _ : state) benchmark::DoNotOptimize(pack(attributes));
}
BENCHMARK(pack_attributes);

void unpack_attributes(benchmark::State& state) {
  const std::string packed = pack(Attributes{});
  for (auto _ : state) {
    Result<Attributes> attributes = unpack<Attributes>(packed);
    benchmark::DoNotOptimize(attributes);
  }
}
BENCHMARK(unpack_attributes);

WriteRequest share_of_a_mebibyte() {
  WriteRequest request;
  WritePart part;
  part.blocks = {0, 4, 512};
  part.last_end = kBlockSizeDefault;
  part.digests.resize(part.blocks.count);
  request.parts.push_back(std::move(part));
  return request;
}

void pack_write(benchmark::State& state) {
  const WriteRequest request = share_of_a_mebibyte();
  for (auto _ : state) benchmark::DoNotOptimize(pack(request));
}
BENCHMARK(pack_write);

void unpack_write(benchmark::State& state) {
  const std::string packed = pack(share_of_a_mebibyte());
  for (auto _ : state) {
    Result<WriteRequest> request = unpack<WriteRequest>(packed);
    benchmark::DoNotOptimize(request);
  }
}
BENCHMARK(unpack_write);

}  // namespace
}  // namespace mendfs::protocol
