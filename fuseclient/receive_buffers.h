// The memory that requests are received into. A write that fills most of it keeps it, so that its bytes are never
// copied here, and the next request gets another one; used ones are kept, since fresh memory costs the kernel a fault
// for each page.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <memory>

#include "base/buffer.h"

namespace mendfs::fuse {

class ReceiveBuffers {
 public:
  ReceiveBuffers();
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ~ReceiveBuffers();

  /// Where libfuse is to receive the next request; valid until the next call. Loop thread.
  fuse_buf& next();
  /// Bytes of the request received last, to keep. Loop thread; the buffer may end its life in any.
  Buffer keep(const char* bytes, std::size_t size);

 private:
  class Spares;

  fuse_buf current_{};
  std::shared_ptr<std::byte[]> owner_;  // of current_.mem, once somebody else shares it
  std::shared_ptr<Spares> spares_;
};

}  // namespace mendfs::fuse
