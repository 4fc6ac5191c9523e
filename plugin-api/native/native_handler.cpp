#include "plugin-api/native/native_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "plugin-api/http/path.h"
#include "plugin-api/native/forms.h"
#include "plugin-api/native/operations.h"

namespace fairlead::native {

namespace {

// ---- the route table

enum class Body { kNone, kJson, kOptional };
using http::Work;

struct Route {
  std::string_view method, pattern;
  Body body;
  std::string_view query;  // the query parameters that the route takes, separated by commas
  Operation run;
  Work work = Work::kNetwork;
};

constexpr auto kRoutes = std::to_array<Route>({
    {"GET", "/v1/networks", Body::kNone, "", list_networks},
    {"POST", "/v1/networks", Body::kJson, "", create_network},
    {"GET", "/v1/networks/{network}", Body::kNone, "", get_network},
    {"DELETE", "/v1/networks/{network}", Body::kNone, "force", delete_network},
    {"POST", "/v1/networks/{network}/collect", Body::kJson, "", collect_endpoints},
    {"POST", "/v1/networks/{network}/reservations", Body::kJson, "", reserve_address},
    {"DELETE", "/v1/networks/{network}/reservations/{address}", Body::kNone, "", unreserve_address},
    {"GET", "/v1/leases", Body::kNone, "network", list_leases},
    {"DELETE", "/v1/leases/{address}", Body::kNone, "force", delete_lease},
    {"GET", "/v1/endpoints", Body::kNone, "network", list_endpoints},
    {"POST", "/v1/endpoints", Body::kJson, "", attach_endpoint},
    {"GET", "/v1/endpoints/{network}/{endpoint}", Body::kNone, "", get_endpoint},
    {"DELETE", "/v1/endpoints/{network}/{endpoint}", Body::kNone, "force", delete_endpoint},
    {"POST", "/v1/endpoints/{network}/{endpoint}/check", Body::kOptional, "", check_endpoint},
    {"POST", "/v1/endpoints/{network}/{endpoint}/ports", Body::kJson, "", publish_ports},
    {"PATCH", "/v1/endpoints/{network}/{endpoint}/ports", Body::kJson, "", change_ports},
    {"DELETE", "/v1/endpoints/{network}/{endpoint}/ports", Body::kNone, "", unpublish_ports},
    {"PUT", "/v1/endpoints/{network}/{endpoint}/labels", Body::kJson, "", set_endpoint_labels},
    {"GET", "/v1/ports", Body::kNone, "", list_ports},
    {"GET", "/v1/policies", Body::kNone, "", list_policies},
    {"POST", "/v1/policies", Body::kJson, "dry_run", add_policy, Work::kWaiting},
    {"GET", "/v1/policies/{policy}", Body::kNone, "", get_policy},
    {"DELETE", "/v1/policies/{policy}", Body::kNone, "", delete_policy},
    {"GET", "/v1/volumes", Body::kNone, "", list_volumes, Work::kVolume},
    {"POST", "/v1/volumes", Body::kJson, "", create_volume, Work::kWaiting},
    {"GET", "/v1/volumes/{volume}", Body::kNone, "", get_volume, Work::kVolume},
    {"DELETE", "/v1/volumes/{volume}", Body::kNone, "", delete_volume, Work::kWaiting},
    {"POST", "/v1/volumes/{volume}/mount", Body::kJson, "", mount_volume, Work::kWaiting},
    {"POST", "/v1/volumes/{volume}/unmount", Body::kJson, "", unmount_volume, Work::kWaiting},
    {"PATCH", "/v1/volumes/{volume}", Body::kJson, "", change_volume, Work::kWaiting},
    {"GET", "/v1/volumes/{volume}/usage", Body::kNone, "", get_usage, Work::kLong},
    {"POST", "/v1/volumes/{volume}/check", Body::kOptional, "", check_volume, Work::kLong},
    {"GET", "/v1/volumes/{volume}/snapshots", Body::kNone, "", list_snapshots_of, Work::kVolume},
    {"POST", "/v1/volumes/{volume}/snapshots", Body::kOptional, "", create_snapshot, Work::kLong},
    {"DELETE", "/v1/volumes/{volume}/snapshots/{snapshot}", Body::kNone, "", delete_snapshot,
     Work::kLong},
    {"GET", "/v1/volumes/{volume}/snapshots/{snapshot}", Body::kNone, "", get_snapshot,
     Work::kVolume},
    {"POST", "/v1/volumes/{volume}/snapshots/{snapshot}/mount", Body::kJson, "", mount_snapshot,
     Work::kWaiting},
    {"POST", "/v1/volumes/{volume}/snapshots/{snapshot}/unmount", Body::kJson, "", unmount_snapshot,
     Work::kWaiting},
    {"POST", "/v1/volumes/{volume}/rollback", Body::kJson, "", roll_back, Work::kLong},
    {"GET", "/v1/snapshots", Body::kNone, "", list_snapshots, Work::kVolume},
    {"GET", "/v1/snapshot-groups", Body::kNone, "", list_snapshot_groups, Work::kVolume},
    {"POST", "/v1/snapshot-groups", Body::kJson, "", create_snapshot_group, Work::kLong},
    {"GET", "/v1/snapshot-groups/{group}", Body::kNone, "", get_snapshot_group, Work::kVolume},
    {"DELETE", "/v1/snapshot-groups/{group}", Body::kNone, "", delete_snapshot_group,
     Work::kWaiting},
    {"POST", "/v1/snapshot-groups/{group}/rollback", Body::kNone, "", roll_snapshot_group_back,
     Work::kLong},
    {"GET", "/v1/trash", Body::kNone, "", list_trash, Work::kVolume},
    {"DELETE", "/v1/trash", Body::kNone, "", empty_trash, Work::kLong},
    {"POST", "/v1/trash/{trashed}/restore", Body::kOptional, "", restore_trashed, Work::kWaiting},
    {"DELETE", "/v1/trash/{trashed}", Body::kNone, "", delete_trashed, Work::kLong},
    {"GET", "/v1/volume-pools", Body::kNone, "", list_pools, Work::kVolume},
    {"POST", "/v1/volume-pools", Body::kJson, "", create_pool, Work::kLong},
    {"GET", "/v1/volume-pools/{pool}", Body::kNone, "", get_pool, Work::kVolume},
    {"PATCH", "/v1/volume-pools/{pool}", Body::kJson, "", grow_pool, Work::kLong},
    {"DELETE", "/v1/volume-pools/{pool}", Body::kNone, "", delete_pool, Work::kLong},
    {"GET", "/v1/jobs", Body::kNone, "", list_jobs, Work::kVolume},
    {"POST", "/v1/jobs/{job}/stop", Body::kNone, "", stop_job, Work::kVolume},
    {"GET", "/v1/cluster", Body::kNone, "", get_cluster, Work::kWaiting},
    {"POST", "/v1/cluster/thaw", Body::kNone, "", release_cluster, Work::kWaiting},
    {"GET", "/v1/hosts", Body::kNone, "", list_hosts, Work::kWaiting},
    {"DELETE", "/v1/hosts/{host}", Body::kNone, "force", delete_host, Work::kWaiting},
    {"GET", "/v1/events", Body::kNone, "since,until,kind", follow_events},
    {"GET", "/v1/doctor", Body::kNone, "", get_doctor, Work::kWaiting},
    {"GET", "/v1/status", Body::kNone, "", get_status, Work::kVolume},
    {"GET", "/v1/version", Body::kNone, "", get_version},
    {"POST", "/v1/reconcile", Body::kNone, "", reconcile, Work::kLong},
});

// "a,b" has two parts; "" has none.
std::vector<std::string_view> split_list(std::string_view list) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start < list.size();) {
    const std::size_t end = std::min(list.find(',', start), list.size());
    parts.push_back(list.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

bool matches(std::string_view pattern, const std::vector<std::string_view>& path) {
  return std::ranges::equal(http::path_segments(pattern), path,
                            [](std::string_view want, std::string_view have) {
                              return is_parameter(want) ? !have.empty() : want == have;
                            });
}

// nullptr: there is none.
const Route* route_of(const http::Request& request) {
  const auto path = http::path_segments(request.path);
  const auto* route = std::ranges::find_if(kRoutes, [&](const Route& one) {
    return one.method == request.method && matches(one.pattern, path);
  });
  return route == kRoutes.end() ? nullptr : route;
}

// ---- one request

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

Result<std::string> parse_of(std::string_view what, const std::string& text) {
  if (what != "{address}") return parse_label(text);
  return IpAddress::parse(text).map([](const IpAddress& address) { return address.to_string(); });
}

// Names and ids are tokens everywhere in Fairlead, so anything else is refused before it is looked
// up.
Result<std::string> parse_parameter(std::string_view what, std::string_view segment) {
  const auto decoded = segment.size() <= 1024 ? percent_decode(segment) : std::nullopt;
  auto token =
      decoded ? parse_of(what, *decoded) : fail(Code::kInvalid, "it is not a percent-encoded name");
  if (!token) return fail(with_context(token.error(), fmt::format("{} in the path", what)));
  return token;
}

Result<std::vector<std::string>> parse_parameters(const Route& route,
                                                  const std::vector<std::string_view>& path) {
  std::vector<std::string> parameters;
  const auto pattern = http::path_segments(route.pattern);
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (!is_parameter(pattern[i])) continue;
    TRY(auto value, parse_parameter(pattern[i], path[i]));
    parameters.push_back(std::move(value));
  }
  return parameters;
}

Result<std::map<std::string, std::string>> parse_query(
    const Route& route, const std::map<std::string, std::string>& query) {
  const auto known = split_list(route.query);
  for (const auto& [key, value] : query) {
    if (std::ranges::find(known, key) == known.end())
      return fail(
          Code::kInvalid, "query parameter \"{}\" is not known{}", key.substr(0, 64),
          known.empty() ? "" : fmt::format("; did you mean \"{}\"?", fmt::join(known, "\", \"")));
    if (key == "since") continue;  // may be a time, which is not a token: its reader looks at it
    const bool is_list = key == "kind" && !value.empty();
    for (const std::string_view part :
         is_list ? split_list(value) : std::vector{std::string_view(value)})
      TRY_STATUS(parse_parameter("query parameter " + key, part));
  }
  return query;
}

Result<json::Json> parse_body(const Route& route, const std::string& text) {
  if (route.body == Body::kNone && (text.empty() || route.method != "POST")) return json::Json();
  if (route.body == Body::kOptional && text.empty()) return json::Json(json::Json::object());
  TRY(auto body, json::parse(text));
  if (route.body != Body::kNone) return body;
  TRY_STATUS(json::read_object(json::Slot(body, kStrict), {}, nullptr));
  return body;
}

Result<Answer> run(const Core& core, const Route& route, const std::vector<std::string_view>& path,
                   const http::Request& request) {
  Call call;
  TRY(call.params, parse_parameters(route, path));
  TRY(call.query, parse_query(route, request.query));
  TRY(call.body, parse_body(route, request.body));
  call.hung_up = request.hung_up;
  return route.run(core, call);
}

// ---- responses

struct StatusRow {
  Code code;
  int status;
  std::string_view title;
};
constexpr StatusRow kStatus[] = {
    {Code::kInvalid, 400, "The request is not valid"},
    {Code::kNotFound, 404, "There is no such object"},
    {Code::kExists, 409, "It belongs to another object"},
    {Code::kConflict, 409, "It is there with other properties"},
    {Code::kInUse, 409, "It is in use"},
    {Code::kExhausted, 507, "Nothing is left to give"},
    {Code::kUnsupported, 501, "This host cannot do it"},
    {Code::kUnavailable, 503, "Try again later"},
    {Code::kIo, 500, "The kernel or the disk refused"},
    {Code::kInternal, 500, "A bug in Fairlead"},
};

const StatusRow& status_row(Code code) {
  const auto* row = std::ranges::find(kStatus, code, &StatusRow::code);
  return row == std::end(kStatus) ? kStatus[std::size(kStatus) - 1] : *row;
}

http::Response problem(Error error, int status, std::string_view title) {
  constexpr std::size_t kLongestDetail = 2048;  // the text may repeat what the client sent
  if (error.text.size() > kLongestDetail)
    error.text.replace(kLongestDetail, std::string::npos, "...");
  http::Response response{
      .status = status, .content_type = "application/problem+json", .body = {}, .headers = {}};
  response.body = encode_problem(error, status, title).dump();
  return response;
}

http::Response respond(const Result<Answer>& answer) {
  if (!answer)
    return problem(answer.error(), http_status(answer.error().code),
                   status_row(answer.error().code).title);
  http::Response response{
      .status = answer->status, .content_type = "application/json", .body = {}, .headers = {}};
  if (!answer->body.is_null()) response.body = answer->body.dump();
  response.stream = answer->stream;
  if (response.stream) response.content_type = "application/x-ndjson";
  return response;
}

http::Response not_allowed(const std::vector<std::string_view>& methods) {
  const std::string allow = fmt::format("{}", fmt::join(methods, ", "));
  auto response = problem({Code::kUnsupported, 0, "this path answers " + allow + " only"}, 405,
                          "The method is not allowed");
  response.headers["Allow"] = allow;
  return response;
}

http::Response dispatch(const Core& core, const http::Request& request) {
  const auto path = http::path_segments(request.path);
  std::vector<std::string_view> methods;
  for (const Route& route : kRoutes) {
    if (!matches(route.pattern, path)) continue;
    if (route.method == request.method) return respond(run(core, route, path, request));
    methods.push_back(route.method);
  }
  if (!methods.empty()) return not_allowed(methods);
  return respond(fail(
      Code::kNotFound,
      "there is no such path; the API begins at /v1/networks, /v1/endpoints, /v1/ports, "
      "/v1/policies, /v1/volumes, /v1/snapshots, /v1/snapshot-groups, /v1/trash, /v1/volume-pools, "
      "/v1/jobs, /v1/cluster, /v1/hosts, "
      "/v1/events, /v1/doctor, /v1/status, "
      "/v1/version and /v1/reconcile"));
}

}  // namespace

http::Work work_of(const http::Request& request) {
  const Route* route = route_of(request);
  return route == nullptr ? Work::kNetwork : route->work;
}

std::string verb_of(const http::Request& request) {
  const Route* route = route_of(request);
  return route == nullptr ? std::string() : fmt::format("{} {}", route->method, route->pattern);
}

int http_status(Code code) { return status_row(code).status; }

std::vector<RouteInfo> route_table() {
  std::vector<RouteInfo> table;
  for (const Route& route : kRoutes) table.push_back({route.method, route.pattern, route.query});
  return table;
}

http::Handler make_native_handler(Services services) {
  auto core = std::make_shared<const Core>(std::move(services));
  return [core](const http::Request& request) { return dispatch(*core, request); };
}

}  // namespace fairlead::native
