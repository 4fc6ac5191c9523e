// The client over a real socket: what it asks, and what it makes of whatever comes back.
#include "plugin-api/engine/names_client.h"

#include <gmock/gmock.h>

#include <mutex>

#include "base/json/json.h"
#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::engine {
namespace {

using http::testing::RunningServer;
using http::testing::TemporaryFolder;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// Answers everything with the same, and remembers what it was asked.
class Dockerd {
 public:
  explicit Dockerd(std::string body, int status = 200)
      : server_([this, body = std::move(body), status](const http::Request& request) {
          const std::scoped_lock hold(guard_);
          asked_ = request;
          return http::Response{.status = status, .body = body, .headers = {}};
        }) {}
  std::unique_ptr<NamesClient> client() { return make_names_client(server_.path); }
  http::Request asked() {
    const std::scoped_lock hold(guard_);
    return asked_;
  }

 private:
  std::mutex guard_;
  http::Request asked_;
  RunningServer server_;
};

TEST(NamesClient, AsksForAllAndForOne) {
  Dockerd docker(R"([{"Id":"6cdb","Name":"shop"}])");
  const auto client = docker.client();
  const auto all = client->networks("", {});
  ASSERT_TRUE(all) << all.error().text;
  EXPECT_THAT(*all, SizeIs(1));
  EXPECT_EQ(docker.asked().method, "GET");
  EXPECT_EQ(docker.asked().path, "/networks");
  EXPECT_THAT(docker.asked().query, IsEmpty());
  ASSERT_TRUE(client->networks("6cdb", {}));
  EXPECT_EQ(docker.asked().query["filters"], R"({"id":["6cdb"]})");
  ASSERT_TRUE(client->containers({}));
  EXPECT_EQ(docker.asked().path, "/containers/json");
  EXPECT_THAT(docker.asked().query, IsEmpty());
}

TEST(NamesClient, AsksForTheEndpointsOfOneContainer) {
  Dockerd docker(
      R"({"Id":"f1e2","Name":"/web","NetworkSettings":{"Networks":{"a":{"NetworkID":"n1","EndpointID":"e1"}}}})");
  const auto endpoints = docker.client()->endpoints("f1e2", {});
  ASSERT_TRUE(endpoints) << endpoints.error().text;
  EXPECT_THAT(*endpoints, SizeIs(1));
  EXPECT_EQ(docker.asked().path, "/containers/f1e2/json");
  Dockerd none(R"({"message":"No such container: f1e2"})", 404);
  const auto gone = none.client()->endpoints("f1e2", {});
  ASSERT_TRUE(gone) << gone.error().text;
  EXPECT_THAT(*gone, IsEmpty());
}

// An event could bring anything as an id.
TEST(NamesClient, WhatIsNoIdIsNotAskedFor) {
  Dockerd docker("[]");
  for (const char* id : {"a b", "x\"]}", "../containers", "a%22", "a\r\nX: y"}) {
    EXPECT_FALSE(docker.client()->networks(id, {})) << id;
    EXPECT_FALSE(docker.client()->endpoints(id, {})) << id;
  }
  EXPECT_EQ(docker.asked().path, "");
}

TEST(NamesClient, FollowsTheEventsThatChangeNames) {
  Dockerd docker(
      "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"f1e2\"}}\n\n"
      "{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"6cdb\"}}\n");
  std::vector<NameEvent> events;
  bool ready = false;
  const Status ended = docker.client()->follow(
      {}, [&] { ready = true; }, [&](const NameEvent& event) { events.push_back(event); });
  EXPECT_TRUE(ended) << ended.error().text;
  EXPECT_TRUE(ready);
  EXPECT_EQ(events, (std::vector<NameEvent>{{{}, "f1e2"}, {"6cdb", {}}}));
  const auto filters = json::parse(docker.asked().query["filters"]);
  ASSERT_TRUE(filters) << docker.asked().query["filters"];
  EXPECT_EQ((*filters)["event"], json::Json::parse(R"(["create","start","rename","connect"])"));
}

TEST(NamesClient, OtherAnswersAreErrors) {
  for (const auto& [body, status] :
       {std::pair("[]", 500), std::pair("{\"message\":\"client version is too old\"}", 400),
        std::pair("<html>", 200), std::pair("", 200)}) {
    Dockerd docker(body, status);
    EXPECT_FALSE(docker.client()->networks("", {})) << body;
    EXPECT_FALSE(docker.client()->containers({})) << body;
    EXPECT_FALSE(docker.client()->endpoints("f1e2", {})) << body;
    EXPECT_FALSE(docker.client()->endpoints("", {})) << body;
  }
  Dockerd garbage("not an event\n");
  EXPECT_FALSE(garbage.client()->follow(
      {}, [] {}, [](const NameEvent&) {}));
  Dockerd refusing("{}", 404);
  EXPECT_FALSE(refusing.client()->follow(
      {}, [] { ADD_FAILURE() << "nothing is listened to"; }, [](const NameEvent&) {}));
}

TEST(NamesClient, NobodyListens) {
  const TemporaryFolder folder;
  const auto client = make_names_client(folder / "docker.sock");
  const auto networks = client->networks("", {});
  ASSERT_FALSE(networks);
  EXPECT_EQ(networks.error().code, Code::kUnavailable);
}

// Accepts connections and says what it is told, which need not be HTTP.
class RawServer {
 public:
  explicit RawServer(std::string text)
      : path(folder_ / "docker.sock"),
        socket_(std::move(http::listen_unix(path, 0600, "").value())),
        thread_([this, text = std::move(text)](const std::stop_token& stop) {
          std::vector<UniqueFd> open;
          pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
          while (!stop.stop_requested()) {
            if (::poll(&entry, 1, 10) != 1) continue;
            open.emplace_back(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            (void)::send(open.back().get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (!text.empty()) open.pop_back();
          }
        }) {}

 private:
  TemporaryFolder folder_;

 public:
  const std::string path;

 private:
  UniqueFd socket_;
  std::jthread thread_;
};

TEST(NamesClient, GarbageIsAnError) {
  for (const char* text :
       {"garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\1\2\3"}) {
    const RawServer server(text);
    EXPECT_FALSE(make_names_client(server.path)->networks("", {})) << text;
  }
}

TEST(NamesClient, AStopEndsWhateverItWaitsFor) {
  for (const char* text : {"", "HTTP/1.1 200 OK\r\n\r\n"}) {
    const RawServer silent(text);
    const auto client = make_names_client(silent.path);
    std::stop_source stop;
    const auto start = std::chrono::steady_clock::now();
    std::jthread asking([&] {
      (void)client->containers(stop.get_token());
      (void)client->follow(
          stop.get_token(), [] {}, [](const NameEvent&) {});
    });
    stop.request_stop();
    asking.join();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
  }
}

}  // namespace
}  // namespace fairlead::engine
