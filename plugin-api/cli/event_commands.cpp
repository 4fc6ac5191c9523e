#include <algorithm>
#include <ostream>

#include "base/host.h"
#include "base/options/values.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

namespace {

// "2026-11-29T15:00:00.123Z network create shop (id=3f2a9c..., mode=bridge)"
std::string line_of(const Session& session, const Change& change) {
  std::string more = "id=" + session.id_text(change.id);
  for (const auto& [key, value] : change.attributes)
    more += fmt::format(", {}={}", key, key == "network" ? session.id_text(value) : value);
  return fmt::format("{} {} {} {} ({})", native::time_text(change.time), change.kind, change.action,
                     change.name.empty() ? session.id_text(change.id) : change.name, more);
}

Status explain_end(const native::EventMark& mark) {
  if (mark.kind != "end" || mark.reason == "until") return {};
  if (mark.reason == "stop")
    return fail(Code::kUnavailable, "fairleadd stops; go on with --since {}", mark.revision);
  if (mark.reason == "slow")
    return fail(Code::kUnavailable, "what is shown is read too slowly; go on with --since {}",
                mark.revision);
  return fail(Code::kConflict,
              "what happened after revision {} is forgotten in part; list again, and start without "
              "--since",
              mark.revision);
}

Status show(Session& session, std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY(const auto line, native::decode_event(document));
  const auto* change = std::get_if<Change>(&line);
  if (!session.line.format.empty())
    session.print_json_line(document);
  else if (session.line.json)
    session.print(text);
  else if (change != nullptr)
    session.print(line_of(session, *change));
  session.context.out.flush();
  if (!session.context.out) return fail(Code::kIo, "the output is closed or full");
  return change != nullptr ? Status() : explain_end(std::get<native::EventMark>(line));
}

// Names, numbers and times only, so that nothing needs to be encoded.
Status check_word(std::string_view option, std::string_view word) {
  for (const char c : word)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
          std::string_view(",-:.TZ").find(c) != std::string_view::npos))
      return fail(Code::kInvalid, "{} cannot be \"{}\"", option, word);
  return {};
}

// A revision or a time as the API takes it; a duration means so long ago.
Result<std::string> since_of(const std::string& text) {
  const bool is_number = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (is_number || native::parse_time(text)) return text;
  const auto ago = parse_duration(text);
  if (!ago)
    return fail(Code::kInvalid,
                "--since takes a revision, a time like 2026-01-31T12:00:00Z, or how long ago, like "
                "10m; not \"{}\"",
                text);
  return native::time_text(1000 * (unix_time() - ago->count()));
}

Result<std::string> path_of(const Invocation& line) {
  std::string path = "/v1/events";
  const auto add = [&](std::string_view key, std::string_view value) -> Status {
    if (value.empty()) return {};
    TRY_STATUS(check_word(fmt::format("--{}", key), value));
    path += fmt::format("{}{}={}", path.find('?') == std::string::npos ? '?' : '&', key, value);
    return {};
  };
  TRY(const auto since, since_of(line.since));
  TRY_STATUS(add("since", since));
  TRY_STATUS(add("until", line.until));
  TRY_STATUS(add("kind", line.kinds));
  return path;
}

}  // namespace

int show_events(Session& session) {
  const auto path = path_of(session.line);
  if (!path) return session.misused(path.error());
  const auto on_line = [&](std::string_view line) { return show(session, line); };
  return session.finish("follow events",
                        session.context.follow_daemon(session.line.settings, *path, on_line));
}

}  // namespace fairlead::cli
