// Two hosts as they run: etcd, a fairleadd on each, and an encrypted network between their
// containers. Needs a kernel with WireGuard; `tests/run.sh guest` runs it where there is one.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/http_client/http_client.h"
#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_keyfile.h"
#include "tests/support/child_program.h"
#include "tests/support/etcd_cluster.h"
#include "tests/support/kernel_fixture.h"
#include "tests/support/paths.h"
#include "tests/support/tap.h"

namespace fairlead::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr auto kMostWait = 60s;  // an emulated machine takes its time

// Where the build has the daemon; elsewhere the one in PATH.
std::string daemon_program() {
  const std::string built = built_path("bin/fairleadd");
  return std::filesystem::exists(built) ? built : "fairleadd";
}

class EncryptedAgents : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    if (const Status there = must(kernel::open_netlink_wireguard_links())->probe(); !there)
      GTEST_SKIP() << there.error().text;
    add_bridge("underlay", {"192.0.2.254/24"});
    etcd_ = std::make_unique<EtcdCluster>(EtcdCluster::Options{.places = {{"192.0.2.254", -1}}});
    for (const int k : {1, 2}) {
      attach(host(k), "underlay", {fmt::format("192.0.2.{}/24", k)});
      start(k);
    }
  }
  void TearDown() override {
    for (const auto& [k, pid] : daemons_) end(pid);
    etcd_.reset();
    if (HasFailure())
      for (const int k : {1, 2}) std::fputs(log(k).c_str(), stderr);
    KernelFixture::TearDown();
  }

  static std::string host(int k) { return fmt::format("h{}", k); }
  std::string path(int k, const std::string& name) {
    return folder_.path(fmt::format("{}-{}", host(k), name));
  }
  std::string log(int k) {
    std::stringstream text;
    text << std::ifstream(path(k, "log")).rdbuf();
    return text.str();
  }
  void start(int k) {
    const Json config{{"run_dir", path(k, "run")},
                      {"state_dir", path(k, "state")},
                      {"plugin_dir", path(k, "plugins")},
                      {"cluster",
                       {{"etcd", etcd_->endpoints()},
                        {"address", fmt::format("192.0.2.{}", k)},
                        {"host", host(k)}}}};
    std::ofstream(path(k, "json")) << config.dump();
    daemons_[k] = start_program({daemon_program(), "--config", path(k, "json")}, path(k, "log"),
                                netns(host(k)));
    eventually("the host to join", [&] {
      const auto said =
          ask(k, {.path = "/v1/cluster", .headers = {}, .body = "", .method = "GET"}, 5s);
      return said && said->status == 200 && Json::parse(said->body).at("joined") == true;
    });
  }
  Result<http_client::Response> ask(int k, const http_client::Request& request,
                                    std::chrono::milliseconds deadline) {
    return http_client::Client(http_client::unix_server(path(k, "run") + "/api.sock"))
        .call(request, deadline);
  }
  static void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  static void eventually(const char* what, const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + kMostWait;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until)
        throw std::runtime_error(fmt::format("waited in vain for {}", what));
      std::this_thread::sleep_for(50ms);
    }
  }
  Json post(int k, const std::string& what, const Json& body) {
    const auto said = must(ask(k, {.path = what, .headers = {}, .body = body.dump()}, 30s));
    if (said.status >= 300) throw std::runtime_error(said.body);
    return Json::parse(said.body);
  }
  void make_network(int k) {
    post(k, "/v1/networks",
         {{"name", "shop"},
          {"options", {{"mode", "overlay"}, {"encrypted", "true"}}},
          {"subnets", {{{"subnet", "10.9.0.0/24"}}, {{"subnet", "fd00:9::/64"}}}}});
  }
  // Its addresses.
  std::vector<IpAddress> run(int k, const std::string& name) {
    const auto made = post(k, "/v1/endpoints",
                           {{"network", "shop"},
                            {"container", name},
                            {"netns", fmt::format("/proc/{}/fd/{}", ::getpid(), netns(name))}});
    std::vector<IpAddress> addresses;
    for (const auto& address : made.at("addresses"))
      addresses.push_back(cidr(address.get<std::string>()).address());
    return addresses;
  }
  std::unique_ptr<Tap> tap(const std::string& where, const char* interface) {
    std::unique_ptr<Tap> made;
    in(where, [&] { made = std::make_unique<Tap>(interface); });
    return made;
  }
  void expect_reachable(const std::string& from, const std::vector<IpAddress>& addresses) {
    for (const IpAddress& address : addresses)
      eventually("an answer", [&] { return ping(from, address.to_string(), 1s).has_value(); });
  }
  // The UDP packets of the hosts: those of WireGuard, and others.
  static std::pair<int, int> encrypted_and_not(Tap& wire) {
    std::pair<int, int> found;
    for (const Frame& frame : wire.frames())
      if (is_udp(frame)) ++(is_udp_to(frame, kernel::kWireguardPort) ? found.first : found.second);
    return found;
  }

  EtcdFolder folder_;
  std::unique_ptr<EtcdCluster> etcd_;
  std::map<int, pid_t> daemons_;
};

TEST_F(EncryptedAgents, ContainersReachEachOtherThroughWireGuardOnly) {
  const auto wire = tap("h2", "eth0");
  make_network(1);
  make_network(2);
  const auto a = run(1, "a"), b = run(2, "b");
  ASSERT_EQ(a.size(), 2U);
  expect_reachable("a", b);
  expect_reachable("b", a);
  const auto [encrypted, others] = encrypted_and_not(*wire);
  EXPECT_GE(encrypted, 8);
  EXPECT_EQ(others, 0);
}

TEST_F(EncryptedAgents, ConnectionsOutliveAnAgentAndItsKeyStays) {
  make_network(1);
  make_network(2);
  const auto a = run(1, "a"), b = run(2, "b");
  expect_reachable("a", b);
  end(daemons_.at(2));
  expect_reachable("a", b);
  start(2);
  expect_reachable("a", b);
  expect_reachable("b", a);
}

TEST_F(EncryptedAgents, WithoutTheDeviceNothingIsSentUntilItIsThereAgain) {
  make_network(1);
  make_network(2);
  run(1, "a");
  const auto b = run(2, "b");
  expect_reachable("a", b);
  in("h1", [&] { must(must(kernel::open_netlink_wireguard_links())->remove(ifname("flw0"))); });
  const auto wire = tap("h1", "eth0");
  EXPECT_FALSE(ping("a", b[0].to_string(), 500ms));
  EXPECT_EQ(encrypted_and_not(*wire), std::pair(0, 0));
  end(daemons_.at(1));
  start(1);
  expect_reachable("a", b);
  EXPECT_EQ(encrypted_and_not(*wire).second, 0);
}

}  // namespace
}  // namespace fairlead::testing
