// IpamDriver's bodies: what is accepted keeps the promises of codec_ipam.h, and answers are JSON
// objects.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "plugin-api/docker/codec_ipam.h"

namespace fairlead::docker {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void must_be_object(const std::string& text) {
  const auto answer = json::parse(text);
  must(answer.has_value() && answer->is_object());
}

void request_pool(std::string_view body) {
  const auto request = decode_request_pool(body);
  if (!request) return must_be_object(encode_error(request.error().text));
  must(!(request->subnet && request->prefix_length));
  must(!request->subnet || request->subnet->family() == request->family);
  must(!request->range || (request->subnet && request->subnet->contains(*request->range)));
  must_be_object(encode(network::Pool{.id = request->address_space,
                                      .subnet = request->subnet.value_or(Cidr()),
                                      .range = request->range,
                                      .gateway = std::nullopt}));
}

}  // namespace
}  // namespace fairlead::docker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::docker;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  request_pool(body);
  if (const auto request = decode_pool(body)) must(!request->pool_id.empty());
  if (const auto request = decode_request_address(body)) must(!request->pool_id.empty());
  if (const auto request = decode_release_address(body))
    must_be_object(encode(fairlead::Cidr::of(request->address, 8)));
  return 0;
}
