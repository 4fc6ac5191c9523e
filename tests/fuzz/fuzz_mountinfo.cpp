// /proc/<pid>/mountinfo: written by the kernel, with names that any user may have chosen.
#include <cstdint>
#include <string_view>

#include "volume/kernel/mountinfo.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::volume;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = parse_mountinfo(text);
  if (entries.size() > size) __builtin_trap();  // an entry takes more than a byte
  (void)decode_octal(text);
  return 0;
}
