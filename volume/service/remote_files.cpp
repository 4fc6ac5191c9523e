#include "volume/service/remote_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "base/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostCalls = 64;           // requests under way for one file
constexpr std::size_t kMostInFlight = 8U << 20;  // bytes of them
constexpr std::size_t kMostListCalls = 16;
constexpr std::size_t kTail = 16U << 10;  // of a file: see open_remote()
constexpr std::size_t kAhead = 4U << 20;
constexpr std::uint64_t kFull = 1U << 20;  // what is left of a disk that counts as full

std::size_t calls_of(std::uint32_t size) {
  return std::clamp<std::size_t>(kMostInFlight / size, 4, kMostCalls);
}

bool is_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// --- reading

class RemoteReader : public BackupReader {
 public:
  RemoteReader(SharedClient client, std::string path, SftpClient::Handle handle, std::uint64_t size)
      : client_(std::move(client)),
        path_(std::move(path)),
        what_(fmt::format("read {}", path_)),
        handle_(std::move(handle)),
        size_(size) {}
  ~RemoteReader() override { client_->close(handle_); }

  std::uint64_t size() const override { return size_; }
  Status read(std::span<const BackupRange> ranges) override;

 private:
  struct Piece {
    std::uint64_t offset;
    std::span<char> into;
    SftpCall call;
  };
  struct Block {
    std::uint64_t offset;
    std::vector<char> bytes;
    SftpCall call;
    bool is_there = false;
  };

  std::uint64_t tail_begin() const { return size_ - std::min<std::uint64_t>(size_, kTail); }
  Status read_pieces(std::span<const BackupRange> ranges);
  Status finish_oldest(std::deque<Piece>& pieces);
  Status read_tail(const BackupRange& range);
  bool is_read_on(const BackupRange& range);
  Status read_on(std::span<char> into);
  void ask_ahead();
  tl::unexpected<Error> cut_off() const {
    return fail(Code::kInvalid, "{} is cut off", shown(path_));
  }

  SharedClient client_;
  const std::string path_, what_;
  const SftpClient::Handle handle_;
  const std::uint64_t size_;

  std::mutex mutex_;
  std::vector<char> tail_;
  std::thread::id thread_;
  bool is_shared_ = false;
  unsigned runs_ = 0;                // ranges in a row, each from where the one before ended
  std::uint64_t next_ = UINT64_MAX;  // where the last read ended
  std::uint64_t asked_ = 0;          // up to where blocks are asked for
  std::deque<Block> ahead_;
};

Status RemoteReader::finish_oldest(std::deque<Piece>& pieces) {
  Piece piece = std::move(pieces.front());
  pieces.pop_front();
  for (;;) {
    TRY(const auto got, client_->wait_read(piece.call, what_));
    if (got == 0) return cut_off();
    piece.offset += got;
    piece.into = piece.into.subspan(got);
    if (piece.into.empty()) return {};
    piece.call = client_->read(handle_, piece.offset, piece.into);  // it gave less than asked for
  }
}

Status RemoteReader::read_pieces(std::span<const BackupRange> ranges) {
  const std::size_t step = client_->read_size(), most = calls_of(client_->read_size());
  std::deque<Piece> pieces;
  for (const BackupRange& range : ranges) {
    for (std::size_t at = 0; at < range.into.size(); at += step) {
      if (pieces.size() >= most) TRY_STATUS(finish_oldest(pieces));
      const auto into = range.into.subspan(at, std::min(step, range.into.size() - at));
      const std::uint64_t offset = range.offset + at;
      pieces.push_back({offset, into, client_->read(handle_, offset, into)});
    }
  }
  while (!pieces.empty()) TRY_STATUS(finish_oldest(pieces));
  return {};
}

Status RemoteReader::read_tail(const BackupRange& range) {
  if (tail_.empty()) {
    std::vector<char> tail(size_ - tail_begin());
    const BackupRange all{.offset = tail_begin(), .into = tail};
    TRY_STATUS(read_pieces({&all, 1}));
    tail_ = std::move(tail);
  }
  std::memcpy(range.into.data(), tail_.data() + (range.offset - tail_begin()), range.into.size());
  return {};
}

