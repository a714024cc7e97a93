#include "env/posix/frame_connection.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <utility>

#include "env/frame_format.h"
#include "env/future.h"

namespace mendfs {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// Holds many small frames, or the beginning of a large one: only so much of it is copied.
constexpr std::size_t kStagingSize = 16u << 10;
/// Frames received and not yet taken; beyond it the socket is left alone, and the sender waits.
constexpr std::size_t kUntakenSizeMax = 8u << 20;
/// How long close() goes on sending what was queued before it.
constexpr auto kLingerMax = std::chrono::seconds(1);
/// Pieces for one system call (Asio takes no more).
constexpr std::size_t kGatherMax = 64;

class FrameConnection : public std::enable_shared_from_this<FrameConnection> {
 public:
  FrameConnection(PosixLoop& loop, Logger& log, Socket socket)
      : loop_(loop), log_(log), socket_(std::move(socket)), peer_(peer_name(socket_)) {}

  void start(ByteView received);
  void send(Frame frame);
  std::size_t unsent_size() const { return unsent_size_; }
  Task<Result<Frame>> receive();
  void close();
  bool closed() const { return end_.has_value(); }

 private:
  struct Outgoing {
    std::string head;  // prefix and header
    std::vector<Buffer> data;
  };
  /// A frame of which the prefix has arrived.
  struct Incoming {
    FramePrefix prefix;
    std::string header;
    Buffer data;
    std::size_t header_got = 0;
    std::size_t data_got = 0;

    std::span<std::byte> header_rest() { return std::as_writable_bytes(std::span<char>(header)).subspan(header_got); }
    std::span<std::byte> data_rest() { return data.writable().subspan(data_got); }
    bool whole() const { return header_got == header.size() && data_got == data.size(); }
  };

  void end(Error reason);
  void drop_socket();

  void flush();
  std::span<const asio::const_buffer> gather();
  bool on_written(const error_code& error, std::size_t size);

  void read_more();
  void on_read(const error_code& error, std::size_t size);
  Result<void> parse();
  void fill_from_staging(std::span<std::byte> rest, std::size_t& got);
  ByteView staged() const { return ByteView(staging_).subspan(staging_begin_, staging_end_ - staging_begin_); }
  void hand_out();

  PosixLoop& loop_;
  Logger& log_;
  Socket socket_;
  std::string peer_;
  std::optional<Error> end_;

  std::deque<Outgoing> queue_;
  std::size_t front_sent_ = 0;  // bytes of queue_.front() that the kernel has taken
  std::size_t unsent_size_ = 0;
  std::array<asio::const_buffer, kGatherMax> gathered_;
  bool flush_posted_ = false;
  bool writing_ = false;

