#include "metaserver/namespace/command.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)mendfs::metaserver::decode_command(mendfs::fuzz::text_from(data, size));
  return 0;
}
