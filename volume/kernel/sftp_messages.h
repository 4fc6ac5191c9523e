// The messages of the SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02), with the extensions
// of OpenSSH (its file PROTOCOL) that backups use: posix-rename@openssh.com, fsync@openssh.com,
// statvfs@openssh.com and limits@openssh.com. Pure functions; what a server sends is fuzzed.
//
//   uint32 length, byte type, uint32 id, then fields: uint32 and uint64 (big-endian), and strings
//   of a uint32 length and so many bytes
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::volume::sftp {

// No message is longer, as in OpenSSH (SFTP_MAX_MSG_LENGTH).
inline constexpr std::size_t kLongestMessage = 256 << 10;
inline constexpr std::uint32_t kVersion = 3;

enum class Open : std::uint32_t {
  kRead = 0x01,               // SSH_FXF_READ
  kNew = 0x02 | 0x08 | 0x20,  // WRITE | CREAT | EXCL
};

enum class StatusCode : std::uint32_t {
  kOk = 0,
  kEof = 1,
  kNoSuchFile = 2,
  kPermissionDenied = 3,
  kFailure = 4,
  kBadMessage = 5,
  kNoConnection = 6,
  kConnectionLost = 7,
  kUnsupported = 8,
};

struct Attributes {
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> mode;      // with the kind of the file, as in stat(2)
  std::optional<std::uint32_t> modified;  // Unix seconds by the server's clock
  bool operator==(const Attributes&) const = default;
};

struct Entry {
  std::string name;
  Attributes attributes;
  bool operator==(const Entry&) const = default;
};

// The server's first message.
struct Greeting {
  std::uint32_t version = 0;
  std::vector<std::string> extensions;
  bool has(std::string_view extension) const;
};

// One reply. Which of the fields are set follows from the kind.
struct Reply {
  enum class Kind { kStatus, kHandle, kData, kNames, kAttributes, kExtended };
  Kind kind = Kind::kStatus;
  std::uint32_t id = 0;
  StatusCode status = StatusCode::kOk;
  std::string text;        // kStatus: the server's words; kHandle: the handle
  std::string_view bytes;  // kData and kExtended: within the message that was parsed
  std::vector<Entry> entries;
  Attributes attributes;
};

// kInvalid for what no server may send. `message` begins with its type, after the length.
Result<Greeting> parse_greeting(std::string_view message);
Result<Reply> parse_reply(std::string_view message);

struct Limits {  // of limits@openssh.com; 0: the server does not say
  std::uint64_t packet = 0, read = 0, write = 0, handles = 0;
};
Result<Limits> parse_limits(std::string_view bytes);
// The bytes that an ordinary user can still write, of statvfs@openssh.com.
Result<std::uint64_t> parse_free_bytes(std::string_view bytes);

// Requests, complete with their length.
std::string greeting();
std::string open_file(std::uint32_t id, std::string_view path, Open how, std::uint32_t mode);
std::string close(std::uint32_t id, std::string_view handle);
std::string read(std::uint32_t id, std::string_view handle, std::uint64_t offset,
                 std::uint32_t length);
// What precedes `length` bytes of data.
std::string write_head(std::uint32_t id, std::string_view handle, std::uint64_t offset,
                       std::uint32_t length);
std::string stat(std::uint32_t id, std::string_view path);
std::string open_folder(std::uint32_t id, std::string_view path);
std::string read_folder(std::uint32_t id, std::string_view handle);
std::string remove(std::uint32_t id, std::string_view path);
std::string make_folder(std::uint32_t id, std::string_view path, std::uint32_t mode);
std::string rename(std::uint32_t id, std::string_view from, std::string_view to);  // never replaces
std::string posix_rename(std::uint32_t id, std::string_view from, std::string_view to);
std::string sync(std::uint32_t id, std::string_view handle);
std::string limits(std::uint32_t id);
std::string free_space(std::uint32_t id, std::string_view path);

}  // namespace fairlead::volume::sftp
