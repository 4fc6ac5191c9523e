#include "volume/kernel/archive.h"

#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "volume/kernel/archive_acl.h"
#include "volume/kernel/file_flags.h"
#include "volume/kernel/libarchive.h"
#include "volume/kernel/zstd.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kBlock = 256 << 10;

// libarchive treats names as UTF-8 only where the thread's locale says so; in "C" it replaces
// everything that is not ASCII by '?'.
class Utf8Locale {
 public:
  Utf8Locale() : ours_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (ours_ != nullptr) before_ = ::uselocale(ours_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    if (ours_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(ours_);
  }

 private:
  locale_t ours_;
  locale_t before_ = nullptr;
};

struct FreeEntry {
  void operator()(archive_entry* entry) const { lib().archive_entry_free(entry); }
};
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

std::string words_of(archive* handle) {
  const char* text = lib().archive_error_string(handle);
  return text == nullptr ? "for no reason that libarchive tells" : printable(text);
}

mode_t file_type(EntryKind kind) {
  switch (kind) {
    case EntryKind::kFolder:
      return AE_IFDIR;
    case EntryKind::kSymlink:
      return AE_IFLNK;
    case EntryKind::kFifo:
      return AE_IFIFO;
    case EntryKind::kWhiteout:
      return AE_IFCHR;
    default:
      return AE_IFREG;
  }
}

std::optional<EntryKind> kind_of(mode_t type) {
  switch (type) {
    case AE_IFREG:
      return EntryKind::kFile;
    case AE_IFDIR:
      return EntryKind::kFolder;
    case AE_IFLNK:
      return EntryKind::kSymlink;
    case AE_IFIFO:
      return EntryKind::kFifo;
    case AE_IFCHR:
    case AE_IFBLK:
      return EntryKind::kDevice;
    case AE_IFSOCK:
      return EntryKind::kSocket;
    default:
      return std::nullopt;
  }
}

void copy_xattrs(archive_entry* to, const TreeEntry& from) {
  for (const auto& [name, value] : from.xattrs) {
    if (name == kAccessAcl && add_acl(to, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, value)) continue;
    if (name == kDefaultAcl && add_acl(to, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, value)) continue;
    lib().archive_entry_xattr_add_entry(to, name.c_str(), value.data(), value.size());
  }
}

Entry to_archive(const TreeEntry& from) {
  Entry to(lib().archive_entry_new());
  if (!to) throw std::bad_alloc();
  const std::string path = "./" + from.path + (from.kind == EntryKind::kFolder ? "/" : "");
  lib().archive_entry_copy_pathname(to.get(), from.path.empty() ? "./" : path.c_str());
  lib().archive_entry_set_mode(to.get(), file_type(from.kind) | (from.mode & 07777));
  lib().archive_entry_set_uid(to.get(), from.uid);
  lib().archive_entry_set_gid(to.get(), from.gid);
  lib().archive_entry_set_mtime(to.get(), from.mtime.seconds, static_cast<long>(from.mtime.nanos));
  lib().archive_entry_set_size(to.get(), 0);
  if (!from.hard_link.empty()) {
    lib().archive_entry_copy_hardlink(to.get(), ("./" + from.hard_link).c_str());
    return to;
  }
  if (from.kind == EntryKind::kSymlink)
    lib().archive_entry_copy_symlink(to.get(), from.target.c_str());
  if (from.kind == EntryKind::kFile)
    lib().archive_entry_set_size(to.get(), static_cast<std::int64_t>(from.size));
  if (from.kind == EntryKind::kWhiteout) lib().archive_entry_set_rdev(to.get(), 0);
  if (from.flags != 0) lib().archive_entry_set_fflags(to.get(), from.flags, 0);
  copy_xattrs(to.get(), from);
  return to;
}

void read_xattrs(archive_entry* from, TreeEntry& to) {
  lib().archive_entry_xattr_reset(from);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (lib().archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK)
    if (name != nullptr && is_kept_xattr(name))
      to.xattrs[name] = std::string(static_cast<const char*>(value), size);
  const std::string access = acl_of(from, ARCHIVE_ENTRY_ACL_TYPE_ACCESS);
  const std::string fallback = acl_of(from, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT);
  if (!access.empty()) to.xattrs[kAccessAcl] = access;
  if (!fallback.empty()) to.xattrs[kDefaultAcl] = fallback;
}

Result<TreeEntry> from_archive(archive_entry* from) {
  TreeEntry to;
  const char* path = lib().archive_entry_pathname(from);
  if (path == nullptr || *path == '\0')
    return fail(Code::kInvalid, "an entry has no readable name");
  to.path = path;
  const char* link = lib().archive_entry_hardlink(from);
  if (link != nullptr) to.hard_link = link;
  const auto kind = kind_of(lib().archive_entry_filetype(from));
  if (!kind && link == nullptr)
    return fail(Code::kInvalid, "entry \"{}\" is of no known kind", printable(to.path));
  to.kind = kind.value_or(EntryKind::kFile);
  if (lib().archive_entry_filetype(from) == AE_IFCHR && lib().archive_entry_rdev(from) == 0)
    to.kind = EntryKind::kWhiteout;
  const char* target = lib().archive_entry_symlink(from);
  if (target != nullptr) to.target = target;
  if (to.kind == EntryKind::kSymlink && link == nullptr && to.target.empty())
    return fail(Code::kInvalid, "entry \"{}\" is a link to nothing", printable(to.path));
  const auto uid = lib().archive_entry_uid(from), gid = lib().archive_entry_gid(from);
  const auto size = lib().archive_entry_size(from);
  // An id of -1 means "leave unchanged" to chown(2).
  if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX || size < 0)
    return fail(Code::kInvalid, "entry \"{}\" has an owner or a size that no file can have",
                printable(to.path));
  to.uid = static_cast<uid_t>(uid);
  to.gid = static_cast<gid_t>(gid);
  to.mode = lib().archive_entry_perm(from);
  to.mtime.seconds = lib().archive_entry_mtime(from);
  to.mtime.nanos = static_cast<std::uint32_t>(lib().archive_entry_mtime_nsec(from)) % 1'000'000'000;
  to.size = to.kind == EntryKind::kFile && link == nullptr ? static_cast<std::uint64_t>(size) : 0;
  unsigned long flags = 0, cleared = 0;
  lib().archive_entry_fflags(from, &flags, &cleared);
  to.flags = static_cast<std::uint32_t>(flags) & kKeptFlags;
  read_xattrs(from, to);
  return to;
}

}  // namespace

