// What every command shares: the line, the streams, and the core, opened when first asked for.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "plugin-api/cli/invocation.h"
#include "plugin-api/cli/table.h"
#include "plugin-api/native/codec.h"

namespace fairlead::cli {

class Session {
 public:
  Session(const Invocation& invocation, const CliContext& surroundings)
      : line(invocation), context(surroundings) {}

  const Invocation& line;
  const CliContext& context;

  // The core. Fails when the user is not root, or when it cannot be opened; that is told only once.
  Result<CliServices> services();

  // The daemon: for what only it can do.
  Result<json::Json> ask_daemon(std::string_view method, std::string_view path,
                                const std::string& body = {});

  void print(std::string_view text);  // one line on stdout, safe for a terminal
  void print(const Table& table);
  void print_json(const native::Document& document);
  bool quiet() const { return line.quiet; }

  // Tells a failure as "fairlead: <action>: <cause>", unless the text begins with the action
  // already.
  int failed(std::string_view action, const Error& error);
  // The line was not understood; says where help is. Returns kUsage.
  int misused(const Error& error);
  // kDone, or failed().
  int finish(std::string_view action, const Status& status);

  // Does `work` for each name, goes on after errors, and fails if one failed. With --force what is
  // missing is no error. "remove network" becomes "remove network shop" in the complaint.
  int for_each_name(std::string_view action, const std::function<Status(const std::string&)>& work);

  // Are all --filter of the form name=TEXT?
  Status check_filters() const;
  // Does the name contain the TEXT of each?
  bool passes_filters(std::string_view name) const;
  std::string id_text(std::string_view id) const;  // shortened unless --no-trunc

 private:
  std::optional<Result<CliServices>> services_;
};

}  // namespace fairlead::cli
