#include "base/state/etcd_gateway.h"

#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "base/base64.h"
#include "base/json/json.h"

namespace fairlead::state::etcd {

using json::Json;
using json::Object;

// ---- requests

namespace {

void set_bytes(Json& object, const char* name, std::string_view bytes) {
  if (!bytes.empty()) object[name] = to_base64(bytes);
}
void set_number(Json& object, const char* name, std::int64_t number) {
  if (number != 0) object[name] = std::to_string(number);
}
void set_list(Json& object, const char* name, Json list) {
  if (!list.empty()) object[name] = std::move(list);
}

Json to_json(const RangeRequest& request) {
  Json object = Json::object();
  set_bytes(object, "key", request.key);
  set_bytes(object, "range_end", request.range_end);
  set_number(object, "limit", request.limit);
  set_number(object, "revision", request.revision);
  if (request.keys_only) object["keys_only"] = true;
  return object;
}

Json to_json(const PutRequest& request) {
  Json object = Json::object();
  set_bytes(object, "key", request.key);
  set_bytes(object, "value", request.value);
  set_number(object, "lease", request.lease);
  return object;
}

Json to_json(const DeleteRequest& request) {
  Json object = Json::object();
  set_bytes(object, "key", request.key);
  return object;
}

const char* name_of(const RangeRequest&) { return "request_range"; }
const char* name_of(const PutRequest&) { return "request_put"; }
const char* name_of(const DeleteRequest&) { return "request_delete_range"; }

Json to_json(const Operation& operation) {
  return std::visit(
      [](const auto& request) {
        Json object = Json::object();
        object[name_of(request)] = to_json(request);
        return object;
      },
      operation);
}

Json to_json(const Compare& compare) {
  Json object = Json::object();
  set_bytes(object, "key", compare.key);
  object["target"] = "MOD";
  object["result"] = "EQUAL";
  set_number(object, "mod_revision", compare.mod_revision);
  return object;
}

template <class T>
Json to_list(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(to_json(value));
  return list;
}

std::string encode_id(std::int64_t id) {
  Json object = Json::object();
  set_number(object, "ID", id);
  return json::dump(object);
}

}  // namespace

std::string encode(const RangeRequest& request) { return json::dump(to_json(request)); }

std::string encode(const TxnRequest& request) {
  Json object = Json::object();
  set_list(object, "compare", to_list(request.compare));
  set_list(object, "success", to_list(request.success));
  set_list(object, "failure", to_list(request.failure));
  return json::dump(object);
}

std::string encode(const WatchRequest& request) {
  Json create = Json::object();
  set_bytes(create, "key", request.key);
  set_bytes(create, "range_end", request.range_end);
  set_number(create, "start_revision", request.start_revision);
  create["prev_kv"] = true;
  create["progress_notify"] = true;
  Json object = Json::object();
  object["create_request"] = std::move(create);
  return json::dump(object);
}

std::string encode(const LeaseGrantRequest& request) {
  Json object = Json::object();
  set_number(object, "TTL", request.ttl);
  set_number(object, "ID", request.id);
  return json::dump(object);
}

std::string encode(const LeaseRevokeRequest& request) { return encode_id(request.id); }
std::string encode(const LeaseKeepAliveRequest& request) { return encode_id(request.id); }

std::string encode(const AuthenticateRequest& request) {
  Json object = Json::object();
  object["name"] = request.name;
  object["password"] = request.password;
  return json::dump(object);
}

std::string encode_status_request() { return "{}"; }

// ---- answers

namespace {

// Newer gateways may write camelCase: both names are understood.
std::string camel_case(std::string_view name) {
  std::string camel;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool starts_word = i > 0 && name[i - 1] == '_';
    if (name[i] == '_') continue;
    camel += starts_word ? static_cast<char>(std::toupper(static_cast<unsigned char>(name[i])))
                         : name[i];
  }
  return camel;
}

const Json* find(const Object& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr ? value : object.find(camel_case(name));
}

// A number, or the text of one; absent is 0.
Result<std::int64_t> number(const Object& object, std::string_view name) {
  const Json* value = find(object, name);
  if (value == nullptr) return 0;
  if (value->is_number_integer() &&
      !(value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX))
    return value->get<std::int64_t>();
  if (value->is_string()) {
    const auto& text = value->string();
    std::int64_t parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error == std::errc() && end == text.data() + text.size()) return parsed;
  }
  return fail(Code::kInvalid, "field {} is no number of 64 bits", object.path_of(name));
}

