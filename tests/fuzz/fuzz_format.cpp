// The templates of --format: any text over a value with everything in it. Whatever it is, it is
// shown or refused with the place, within the limits.
//
// Input: the template.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plugin-api/cli/format/template.h"

namespace fairlead::format {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void fuzz(std::string_view text) {
  static const json::Json value = json::Json::parse(
      R"({"name": "shop", "n": -3, "real": 1.5, "none": null, "yes": true, "list": [1, "a", [2], {"k": []}],
          "labels": {"app": "web"}, "state": {"created": "now"}, "options": {"mode": "overlay"}, "subnets": []})");
  std::set<std::string> notes;
  const auto form = Template::parse(text);
  if (!form) return must(form.error().text.find('^') != std::string::npos);
  form->titles();
  const auto shown = form->run(value, notes);
  must(shown ? shown->size() <= (17U << 20) + text.size()
             : shown.error().text.find('^') != std::string::npos);
}

}  // namespace
}  // namespace fairlead::format

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  fairlead::format::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
