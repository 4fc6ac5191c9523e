#include "volume/service/index_file.h"

#include <endian.h>

#include <algorithm>
#include <cstring>

#include "base/fault.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kEnding = ".index", kAboutIndex = "index", kAboutSummary = "summary";
constexpr std::uint32_t kSkippable = 0x184D2A50;  // RFC 8878, 3.1.2
constexpr std::size_t kFooter = 16, kLargestSummary = 256U << 20, kLongestId = 64;
constexpr std::size_t kBlock = 256U << 10;               // of records, when they are written
constexpr std::size_t kLargestBlock = 2 * kLongestLine;  // when they are read
constexpr std::size_t kWindow = 1U << 20;                // of the file, read at once
constexpr std::size_t kFirstLook = 64U << 10;            // at the end of the file

std::string to_footer(std::uint64_t summary_size) {
  const std::uint32_t head[2] = {htole32(kSkippable), htole32(8)};
  const std::uint64_t size = htole64(summary_size);
  std::string footer(reinterpret_cast<const char*>(head), sizeof head);
  return footer.append(reinterpret_cast<const char*>(&size), sizeof size);
}

Result<std::uint64_t> parse_footer(std::string_view footer, std::uint64_t room) {
  std::uint64_t size = 0;
  if (footer.size() != kFooter || footer.substr(0, 8) != to_footer(0).substr(0, 8))
    return fail(Code::kInvalid, "it is cut off");
  std::memcpy(&size, footer.data() + 8, sizeof size);
  size = le64toh(size);
  if (size > room || size > kLargestSummary) return fail(Code::kInvalid, "its end is damaged");
  return size;
}

std::string to_block_head(std::size_t plain, std::size_t stored) {
  const std::uint32_t head[2] = {htole32(static_cast<std::uint32_t>(plain)),
                                 htole32(static_cast<std::uint32_t>(stored))};
  return {reinterpret_cast<const char*>(head), sizeof head};
}

// An id has to be a name that is safe in any file system and in messages.
bool is_backup_id(std::string_view text) {
  return !text.empty() && text.size() <= kLongestId && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

Result<std::string> read_at(BackupReader& file, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '\0');
  const BackupRange range{.offset = offset, .into = bytes};
  TRY_STATUS(file.read({&range, 1}));
  return bytes;
}

std::string sealed(std::string plain, std::string_view about, const BackupCipher* cipher) {
  if (cipher == nullptr) return plain;
  std::string text;
  cipher->seal(plain, about, text);
  return text;
}

Result<std::string> opened(std::string text, std::string_view about, const BackupCipher* cipher) {
  if (cipher == nullptr) return text;
  return cipher->open(text, about);
}

}  // namespace

std::string index_name(const std::string& id) { return "backups/" + id + std::string(kEnding); }

std::optional<std::string> parse_index_name(std::string_view name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  const std::string_view id = name.substr(0, name.size() - kEnding.size());
  return is_backup_id(id) ? std::optional<std::string>(id) : std::nullopt;
}

Result<BackupSummary> read_summary(BackupStorage& storage, const BackupCipher* cipher,
                                   const std::string& id) {
  TRY(const auto file, storage.open(index_name(id)));
  const std::uint64_t size = file->size();
  if (size < kFooter) return fail(Code::kInvalid, "it is cut off");
  const std::size_t look = std::min<std::uint64_t>(size, kFirstLook);
  TRY(const auto end, read_at(*file, size - look, look));
  TRY(const auto length,
      parse_footer(std::string_view(end).substr(look - kFooter), size - kFooter));
  std::string stored;
  if (length + kFooter <= look) {
    stored = end.substr(look - kFooter - length, length);
  } else {
    TRY(stored, read_at(*file, size - kFooter - length, length));
  }
  TRY(const auto packed, opened(std::move(stored), kAboutSummary, cipher));
  ZstdReader zstd;
  TRY(const auto text, zstd.unpack_at_most(packed, kLargestSummary));
  TRY(auto summary, parse_summary(text));
  if (summary.info.id != id) return fail(Code::kInvalid, "it is the index of another backup");
  return summary;
}

// --- IndexWriter

// Used by one thread at a time: the one that writes a block, or, when that has ended, the caller.
struct IndexWriter::File {
  std::shared_ptr<BackupStorage> storage;
  std::shared_ptr<const BackupCipher> cipher;
  std::unique_ptr<BackupWriter> out;
  ZstdWriter zstd = ZstdWriter(ZstdLevel::kQuick);  // most of it are digests
  Sha256 hash;
  std::uint64_t size = 0;

