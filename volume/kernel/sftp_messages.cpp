#include "volume/kernel/sftp_messages.h"

#include <algorithm>

namespace fairlead::volume::sftp {

namespace {

enum Type : std::uint8_t {
  kInit = 1,
  kVersionReply = 2,
  kOpenFile = 3,
  kClose = 4,
  kRead = 5,
  kWrite = 6,
  kOpenFolder = 11,
  kReadFolder = 12,
  kRemove = 13,
  kMakeFolder = 14,
  kStat = 17,
  kRename = 18,
  kStatusReply = 101,
  kHandleReply = 102,
  kDataReply = 103,
  kNamesReply = 104,
  kAttributesReply = 105,
  kExtended = 200,
  kExtendedReply = 201,
};

enum AttributeFlag : std::uint32_t {
  kHasSize = 0x1,
  kHasOwner = 0x2,
  kHasMode = 0x4,
  kHasTimes = 0x8,
  kHasMore = 0x80000000,
};

constexpr std::size_t kLongestHandle = 256;  // the draft, section 6.3

// --- writing

class Writer {
 public:
  explicit Writer(Type type) : bytes_(4, '\0') { bytes_ += static_cast<char>(type); }
  Writer(Type type, std::uint32_t id) : Writer(type) { number(id); }

  Writer& number(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(value >> shift);
    return *this;
  }
  Writer& long_number(std::uint64_t value) {
    return number(static_cast<std::uint32_t>(value >> 32))
        .number(static_cast<std::uint32_t>(value));
  }
  Writer& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
    return *this;
  }
  Writer& mode(std::uint32_t value) { return number(kHasMode).number(value); }

  // `following`: the bytes of the message that are sent after these.
  std::string finish(std::uint32_t following = 0) {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - 4) + following;
    for (int i = 0; i < 4; ++i)
      bytes_[static_cast<std::size_t>(i)] = static_cast<char>(length >> (24 - 8 * i));
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

// --- reading

// Takes fields from the front. After one that is cut off, every further one is empty and ok() is
// false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

