#include "rpc/xml.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mendfs;
  const std::string_view xml = fuzz::text_from(data, size);
  if (const Result<rpc::Call> call = rpc::parse_call(xml); call.ok()) {
    const Result<rpc::Call> again = rpc::parse_call(rpc::write_call(*call));
    MENDFS_ASSERT(again.ok() && again->method == call->method);
  }
  if (const Result<rpc::Value> value = rpc::parse_reply(xml); value.ok())
    MENDFS_ASSERT(rpc::parse_reply(rpc::write_reply(*value)).ok());
  return 0;
}
