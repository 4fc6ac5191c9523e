#include "base/result.h"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace fairlead {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "invalid";
    case Code::kNotFound:
      return "not_found";
    case Code::kExists:
      return "exists";
    case Code::kConflict:
      return "conflict";
    case Code::kInUse:
      return "in_use";
    case Code::kExhausted:
      return "exhausted";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kIo:
      return "io";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

namespace {
Code code_of_errno(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
    case EADDRNOTAVAIL:
      return Code::kNotFound;
    case EEXIST:
      return Code::kExists;
    case EBUSY:
    case ENOTEMPTY:
    case EADDRINUSE:
      return Code::kInUse;
    case EINVAL:
    case ENAMETOOLONG:
    case ERANGE:
    case ELOOP:
    case EXDEV:
      return Code::kInvalid;
    case EOPNOTSUPP:
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return Code::kUnsupported;
    case ENOSPC:
    case EXFULL:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return Code::kExhausted;
    case EAGAIN:
    case EINTR:
    case ETIMEDOUT:
    case ECONNREFUSED:
      return Code::kUnavailable;
    default:
      return Code::kIo;
  }
}
}  // namespace

Error sys_error(int sys_errno, std::string_view what) {
  return {code_of_errno(sys_errno), sys_errno,
          fmt::format("{}: {}", what, std::strerror(sys_errno))};
}

Error with_context(Error error, std::string_view context) {
  error.text = fmt::format("{}: {}", context, error.text);
  return error;
}

std::string closest_word(std::string_view word, const std::string_view* candidates,
                         std::size_t count) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 2;
  for (std::size_t k = 0; k < count; ++k) {
    const std::string_view other = candidates[k];
    // The distance is at least the difference in length: a hostile word of many kilobytes costs
    // nothing.
    if (std::max(word.size(), other.size()) - std::min(word.size(), other.size()) >= best_distance)
      continue;
    std::vector<std::size_t> two_back, back(other.size() + 1), row(other.size() + 1);
    for (std::size_t j = 0; j <= other.size(); ++j) back[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      row[0] = i;
      for (std::size_t j = 1; j <= other.size(); ++j) {
        const std::size_t cost = word[i - 1] == other[j - 1] ? 0 : 1;
        row[j] = std::min({back[j] + 1, row[j - 1] + 1, back[j - 1] + cost});
        if (i > 1 && j > 1 && word[i - 1] == other[j - 2] && word[i - 2] == other[j - 1])
          row[j] = std::min(row[j], two_back[j - 2] + 1);
      }
      two_back = back;
      back = row;
    }
    if (back[other.size()] < best_distance) {
      best_distance = back[other.size()];
      best = other;
    }
  }
  return best;
}

}  // namespace fairlead
