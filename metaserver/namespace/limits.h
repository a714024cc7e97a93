// What bounds the state.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mendfs::metaserver {

/// Replies kept of one session: a client has fewer changes under way (Malformed beyond).
constexpr std::uint64_t kRepliesPerSession = 1024;
/// Open sessions: a mount beyond is Unavailable.
constexpr std::uint64_t kSessionCountMax = 4096;
constexpr std::size_t kClientNameSizeMax = 1024;
/// Fences kept: a dataserver that was away for more of them learns the rest, and its clients are long gone.
constexpr std::uint64_t kFenceCountMax = 4096;
/// One inode's extended attributes: NoSpace beyond.
constexpr std::uint32_t kXattrCountMax = 256;
constexpr std::uint32_t kXattrBytesMax = 128 * 1024;
/// Cuts of a file that its holders have not all recorded: a shrink beyond is Unavailable until they have.
constexpr std::size_t kCutCountMax = 256;

}  // namespace mendfs::metaserver
