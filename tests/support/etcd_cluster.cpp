#include "tests/support/etcd_cluster.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/http_client/http_client.h"
#include "base/unique_fd.h"
#include "tests/support/child_program.h"

namespace fairlead::testing {

namespace {

using namespace std::chrono_literals;

constexpr auto kMostWait = 30s;  // long enough for a busy machine

// A port that is free at this moment. Somebody else may take it before etcd does, which is why
// starting is tried again.
int free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port on loopback");
  return ntohs(address.sin_port);
}

http_client::TlsFiles client_files(const std::string& folder) {
  if (folder.empty()) return {};
  return {folder + "/ca.pem", folder + "/client.pem", folder + "/client.key"};
}

}  // namespace

EtcdFolder::EtcdFolder() {
  std::string name = std::filesystem::temp_directory_path() / "fairlead-etcd-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for etcd");
  path_ = name;
}

EtcdFolder::~EtcdFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

EtcdCluster::EtcdCluster(Options options) : options_(std::move(options)) {
  for (int tries = 0; tries < 5; ++tries)
    if (try_to_start()) return;
  const std::string log = log_of(members_.front());
  end_all();
  throw std::runtime_error("etcd does not start (is etcd-server installed?): " + log);
}

EtcdCluster::~EtcdCluster() { end_all(); }

bool EtcdCluster::try_to_start() {
  end_all();
  members_.clear();
  for (int i = 0; i < options_.members; ++i) {
    const std::string name = "m" + std::to_string(i);
    std::filesystem::remove_all(folder_.path(name));
    members_.push_back(
        {name, new_url(i, options_.certificates.empty() ? "http" : "https"), new_url(i, "http")});
  }
  for (int i = 0; i < options_.members; ++i) start(i);
  try {
    wait_until_ready();
  } catch (const std::runtime_error&) {
    return false;
  }
  return true;
}

std::string EtcdCluster::new_url(int member, const char* scheme) const {
  const auto place = static_cast<std::size_t>(member);
  const std::string address =
      place < options_.places.size() ? options_.places[place].address : "127.0.0.1";
  return std::string(scheme) + "://" + address + ":" + std::to_string(free_port());
}

std::vector<std::string> EtcdCluster::arguments_of(const Member& member) const {
  std::string all;
  for (const Member& one : members_)
    all += (all.empty() ? "" : ",") + one.name + "=" + one.peer_url;
  std::vector<std::string> arguments{
      "etcd",
      "--name=" + member.name,
      "--data-dir=" + folder_.path(member.name),
      "--listen-client-urls=" + member.client_url,
      "--advertise-client-urls=" + member.client_url,
      "--listen-peer-urls=" + member.peer_url,
      "--initial-advertise-peer-urls=" + member.peer_url,
      "--initial-cluster=" + all,
      "--heartbeat-interval=" + options_.heartbeat,
      "--election-timeout=" + options_.election,
      "--experimental-watch-progress-notify-interval=" + options_.progress,
      "--logger=zap",
      "--log-level=error"};
  if (const std::string& folder = options_.certificates; !folder.empty())
    arguments.insert(
        arguments.end(),
        {"--cert-file=" + folder + "/server.pem", "--key-file=" + folder + "/server.key",
         "--trusted-ca-file=" + folder + "/ca.pem", "--client-cert-auth"});
  return arguments;
}

void EtcdCluster::start(int member) {
  const auto place = static_cast<std::size_t>(member);
  Member& one = members_[place];
  one.pid = start_program(arguments_of(one), folder_.path(one.name + ".log"),
                          place < options_.places.size() ? options_.places[place].netns : -1);
}

void EtcdCluster::save_data() {
  std::filesystem::remove_all(folder_.path("backup"));
  std::filesystem::copy(folder_.path(members_.front().name), folder_.path("backup"),
                        std::filesystem::copy_options::recursive);
}

void EtcdCluster::restore_data() {
  std::filesystem::remove_all(folder_.path(members_.front().name));
  std::filesystem::copy(folder_.path("backup"), folder_.path(members_.front().name),
                        std::filesystem::copy_options::recursive);
}

bool EtcdCluster::is_dead(Member& member) {
  if (member.pid > 0 && ::waitpid(member.pid, nullptr, WNOHANG) == member.pid) member.pid = -1;
  return member.pid < 0;
}

