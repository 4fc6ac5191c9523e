#include "network/cluster/peer_snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/unique_fd.h"

namespace fairlead::network::cluster {

// The first line of the file is the revision. Each line after it is the key, revision and value of
// a record; keys and JSON contain no line breaks. The last line is "end", which shows that nothing
// is missing.
namespace {

constexpr std::string_view kEnd = "end";

std::string text_of(const PeerSnapshot& snapshot) {
  std::string text = fmt::format("{}\n", snapshot.revision);
  for (const state::Record& record : snapshot.records)
    text += fmt::format("{} {} {}\n", record.key, record.revision, record.value);
  return text + fmt::format("{}\n", kEnd);
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "write " + path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return fail_errno(errno, "sync " + path);
  return {};
}

bool read_line(const std::string& line, state::Record& record) {
  const auto first = line.find(' ');
  const auto second = first == std::string::npos ? first : line.find(' ', first + 1);
  if (second == std::string::npos) return false;
  record.key = line.substr(0, first);
  std::istringstream number(line.substr(first + 1, second - first - 1));
  record.value = line.substr(second + 1);
  return static_cast<bool>(number >> record.revision);
}

}  // namespace

Status write_snapshot(const std::string& path, const PeerSnapshot& snapshot) {
  const std::string beside = path + ".new";
  const UniqueFd file(
      ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_errno(errno, "open " + beside);
  TRY_STATUS(write_all(file.get(), text_of(snapshot), beside));
  if (::rename(beside.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename to " + path);
  return {};
}

Result<PeerSnapshot> read_snapshot(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(Code::kNotFound, "there is no snapshot {}", path);
  const auto damaged = [&] {
    return fail(Code::kIo, "the snapshot {} is damaged; it is made anew from the store", path);
  };
  PeerSnapshot snapshot;
  std::string line;
  if (!std::getline(file, line) || !(std::istringstream(line) >> snapshot.revision))
    return damaged();
  while (std::getline(file, line)) {
    if (line == kEnd) return snapshot;
    state::Record record;
    if (!read_line(line, record)) return damaged();
    snapshot.records.push_back(std::move(record));
  }
  return damaged();
}

}  // namespace fairlead::network::cluster
