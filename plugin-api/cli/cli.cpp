#include "plugin-api/cli/cli.h"

#include <poll.h>

#include <algorithm>
#include <ostream>

#include "base/log.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/complete.h"
#include "plugin-api/cli/parse.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

namespace {

// Whoever read the output has seen enough: `fairlead volume ls | head -1`.
bool nobody_reads(int fd) {
  pollfd pipe{.fd = fd, .events = 0, .revents = 0};
  return fd >= 0 && poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR) != 0;
}

// Line by line, as there is a mark below the place.
int explain_format(const CliContext& context, const Error& error, int exit_code) {
  context.err << "fairlead: --format: ";
  for (std::string_view text = error.text; !text.empty();) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    context.err << printable(text.substr(0, end)) << '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return exit_code;
}

}  // namespace

int run_cli(const std::vector<std::string>& args, const CliContext& context) {
  if (!args.empty() && args.front() == kCompleteWord)
    return complete({args.begin() + 1, args.end()}, context);
  const auto parsed = parse_command_line(args);
  if (const auto* stop = std::get_if<EarlyExit>(&parsed)) {
    (stop->exit_code == kDone ? context.out : context.err) << stop->text;
    return stop->exit_code;
  }
  const auto& line = std::get<Invocation>(parsed);
  if (line.verbose > 0)
    log::configure(line.verbose > 1 ? log::Level::kDebug : log::Level::kInfo, log::Format::kText);
  auto formatted = Formatted::parse(line.format);
  if (!formatted) return explain_format(context, formatted.error(), kUsage);
  Session session(line, context, std::move(*formatted));
  int exit_code = line.command->run(session);
  if (!session.shown()) exit_code = explain_format(context, session.shown().error(), kFailed);
  context.out.flush();
  if (context.out || nobody_reads(context.out_fd)) return exit_code;
  context.err << "fairlead: write the answer: the output is closed or full\n";
  return kFailed;
}

}  // namespace fairlead::cli
