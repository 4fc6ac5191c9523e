// Containers that Docker gave up on: which they are, and how they are started, over a fake of dockerd's API.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "plugin-api/engine/restarts.h"
#include "plugin-api/http/server.h"

namespace fairlead::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kId = "7d4c1a";

StoppedContainer given_up() {
  return {.id = kId,
          .name = "web",
          .status = "exited",
          .error =
              "error while mounting volume '': VolumeDriver.Mount: dial unix "
              "/run/docker/plugins/fairlead.sock: connect: connection refused",
          .restart_policy = "always"};
}

TEST(EngineCodec, AnswersOfDockerdAreRead) {
  EXPECT_THAT(*decode_ids(R"([{"Id": "7d4c1a", "Names": ["/web"]}, {"Id": "00ff"}])"),
              ElementsAre("7d4c1a", "00ff"));
  EXPECT_THAT(*decode_ids("[]"), IsEmpty());
  const auto read =
      decode_container(R"({"Id": "7d4c1a", "Name": "/web", "State": {"Status": "exited",
      "ExitCode": 255, "Error": "why"}, "HostConfig": {"RestartPolicy": {"Name": "always"}}})");
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, (StoppedContainer{"7d4c1a", "web", "exited", "why", "always"}));
  EXPECT_EQ(decode_message(R"({"message": "no such container"})"), "no such container");
  EXPECT_EQ(decode_message("<html>"), "<html>");
}

