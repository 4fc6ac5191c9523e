// Makes the members of an etcd cluster look like one server: it does failover, deadlines and
// tokens.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_client/http_client.h"
#include "base/state/etcd_config.h"
#include "base/state/etcd_gateway.h"

namespace fairlead::state::etcd {

// One unary call. It may be sent several times, and may be carried out more than once, even after
// `call` has returned: the caller must make sure that this does no harm.
struct Call {
  std::string_view path;
  std::string body;
  // Set by the client when an attempt got no answer: it may have been carried out, or may be later.
  bool unsure = false;
};

// What etcd answered: a result, or a refusal that every other member would repeat.
struct Reply {
  bool refused = false;
  bool is_too_long = false;  // refused by this client: the answer is longer than the limit
  std::string body;
  Refusal refusal;
};

// The error for a refusal: "commit: etcd refused: ...". kExhausted when etcd's database is full,
// kInvalid for a bad argument, kIo for a missing permission and everything else.
Error refusal_error(std::string_view action, const Refusal& refusal);

// Thread-safe.
class Client {
 public:
  // kInvalid for a malformed configuration. Sends nothing.
  static Result<std::shared_ptr<Client>> make(const EtcdConfig& config);

  // Asks one member after the other until one answers. kUnavailable when the deadline passes; the
  // text names each endpoint and what was wrong with it.
  Result<Reply> call(Call& call);

  // Asks this one member, once.
  Result<Reply> call_member(std::size_t member, const Call& call);

  // An answer without an end, from one member.
  struct Stream {
    std::unique_ptr<http_client::LineStream> lines;
    std::string token;  // the token that it was opened with
  };
  Result<Stream> open_stream(std::size_t member, const Call& call, const std::stop_token& stop);

  // Makes the next call authenticate again, unless another thread has done so since `token` was
  // issued.
  void drop_token(const std::string& token);

  std::size_t members() const { return members_.size(); }
  std::string endpoint(std::size_t member) const { return endpoints_[member]; }
  // The member that answered last.
  std::size_t current() const { return current_; }
  const EtcdConfig& config() const { return config_; }

 private:
  // The outcome of one attempt.
  struct Attempt {
    enum class Kind { kAnswered, kTryAgain, kNewToken };
    Kind kind = Kind::kTryAgain;
    bool may_have_acted = false;
    Reply reply;        // kAnswered
    std::string cause;  // otherwise
  };
  using Deadline = std::chrono::steady_clock::time_point;

  explicit Client(EtcdConfig config) : config_(std::move(config)) {}
  Attempt attempt(std::size_t member, const Call& call, Deadline deadline);
  static Attempt judge(http_client::Response answer);
  static Attempt refused(Reply reply);
  http_client::Request request(const Call& call, const std::string& token) const;
  // The present token, or a new one from this member; empty without authentication.
  Result<std::string> token(std::size_t member, Deadline deadline);
  Result<std::string> authenticate(std::size_t member, Deadline deadline);
  Error unanswered(const std::vector<std::string>& causes) const;

  EtcdConfig config_;
  std::vector<std::unique_ptr<http_client::Client>> members_;
  std::vector<std::string> endpoints_;  // of the members
  std::atomic<std::size_t> current_{0};
  std::mutex token_mutex_;
  std::string token_;
  bool has_token_ = false;
};

}  // namespace fairlead::state::etcd