  std::uint8_t byte() {
    const std::string_view taken = take(1);
    return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
  }
  std::uint32_t number() {
    std::uint32_t value = 0;
    for (const char c : take(4)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::uint64_t long_number() {
    const std::uint64_t high = number();
    return high << 32 | number();
  }
  std::string_view text() { return take(number()); }

 private:
  std::string_view take(std::size_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

Attributes take_attributes(Reader& reader) {
  Attributes attributes;
  const std::uint32_t flags = reader.number();
  if ((flags & kHasSize) != 0) attributes.size = reader.long_number();
  if ((flags & kHasOwner) != 0) reader.long_number();  // uid and gid
  if ((flags & kHasMode) != 0) attributes.mode = reader.number();
  if ((flags & kHasTimes) != 0) {
    reader.number();  // last access
    attributes.modified = reader.number();
  }
  if ((flags & kHasMore) == 0) return attributes;
  for (std::uint32_t left = reader.number(); left > 0 && reader.ok(); --left) {
    reader.text();
    reader.text();
  }
  return attributes;
}

void take_names(Reader& reader, Reply& reply) {
  for (std::uint32_t left = reader.number(); left > 0 && reader.ok(); --left) {
    Entry entry;
    entry.name = reader.text();
    reader.text();  // the line of ls -l
    entry.attributes = take_attributes(reader);
    reply.entries.push_back(std::move(entry));
  }
}

void take_status(Reader& reader, Reply& reply) {
  reply.status = static_cast<StatusCode>(reader.number());
  if (!reader.rest().empty()) reply.text = reader.text();  // missing in old servers
}

tl::unexpected<Error> cut_off() {
  return fail(Code::kInvalid, "a message of the server is cut off");
}

}  // namespace

bool Greeting::has(std::string_view extension) const {
  return std::ranges::find(extensions, extension) != extensions.end();
}

Result<Greeting> parse_greeting(std::string_view message) {
  Reader reader(message);
  if (reader.byte() != kVersionReply) return fail(Code::kInvalid, "the server does not speak SFTP");
  Greeting greeting;
  greeting.version = reader.number();
  while (reader.ok() && !reader.rest().empty()) {
    greeting.extensions.emplace_back(reader.text());
    reader.text();  // the extension's own version
  }
  if (!reader.ok()) return cut_off();
  if (greeting.version < kVersion)
    return fail(Code::kUnsupported, "the server speaks version {} of SFTP; {} is needed",
                greeting.version, kVersion);
  return greeting;
}

Result<Reply> parse_reply(std::string_view message) {
  Reader reader(message);
  Reply reply;
  const std::uint8_t type = reader.byte();
  reply.id = reader.number();
  switch (type) {
    case kStatusReply:
      take_status(reader, reply);
      break;
    case kHandleReply:
      reply.kind = Reply::Kind::kHandle;
      reply.text = reader.text();
      if (reply.text.size() > kLongestHandle)
        return fail(Code::kInvalid, "the server gave a handle of {} bytes", reply.text.size());
      break;
    case kDataReply:
      reply.kind = Reply::Kind::kData;
      reply.bytes = reader.text();
      break;
    case kNamesReply:
      reply.kind = Reply::Kind::kNames;
      take_names(reader, reply);
      break;
    case kAttributesReply:
      reply.kind = Reply::Kind::kAttributes;
      reply.attributes = take_attributes(reader);
      break;
    case kExtendedReply:
      reply.kind = Reply::Kind::kExtended;
      reply.bytes = reader.rest();
      break;
    default:
      return fail(Code::kInvalid, "the server sent a message of type {}", type);
  }
  if (!reader.ok()) return cut_off();
  return reply;
}

Result<Limits> parse_limits(std::string_view bytes) {
  Reader reader(bytes);
  Limits limits;
  limits.packet = reader.long_number();
  limits.read = reader.long_number();
  limits.write = reader.long_number();
  limits.handles = reader.long_number();
  if (!reader.ok()) return cut_off();
  return limits;
}

Result<std::uint64_t> parse_free_bytes(std::string_view bytes) {
  Reader reader(bytes);
  reader.long_number();  // f_bsize
  const std::uint64_t fragment = reader.long_number();
  reader.long_number();  // f_blocks
  reader.long_number();  // f_bfree
  const std::uint64_t available = reader.long_number();
  if (!reader.ok()) return cut_off();
  if (fragment != 0 && available > UINT64_MAX / fragment) return UINT64_MAX;
  return fragment * available;
}

std::string greeting() { return Writer(kInit).number(kVersion).finish(); }

std::string open_file(std::uint32_t id, std::string_view path, Open how, std::uint32_t mode) {
  Writer writer(kOpenFile, id);
  writer.text(path).number(static_cast<std::uint32_t>(how));
  return (how == Open::kRead ? writer.number(0) : writer.mode(mode)).finish();
}

std::string close(std::uint32_t id, std::string_view handle) {
  return Writer(kClose, id).text(handle).finish();
}

std::string read(std::uint32_t id, std::string_view handle, std::uint64_t offset,
                 std::uint32_t length) {
  return Writer(kRead, id).text(handle).long_number(offset).number(length).finish();
}

std::string write_head(std::uint32_t id, std::string_view handle, std::uint64_t offset,
                       std::uint32_t length) {
  return Writer(kWrite, id).text(handle).long_number(offset).number(length).finish(length);
}

std::string stat(std::uint32_t id, std::string_view path) {
  return Writer(kStat, id).text(path).finish();
}

std::string open_folder(std::uint32_t id, std::string_view path) {
  return Writer(kOpenFolder, id).text(path).finish();
}

std::string read_folder(std::uint32_t id, std::string_view handle) {
  return Writer(kReadFolder, id).text(handle).finish();
}

std::string remove(std::uint32_t id, std::string_view path) {
  return Writer(kRemove, id).text(path).finish();
}

std::string make_folder(std::uint32_t id, std::string_view path, std::uint32_t mode) {
  return Writer(kMakeFolder, id).text(path).mode(mode).finish();
}

std::string rename(std::uint32_t id, std::string_view from, std::string_view to) {
  return Writer(kRename, id).text(from).text(to).finish();
}

std::string posix_rename(std::uint32_t id, std::string_view from, std::string_view to) {
  return Writer(kExtended, id).text("posix-rename@openssh.com").text(from).text(to).finish();
}

std::string sync(std::uint32_t id, std::string_view handle) {
  return Writer(kExtended, id).text("fsync@openssh.com").text(handle).finish();
}

std::string limits(std::uint32_t id) {
  return Writer(kExtended, id).text("limits@openssh.com").finish();
}

std::string free_space(std::uint32_t id, std::string_view path) {
  return Writer(kExtended, id).text("statvfs@openssh.com").text(path).finish();
}

}  // namespace fairlead::volume::sftp
