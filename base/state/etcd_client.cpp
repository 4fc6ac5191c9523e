#include "base/state/etcd_client.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "base/state/txn.h"
#include "base/unique_fd.h"

namespace fairlead::state::etcd {

namespace {

using std::chrono::milliseconds;
using Time = std::chrono::steady_clock::time_point;

constexpr milliseconds kFirstPause{25};  // after all members failed; doubles
constexpr milliseconds kLongestPause{400};
constexpr int kMostTokens = 2;        // that one call asks for
constexpr int kPasswordTimeouts = 3;  // call timeouts that a check of the password may last

constexpr int kInvalidArgument = 3, kTimedOut = 4, kPermissionDenied = 7, kResourceExhausted = 8,
              kUnavailableCode = 14, kUnauthenticated = 16, kUnknown = 2, kCanceled = 1;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Members forget tokens when they restart, and change them when users change.
bool asks_for_token(int status, const Refusal& refusal) {
  return status == 401 || refusal.code == kUnauthenticated ||
         contains(refusal.text, "invalid auth token") ||
         contains(refusal.text, "revision of auth store is old") ||
         contains(refusal.text, "user name is empty");
}

// Another member, or this one a little later, may say something else.
bool is_passing(int status, const Refusal& refusal) {
  const int code = refusal.code;
  return status >= 500 || code == kUnavailableCode || code == kTimedOut || code == kCanceled ||
         code == kUnknown || contains(refusal.text, "too many requests");
}

Result<std::string> read_password(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open the password file " + path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "read " + path);
  if ((status.st_mode & 077) != 0)
    return fail(Code::kInvalid, "the password file {} can be read by others; chmod 600 it", path);
  std::string text(4096, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return fail_errno(errno, "read " + path);
  text.resize(static_cast<std::size_t>(size));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

Status check(const EtcdConfig& config) {
  const auto wrong = [](std::string_view why) {
    return fail(Code::kInvalid, "the configuration of etcd is wrong: {}", why);
  };
  if (config.endpoints.empty()) return wrong("no endpoint is given");
  if (!is_key(config.prefix) || !config.prefix.starts_with('/') || !config.prefix.ends_with('/'))
    return wrong("the prefix must be printable ASCII between two '/'");
  if (config.certificate_file.empty() != config.key_file.empty())
    return wrong("a client certificate needs its key, and a key its certificate");
  if (config.user.empty() != config.password_file.empty())
    return wrong("a user needs a password file, and a password file its user");
  if (config.call_timeout <= milliseconds(0) || config.deadline < config.call_timeout)
    return wrong("the deadline must be at least the timeout of a call, and both above 0");
  return {};
}

milliseconds left_until(Time deadline) {
  return std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
}

}  // namespace

Error refusal_error(std::string_view action, const Refusal& refusal) {
  const auto make = [&](Code code, std::string_view hint) {
    return Error{code, 0, fmt::format("{}: etcd refused: {}{}", action, refusal.text, hint)};
  };
  if (contains(refusal.text, "database space exceeded"))
    return make(Code::kExhausted, "; compact and defragment it, then disarm its alarm");
  if (refusal.code == kPermissionDenied)
    return make(Code::kIo, "; give the user's role read and write access to the prefix");
  if (refusal.code == kResourceExhausted) return make(Code::kExhausted, "");
  if (refusal.code == kInvalidArgument) return make(Code::kInvalid, "");
  return make(Code::kIo, "");
}

Result<std::shared_ptr<Client>> Client::make(const EtcdConfig& config) {
  TRY_STATUS(check(config));
  std::shared_ptr<Client> client(new Client(config));
  const http_client::TlsFiles tls{config.ca_file, config.certificate_file, config.key_file};
  for (const std::string& url : config.endpoints) {
    TRY(const auto endpoint, http_client::ServerAddress::parse(url));
    client->endpoints_.push_back(endpoint.text());
    client->members_.push_back(
        std::make_unique<http_client::Client>(http_client::tcp_server(endpoint, tls)));
  }
  return client;
}

Result<Reply> Client::call(Call& call) {
  const Deadline deadline = std::chrono::steady_clock::now() + config_.deadline;
  std::vector<std::string> causes(members_.size());
  milliseconds pause = kFirstPause;
  int tokens = 0;
  for (std::size_t failures = 0;;) {
    const std::size_t member = current_;
    Attempt tried = attempt(member, call, deadline);
    if (tried.kind == Attempt::Kind::kAnswered) return std::move(tried.reply);
    call.unsure = call.unsure || tried.may_have_acted;
    // What the deadline has cut short says less than what was seen before.
    const bool is_over = left_until(deadline) <= milliseconds(0);
    if (!is_over || causes[member].empty()) causes[member] = tried.cause;
    if (tried.kind == Attempt::Kind::kNewToken && ++tokens <= kMostTokens) continue;
    if (is_over) return fail(unanswered(causes));
    std::size_t expected = member;
    current_.compare_exchange_strong(expected, (member + 1) % members_.size());
    if (++failures % members_.size() != 0) continue;
    std::this_thread::sleep_for(std::min(pause, left_until(deadline)));
    pause = std::min(2 * pause, kLongestPause);
  }
}

Result<Reply> Client::call_member(std::size_t member, const Call& call) {
  const Deadline deadline = std::chrono::steady_clock::now() + config_.call_timeout;
  Attempt tried = attempt(member, call, deadline);
  if (tried.kind == Attempt::Kind::kNewToken) tried = attempt(member, call, deadline);
  if (tried.kind == Attempt::Kind::kAnswered) return std::move(tried.reply);
  return fail(Code::kUnavailable, "etcd at {}: {}", endpoint(member), tried.cause);
}

Client::Attempt Client::attempt(std::size_t member, const Call& call, Deadline deadline) {
  Attempt tried;
  const auto used = token(member, deadline);
  if (!used && used.error().code == Code::kInvalid)
    return refused({.refusal = {kUnauthenticated, used.error().text}});
  if (!used) {
    tried.cause = used.error().text;
    return tried;
  }
  const auto most_wait = std::clamp(left_until(deadline), milliseconds(1), config_.call_timeout);
  auto answer = members_[member]->call(request(call, *used), most_wait);
  if (!answer && answer.error().code == Code::kExhausted)
    return refused({.is_too_long = true, .refusal = {kResourceExhausted, answer.error().text}});
  if (!answer) {
    tried.may_have_acted = answer.error().code == Code::kIo;
    tried.cause = answer.error().text;
    return tried;
  }
  tried = judge(std::move(*answer));
  if (tried.kind == Attempt::Kind::kNewToken) drop_token(*used);
  return tried;
}

Client::Attempt Client::refused(Reply reply) {
  reply.refused = true;
  return {.kind = Attempt::Kind::kAnswered, .reply = std::move(reply)};
}

Client::Attempt Client::judge(http_client::Response answer) {
  // Streams that hold one answer, as of a heartbeat, may say no with status 200.
  const bool is_answer = answer.status == 200 && !answer.body.starts_with(R"({"error")");
  if (is_answer)
    return {.kind = Attempt::Kind::kAnswered, .reply = {.body = std::move(answer.body)}};
  Refusal refusal = parse_refusal(answer.body);
  if (refusal.text.empty()) refusal.text = fmt::format("HTTP status {}", answer.status);
  if (asks_for_token(answer.status, refusal))
    return {.kind = Attempt::Kind::kNewToken, .cause = refusal.text};
  if (is_passing(answer.status, refusal))
    return {.kind = Attempt::Kind::kTryAgain, .may_have_acted = true, .cause = refusal.text};
  return refused({.refusal = std::move(refusal)});
}

http_client::Request Client::request(const Call& call, const std::string& token) const {
  http_client::Request made{.path = std::string(call.path), .headers = {}, .body = call.body};
  // A member without a leader says so at once, instead of after 7 s or, to a watch, never.
  made.headers.emplace_back("Grpc-Metadata-hasleader", "true");
  if (!token.empty()) made.headers.emplace_back("Authorization", token);
  return made;
}

Result<Client::Stream> Client::open_stream(std::size_t member, const Call& call,
                                           const std::stop_token& stop) {
  const Deadline deadline = std::chrono::steady_clock::now() + config_.call_timeout;
  TRY(auto used, token(member, deadline));
  TRY(auto lines, http_client::LineStream::open(members_[member]->server(), request(call, used),
                                                config_.call_timeout, stop));
  return Stream{std::move(lines), std::move(used)};
}

Result<std::string> Client::token(std::size_t member, Deadline deadline) {
  if (config_.user.empty()) return std::string();
  const std::scoped_lock hold(token_mutex_);
  if (!has_token_) {
    TRY(token_, authenticate(member, deadline));
    has_token_ = true;
  }
  return token_;
}

// Takes long by design (bcrypt), and longer when all hosts come back at once.
Result<std::string> Client::authenticate(std::size_t member, Deadline deadline) {
  TRY(const std::string password, read_password(config_.password_file));
  const Call call{kAuthenticatePath, encode(AuthenticateRequest{config_.user, password})};
  TRY(auto answer, members_[member]->call(request(call, ""),
                                          std::clamp(left_until(deadline), milliseconds(1),
                                                     kPasswordTimeouts * config_.call_timeout)));
  if (answer.status == 200) return parse_authenticate(answer.body);
  const Refusal refusal = parse_refusal(answer.body);
  if (contains(refusal.text, "authentication is not enabled")) {
    log::warn("etcd.authentication.off", {{"endpoint", endpoint(member)}});
    return std::string();
  }
  if (is_passing(answer.status, refusal)) return fail(Code::kUnavailable, "{}", refusal.text);
  return fail(Code::kInvalid, "user {} of {}: {}", config_.user, config_.password_file,
              refusal.text);
}

void Client::drop_token(const std::string& token) {
  const std::scoped_lock hold(token_mutex_);
  if (token == token_) has_token_ = false;
}

Error Client::unanswered(const std::vector<std::string>& causes) const {
  std::string text;
  for (std::size_t i = 0; i < causes.size(); ++i)
    text += fmt::format("{}{}: {}", i == 0 ? "" : "; ", endpoint(i),
                        causes[i].empty() ? "not asked" : causes[i]);
  return {Code::kUnavailable, 0,
          fmt::format("etcd did not answer within {} ms ({}); check that it runs, has a leader and "
                      "can be reached",
                      config_.deadline.count(), text)};
}

}  // namespace fairlead::state::etcd
