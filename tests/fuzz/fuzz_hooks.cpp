// What dockerd answers about containers with hooks, and what their labels say: what is accepted can
// be part of a path, and says what is run.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plugin-api/hooks/docker_codec.h"
#include "plugin-api/hooks/hook_labels.h"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::hooks;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto containers = decode_containers(text, "fairlead", {"data"}))
    for (const Container& one : *containers)
      must(!one.id.empty() && one.id.find('/') == std::string::npos && !one.volumes.empty());
  if (const auto id = decode_id(text)) must(id->find_first_not_of("0123456789abcdef") == id->npos);
  (void)decode_image_labels(text);
  (void)decode_exit(text);
  (void)decode_refusal(text);
  must(decode_frames(text).size() <= text.size());
  for (const char* label : {"fairlead.snapshot.pre", "fairlead.hook.timeout"}) {
    const auto spec = parse_hooks({{"fairlead.snapshot.post", "x"}, {label, text}});
    if (!spec) continue;
    must(spec->has_value() && (*spec)->timeout.count() >= 1 && (*spec)->timeout <= kLongestTimeout);
    for (const auto& words : {(*spec)->pre, (*spec)->post})
      must(words.empty() || !words[0].empty());
  }
  return 0;
}