// Whether one thread reads on and on from where it ended. Where several share a file, what is asked
// for ahead would often be in vain.
bool RemoteReader::is_read_on(const BackupRange& range) {
  const auto self = std::this_thread::get_id();
  if (thread_ == std::thread::id()) thread_ = self;
  if (thread_ != self) is_shared_ = true;
  runs_ = range.offset == next_ ? runs_ + 1 : 0;
  return !is_shared_ && runs_ >= 2;
}

void RemoteReader::ask_ahead() {
  const std::size_t step = client_->read_size();
  while (asked_ < size_ && asked_ - next_ < kAhead) {
    Block block{
        .offset = asked_, .bytes = std::vector<char>(std::min(step, size_ - asked_)), .call = {}};
    block.call = client_->read(handle_, block.offset, block.bytes);
    asked_ += block.bytes.size();
    ahead_.push_back(std::move(block));
  }
}

// A range that begins where the last one ended.
Status RemoteReader::read_on(std::span<char> into) {
  while (!into.empty()) {
    ask_ahead();
    Block& block = ahead_.front();
    if (!block.is_there) {
      TRY(const auto arrived, client_->wait_read(block.call, what_));
      if (arrived < block.bytes.size()) {  // less than asked for: the rest is asked for again
        const BackupRange rest{.offset = block.offset + arrived,
                               .into = std::span(block.bytes).subspan(arrived)};
        TRY_STATUS(read_pieces({&rest, 1}));
      }
      block.is_there = true;
    }
    const std::size_t from = next_ - block.offset;
    const std::size_t taken = std::min(into.size(), block.bytes.size() - from);
    std::memcpy(into.data(), block.bytes.data() + from, taken);
    into = into.subspan(taken);
    next_ += taken;
    if (from + taken == block.bytes.size()) ahead_.pop_front();
  }
  ask_ahead();
  return {};
}

Status RemoteReader::read(std::span<const BackupRange> ranges) {
  for (const BackupRange& range : ranges)
    if (range.into.size() > size_ || range.offset > size_ - range.into.size()) return cut_off();
  if (ranges.size() == 1) {
    if (ranges.front().into.empty()) return {};
    const BackupRange& range = ranges.front();
    const std::scoped_lock hold(mutex_);
    if (range.offset >= tail_begin() && ahead_.empty()) return read_tail(range);
    if (is_read_on(range)) return read_on(range.into);
    ahead_.clear();
    next_ = asked_ = range.offset + range.into.size();
  }
  return read_pieces(ranges);
}

}  // namespace

Result<std::unique_ptr<BackupReader>> open_remote(SharedClient client, const std::string& path) {
  const std::string what = fmt::format("open {}", shown(path));
  auto open = client->open(path, sftp::Open::kRead);
  auto stat = client->stat(path);
  TRY(auto handle, client->wait_handle(open, what));
  auto attributes = client->wait_attributes(stat, what);
  if (!attributes || !attributes->size || (attributes->mode && !S_ISREG(*attributes->mode))) {
    client->close(handle);
    if (!attributes) return fail(attributes.error());
    return fail(Code::kInvalid, "{}: it is not a regular file", what);
  }
  return std::make_unique<RemoteReader>(std::move(client), path, std::move(handle),
                                        *attributes->size);
}

// --- folders

Result<std::vector<sftp::Entry>> list_remote(SftpClient& client, const std::string& path) {
  const std::string what = fmt::format("list {}", shown(path));
  auto open = client.open_folder(path);
  const auto handle = client.wait_handle(open, what);
  if (!handle && handle.error().code == Code::kNotFound) return std::vector<sftp::Entry>();
  if (!handle) return fail(handle.error());
  std::vector<sftp::Entry> all;
  std::deque<SftpCall> calls;
  Status status;
  bool ended = false;
  // More at once the longer it gets: most folders are short.
  for (std::size_t most = 2; status && !ended;) {
    while (calls.size() < most) calls.push_back(client.read_folder(*handle));
    auto entries = client.wait_entries(calls.front(), what);
    calls.pop_front();
    most = std::min(most + 1, kMostListCalls);
    ended = entries && entries->empty();
    if (!entries) status = fail(entries.error());
    if (entries)
      for (sftp::Entry& entry : *entries)
        if (is_name(entry.name)) all.push_back(std::move(entry));
  }
  client.close(*handle);
  if (!status) return fail(status.error());
  return all;
}

