#include "plugin-api/cni/resolv_conf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::cni {

namespace {

constexpr std::size_t kMostBytes = 64 << 10;
constexpr std::string_view kBlanks = " \t\r";

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos || line[begin] == '#' || line[begin] == ';') return words;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

void take_line(const std::vector<std::string>& words, network::Dns& dns) {
  if (words.size() < 2) return;
  const std::vector<std::string> values(words.begin() + 1, words.end());
  if (words.front() == "nameserver") dns.nameservers.push_back(values.front());
  if (words.front() == "domain") dns.domain = values.front();
  if (words.front() == "search") dns.search = values;
  if (words.front() == "options")
    dns.options.insert(dns.options.end(), values.begin(), values.end());
}

}  // namespace

network::Dns parse_resolv_conf(std::string_view text) {
  network::Dns dns;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    take_line(words_of(text.substr(0, end)), dns);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return dns;
}

// A pipe or a device must not hold up whoever reads it.
Result<network::Dns> read_resolv_conf(const std::string& path) {
  const std::string what = "read ipam.resolvConf \"" + path + "\"";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_errno(errno, what);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, what);
  if (!S_ISREG(status.st_mode)) return fail(Code::kInvalid, "{}: it is not a file", what);
  std::string text(kMostBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, what);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMostBytes) return fail(Code::kInvalid, "{}: it is larger than 64 KiB", what);
  text.resize(size);
  return parse_resolv_conf(text);
}

}  // namespace fairlead::cni
