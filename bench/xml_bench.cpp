// The XML-RPC codec with a hot call: one base64 value of the size of packed attributes each way.
#include <benchmark/benchmark.h>

#include "rpc/xml.h"

namespace mendfs::rpc {
namespace {

Call hot_call() { return Call{"fs.getattr", {Value(Bytes{std::string(120, 'a')})}}; }

void write_and_parse_call(benchmark::State& state) {
  const Call call = hot_call();
  for (auto _ : state) {
    Result<Call> parsed = parse_call(write_call(call));
    benchmark::DoNotOptimize(parsed);
  }
}
BENCHMARK(write_and_parse_call);

void write_and_parse_reply(benchmark::State& state) {
  const Value value(Bytes{std::string(200, 'a')});
  for (auto _ : state) {
    Result<Value> parsed = parse_reply(write_reply(value));
    benchmark::DoNotOptimize(parsed);
  }
}
BENCHMARK(write_and_parse_reply);

}  // namespace
}  // namespace mendfs::rpc