Status make_remote_folder(SftpClient& client, const std::string& path) {
  const std::string what = fmt::format("make the folder {}", shown(path));
  const auto check = [&]() -> Status {
    auto stat = client.stat(path);
    TRY(const auto attributes, client.wait_attributes(stat, what));
    if (attributes.mode && !S_ISDIR(*attributes.mode))
      return fail(Code::kInvalid, "{}: a file has its place", what);
    return {};
  };
  const auto there = check();
  if (there || there.error().code != Code::kNotFound) return there;
  // What is there already fails, and which failure that is, servers do not say.
  std::vector<SftpCall> made;
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    made.push_back(client.make_folder(path.substr(0, end)));
    if (end == std::string::npos) break;
  }
  const auto last = client.wait(made.back(), what);
  const auto now = check();
  return now || last ? now : last;
}

// --- writing

Result<RemoteFile> RemoteFile::create(SharedClient client, std::string path) {
  auto open = client->open(path, sftp::Open::kNew);
  auto handle = client->wait_handle(open, fmt::format("create {}", shown(path)));
  RemoteFile file(std::move(client), std::move(path), handle ? std::move(*handle) : std::string());
  if (!handle) return fail(file.explain(handle.error()));
  return file;
}

// Servers say no more than "Failure" when the disk is full.
Error RemoteFile::explain(Error error) const {
  if (error.code != Code::kIo || error.sys_errno != 0) return error;
  const auto left =
      client_->free_bytes(path_.substr(0, std::max<std::size_t>(1, path_.rfind('/'))));
  if (!left) return error;
  if (*left < kFull)
    return {Code::kExhausted, 0,
            error.text + "; its disk is full: make room there, or remove backups"};
  return {error.code, 0, error.text + "; perhaps a quota is used up there"};
}

Status RemoteFile::wait_oldest() {
  SftpCall call = std::move(writes_.front());
  writes_.pop_front();
  const auto written = client_->wait(call, fmt::format("write {}", shown(path_)));
  return written ? written : fail(explain(written.error()));
}

Status RemoteFile::send(std::string_view bytes) {
  if (writes_.size() >= calls_of(client_->write_size())) TRY_STATUS(wait_oldest());
  writes_.push_back(client_->write(handle_, offset_, bytes));
  offset_ += bytes.size();
  return {};
}

Status RemoteFile::append(std::string_view bytes) {
  const std::size_t step = client_->write_size();
  if (!unsent_.empty()) {
    const std::size_t taken = std::min(step - unsent_.size(), bytes.size());
    unsent_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    if (unsent_.size() < step) return {};
    TRY_STATUS(send(unsent_));
    unsent_.clear();
  }
  for (; bytes.size() >= step; bytes.remove_prefix(step)) TRY_STATUS(send(bytes.substr(0, step)));
  unsent_ = bytes;
  return {};
}

Status RemoteFile::end() {
  if (!unsent_.empty()) TRY_STATUS(send(unsent_));
  unsent_ = {};
  sync_ = client_->sync(handle_);
  close_ = client_->close(handle_);
  handle_.clear();  // the server may give it to the next file
  return {};
}

Status RemoteFile::finish() {
  while (!writes_.empty()) TRY_STATUS(wait_oldest());
  const std::string what = fmt::format("flush {}", shown(path_));
  if (const auto flushed = client_->wait(sync_, what); !flushed)
    return fail(explain(flushed.error()));
  // Some servers write only now: object stores behind rclone.
  if (const auto closed = client_->wait(close_, what); !closed)
    return fail(explain(closed.error()));
  return {};
}

void RemoteFile::discard() {
  if (!handle_.empty()) client_->close(handle_);
  handle_.clear();
  client_->remove(path_);
}

}  // namespace fairlead::volume