// Ids have 64 bits without a sign: kept as their text. Absent or 0 is empty.
std::string id_of(const Object& object, std::string_view name) {
  const Json* value = find(object, name);
  if (value == nullptr) return "";
  std::string text = value->is_string() ? value->get<std::string>() : value->dump();
  return text == "0" ? "" : text;
}

Result<std::string> text_of(const Object& object, std::string_view name) {
  const Json* value = find(object, name);
  if (value == nullptr) return std::string();
  if (value->is_string()) return value->get<std::string>();
  return fail(Code::kInvalid, "field {} is no text", object.path_of(name));
}

Result<std::string> bytes_of(const Object& object, std::string_view name) {
  TRY(const std::string text, text_of(object, name));
  auto bytes = from_base64(text);
  if (!bytes)
    return fail(Code::kInvalid, "field {}: the text is not padded base64", object.path_of(name));
  return *std::move(bytes);
}

Result<bool> flag(const Object& object, std::string_view name) {
  const Json* value = find(object, name);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  return fail(Code::kInvalid, "field {} must be true or false", object.path_of(name));
}

Result<KeyValue> key_value(const Object& object) {
  TRY(auto key, bytes_of(object, "key"));
  TRY(auto value, bytes_of(object, "value"));
  TRY(const auto revision, number(object, "mod_revision"));
  return KeyValue{std::move(key), std::move(value), revision};
}

Result<std::vector<KeyValue>> key_values(const Object& object) {
  std::vector<KeyValue> found;
  TRY(const auto list, object.objects_or_empty("kvs"));
  found.reserve(list.size());
  for (const Object& one : list) {
    TRY(auto parsed, key_value(one));
    found.push_back(std::move(parsed));
  }
  return found;
}

struct Header {
  std::string cluster_id;
  std::string member_id;
  std::int64_t revision = 0;
};

Result<Header> header_of(const Object& object) {
  TRY(const auto header, object.object_or_none("header"));
  if (!header) return Header{};
  TRY(const auto revision, number(*header, "revision"));
  return Header{id_of(*header, "cluster_id"), id_of(*header, "member_id"), revision};
}

Result<std::vector<KeyValue>> found_by(const Object& response) {
  for (const char* name : {"response_range", "responseRange"}) {
    TRY(const auto range, response.object_or_none(name));
    if (range) return key_values(*range);
  }
  return std::vector<KeyValue>();
}

Result<WatchEvent> event_of(const Object& object) {
  TRY(const auto type, text_of(object, "type"));
  TRY(const auto record, object.object("kv"));
  TRY(auto parsed, key_value(record));
  if (type != "" && type != "PUT" && type != "DELETE")
    return fail(Code::kInvalid, "field {} is of a kind that is not known: {}",
                object.path_of("type"), type.substr(0, 32));
  TRY(const auto replaced, object.object_or_none("prev_kv"));
  WatchEvent event{type == "DELETE" ? WatchEvent::Type::kDelete : WatchEvent::Type::kPut,
                   std::move(parsed)};
  if (!replaced) return event;
  TRY(auto before, key_value(*replaced));
  event.before = std::move(before.value);
  return event;
}

Result<WatchAnswer> watch_answer(const Object& object) {
  WatchAnswer answer;
  TRY(const auto header, header_of(object));
  answer.cluster_id = header.cluster_id;
  answer.revision = header.revision;
  TRY(answer.created, flag(object, "created"));
  TRY(answer.canceled, flag(object, "canceled"));
  TRY(answer.compact_revision, number(object, "compact_revision"));
  TRY(answer.cancel_reason, text_of(object, "cancel_reason"));
  TRY(const auto events, object.objects_or_empty("events"));
  for (const Object& one : events) {
    TRY(auto event, event_of(one));
    answer.events.push_back(std::move(event));
  }
  return answer;
}

