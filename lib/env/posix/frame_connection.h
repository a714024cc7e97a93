// FrameStream over a connected socket. What is sent in one turn of the loop, or while an earlier write is under way,
// leaves in one system call; received data lands in the buffer it is handed out in.
#pragma once

#include <memory>

#include "base/logger.h"
#include "env/network.h"
#include "env/posix/posix_loop.h"
#include "env/posix/socket.h"

namespace mendfs {

/// `received`: bytes that arrived behind the Upgrade.
std::shared_ptr<FrameStream> make_frame_stream(PosixLoop& loop, Logger& log, Socket socket, ByteView received);

}  // namespace mendfs