std::unique_ptr<state::EtcdStore> EtcdCluster::open() const {
  const http_client::TlsFiles files = client_files(options_.certificates);
  auto store = state::open_etcd_store({.endpoints = endpoints(),
                                       .ca_file = files.ca,
                                       .certificate_file = files.certificate,
                                       .key_file = files.key});
  if (!store) throw std::runtime_error(store.error().text);
  return std::move(*store);
}

void EtcdCluster::wait_until_ready() {
  const auto store = open();
  const auto until = std::chrono::steady_clock::now() + kMostWait;
  while (std::chrono::steady_clock::now() < until) {
    int ready = 0, leaders = 0, running = 0;
    for (const state::MemberStatus& status : store->members()) {
      ready += status.has_leader ? 1 : 0;
      leaders += status.is_leader ? 1 : 0;
    }
    for (Member& member : members_) running += !is_dead(member) && !member.is_paused ? 1 : 0;
    if (running == 0) throw std::runtime_error("no member of etcd runs");
    if (ready == running && leaders == 1) return;
    std::this_thread::sleep_for(10ms);
  }
  throw std::runtime_error("etcd has no leader");
}

int EtcdCluster::leader() {
  const auto store = open();
  const auto until = std::chrono::steady_clock::now() + kMostWait;
  while (std::chrono::steady_clock::now() < until) {
    const auto all = store->members();
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].is_leader) return static_cast<int>(i);
    std::this_thread::sleep_for(20ms);
  }
  throw std::runtime_error("etcd has no leader");
}

void EtcdCluster::wait_until_leaderless() {
  const auto store = open();
  const auto until = std::chrono::steady_clock::now() + kMostWait;
  while (std::chrono::steady_clock::now() < until) {
    if (std::ranges::none_of(store->members(), &state::MemberStatus::has_leader)) return;
    std::this_thread::sleep_for(20ms);
  }
  throw std::runtime_error("etcd still has a leader");
}

std::vector<std::string> EtcdCluster::endpoints() const {
  std::vector<std::string> urls;
  for (const Member& member : members_) urls.push_back(member.client_url);
  return urls;
}

std::string EtcdCluster::endpoint(int member) const {
  return members_[static_cast<std::size_t>(member)].client_url;
}

std::string EtcdCluster::new_prefix() {
  return "/fairlead/v1/test-" + std::to_string(++prefixes_) + "/";
}

void EtcdCluster::kill(int member) {
  Member& one = members_[static_cast<std::size_t>(member)];
  if (one.pid < 0) return;
  ::kill(one.pid, SIGKILL);
  ::waitpid(one.pid, nullptr, 0);
  one.pid = -1;
  one.is_paused = false;
}

void EtcdCluster::pause(int member) {
  Member& one = members_[static_cast<std::size_t>(member)];
  ::kill(one.pid, SIGSTOP);
  one.is_paused = true;
}

void EtcdCluster::resume(int member) {
  Member& one = members_[static_cast<std::size_t>(member)];
  ::kill(one.pid, SIGCONT);
  one.is_paused = false;
}

void EtcdCluster::end_all() {
  for (int i = 0; i < static_cast<int>(members_.size()); ++i) kill(i);
}

std::string EtcdCluster::post(int member, const std::string& path, const std::string& body) {
  const auto endpoint = http_client::ServerAddress::parse(this->endpoint(member));
  http_client::Client client(
      http_client::tcp_server(*endpoint, client_files(options_.certificates)));
  const auto answer = client.call({.path = path, .headers = {}, .body = body}, 10s);
  if (!answer) throw std::runtime_error(path + ": " + answer.error().text);
  if (answer->status != 200) throw std::runtime_error(path + ": " + answer->body);
  return answer->body;
}

void EtcdCluster::compact(std::int64_t revision) {
  for (int i = 0; i < static_cast<int>(members_.size()); ++i) {
    const Member& member = members_[static_cast<std::size_t>(i)];
    if (member.pid < 0 || member.is_paused) continue;
    post(i, "/v3/kv/compaction", R"({"revision":")" + std::to_string(revision) + R"("})");
    return;
  }
  throw std::runtime_error("no member of etcd runs");
}

std::string EtcdCluster::log_of(const Member& member) const {
  std::stringstream text;
  text << std::ifstream(folder_.path(member.name + ".log")).rdbuf();
  return text.str().substr(0, 2000);
}

}  // namespace fairlead::testing
