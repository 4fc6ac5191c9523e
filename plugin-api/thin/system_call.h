// System calls for thin clients. One is started for every container and does without the C library,
// whose start-up costs more than the client's own work. On processors without an entry below, the
// same calls go through libc's syscall(2).
#pragma once

#include <sys/syscall.h>

#include <type_traits>

#if defined(FAIRLEAD_NOLIBC) && !defined(__x86_64__) && !defined(__aarch64__)
#error "FAIRLEAD_NOLIBC knows x86_64 and aarch64 only"
#endif
#ifndef FAIRLEAD_NOLIBC
#include <unistd.h>

#include <cerrno>
#endif

namespace client {

// ---- system calls; each returns the result or -errno

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

template <class T>
long as_long(T value) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<long>(value);
  else
    return static_cast<long>(value);
}

template <class... Args>
long call(long number, Args... args) {
  const long list[5] = {as_long(args)...};
  return raw_call(number, list[0], list[1], list[2], list[3], list[4]);
}

[[noreturn]] inline void leave(int code) {
  for (;;) call(SYS_exit_group, code);
}

}  // namespace client