// --- writing

struct ArchiveWriter::State {
  struct Free {
    void operator()(archive* writer) const { lib().archive_write_free(writer); }
  };
  int fd = -1;
  Packing packing = Packing::kZstd;
  ZstdWriter zstd;
  Sha256 hash;
  std::string path;  // path of the entry that is being written
  // The error of write(2). libarchive is not told about it: it leaks its buffers after a failure
  // (3.6) and could only return a number to us.
  std::optional<Error> error;
  bool is_given_up = false;               // drop everything that is still to be written
  std::unique_ptr<archive, Free> handle;  // the last member, because freeing it calls put()

  static la_ssize_t put(archive* handle, void* self, const void* bytes, std::size_t size);
  void write(std::string_view packed);
  tl::unexpected<Error> failed(std::string_view action) const;
};

la_ssize_t ArchiveWriter::State::put(archive*, void* self, const void* bytes, std::size_t size) {
  auto* state = static_cast<State*>(self);
  const std::string_view plain(static_cast<const char*>(bytes), size);
  if (!state->error && !state->is_given_up)
    state->write(state->packing == Packing::kNone ? plain : state->zstd.add(plain));
  return static_cast<la_ssize_t>(size);
}

void ArchiveWriter::State::write(std::string_view packed) {
  hash.add(packed);
  while (!packed.empty() && !error) {
    const ssize_t put = ::write(fd, packed.data(), packed.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0)
      error = sys_error(errno, "write the archive");
    else
      packed.remove_prefix(static_cast<std::size_t>(put));
  }
}

tl::unexpected<Error> ArchiveWriter::State::failed(std::string_view action) const {
  if (error) return fail(*error);
  return fail(Code::kIo, "{} \"{}\": {}", action, printable(path), words_of(handle.get()));
}