  std::array<std::byte, kStagingSize> staging_;
  std::size_t staging_begin_ = 0;
  std::size_t staging_end_ = 0;
  std::optional<Incoming> incoming_;
  std::deque<Frame> untaken_;
  std::size_t untaken_size_ = 0;
  bool reading_ = false;
  std::optional<Promise<Unit>> taker_;
};

void FrameConnection::start(ByteView received) {
  error_code ignored;  // then each send may wait, and all else goes on as it should
  socket_.non_blocking(true, ignored);
  while (!received.empty() && !closed()) {
    const std::size_t size = std::min(received.size(), staging_.size() - staging_end_);
    std::memcpy(staging_.data() + staging_end_, received.data(), size);
    staging_end_ += size;
    received = received.subspan(size);
    if (Result<void> parsed = parse(); !parsed.ok()) end(parsed.error());
  }
  read_more();
}

void FrameConnection::send(Frame frame) {
  if (closed()) return;
  const std::size_t data_size = frame.data_size();
  const auto prefix = encode_frame_prefix(bytes_of(frame.header), data_size);
  Outgoing outgoing;
  outgoing.head.reserve(prefix.size() + frame.header.size());
  outgoing.head.append(text_of(prefix)).append(frame.header);
  unsent_size_ += outgoing.head.size() + data_size;
  for (Buffer& piece : frame.data)
    if (!piece.empty()) outgoing.data.push_back(std::move(piece));
  queue_.push_back(std::move(outgoing));
  if (writing_ || std::exchange(flush_posted_, true)) return;
  loop_.post([self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void FrameConnection::flush() {
  if (writing_) return;
  // As long as the kernel takes it at once, there is no need to come back through the loop for each piece.
  while (!queue_.empty() && socket_.is_open()) {
    error_code error;
    const std::size_t size = socket_.write_some(gather(), error);
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (!on_written(error, size)) return;
  }
  if (queue_.empty() || !socket_.is_open()) return;
  writing_ = true;
  socket_.async_write_some(gather(), [self = shared_from_this()](const error_code& error, std::size_t size) {
    self->writing_ = false;
    if (self->on_written(error, size)) self->flush();
  });
}

std::span<const asio::const_buffer> FrameConnection::gather() {
  std::size_t count = 0;
  std::size_t skip = front_sent_;
  const auto add = [&](const void* data, std::size_t size) {
    if (count == kGatherMax) return;
    const std::size_t skipped = std::min(skip, size);
    skip -= skipped;
    if (skipped < size) gathered_[count++] = asio::const_buffer(data, size) + skipped;
  };
  for (const Outgoing& outgoing : queue_) {
    if (count == kGatherMax) break;
    add(outgoing.head.data(), outgoing.head.size());
    for (const Buffer& piece : outgoing.data) add(piece.data(), piece.size());
  }
  return {gathered_.data(), count};
}

/// Whether there is a connection to go on with.
bool FrameConnection::on_written(const error_code& error, std::size_t size) {
  if (error) {
    queue_.clear();
    unsent_size_ = 0;
    end({ErrorCode::Unavailable, "connection with " + peer_ + " broke: " + error.message()});
    return false;
  }
  unsent_size_ -= size;
  front_sent_ += size;
  while (!queue_.empty()) {
    std::size_t front_size = queue_.front().head.size();
    for (const Buffer& piece : queue_.front().data) front_size += piece.size();
    if (front_sent_ < front_size) break;
    front_sent_ -= front_size;
    queue_.pop_front();
  }
  if (closed() && queue_.empty()) drop_socket();
  return socket_.is_open();
}

void FrameConnection::read_more() {
  if (reading_ || closed() || untaken_size_ >= kUntakenSizeMax) return;
  reading_ = true;
  std::array<asio::mutable_buffer, 3> targets;
  if (incoming_) {
    targets[0] = asio::buffer(incoming_->header_rest().data(), incoming_->header_rest().size());
    targets[1] = asio::buffer(incoming_->data_rest().data(), incoming_->data_rest().size());
  }
  targets[2] = asio::buffer(staging_.data() + staging_end_, staging_.size() - staging_end_);
  socket_.async_read_some(
      targets, [self = shared_from_this()](const error_code& error, std::size_t size) { self->on_read(error, size); });
}

void FrameConnection::on_read(const error_code& error, std::size_t size) {
  reading_ = false;
  if (closed()) return;
  if (error) return end({ErrorCode::Unavailable, "connection with " + peer_ + " ended: " + error.message()});
  if (incoming_) {
    const std::size_t header = std::min(size, incoming_->header_rest().size());
    incoming_->header_got += header;
    const std::size_t data = std::min(size - header, incoming_->data_rest().size());
    incoming_->data_got += data;
    size -= header + data;
  }
  staging_end_ += size;
  if (Result<void> parsed = parse(); !parsed.ok()) {
    log_.debug("closing a connection peer={} reason={}", peer_, parsed.error().message);
    end(parsed.error());
  }
  read_more();
}

/// Turns what has arrived into frames. At most a part of a prefix stays in the staging area.
Result<void> FrameConnection::parse() {
  while (true) {
    if (!incoming_) {
      if (staged().size() < kFramePrefixSize) break;
      MENDFS_TRY(const FramePrefix prefix, decode_frame_prefix(staged().first(kFramePrefixSize)));
      staging_begin_ += kFramePrefixSize;
      incoming_ = Incoming{};
      incoming_->prefix = prefix;
      incoming_->header.resize(prefix.header_size);
      if (prefix.data_size > 0) incoming_->data = Buffer::allocate(prefix.data_size);
    }
    fill_from_staging(incoming_->header_rest(), incoming_->header_got);
    fill_from_staging(incoming_->data_rest(), incoming_->data_got);
    if (!incoming_->whole()) break;
    MENDFS_TRY_VOID(check_frame_header(incoming_->prefix, bytes_of(incoming_->header)));
    hand_out();
  }
  std::memmove(staging_.data(), staging_.data() + staging_begin_, staging_end_ - staging_begin_);
  staging_end_ -= staging_begin_;
  staging_begin_ = 0;
  return {};
}

void FrameConnection::fill_from_staging(std::span<std::byte> rest, std::size_t& got) {
  const std::size_t size = std::min(rest.size(), staged().size());
  if (size == 0) return;
  std::memcpy(rest.data(), staged().data(), size);
  staging_begin_ += size;
  got += size;
}

void FrameConnection::hand_out() {
  Frame frame;
  frame.header = std::move(incoming_->header);
  if (!incoming_->data.empty()) frame.data.push_back(std::move(incoming_->data));
  incoming_.reset();
  untaken_size_ += kFramePrefixSize + frame.header.size() + frame.data_size();
  untaken_.push_back(std::move(frame));
  if (taker_) std::exchange(taker_, std::nullopt)->set({});
}

Task<Result<Frame>> FrameConnection::receive() {
  // Keeps this alive while the coroutine waits, whatever becomes of the stream.
  const std::shared_ptr<FrameConnection> self = shared_from_this();
  while (untaken_.empty()) {
    if (end_) co_return Error(*end_);
    auto pair = make_promise<Unit>(loop_);
    taker_ = pair.first;
    (void)co_await pair.second;
  }
  Frame frame = std::move(untaken_.front());
  untaken_.pop_front();
  untaken_size_ -= kFramePrefixSize + frame.header.size() + frame.data_size();
  read_more();
  co_return frame;
}

void FrameConnection::close() {
  if (closed()) return;
  untaken_.clear();
  end({ErrorCode::Unavailable, "the connection with " + peer_ + " was closed"});
}

void FrameConnection::end(Error reason) {
  if (!end_) {
    end_ = std::move(reason);
    if (taker_) std::exchange(taker_, std::nullopt)->set({});
  }
  if (queue_.empty() || end_->code != ErrorCode::Unavailable) return drop_socket();
  // A last word, such as a refusal, still reaches the other side.
  loop_.call_at(loop_.now() + kLingerMax, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->drop_socket();
  });
  flush();
}

void FrameConnection::drop_socket() {
  error_code ignored;  // it may be broken already
  socket_.shutdown(Tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

/// What the owner holds: destroying it closes the connection, which pending operations keep alive till they end.
class PosixFrameStream final : public FrameStream {
 public:
  explicit PosixFrameStream(std::shared_ptr<FrameConnection> connection) : connection_(std::move(connection)) {}
  ~PosixFrameStream() override { connection_->close(); }

  void send(Frame frame) override { connection_->send(std::move(frame)); }
  std::size_t unsent_size() const override { return connection_->unsent_size(); }
  Task<Result<Frame>> receive() override { return connection_->receive(); }
  void close() override { connection_->close(); }
  bool closed() const override { return connection_->closed(); }

 private:
  std::shared_ptr<FrameConnection> connection_;
};

}  // namespace

std::shared_ptr<FrameStream> make_frame_stream(PosixLoop& loop, Logger& log, Socket socket, ByteView received) {
  auto connection = std::make_shared<FrameConnection>(loop, log, std::move(socket));
  connection->start(received);
  return std::make_shared<PosixFrameStream>(std::move(connection));
}

}  // namespace mendfs