// An id becomes a part of a path.
TEST(EngineCodec, NonsenseIsRefused) {
  for (const char* text : {"", "{}", "[7]", "[{}]", R"([{"Id": 7}])", R"([{"Id": "../x"}])",
                           R"([{"Id": ""}])", "[[]]", "null"})
    EXPECT_FALSE(decode_ids(text)) << text;
  for (const char* text : {"", "[]", "{}", R"({"Id": "a/b"})", R"({"Id": {"a": 1}})", "7"})
    EXPECT_FALSE(decode_container(text)) << text;
  const auto odd = decode_container(R"({"Id": "00", "Name": 7, "State": [], "HostConfig": "x"})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->error, "");
}

TEST(GivenUp, IsWhatMissedThePluginAndIsToRunAlways) {
  EXPECT_TRUE(is_given_up(given_up(), "fairlead"));
  for (const char* error :
       {"failed to create endpoint web on network shop: plugin \"fairlead\" not found",
        "legacy plugin: Post "
        "\"http://%2Frun%2Fdocker%2Fplugins%2Ffairlead.sock/NetworkDriver.Join\"",
        "get data: error while checking if volume \"data\" exists in driver \"fairlead\": error "
        "looking "
        "up volume plugin fairlead: plugin \"fairlead\" not found"}) {
    StoppedContainer container = given_up();
    container.error = error;
    EXPECT_TRUE(is_given_up(container, "fairlead")) << error;
    EXPECT_FALSE(is_given_up(container, "other")) << error;
  }
}

TEST(GivenUp, IsNothingElse) {
  const auto changed = [](auto member, const char* value) {
    StoppedContainer container = given_up();
    container.*member = value;
    return container;
  };
  using C = StoppedContainer;
  for (const C& container :
       {changed(&C::error, ""),  // somebody has stopped it
        changed(&C::error, "network fairlead-test not found"),
        changed(&C::error, "exec: \"fairlead\": executable file not found in $PATH"),
        changed(&C::restart_policy, "no"), changed(&C::restart_policy, ""),
        changed(&C::restart_policy, "on-failure"), changed(&C::status, "running"),
        changed(&C::status, "paused"), changed(&C::status, "dead")})
    EXPECT_FALSE(is_given_up(container, "fairlead")) << container.error << container.status;
}

// dockerd's API on a socket, as far as it is asked.
class FakeDockerd {
 public:
  // `containers`: what inspect says of each; nothing: it was removed meanwhile.
  FakeDockerd(const std::string& path, std::map<std::string, std::string> containers)
      : containers_(std::move(containers)) {
    auto socket = http::listen_unix(path, 0600, "");
    std::vector<http::Listener> listeners;
    listeners.push_back({std::move(*socket), path,
                         [this](const http::Request& request) { return answer(request); }});
    server_ = std::move(*http::make_server(std::move(listeners), {}));
    thread_ = std::thread([this] { server_->run(); });
  }
  ~FakeDockerd() {
    server_->stop();
    thread_.join();
  }

  http::Response to_start{.status = 204, .content_type = "", .body = "", .headers = {}};
  std::vector<std::string> started() {
    const std::lock_guard hold(guard_);
    return started_;
  }

 private:
  const std::map<std::string, std::string> containers_;
  http::Response answer(const http::Request& request) {
    const auto json = [](int status, std::string body) {
      return http::Response{.status = status,
                            .content_type = "application/json",
                            .body = std::move(body),
                            .headers = {}};
    };
    if (request.path == "/containers/json") {
      EXPECT_EQ(request.query.at("all"), "true");
      EXPECT_EQ(request.query.at("filters"), R"({"status":["created","exited"]})");
      std::string list;
      for (const auto& [id, text] : containers_)
        list += (list.empty() ? "" : ",") + fmt::format(R"({{"Id":"{}"}})", id);
      return json(200, "[" + list + "]\n");
    }
    const std::string id = request.path.substr(12, request.path.rfind('/') - 12);
    const auto found = containers_.find(id);
    if (request.method == "POST") {
      const std::lock_guard hold(guard_);
      started_.push_back(id);
      return to_start;
    }
    if (found == containers_.end() || found->second.empty())
      return json(404, R"({"message":"No such container"})");
    return json(200, found->second);
  }

  std::mutex guard_;
  std::vector<std::string> started_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

std::string inspected(const std::string& id, const std::string& error,
                      const std::string& policy = "always") {
  return fmt::format(R"({{"Id":"{0}","Name":"/c{0}","State":{{"Status":"exited","Error":"{1}"}},)"
                     R"("HostConfig":{{"RestartPolicy":{{"Name":"{2}"}}}}}})",
                     id, error, policy);
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { std::filesystem::create_directories(folder_); }
  ~EngineTest() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ / "docker.sock"; }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / fmt::format("engine-{}", ::getpid());
  const std::string missed_ = "dial unix /run/docker/plugins/fairlead.sock: no such file";
};

TEST_F(EngineTest, StartsWhatDockerGaveUpOnAndNothingElse) {
  FakeDockerd dockerd(path(), {{"a1", inspected("a1", missed_)},
                               {"a2", inspected("a2", "")},
                               {"a3", inspected("a3", missed_, "no")},
                               {"a4", ""},  // removed meanwhile
                               {"a5", inspected("a5", missed_, "unless-stopped")}});
  const auto engine = make_engine(path());
  Restarter restarter(*engine, "fairlead");
  const auto started = restarter.start_given_up({});
  ASSERT_TRUE(started) << started.error().text;
  EXPECT_EQ(*started, 2U);
  EXPECT_THAT(dockerd.started(), ElementsAre("a1", "a5"));
}

// compose's `network_mode: service:vpn`
TEST_F(EngineTest, WhatSharesTheNetworkOfAnotherIsStartedAfterIt) {
  const std::string shares = "cannot join network of a non running container: ";
  FakeDockerd dockerd(path(), {{"0a", inspected("0a", shares + "a1")},
                               {"0b", inspected("0b", shares + "ff")},
                               {"0c", inspected("0c", shares + "a1", "no")},
                               {"a1", inspected("a1", missed_)}});
  const auto engine = make_engine(path());
  EXPECT_EQ(*Restarter(*engine, "fairlead").start_given_up({}), 2U);
  EXPECT_THAT(dockerd.started(), ElementsAre("a1", "0a"));
}

TEST_F(EngineTest, ARefusalKeepsNobodyElseFromBeingStarted) {
  FakeDockerd dockerd(path(), {{"a1", inspected("a1", missed_)}, {"a2", inspected("a2", missed_)}});
  dockerd.to_start = {
      .status = 500,
      .content_type = "application/json",
      .body = R"({"message":"endpoint with name web already exists in network shop"})",
      .headers = {}};
  const auto engine = make_engine(path());
  Restarter restarter(*engine, "fairlead");
  EXPECT_EQ(*restarter.start_given_up({}), 0U);
  EXPECT_THAT(dockerd.started(), ElementsAre("a1", "a2"));
  const Status refused = engine->start("a1", {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("dockerd says: endpoint with name web"));
  dockerd.to_start.status = 304;  // it runs already
  EXPECT_EQ(*restarter.start_given_up({}), 2U);
}

TEST_F(EngineTest, WithoutDockerdNothingHappensAndAStopIsHeard) {
  const auto engine = make_engine(path());
  Restarter restarter(*engine, "fairlead");
  const auto nobody = restarter.start_given_up({});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Code::kUnavailable);
  Restarts restarts(make_engine(path()), "fairlead");  // its end is not waited for
}

// dockerd that accepts and says nothing, as while it starts.
TEST_F(EngineTest, AStopEndsACallThatWaits) {
  const auto silent = http::listen_unix(path(), 0600, "");
  ASSERT_TRUE(silent);
  const auto begin = std::chrono::steady_clock::now();
  {
    Restarts restarts(make_engine(path()), "fairlead");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(EngineTest, DockerdThatComesLaterIsAskedThen) {
  Restarts restarts(make_engine(path()), "fairlead");
  FakeDockerd dockerd(path(), {{"a1", inspected("a1", missed_)}});
  for (int i = 0; i < 500 && dockerd.started().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(dockerd.started().empty());
}

}  // namespace
}  // namespace fairlead::engine