ArchiveWriter::ArchiveWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;

ArchiveWriter::~ArchiveWriter() {
  // Freeing the handle would otherwise end the archive as if it were whole.
  if (state_) state_->is_given_up = true;
}

Result<ArchiveWriter> ArchiveWriter::open(int fd, Packing packing) {
  TRY_STATUS(load_libarchive());
  const Utf8Locale locale;
  auto state = std::make_unique<State>();
  state->handle.reset(lib().archive_write_new());
  state->fd = fd;
  state->packing = packing;
  archive* const handle = state->handle.get();
  if (handle == nullptr) throw std::bad_alloc();
  // The last block is not padded, so that a pipe and a file get the same bytes.
  if (lib().archive_write_set_format_pax(handle) != ARCHIVE_OK ||
      lib().archive_write_set_bytes_per_block(handle, static_cast<int>(kBlock)) != ARCHIVE_OK ||
      lib().archive_write_set_bytes_in_last_block(handle, 1) != ARCHIVE_OK ||
      lib().archive_write_open2(handle, state.get(), nullptr, State::put, nullptr, nullptr) !=
          ARCHIVE_OK)
    return fail(Code::kUnsupported, "begin an archive: {}", words_of(handle));
  return ArchiveWriter(std::move(state));
}

Status ArchiveWriter::add(const TreeEntry& entry,
                          const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges) {
  const Utf8Locale locale;
  state_->path = entry.path;
  const Entry header = to_archive(entry);
  const bool is_whole =
      ranges.size() == 1 && ranges.front().first == 0 && ranges.front().second == entry.size;
  const bool is_file = entry.kind == EntryKind::kFile && entry.hard_link.empty();
  if (is_file && entry.size > 0 && !is_whole) {
    for (const auto& [offset, length] : ranges)
      lib().archive_entry_sparse_add_entry(header.get(), static_cast<std::int64_t>(offset),
                                           static_cast<std::int64_t>(length));
    // The whole file is a hole, which one empty range at its end tells.
    if (ranges.empty())
      lib().archive_entry_sparse_add_entry(header.get(), static_cast<std::int64_t>(entry.size), 0);
  }
  const int written = lib().archive_write_header(state_->handle.get(), header.get());
  // A warning means that the name is not UTF-8 and was written byte by byte.
  if (written < ARCHIVE_WARN || state_->error) return state_->failed("archive");
  return {};
}

Status ArchiveWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto put = lib().archive_write_data(state_->handle.get(), bytes.data(), bytes.size());
    if (put <= 0 || state_->error) return state_->failed("archive");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Status ArchiveWriter::skip(std::uint64_t hole) {
  static const std::array<char, kBlock> kZeros{};
  while (hole > 0) {
    const std::size_t step = std::min<std::uint64_t>(hole, kZeros.size());
    TRY_STATUS(write({kZeros.data(), step}));
    hole -= step;
  }
  return {};
}

Result<Digest> ArchiveWriter::close() {
  const Utf8Locale locale;
  const bool ended = lib().archive_write_close(state_->handle.get()) == ARCHIVE_OK;
  if (ended && !state_->error && state_->packing == Packing::kZstd)
    state_->write(state_->zstd.finish());
  if (!ended || state_->error) return state_->failed("end the archive after");
  return state_->hash.finish();
}

// --- reading

struct ArchiveReader::State {
  struct Free {
    void operator()(archive* reader) const { lib().archive_read_free(reader); }
  };
  std::unique_ptr<archive, Free> handle;
  Source source;
  std::optional<Error> error;  // of the source
  std::string path;
  std::uint64_t consumed = 0;

  static la_ssize_t get(archive* handle, void* self, const void** bytes);
  tl::unexpected<Error> failed() const;
};

la_ssize_t ArchiveReader::State::get(archive* handle, void* self, const void** bytes) {
  auto* state = static_cast<State*>(self);
  auto block = state->source();
  if (!block) {
    lib().archive_set_error(handle, EIO, "read");
    state->error = block.error();
    return -1;
  }
  state->consumed += block->size();
  *bytes = block->data();
  return static_cast<la_ssize_t>(block->size());
}

