// What integrity costs: SHA-256 of 512-byte blocks, the rate at which any byte can enter or leave the system.
#include <benchmark/benchmark.h>

#include "block/checksum.h"
#include "block/placement.h"

namespace mendfs {
namespace {

Buffer filled(std::size_t size) {
  Buffer buffer = Buffer::allocate(size);
  std::uint64_t state = 1;
  for (std::byte& byte : buffer.writable()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::byte>(state >> 56);
  }
  return buffer;
}

void digests_of_blocks(benchmark::State& state) {
  const Buffer data = filled(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(digests_of(data, kBlockSizeDefault));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(digests_of_blocks)->Arg(512)->Arg(4096)->Arg(1 << 20);

void checksum_of_header(benchmark::State& state) {
  const Buffer header = filled(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(checksum64(header));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(checksum_of_header)->Arg(64)->Arg(4096);

void shares_of_a_mebibyte(benchmark::State& state) {
  const Layout layout{1, 5, 2, kBlockSizeDefault, kCopyCountDefault};
  for (auto _ : state)
    for (Slot range = 0; range < layout.slot_count; ++range)
      benchmark::DoNotOptimize(share_of(12345, 2048, range, layout));
}
BENCHMARK(shares_of_a_mebibyte);

}  // namespace
}  // namespace mendfs
