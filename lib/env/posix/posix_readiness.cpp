#include "env/posix/posix_readiness.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <utility>

namespace mendfs {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

/// Kept alive by the wait under way.
class Watched : public std::enable_shared_from_this<Watched> {
 public:
  Watched(PosixLoop& loop, int descriptor, std::function<void()> on_readable)
      : descriptor_(loop.context().get_executor(), descriptor), on_readable_(std::move(on_readable)) {}

  void wait() {
    // Each wait looks at the descriptor anew, so that one call for each readiness is enough.
    descriptor_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->ended_) return;
      self->on_readable_();
      if (!self->ended_) self->wait();
    });
  }
  void end() {
    ended_ = true;
    descriptor_.release();  // cancels the wait and leaves the descriptor open
  }

 private:
  Descriptor descriptor_;
  std::function<void()> on_readable_;
  bool ended_ = false;
};

class PosixReadWatch final : public ReadWatch {
 public:
  explicit PosixReadWatch(std::shared_ptr<Watched> watched) : watched_(std::move(watched)) {}
  ~PosixReadWatch() override { watched_->end(); }

 private:
  std::shared_ptr<Watched> watched_;
};

}  // namespace

std::unique_ptr<ReadWatch> PosixReadiness::watch(int descriptor, std::function<void()> on_readable) {
  auto watched = std::make_shared<Watched>(loop_, descriptor, std::move(on_readable));
  watched->wait();
  return std::make_unique<PosixReadWatch>(std::move(watched));
}

}  // namespace mendfs
