// VolumeDriver's bodies: what is accepted keeps the promises of codec_volume.h, and answers are
// JSON objects even when names and options hold any bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "plugin-api/docker/codec_volume.h"

namespace fairlead::docker {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void must_be_object(const std::string& text) {
  const auto answer = json::parse(text);
  must(answer.has_value() && answer->is_object());
}

}  // namespace
}  // namespace fairlead::docker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::docker;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  must_be_object(encode(Mountpoint{std::string(body)}));
  InspectedVolume inspected;
  inspected.status.health = std::string(body);
  must_be_object(encode(inspected));
  if (const auto request = decode_mount(body))
    must(!request->id.empty() && request->id.size() <= 128);
  if (const auto request = decode_volume(body)) must_be_object(encode_error(request->name));
  if (const auto request = decode_create_volume(body)) must(request->options.size() <= body.size());
  return 0;
}
