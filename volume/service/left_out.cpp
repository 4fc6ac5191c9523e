#include "volume/service/left_out.h"

#include <algorithm>

#include "base/log.h"

namespace fairlead::volume {

LeftOut left_out_of(const WalkNotes& notes) {
  const std::size_t some = std::min(notes.lines.size(), LeftOut::kMostNotes);
  const auto end = notes.lines.begin() + static_cast<std::ptrdiff_t>(some);
  return {.count = notes.left_out, .notes = {notes.lines.begin(), end}};
}

void log_left_out(const LeftOut& left_out, std::string_view verb, std::string_view volume) {
  for (const std::string& note : left_out.notes)
    log::warn("left out",
              {{"verb", std::string(verb)}, {"volume", std::string(volume)}, {"what", note}});
  if (left_out.count > left_out.notes.size())
    log::warn("more was left out", {{"verb", std::string(verb)},
                                    {"volume", std::string(volume)},
                                    {"count", std::to_string(left_out.count)}});
}

}  // namespace fairlead::volume