tl::unexpected<Error> ArchiveReader::State::failed() const {
  if (error) return fail(*error);
  const std::string place =
      path.empty() ? std::string() : fmt::format(" after \"{}\"", printable(path));
  return fail(Code::kInvalid, "the archive is damaged or of no known kind{}: {}", place,
              words_of(handle.get()));
}

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;
ArchiveReader::~ArchiveReader() = default;

Result<ArchiveReader> ArchiveReader::open(Source source) {
  TRY_STATUS(load_libarchive());
  const Utf8Locale locale;
  auto state = std::make_unique<State>();
  state->handle.reset(lib().archive_read_new());
  state->source = std::move(source);
  archive* const handle = state->handle.get();
  if (handle == nullptr) throw std::bad_alloc();
  // The filters are named one by one, because "all" would run programs of the host for what
  // libarchive cannot decompress itself.
  const std::array filters{
      lib().archive_read_support_filter_gzip,    lib().archive_read_support_filter_bzip2,
      lib().archive_read_support_filter_xz,      lib().archive_read_support_filter_lzma,
      lib().archive_read_support_filter_zstd,    lib().archive_read_support_filter_lz4,
      lib().archive_read_support_filter_compress};
  for (const auto filter : filters)
    if (filter(handle) != ARCHIVE_OK)
      return fail(Code::kUnsupported, "this libarchive lacks a compression: {}", words_of(handle));
  // Reads to the end of the stream, past the blocks of zeros that end a tar, because decompressors
  // compare the checksum of the content only there.
  if (lib().archive_read_support_format_tar(handle) != ARCHIVE_OK ||
      lib().archive_read_set_option(handle, "tar", "read_concatenated_archives", "1") <
          ARCHIVE_WARN)
    return fail(Code::kUnsupported, "read archives: {}", words_of(handle));
  if (lib().archive_read_open(handle, state.get(), nullptr, State::get, nullptr) != ARCHIVE_OK)
    return state->failed();
  return ArchiveReader(std::move(state));
}

Result<ArchiveReader> ArchiveReader::open(int fd) {
  auto buffer = std::make_shared<std::string>(kBlock, '\0');
  return open([fd, buffer]() -> Result<std::string_view> {
    for (;;) {
      const ssize_t got = ::read(fd, buffer->data(), buffer->size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, "read the archive");
      return std::string_view(buffer->data(), static_cast<std::size_t>(got));
    }
  });
}

Result<std::optional<TreeEntry>> ArchiveReader::next() {
  const Utf8Locale locale;
  archive_entry* entry = nullptr;
  const int got = lib().archive_read_next_header(state_->handle.get(), &entry);
  if (got == ARCHIVE_EOF) return std::nullopt;
  if (got < ARCHIVE_WARN) return state_->failed();
  if (got == ARCHIVE_WARN) {
    // A name that could not be converted would be another name. Other warnings lose nothing of the
    // content.
    const std::string words = words_of(state_->handle.get());
    if (words.find("can't be converted") != std::string::npos)
      return fail(Code::kInvalid, "an entry after \"{}\": {}", printable(state_->path), words);
  }
  TRY(auto parsed, from_archive(entry));
  state_->path = parsed.path;
  return std::optional<TreeEntry>(std::move(parsed));
}

Result<std::optional<ArchiveReader::Block>> ArchiveReader::read() {
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  for (;;) {
    const int got = lib().archive_read_data_block(state_->handle.get(), &bytes, &size, &offset);
    if (got == ARCHIVE_EOF) return std::nullopt;
    if (got == ARCHIVE_RETRY) continue;
    if (got < ARCHIVE_WARN) return state_->failed();
    if (size == 0) continue;
    if (offset < 0)
      return fail(Code::kInvalid, "entry \"{}\": a part lies before its beginning",
                  printable(state_->path));
    return Block{.offset = static_cast<std::uint64_t>(offset),
                 .bytes = {static_cast<const char*>(bytes), size}};
  }
}

std::uint64_t ArchiveReader::consumed() const { return state_->consumed; }

}  // namespace fairlead::volume