Result<LeaseAnswer> lease_answer(const Object& object) {
  TRY(const auto id, number(object, "ID"));
  TRY(const auto ttl, number(object, "TTL"));
  return LeaseAnswer{id, ttl};
}

// The refusal that an object is, if it is one.
std::optional<Refusal> refusal_of(const Json& document) {
  const auto field = [](const Json& object, const char* name) -> const Json* {
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
  };
  const Json* inner = &document;
  if (!document.is_object()) return std::nullopt;
  if (const Json* error = field(document, "error"); error != nullptr && error->is_object())
    inner = error;
  Refusal refusal;
  for (const char* name : {"grpc_code", "code"})
    if (const Json* code = field(*inner, name); code != nullptr && code->is_number_integer())
      refusal.code = static_cast<int>(code->get<std::int64_t>());
  for (const char* name : {"error", "message"})
    if (const Json* text = field(*inner, name); text != nullptr && text->is_string())
      refusal.text = text->get<std::string>();
  if (refusal.text.empty() && refusal.code < 0 && inner == &document) return std::nullopt;
  return refusal;
}

// Streams wrap each answer: {"result":{...}}.
template <class Answer>
Result<StreamLine<Answer>> stream_line(std::string_view line,
                                       Result<Answer> (*parse)(const Object&)) {
  TRY(const Json document, json::parse(line));
  TRY(const auto object, Object::of(document));
  TRY(const auto result, object.object_or_none("result"));
  if (!result) {
    if (auto refusal = refusal_of(document)) return StreamLine<Answer>(std::move(*refusal));
    return fail(Code::kInvalid, "the line has neither a result nor an error");
  }
  TRY(auto answer, parse(*result));
  return StreamLine<Answer>(std::move(answer));
}

}  // namespace

Result<RangeAnswer> parse_range(std::string_view text) {
  TRY(const Json document, json::parse(text));
  TRY(const auto object, Object::of(document));
  TRY(const auto header, header_of(object));
  TRY(const bool more, flag(object, "more"));
  TRY(auto found, key_values(object));
  return RangeAnswer{header.revision, more, std::move(found)};
}

Result<TxnAnswer> parse_txn(std::string_view text) {
  TRY(const Json document, json::parse(text));
  TRY(const auto object, Object::of(document));
  TRY(const auto header, header_of(object));
  TRY(const bool succeeded, flag(object, "succeeded"));
  TxnAnswer answer{header.revision, succeeded, {}};
  TRY(const auto responses, object.objects_or_empty("responses"));
  for (const Object& response : responses) {
    TRY(auto found, found_by(response));
    answer.found.push_back(std::move(found));
  }
  return answer;
}

Result<std::string> parse_authenticate(std::string_view text) {
  TRY(const Json document, json::parse(text));
  TRY(const auto object, Object::of(document));
  return object.string("token");
}

Result<StatusAnswer> parse_status(std::string_view text) {
  TRY(const Json document, json::parse(text));
  TRY(const auto object, Object::of(document));
  TRY(auto header, header_of(object));
  TRY(auto version, text_of(object, "version"));
  return StatusAnswer{std::move(version), std::move(header.member_id), id_of(object, "leader"),
                      header.revision};
}

Refusal parse_refusal(std::string_view text) {
  if (const auto document = json::parse(text))
    if (auto refusal = refusal_of(*document)) return *refusal;
  std::string shown(text.substr(0, 200));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = ' ';
  return {-1, shown};
}

Result<StreamLine<WatchAnswer>> parse_watch_line(std::string_view line) {
  return stream_line<WatchAnswer>(line, watch_answer);
}
Result<StreamLine<LeaseAnswer>> parse_lease_keep_alive(std::string_view text) {
  return stream_line<LeaseAnswer>(text, lease_answer);
}

}  // namespace fairlead::state::etcd
