// What both ends of our HTTP agree on (docs/protocol.md, "HTTP").
#pragma once

#include <cstdint>

namespace mendfs {

constexpr std::uint32_t kHttpHeaderSizeMax = 16u << 10;
constexpr const char* kUpgradeProtocol = "mendfs";
constexpr const char* kUpgradeTarget = "/frames";

}  // namespace mendfs
