// What an SFTP server sends: any bytes are a reply or an error, and what is taken from them keeps
// its bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "volume/kernel/sftp_messages.h"

namespace {
void must(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::volume::sftp;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto greeting = parse_greeting(text);
  must(greeting || !greeting.error().text.empty());
  if (greeting) must(greeting->extensions.size() <= size / 8);
  const auto reply = parse_reply(text);
  must(reply || !reply.error().text.empty());
  if (reply) {
    must(reply->bytes.size() + reply->text.size() <= size);
    must(reply->entries.size() <= size / 12);
    if (!reply->bytes.empty())
      must(reply->bytes.data() >= text.data() &&
           reply->bytes.data() + reply->bytes.size() <= text.data() + text.size());
  }
  (void)parse_limits(text);
  (void)parse_free_bytes(text);
  return 0;
}
