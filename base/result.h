// Result, Error and TRY: how every function of Fairlead that can fail says so.
#pragma once

#include <fmt/core.h>

#include <cstring>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace fairlead {

// What went wrong, in a form that each protocol adapter maps to its own codes by a table.
enum class Code {
  kInvalid,      // the caller's input is wrong; the same call will fail again
  kNotFound,     // the named object does not exist
  kExists,       // the name, address or port belongs to another object
  kConflict,     // the object exists with other properties, or changed underneath the caller
  kInUse,        // the object cannot be removed while others use it
  kExhausted,    // no address, port or space is left
  kUnsupported,  // this kernel, driver or version cannot do it
  kUnavailable,  // try again later: locked, starting, deadline passed
  kIo,           // the kernel, the disk or the network refused
  kInternal,     // a bug in Fairlead
};

std::string_view to_string(Code code);

// A failure. `text` says action, object, cause and hint in one line for a person; `sys_errno` is
// the errno that caused it, or 0.
struct Error {
  Code code = Code::kInternal;
  int sys_errno = 0;
  std::string text;

  bool operator==(const Error&) const = default;
};

// The single return type of fallible functions. Use TRY to pass a failure up.
template <class T>
struct [[nodiscard]] Result : tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
  Result(tl::expected<T, Error> other) : tl::expected<T, Error>(std::move(other)) {}
};
using Status = Result<void>;

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

template <class... Args>
tl::unexpected<Error> fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return fail(Error{code, 0, fmt::format(format, std::forward<Args>(args)...)});
}

// What became of it, without the value.
//   return status_of(store.commit(txn));
template <class T>
Status status_of(const tl::expected<T, Error>& result) {
  if (!result) return fail(result.error());
  return {};
}

// A failed system call: `what` is the action and the object ("open /run/x"); the errno's text is
// appended. The code follows the errno (ENOENT -> kNotFound, EEXIST -> kExists, EBUSY -> kInUse,
// ...).
Error sys_error(int sys_errno, std::string_view what);
inline tl::unexpected<Error> fail_errno(int sys_errno, std::string_view what) {
  return fail(sys_error(sys_errno, what));
}

// Puts context in front of an error's text, once per module: "create network shop: <text>".
Error with_context(Error error, std::string_view context);

// For "did you mean": the candidate closest to `word` (Damerau-Levenshtein distance of at most
// a third of the length), or empty.
std::string closest_word(std::string_view word, const std::string_view* candidates,
                         std::size_t count);

}  // namespace fairlead

#define FAIRLEAD_CONCAT_(a, b) a##b
#define FAIRLEAD_CONCAT(a, b) FAIRLEAD_CONCAT_(a, b)

// TRY(declaration, expression): evaluates a Result; on failure returns its error, else binds its
// value.
//   TRY(auto fd, open_file(path));
#define TRY(declaration, ...)                                                           \
  auto FAIRLEAD_CONCAT(try_result_, __LINE__) = (__VA_ARGS__);                          \
  if (!FAIRLEAD_CONCAT(try_result_, __LINE__))                                          \
    return ::fairlead::fail(std::move(FAIRLEAD_CONCAT(try_result_, __LINE__)).error()); \
  declaration = std::move(*FAIRLEAD_CONCAT(try_result_, __LINE__))

// TRY_STATUS(expression): the same without the value, if there is one.
#define TRY_STATUS(...)                                        \
  do {                                                         \
    if (auto try_status_ = (__VA_ARGS__); !try_status_)        \
      return ::fairlead::fail(std::move(try_status_).error()); \
  } while (false)
