// What a client meets that its service in the same process does not: a daemon that fails, is slow,
// is gone, comes back, or is another one.
#include "plugin-api/client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "plugin-api/client/daemon_api.h"
#include "plugin-api/native/codec.h"
#include "plugin-api/native/native_handler.h"
#include "tests/plugin-api/http/http_fixture.h"
#include "tests/plugin-api/native/samples.h"
#include "tests/support/mock_services.h"

namespace fairlead::testing {
namespace {

using namespace std::chrono_literals;
using client::make_remote_network_service;
using client::make_remote_volume_service;
using http::testing::RunningServer;
using http::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Return;

class RemoteClient : public ::testing::Test {
 protected:
  http::Handler handler() {
    return [this, native = native::make_native_handler({.networks = networks_,
                                                        .volumes = volumes_,
                                                        .pools = pools_,
                                                        .jobs = jobs_,
                                                        .groups = groups_,
                                                        .version = "1.2.3"})](
               const http::Request& request) {
      requests_.push_back(request);
      return native(request);
    };
  }

  ::testing::NiceMock<MockNetworkService> networks_;
  ::testing::NiceMock<MockVolumeService> volumes_;
  ::testing::NiceMock<MockVolumePools> pools_;
  ::testing::NiceMock<MockVolumeJobs> jobs_;
  ::testing::NiceMock<MockVolumeGroups> groups_;
  std::vector<http::Request> requests_;
  TemporaryFolder folder_;
};

// Answers with these bytes, whatever it is asked.
http::Handler says(int status, const std::string& body) {
  return [=](const http::Request&) {
    return http::Response{
        .status = status, .content_type = "text/plain", .body = body, .headers = {}};
  };
}

TEST_F(RemoteClient, FailuresKeepCodeAndText) {
  const RunningServer server(handler());
  const auto networks = make_remote_network_service(server.path);
  const auto volumes = make_remote_volume_service(server.path);
  for (const Code code :
       {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kConflict, Code::kInUse,
        Code::kExhausted, Code::kUnsupported, Code::kUnavailable, Code::kIo, Code::kInternal}) {
    const Error error{code, 0, "say \"why\", and do this: \xC3\xA4\n"};
    ON_CALL(networks_, list_networks).WillByDefault(Return(fail(error)));
    ON_CALL(volumes_, list).WillByDefault(Return(fail(error)));
    EXPECT_EQ(networks->list_networks().error(), error);
    EXPECT_EQ(volumes->list().error(), error);
  }
}

TEST_F(RemoteClient, WhatTheSamplesHoldComesThrough) {
  ON_CALL(networks_, inspect_network).WillByDefault(Return(shop_network()));
  ON_CALL(networks_, list_endpoints)
      .WillByDefault(Return(std::vector{web_endpoint(), waiting_endpoint()}));
  ON_CALL(networks_, status).WillByDefault(Return(troubled_status()));
  ON_CALL(volumes_, inspect).WillByDefault(Return(data_volume()));
  ON_CALL(volumes_, status).WillByDefault(Return(data_status()));
  ON_CALL(volumes_, inspect_snapshot).WillByDefault(Return(monday_view()));
  ON_CALL(volumes_, mount_snapshot).WillByDefault(Return(monday_view()));
  const std::map<std::string, std::uint64_t> space{{monday_snapshot().id, 4096}};
  ON_CALL(volumes_, snapshot_space).WillByDefault(Return(space));
  ON_CALL(volumes_, trash).WillByDefault(Return(std::vector{old_volume()}));
  ON_CALL(volumes_, check).WillByDefault(Return(troubled_check()));
  const RunningServer server(handler());
  const auto networks = make_remote_network_service(server.path);
  const auto volumes = make_remote_volume_service(server.path);
  // The documents say all that the values hold, so that equal documents mean equal values.
  EXPECT_EQ(native::encode_network(networks->inspect_network(network::NetworkText{"shop"}).value())
                .dump(),
            native::encode_network(shop_network()).dump());
  const auto endpoints = networks->list_endpoints(std::nullopt).value();
  ASSERT_EQ(endpoints.size(), 2U);
  EXPECT_EQ(native::encode_endpoint({endpoints[0], "shop", 0}).dump(),
            native::encode_endpoint({web_endpoint(), "shop", 0}).dump());
  EXPECT_EQ(native::encode_endpoint({endpoints[1], "plain", 0}).dump(),
            native::encode_endpoint({waiting_endpoint(), "plain", 0}).dump());
  const auto status = networks->status().value();
  EXPECT_EQ(status.networks, troubled_status().networks);
  EXPECT_EQ(status.notes, troubled_status().notes);
  const auto volume = volumes->inspect("data").value();
  EXPECT_EQ(native::encode_volume(volume, volumes->status(volume).value()).dump(),
            native::encode_volume(data_volume(), data_status()).dump());
  EXPECT_EQ(native::encode_trashed(volumes->trash().value().at(0)).dump(),
            native::encode_trashed(old_volume()).dump());
  EXPECT_EQ(volumes->check("data", false, {}).value().findings, troubled_check().findings);
  for (const auto& view : {volumes->inspect_snapshot("data", "monday"),
                           volumes->mount_snapshot("data", "monday", "api", "web")})
    EXPECT_EQ(native::encode_view(view.value()).dump(), native::encode_view(monday_view()).dump());
  EXPECT_CALL(volumes_, unmount_snapshot("data", "monday", "api", "web"))
      .WillOnce(Return(Status()));
  EXPECT_TRUE(volumes->unmount_snapshot("data", "monday", "api", "web"));
  EXPECT_EQ(volumes->snapshot_space("data").value(), space);
}

TEST_F(RemoteClient, SaysThatTheDaemonDoesNotRun) {
  const std::string path = folder_ / "api.sock";
  const auto networks = make_remote_network_service(path);
  const auto failed = networks->list_networks();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_EQ(failed.error().text,
            "fairleadd does not run (nobody listens at " + path + "); start it");
  EXPECT_EQ(make_remote_volume_service(path)->remove("data").error().code, Code::kUnavailable);
}

TEST_F(RemoteClient, GoesOnWithADaemonThatWasStartedAgain) {
  ON_CALL(networks_, list_networks)
      .WillByDefault(Return(std::vector<network::NetworkUsage>{{shop_network(), 3}}));
  auto server = std::make_unique<RunningServer>(handler());
  const std::string path = folder_ / "api.sock";
  std::filesystem::create_symlink(server->path, path);
  const auto networks = make_remote_network_service(path);
  EXPECT_EQ(networks->list_networks().value().at(0).endpoints, 3U);
  server.reset();
  EXPECT_EQ(networks->list_networks().error().code, Code::kUnavailable);
  server = std::make_unique<RunningServer>(handler());
  std::filesystem::remove(path);
  std::filesystem::create_symlink(server->path, path);
  EXPECT_TRUE(networks->list_networks());
}

TEST_F(RemoteClient, LeavesASlowDaemonAndSaysThatItMayHaveActed) {
  std::promise<void> end;
  const RunningServer server([done = end.get_future().share()](const http::Request&) {
    done.wait();
    return http::Response{};
  });
  const auto networks = make_remote_network_service(server.path, {.timeout = 50ms});
  const Status failed = networks->remove_network(network::NetworkText{"shop"});
  end.set_value();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_THAT(failed.error().text,
              AllOf(HasSubstr("DELETE /v1/networks/shop"), HasSubstr(server.path),
                    HasSubstr("no answer in time"), HasSubstr("may have acted")));
}

TEST_F(RemoteClient, ADaemonThatDiesInTheMiddleMayHaveActed) {
  const auto listener = http::listen_unix(folder_ / "api.sock", 0600, "").value();
  std::thread dies([&] {
    pollfd entry{.fd = listener.get(), .events = POLLIN, .revents = 0};
    ::poll(&entry, 1, 5000);
    const UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char buffer[4096];
    [[maybe_unused]] const auto got = ::recv(connection.get(), buffer, sizeof(buffer), 0);
  });
  const auto failed = make_remote_network_service(folder_ / "api.sock")->reconcile();
  dies.join();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_THAT(failed.error().text, HasSubstr("may have acted"));
}

TEST_F(RemoteClient, AnswersThatAreNoneOfFairleaddsAreAMistake) {
  for (const auto& [status, body] :
       {std::pair(200, "nonsense"), std::pair(200, "[]"), std::pair(200, R"({"networks": [{}]})"),
        std::pair(200, R"({"networks": 3})"), std::pair(500, "nonsense"), std::pair(404, "{}")}) {
    const RunningServer server(says(status, body));
    const auto failed = make_remote_network_service(server.path)->list_networks();
    ASSERT_FALSE(failed) << body;
    EXPECT_EQ(failed.error().code, Code::kInternal) << failed.error().text;
  }
  const RunningServer full(says(503, ""));
  EXPECT_EQ(make_remote_network_service(full.path)->list_networks().error().code,
            Code::kUnavailable);
}

TEST_F(RemoteClient, WhatANewerDaemonSaysMoreIsLetThrough) {
  auto document = native::encode_network(shop_network(), 3);
  document["new"] = "x";
  document["state"]["new"] = "y";
  const RunningServer server(
      says(200, json::Json{{"networks", json::Json::array({document})}}.dump()));
  EXPECT_EQ(make_remote_network_service(server.path)->list_networks().value().at(0).endpoints, 3U);
}

TEST_F(RemoteClient, NamesTheStoreThatIsMeant) {
  const RunningServer server(handler());
  const auto request_of = [&](const client::ClientOptions& options) {
    requests_.clear();
    static_cast<void>(make_remote_network_service(server.path, options)->list_networks());
    return requests_.at(0);
  };
  EXPECT_EQ(request_of({.state_dir = "/srv/a"}).headers.at("x-fairlead-state-dir"), "/srv/a");
  EXPECT_FALSE(request_of({}).headers.contains("x-fairlead-state-dir"));
}

TEST_F(RemoteClient, NamesAreNoPaths) {
  const RunningServer server(handler());
  const auto networks = make_remote_network_service(server.path);
  for (const std::string name : {"../volumes", "a/b", "a?force=true", "a b", "\xC3\xA4"})
    EXPECT_EQ(networks->inspect_network(network::NetworkText{name}).error().code, Code::kInvalid)
        << name;
  EXPECT_EQ(client::path_of({"networks", "a/b", "c d"}), "/v1/networks/a%2Fb/c%20d");
}

TEST_F(RemoteClient, WhatIsTheDaemonsOwnIsRefusedWithoutAskingIt) {
  const auto networks = make_remote_network_service(folder_ / "none");
  const network::EndpointRef ref{network::NetworkText{"shop"}, "e1"};
  network::EndpointSpec spec{.network = network::NetworkText{"shop"}, .id = "e1"};
  const auto ifname = IfName::parse("eth0").value();
  std::vector<Error> errors{
      networks->bind_network("id", NetworkName::parse("shop").value()).error(),
      networks->unbind_network("id").error(),
      networks->is_bound("id").error(),
      networks->release_network("id").error(),
      networks->set_dns_servers(network::NetworkText{"shop"}, {}).error(),
      networks->reserve_addresses(network::NetworkText{"shop"}, {}).error(),
      networks->take_turn("e1").error(),
      networks->create_endpoint(spec).error(),
      networks->join(ref, network::LeaveInHost{}).error(),
      networks->leave(ref).error(),
      networks->attach(spec, network::IntoNetns{3, ifname}).error(),
      networks->check(ref, {.netns_fd = 3}).error()};
  spec.netns_path = "/run/netns/web";
  errors.push_back(networks->attach(spec, network::LeaveInHost{}).error());
  const auto volumes = make_remote_volume_service(folder_ / "none");
  errors.push_back(volumes->take_archive_snapshot("data").error());
  errors.push_back(volumes->keep_schedules().error());
  for (const Error& error : errors) EXPECT_EQ(error.code, Code::kUnsupported) << error.text;
}

TEST_F(RemoteClient, IsUsedByManyThreads) {
  ON_CALL(networks_, list_networks)
      .WillByDefault(Return(std::vector<network::NetworkUsage>{{shop_network(), 3}}));
  const RunningServer server(native::make_native_handler({.networks = networks_,
                                                          .volumes = volumes_,
                                                          .pools = pools_,
                                                          .jobs = jobs_,
                                                          .groups = groups_}));
  const auto networks = make_remote_network_service(server.path);
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) answered += networks->list_networks() ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 80);
}

}  // namespace
}  // namespace fairlead::testing
