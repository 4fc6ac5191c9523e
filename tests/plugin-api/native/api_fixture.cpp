#include "tests/plugin-api/native/api_fixture.h"

#include <fcntl.h>

#include <algorithm>
#include <sstream>

namespace fairlead::testing {

class FakeFeed::Subscription : public ChangeSubscription {
 public:
  explicit Subscription(FakeFeed& feed) : feed_(feed) {}
  ~Subscription() override { feed_.on_batch_ = {}; }

 private:
  FakeFeed& feed_;
};

Result<std::unique_ptr<ChangeSubscription>> FakeFeed::watch(
    std::int64_t after, std::function<void(const ChangeBatch&)> on_batch) {
  if (after < forgotten_) return fail(Code::kConflict, "forgotten; list again");
  on_batch_ = std::move(on_batch);
  for (const ChangeBatch& batch : past_)
    if (batch.revision > after) on_batch_(batch);
  return std::make_unique<Subscription>(*this);
}

void FakeFeed::put(ChangeBatch batch) {
  revision_ = std::max(revision_, batch.revision);
  past_.push_back(batch);
  if (on_batch_) on_batch_(batch);
}

ApiTest::ApiTest() = default;
ApiTest::~ApiTest() = default;

http::Response ApiTest::send(std::string method, std::string target, std::string body) {
  http::Request request;
  request.method = std::move(method);
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  std::istringstream pairs(question == std::string::npos ? "" : target.substr(question + 1));
  for (std::string pair; std::getline(pairs, pair, '&');)
    request.query[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
  request.body = std::move(body);
  request.hung_up = hung_up_;
  return handler_(request);
}

json::Json ApiTest::parsed(const http::Response& response) {
  return json::parse(response.body).value();
}

void ApiTest::expect_problem(const http::Response& response, int status, std::string_view code,
                             std::string_view part) {
  EXPECT_EQ(response.status, status) << response.body;
  EXPECT_EQ(response.content_type, "application/problem+json");
  const json::Json problem = json::parse(response.body).value();
  EXPECT_EQ(problem["code"], code);
  EXPECT_EQ(problem["status"], status);
  EXPECT_EQ(problem["type"], "urn:fairlead:problem:" + std::string(code));
  EXPECT_NE(problem["detail"].get<std::string>().find(part), std::string::npos)
      << problem["detail"];
}

native::Services ApiTest::services() {
  return {.networks = networks_,
          .volumes = volumes_,
          .pools = pools_,
          .jobs = jobs_,
          .groups = groups_,
          .open_netns = [this](const std::string& path) -> Result<UniqueFd> {
            opened_.push_back(path);
            if (path == "/run/netns/gone")
              return fail(Code::kNotFound, "open {}: it is no network namespace", path);
            return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
          },
          .changes = &feed_,
          .version = "1.2.3"};
}

}  // namespace fairlead::testing
