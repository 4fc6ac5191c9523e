#include "plugin-api/cli/cli.h"

#include <poll.h>

#include <ostream>

#include "base/log.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/complete.h"
#include "plugin-api/cli/parse.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

namespace {

// Whoever read the output has seen enough: `fairlead volume ls | head -1`.
bool nobody_reads(int fd) {
  pollfd pipe{.fd = fd, .events = 0, .revents = 0};
  return fd >= 0 && poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR) != 0;
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
  Session session(line, context);
  const int exit_code = line.command->run(session);
  context.out.flush();
  if (context.out || nobody_reads(context.out_fd)) return exit_code;
  context.err << "fairlead: write the answer: the output is closed or full\n";
  return kFailed;
}

}  // namespace fairlead::cli
