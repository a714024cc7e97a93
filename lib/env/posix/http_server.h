// Listens, reads HTTP requests, and hands them and upgraded connections to a ConnectionHandler.
#pragma once

#include <memory>

#include "base/logger.h"
#include "env/network.h"
#include "env/posix/posix_loop.h"

namespace mendfs {

Result<std::unique_ptr<Listener>> listen_http(PosixLoop& loop, Logger& log, const Address& address,
                                              ConnectionHandler& handler);

}  // namespace mendfs
