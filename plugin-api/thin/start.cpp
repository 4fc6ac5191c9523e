#include "plugin-api/thin/start.h"

#include "plugin-api/thin/process.h"

#ifdef FAIRLEAD_NOLIBC

// The compiler generates calls of these. (It must not do so in them: CMakeLists.txt.)
extern "C" {
void* memcpy(void* to, const void* from, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
  return to;
}
void* memset(void* to, int value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) static_cast<char*>(to)[i] = static_cast<char>(value);
  return to;
}

// `stack` is as the kernel leaves it: argc, argv, 0, envp, 0.
[[noreturn, gnu::used]] void client_start(long* stack) {
  auto** const argv = reinterpret_cast<char**>(stack + 1);
  client::set_process(argv, argv + *stack + 1);
  client::run();
}
}

#ifdef __x86_64__
asm(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call "
    "client_start\n");
#else
asm(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n b client_start\n");
#endif

#else
int main(int, char** argv, char** envp) {
  client::set_process(argv, envp);
  client::run();
}
#endif