  Status put(std::string_view bytes) {
    size += bytes.size();
    auto put = out->append(bytes);
    if (!put) return fail(with_context(put.error(), "write the index of the backup"));
    return {};
  }
  Status put_block(std::string_view plain) {
    hash.add(plain);
    const std::string stored = sealed(zstd.pack(plain), kAboutIndex, cipher.get());
    TRY_STATUS(put(to_block_head(plain.size(), stored.size())));
    return put(stored);
  }
};

IndexWriter::IndexWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
IndexWriter::IndexWriter(IndexWriter&&) noexcept = default;
IndexWriter::~IndexWriter() = default;

Result<IndexWriter> IndexWriter::open(std::shared_ptr<BackupStorage> storage,
                                      std::shared_ptr<const BackupCipher> cipher) {
  auto file = std::make_unique<File>();
  file->storage = std::move(storage);
  file->cipher = std::move(cipher);
  TRY(file->out, file->storage->create());
  return IndexWriter(std::move(file));
}

std::uint64_t IndexWriter::size() const { return file_->size; }

Status IndexWriter::drain() {
  if (!plain_.empty()) TRY_STATUS(send());
  return writing_.valid() ? writing_.get() : Status();
}

Status IndexWriter::send() {
  if (writing_.valid()) TRY_STATUS(writing_.get());
  writing_ = std::async(std::launch::async, [file = file_.get(), plain = std::move(plain_)] {
    return file->put_block(plain);
  });
  plain_ = {};
  return {};
}

Result<bool> IndexWriter::add(const BackupEntry& entry) {
  if (!append_records(entry, before_, plain_)) return false;
  before_ = entry.entry.path;
  if (plain_.size() >= kBlock) TRY_STATUS(send());
  return true;
}

Status IndexWriter::publish(BackupSummary summary) {
  TRY_STATUS(drain());
  TRY_STATUS(file_->put(to_block_head(0, 0)));
  summary.lines = file_->hash.finish();
  const std::string stored =
      sealed(ZstdWriter().pack(to_text(summary)), kAboutSummary, file_->cipher.get());
  TRY_STATUS(file_->put(stored));
  TRY_STATUS(file_->put(to_footer(stored.size())));
  fault_point("backup.index.written");
  auto done = file_->out->publish(index_name(summary.info.id));
  if (!done) return fail(with_context(done.error(), "publish the index of the backup"));
  fault_point("backup.index.renamed");
  return file_->storage->sync();
}

// --- IndexReader

// Used by one thread at a time, as above.
struct IndexReader::File {
  std::unique_ptr<BackupReader> in;
  std::shared_ptr<BackupStorage> storage;  // outlives what it has opened
  std::shared_ptr<const BackupCipher> cipher;
  std::int64_t format = kRecordsFormat;
  ZstdReader zstd;
  Sha256 hash;
  std::string window;    // bytes of the file that are not used yet
  std::size_t used = 0;  // of the window
  std::uint64_t offset = 0;

  Status need(std::size_t bytes);
  std::string take(std::size_t bytes);
  Result<Piece> next_block();
  Result<Piece> next_of_frame();
};

// Makes the window hold this many bytes.
Status IndexReader::File::need(std::size_t bytes) {
  if (window.size() - used >= bytes) return {};
  window.erase(0, used);
  used = 0;
  const std::size_t wanted = std::max(bytes, kWindow) - window.size();
  const auto length = static_cast<std::size_t>(
      std::min<std::uint64_t>(wanted, in->size() - std::min(offset, in->size())));
  if (window.size() + length < bytes) return fail(Code::kInvalid, "the index is cut off");
  TRY(const auto more, read_at(*in, offset, length));
  offset += length;
  window += more;
  return {};
}

std::string IndexReader::File::take(std::size_t bytes) {
  std::string taken = window.substr(used, bytes);
  used += bytes;
  return taken;
}

Result<IndexReader::Piece> IndexReader::File::next_block() {
  constexpr std::size_t kHead = 2 * sizeof(std::uint32_t);
  TRY_STATUS(need(kHead));
  std::uint32_t head[2];
  std::memcpy(head, take(kHead).data(), sizeof head);
  const std::uint32_t length = le32toh(head[0]), stored = le32toh(head[1]);
  if (length == 0 && stored == 0) return Piece{.plain = {}, .ended = true};
  if (length > kLargestBlock || stored > kLargestBlock + kSealSize)
    return fail(Code::kInvalid, "the index is damaged");
  TRY_STATUS(need(stored));
  TRY(const auto packed, opened(take(stored), kAboutIndex, cipher.get()));
  Piece piece;
  TRY(piece.plain, zstd.unpack(packed, length));
  hash.add(piece.plain);
  return piece;
}

