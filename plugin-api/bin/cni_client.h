// System calls and text for the thin client, which is started for every container and so does
// without the C library: its start-up costs more than the client's own work. On processors without
// an entry below, the same calls go through libc's syscall(2).
#pragma once

#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>

#if defined(FAIRLEAD_NOLIBC) && !defined(__x86_64__) && !defined(__aarch64__)
#error "FAIRLEAD_NOLIBC knows x86_64 and aarch64 only"
#endif
#ifndef FAIRLEAD_NOLIBC
#include <unistd.h>

#include <cerrno>
#endif

namespace client {

// ---- system calls: the result, or -errno

#if defined(FAIRLEAD_NOLIBC) && defined(__x86_64__)
inline long raw_call(long number, long a, long b, long c, long d, long e) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(FAIRLEAD_NOLIBC)
inline long raw_call(long number, long a, long b, long c, long d, long e) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
}
#else
inline long raw_call(long number, long a, long b, long c, long d, long e) {
  const long result = syscall(number, a, b, c, d, e);
  return result == -1 ? -errno : result;
}
#endif

inline long as_long(long value) { return value; }
inline long as_long(const volatile void* pointer) { return reinterpret_cast<long>(pointer); }

template <class... Args>
long call(long number, Args... args) {
  const long list[5] = {as_long(args)...};
  return raw_call(number, list[0], list[1], list[2], list[3], list[4]);
}

[[noreturn]] inline void leave(int code) {
  for (;;) call(SYS_exit_group, code);
}

// ---- text: borrowed bytes

struct Text {
  const char* data = "";
  std::size_t size = 0;

  constexpr Text() = default;
  constexpr Text(const char* bytes, std::size_t count) : data(bytes), size(count) {}
  constexpr Text(const char* literal) : data(literal) {
    while (literal[size] != '\0') ++size;
  }
  constexpr bool empty() const { return size == 0; }
  constexpr Text from(std::size_t start) const { return {data + start, size - start}; }
  constexpr bool starts_with(Text prefix) const {
    if (size < prefix.size) return false;
    for (std::size_t i = 0; i < prefix.size; ++i)
      if (data[i] != prefix.data[i]) return false;
    return true;
  }
  constexpr bool operator==(Text other) const { return size == other.size && starts_with(other); }
};

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

constexpr std::size_t find(Text text, Text part) {
  for (std::size_t i = 0; i + part.size <= text.size; ++i)
    if (text.from(i).starts_with(part)) return i;
  return kNowhere;
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Text that is put together in a buffer of fixed size. What does not fit is not written, and `fits`
// says so.
template <std::size_t Capacity>
class Builder {
 public:
  void add(Text text) {
    if (text.size > Capacity - size_) {
      fits_ = false;
      return;
    }
    for (std::size_t i = 0; i < text.size; ++i) bytes_[size_++] = text.data[i];
  }
  void add_number(unsigned long number) {
    char digits[24];
    std::size_t start = sizeof digits;
    do {
      digits[--start] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    add({digits + start, sizeof digits - start});
  }
  // As the inside of a JSON string; control characters are left out.
  void add_escaped(Text text) {
    for (std::size_t i = 0; i < text.size; ++i) {
      const char c = text.data[i];
      if (static_cast<unsigned char>(c) < 0x20) continue;
      if (c == '"' || c == '\\') add("\\");
      add({&c, 1});
    }
  }
  bool fits() const { return fits_; }
  Text text() const { return {bytes_, size_}; }
  // Ends the text for a system call; the buffer must have room.
  const char* c_str() {
    if (size_ == Capacity) --size_;
    bytes_[size_] = '\0';
    return bytes_;
  }

 private:
  std::size_t size_ = 0;
  bool fits_ = true;
  char bytes_[Capacity];
};

}  // namespace client
