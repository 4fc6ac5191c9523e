// What every command shares: the parsed line, the streams, and the core, which is opened at its
// first use.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "plugin-api/cli/formatted.h"
#include "plugin-api/cli/invocation.h"
#include "plugin-api/cli/table.h"
#include "plugin-api/native/codec.h"

namespace fairlead::cli {

class Session {
 public:
  // `formatted`: what --format says, if anything.
  Session(const Invocation& invocation, const CliContext& cli_context,
          std::optional<Formatted> formatted = {})
      : line(invocation), context(cli_context), formatted_(std::move(formatted)) {}

  const Invocation& line;
  const CliContext& context;

  // The core. Fails when the user is not root or the core cannot be opened; opening is tried only
  // once.
  Result<CliServices> services();

  // The core, for a command that removes something of a network. Fails also where another store
  // owns what is in the kernel.
  Result<CliServices> services_for_removal();

  // Sends a request to the daemon, for what only the daemon can do.
  Result<json::Json> ask_daemon(std::string_view method, std::string_view path);
  // The networks through the daemon.
  Result<std::shared_ptr<network::NetworkService>> daemon_networks();

  void print(std::string_view text);  // one line on stdout, safe for a terminal
  void print(const Table& table);
  // As --format says; else as JSON, indented.
  void print_json(const native::Document& document);
  // One of many that come one after the other: as --format says, else in one line.
  void print_json_line(const native::Document& document);
  bool quiet() const { return line.quiet; }
  // What was done all the same, and should be known: one line each on stderr, "warning: ...".
  void warn(const std::vector<std::string>& warnings);

  // Prints a failure as "fairlead: <action>: <cause>", leaving the action out when the text begins
  // with it already. Returns kFailed.
  int failed(std::string_view action, const Error& error);
  // Prints an error in the line and a hint on how to get help. Returns kUsage.
  int misused(const Error& error);
  // Returns kDone, or failed().
  int finish(std::string_view action, const Status& status);

  // Calls `work` for each name, continues after errors, and fails if one failed. With --force a
  // missing object is no error. In the message "remove network" becomes "remove network shop".
  int for_each_name(std::string_view action, const std::function<Status(const std::string&)>& work);

  // kInvalid when some --filter is not of the form name=TEXT.
  Status check_filters() const;
  // Whether the name contains the TEXT of every filter.
  bool passes_filters(std::string_view name) const;
  std::string id_text(std::string_view id) const;  // shortened unless --no-trunc

  // The first failure of --format: it fits to no value that came.
  const Status& shown() const { return shown_; }

 private:
  std::optional<Result<CliServices>> services_;
  std::optional<Formatted> formatted_;
  Status shown_;
  std::set<std::string> told_;  // notes on --format
};

}  // namespace fairlead::cli