Result<IndexReader::Piece> IndexReader::File::next_of_frame() {
  if (used == window.size()) TRY_STATUS(need(1));
  std::string_view rest = std::string_view(window).substr(used);
  const std::size_t before = rest.size();
  Piece piece;
  TRY(piece.ended, zstd.add(rest, piece.plain, kBlock));
  used += before - rest.size();
  hash.add(piece.plain);
  return piece;
}

IndexReader::IndexReader(std::unique_ptr<File> file, const BackupSummary& summary)
    : file_(std::move(file)), format_(summary.format), expected_(summary.lines) {}
IndexReader::IndexReader(IndexReader&&) noexcept = default;
IndexReader::~IndexReader() = default;

Result<IndexReader> IndexReader::open(std::shared_ptr<BackupStorage> storage,
                                      std::shared_ptr<const BackupCipher> cipher,
                                      const BackupSummary& summary) {
  auto file = std::make_unique<File>();
  auto in = storage->open(index_name(summary.info.id));
  if (!in)
    return fail(with_context(in.error(), fmt::format("the index of backup {}", summary.info.id)));
  file->in = std::move(*in);
  file->storage = std::move(storage);
  file->cipher = std::move(cipher);
  file->format = summary.format;
  return IndexReader(std::move(file), summary);
}

// Takes the piece that was read ahead, and begins with the next one.
Status IndexReader::refill() {
  const auto load = [file = file_.get()] {
    return file->format == kLinesFormat ? file->next_of_frame() : file->next_block();
  };
  TRY(const auto piece, ahead_.valid() ? ahead_.get() : load());
  plain_.erase(0, at_);
  at_ = 0;
  plain_ += piece.plain;
  ended_ = piece.ended;
  if (!ended_) ahead_ = std::async(std::launch::async, load);
  return {};
}

Status IndexReader::check_end() {
  if (plain_.size() != at_) return fail(Code::kInvalid, "the last entry of the index is cut off");
  if (file_->hash.finish() != expected_) return fail(Code::kInvalid, "the index is damaged");
  return {};
}

// The next record without its length; std::nullopt at the end. Borrowed until the next call.
Result<std::optional<std::string_view>> IndexReader::record() {
  for (;;) {
    const std::string_view rest = std::string_view(plain_).substr(at_);
    TRY(const auto size, record_size(rest));
    if (size.head != 0 && size.whole <= rest.size()) {
      at_ += size.whole;
      return std::optional(rest.substr(size.head, size.whole - size.head));
    }
    if (ended_) return std::nullopt;
    TRY_STATUS(refill());
  }
}

Result<bool> IndexReader::next_of_records(BackupEntry& entry) {
  TRY(const auto head, record());
  if (!head) {
    TRY_STATUS(check_end());
    return false;
  }
  std::uint64_t chunks = 0;
  TRY_STATUS(parse_record(*head, entry, chunks));
  while (entry.chunks.size() < chunks) {
    TRY(const auto more, record());
    if (!more) return fail(Code::kInvalid, "the index is cut off");
    TRY_STATUS(parse_chunk_record(*more, entry));
  }
  if (entry.chunks.size() != chunks)
    return fail(Code::kInvalid, "an entry of the index has more chunks than it says");
  return true;
}

// The next line without its '\n'; std::nullopt at the end.
Result<std::optional<std::string>> IndexReader::line() {
  for (;;) {
    const std::size_t end = plain_.find('\n', at_);
    if (end != std::string::npos) {
      std::string text = plain_.substr(at_, end - at_);
      at_ = end + 1;
      return std::optional<std::string>(std::move(text));
    }
    if (plain_.size() - at_ > kLongestLine) return fail(Code::kInvalid, "a line is too long");
    if (ended_) return std::nullopt;
    TRY_STATUS(refill());
  }
}

Result<bool> IndexReader::next_of_lines(BackupEntry& entry) {
  TRY(const auto head, line());
  if (!head) {
    TRY_STATUS(check_end());
    return false;
  }
  TRY(auto parsed, parse_entry(*head));
  while (parsed.entry.chunks.size() < parsed.chunks) {
    TRY(const auto more, line());
    if (!more) return fail(Code::kInvalid, "the index is cut off");
    TRY_STATUS(parse_chunks(*more, parsed.entry));
  }
  if (parsed.entry.chunks.size() != parsed.chunks)
    return fail(Code::kInvalid, "an entry of the index has more chunks than it says");
  entry = std::move(parsed.entry);
  return true;
}

Result<bool> IndexReader::next(BackupEntry& entry) {
  return format_ == kLinesFormat ? next_of_lines(entry) : next_of_records(entry);
}

Result<std::optional<BackupEntry>> IndexReader::next() {
  TRY(const bool is_there, next(entry_));
  if (!is_there) return std::nullopt;
  return std::optional<BackupEntry>(entry_);
}

}  // namespace fairlead::volume
