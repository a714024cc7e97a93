#include "fuseclient/receive_buffers.h"

#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "fuseclient/convert.h"

namespace mendfs::fuse {
namespace {

/// Smaller writes are copied: a queue of them would hold many times its size.
constexpr std::size_t kKeepSizeMin = kRequestSizeMax / 2;
/// As many as a fast writer has on the way.
constexpr std::size_t kSpareCountMax = 16;

}  // namespace

/// Memory of libfuse's making, used and free again.
class ReceiveBuffers::Spares {
 public:
  Spares() = default;
  Spares(const Spares&) = delete;
  ~Spares() {
    for (void* memory : free_) std::free(memory);
  }

  void put(void* memory) {
    {
      const std::lock_guard lock(mutex_);
      if (free_.size() < kSpareCountMax) {
        free_.push_back(memory);
        return;
      }
    }
    std::free(memory);
  }
  /// Null when there is none.
  void* take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return nullptr;
    void* memory = free_.back();
    free_.pop_back();
    return memory;
  }

 private:
  std::mutex mutex_;
  std::vector<void*> free_;
};

ReceiveBuffers::ReceiveBuffers() : spares_(std::make_shared<Spares>()) {}

ReceiveBuffers::~ReceiveBuffers() {
  if (!owner_) std::free(current_.mem);
}

fuse_buf& ReceiveBuffers::next() {
  if (owner_) {
    owner_.reset();
    current_.mem = nullptr;
  }
  // libfuse allocates what it finds missing, in the size it wants.
  if (current_.mem == nullptr) current_.mem = spares_->take();
  return current_;
}

Buffer ReceiveBuffers::keep(const char* bytes, std::size_t size) {
  if (size < kKeepSizeMin) return Buffer::copy_of(bytes_of({bytes, size}));
  if (!owner_) {
    owner_ = std::shared_ptr<std::byte[]>(static_cast<std::byte*>(current_.mem),
                                          [spares = spares_](std::byte* memory) { spares->put(memory); });
  }
  std::byte* begin = static_cast<std::byte*>(current_.mem) + (bytes - static_cast<const char*>(current_.mem));
  return Buffer::share(owner_, {begin, size});
}

}  // namespace mendfs::fuse
