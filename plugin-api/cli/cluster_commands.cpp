// Commands for hosts and clusters. They ask the daemon, because only it is connected to the
// cluster.
#include <istream>
#include <ostream>
#include <thread>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

using json::Json;
using json::Object;
using native::Document;

namespace {

// Prints the documents of the API.
Status list_hosts(Session& session) {
  TRY(const Json answer, session.ask_daemon("GET", "/v1/hosts"));
  TRY(const auto object, Object::of(answer));
  TRY(const auto hosts, object.objects_or_empty("hosts"));
  if (session.line.json) {
    session.print_json(Document(answer.at("hosts")));
    return {};
  }
  using enum Column::Fit;
  Table table({{"HOST ID"}, {"NAME", kShrink}, {"ADDRESS"}, {"STATE"}, {"SINCE"}, {"VERSION"}});
  for (const Object& host : hosts) {
    TRY(const auto id, host.string("id"));
    if (session.quiet()) {
      session.print(session.id_text(id));
      continue;
    }
    TRY(const auto name, host.string("name"));
    TRY(const auto address, host.string("address"));
    TRY(const auto state, host.string("state"));
    TRY(const auto since, host.string_or("since", ""));
    TRY(const auto version, host.string_or("version", ""));
    table.add({session.id_text(id), name, address, state, since, version});
  }
  if (!session.quiet()) session.print(table);
  return {};
}

bool is_sure(Session& session, const std::string& host) {
  if (session.line.force || !session.context.in_is_tty) return true;
  session.context.err << "The containers of " << host
                      << " lose their shared networks, and other hosts get its addresses. If it "
                         "still runs, and only cannot reach etcd, both use them until it can.\n"
                         "Remove it? [y/N] "
                      << std::flush;
  std::string answer;
  std::getline(session.context.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// The host must have had the time to notice its removal before others get its addresses.
Status remove_host(Session& session, const std::string& host) {
  const std::string path =
      fmt::format("/v1/hosts/{}{}", host, session.line.force ? "?force=true" : "");
  for (bool told = false;; told = true) {
    TRY(const Json answer, session.ask_daemon("DELETE", path));
    TRY(const auto object, Object::of(answer));
    TRY(const bool complete, object.bool_or("complete", false));
    if (complete) break;
    TRY(const auto seconds, object.integer_or("retry_after", 0, 3600, 1));
    if (!told && !session.quiet() && !session.line.json)
      session.print(fmt::format("{} is out; its addresses are free in {} s", host, seconds));
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
  }
  if (!session.quiet()) session.print(host);
  return {};
}

std::string members_line(const Object& member) {
  const auto text = [&](std::string_view key) { return member.string_or(key, "").value_or(""); };
  if (const std::string error = text("error"); !error.empty())
    return fmt::format("{}  {}", text("endpoint"), error);
  return fmt::format("{}  {}{}{}", text("endpoint"), text("version"),
                     member.bool_or("leader", false).value_or(false) ? "  leader" : "",
                     member.bool_or("has_leader", true).value_or(true) ? "" : "  has no leader");
}

Status show_cluster(Session& session) {
  TRY(const Json answer, session.ask_daemon("GET", "/v1/cluster"));
  if (session.line.json) {
    session.print_json(Document(answer));
    return {};
  }
  TRY(const auto cluster, Object::of(answer));
  TRY(const auto name, cluster.string("cluster"));
  TRY(const auto host, cluster.object("host"));
  TRY(const auto hosts, cluster.object("hosts"));
  TRY(const auto peers, cluster.object("peers"));
  TRY(const bool joined, cluster.bool_or("joined", false));
  TRY(const bool is_holding, cluster.bool_or("frozen", false));
  const auto count = [](const Object& of, std::string_view key) {
    return of.integer_or(key, 0, INT64_MAX, 0).value_or(0);
  };
  const auto row = [&](std::string_view what, const std::string& text) {
    session.print(fmt::format("{:<12}{}", what, text));
  };
  row("cluster", name);
  row("this host",
      fmt::format("{} at {}, {}", host.string_or("name", "").value_or(""),
                  host.string_or("address", "").value_or(""), joined ? "joined" : "not joined"));
  row("hosts",
      fmt::format("{} alive, {} suspect, {} gone{}", count(hosts, "alive"), count(hosts, "suspect"),
                  count(hosts, "gone"),
                  is_holding ? "; frozen: too many vanished at once, see `fairlead cluster "
                               "release`"
                             : ""));
  row("networks",
      fmt::format("{}, {} of them here", count(cluster, "networks"), count(peers, "networks")));
  row("entries", fmt::format("{} of other hosts' containers", count(peers, "entries")));
  row("waiting",
      fmt::format("{} endpoints that the others do not know of yet", count(cluster, "waiting")));
  TRY(const auto refused, peers.strings_or_empty("refused"));
  TRY(const auto unreadable, peers.strings_or_empty("unreadable"));
  if (!refused.empty() || !unreadable.empty())
    row("refused", fmt::format("{} things that other hosts say, {} records cannot be read",
                               refused.size(), unreadable.size()));
  TRY(const auto members, cluster.objects_or_empty("etcd"));
  for (const Object& member : members) row("etcd", members_line(member));
  TRY(const auto problems, cluster.strings_or_empty("problems"));
  if (problems.empty()) return {};
  session.print("");
  session.print("Problems");
  for (const std::string& problem : problems) session.print("  " + problem);
  return {};
}

Status release(Session& session) {
  return status_of(session.ask_daemon("POST", "/v1/cluster/thaw"));
}

}  // namespace

int host_list(Session& session) { return session.finish("list hosts", list_hosts(session)); }

int host_remove(Session& session) {
  return session.for_each_name("remove host", [&](const std::string& host) -> Status {
    if (!is_sure(session, host)) return fail(Code::kInvalid, "it was not confirmed");
    return remove_host(session, host);
  });
}

int cluster_status(Session& session) {
  return session.finish("show the cluster", show_cluster(session));
}

int cluster_release(Session& session) {
  return session.finish("release the cluster", release(session));
}

}  // namespace fairlead::cli
