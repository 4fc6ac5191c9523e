// A name service in the host of a world of namespaces, and files and clients for it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/hash.h"
#include "network/dns/scan.h"
#include "network/dns/server.h"
#include "tests/network/dns/answers.h"
#include "tests/network/dns/fake_name_server.h"
#include "tests/network/dns/wire.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::dns::tests {

using fairlead::testing::ip;
using fairlead::testing::KernelFixture;
using fairlead::testing::must;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Knows names that begin with "web" and "big" (2,000 bytes), and in "who" the network that was asked for.
class FewNames final : public Responder {
 public:
  Reply answer(const Query& asked) override {
    const auto said = scan(asked.message);
    if (!said || !said->is_query()) return Ignore{};
    if (!said->question || said->question->name.empty()) return bare_answer(*said, Rcode::kFormErr);
    const std::string_view name = std::string_view(said->question->name).substr(1);
    if (name.starts_with("web")) return tests::answer(asked.message, {{}});
    if (name.starts_with("who")) {
      Message text{static_cast<std::uint8_t>(asked.network.size())};
      text.insert(text.end(), asked.network.begin(), asked.network.end());
      return tests::answer(asked.message, {{.type = 16, .data = text}});
    }
    if (name.starts_with("big")) return tests::answer(asked.message, std::vector<Record>(125));
    return Forward{};
  }
};

class NameService : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directories(folder_);
    options_.resolv_conf = folder_ / "resolv.conf";
    options_.resolved_conf = folder_ / "resolved.conf";
    write_resolv_conf("nameserver 127.0.1.1\n");
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
    KernelFixture::TearDown();
  }

  void write_resolv_conf(const std::string& text) { std::ofstream(options_.resolv_conf) << text; }

  static Place place(const std::string& address, const std::string& network = "n1",
                     const std::string& interface = "") {
    return {.network = network, .address = ip(address), .interface = interface};
  }

  void start() {
    server_ = must(start_server(
        names_, options_,
        {.on_served = [this](const std::vector<Served>&) { changed_.notify_all(); },
         .on_upstreams = [this](const std::vector<IpAddress>&) { changed_.notify_all(); }}));
  }
  void serve(const std::vector<Place>& places) {
    if (!server_) start();
    server_->serve(places);
    ASSERT_TRUE(wait_until([&] {
      const auto served = server_->served();
      return served.size() == places.size() &&
             std::ranges::all_of(served, [](const Served& each) { return each.port != 0; });
    }));
  }
  void serve(const std::string& address) { serve(std::vector<Place>{place(address)}); }

  template <class Holds>
  bool wait_until(const Holds& holds, milliseconds timeout = seconds(10)) {
    std::unique_lock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (!holds()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      changed_.wait_for(lock, milliseconds(5));
    }
    return true;
  }

  // "NOERROR", "SERVFAIL", ...; empty: no answer.
  static std::string ask(const std::string& server, const std::string& name,
                         const Asked& asked = {}) {
    const auto answer = DatagramClient(server).ask(query(name, asked), seconds(8));
    return answer ? read(*answer).rcode : "";
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("fairlead-names-" + random_hex(8));
  FewNames names_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace fairlead::dns::tests
