// What one connect() through a published port takes, with 1, 1,000 and 10,000 ports published:
// through Fairlead's maps, and through as many DNAT rules of iptables-nft. Prints medians in
// microseconds, of the first and of the last port by turns, so that both see the same machine.
// The client is in the "outside" namespace. Then what it takes to publish and to unpublish: one
// port, 10,000 as a range, and one port beside 10,000 single ones of another container.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "base/process.h"
#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

constexpr int kConnects = 200, kTurns = 20;
constexpr std::uint16_t kFirstPort = 20000;

class ConnectTimer : public ServiceWorld {
 protected:
  static sockaddr_in address(const std::string& text, std::uint16_t port) {
    sockaddr_in socket_address{};
    socket_address.sin_family = AF_INET;
    socket_address.sin_port = htons(port);
    inet_pton(AF_INET, text.c_str(), &socket_address.sin_addr);
    return socket_address;
  }

  // Accepts and closes, in the container, until told to stop.
  void serve() {
    in("web", [&] {
      listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto any = address("0.0.0.0", 80);
      ASSERT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
      ASSERT_EQ(listen(listener_.get(), 4096), 0);
    });
    server_ = std::thread([this] {
      for (int fd = 0; (fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;)
        close(fd);
    });
  }
  void TearDown() override {
    if (server_.joinable()) {
      shutdown(listener_.get(), SHUT_RDWR);
      server_.join();
    }
    ServiceWorld::TearDown();
  }

  void connect_to(std::uint16_t port, std::vector<double>& micros) {
    in("outside", [&] {
      const auto target = address("203.0.113.2", port);
      for (int i = 0; i < kConnects; ++i) {
        const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const linger reset{1, 0};
        setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        const auto start = std::chrono::steady_clock::now();
        if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0)
          continue;
        micros.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
                .count());
      }
    });
  }

  static double median(std::vector<double>& micros) {
    if (micros.size() < kConnects * kTurns * 9 / 10) return -1;
    std::ranges::nth_element(micros, micros.begin() + static_cast<long>(micros.size() / 2));
    return micros[micros.size() / 2];
  }

  struct Medians {
    double first = 0, last = 0;  // microseconds
  };
  Medians measure(int count) {
    std::vector<double> first, last, warm;
    const auto last_port = static_cast<std::uint16_t>(kFirstPort + count - 1);
    connect_to(last_port, warm);
    for (int turn = 0; turn < kTurns; ++turn) {
      connect_to(kFirstPort, first);
      connect_to(last_port, last);
    }
    return {median(first), median(last)};
  }

  void iptables_rules(int count) {
    const std::string path = (folder_ / "rules").string();
    {
      std::ofstream file(path);
      file << "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT "
              "[0:0]\n:POSTROUTING ACCEPT [0:0]\n";
      for (int i = 0; i < count; ++i)
        file << "-A PREROUTING -p tcp --dport " << kFirstPort + i << " -j DNAT --to-destination "
             << web_ << ":80\n";
      file << "COMMIT\n";
    }
    const std::vector<std::string> argv{"sh", "-c", "iptables-nft-restore < " + path};
    const auto ran = must(run_process(argv, std::chrono::seconds(60)));
    if (ran.exit_code != 0) throw std::runtime_error(ran.err);
  }

  UniqueFd listener_;
  std::thread server_;
  std::string web_;
};

TEST_F(ConnectTimer, ThroughTheLastPort) {
  std::filesystem::create_directories(folder_);
  create("shop", "10.20.0.0/24");
  web_ = address_of(must(attach_to("shop", "web")));
  serve();
  fmt::print("{:>6} {:>24} {:>24}\n", "ports", "fairlead first/last us",
             "iptables-nft first/last us");
  for (const int count : {1, 1000, 10000}) {
    std::vector<network::PortSpec> ports;
    for (int i = 0; i < count; ++i)
      ports.push_back(port(static_cast<std::uint16_t>(kFirstPort + i), 80));
    must(service_->publish(ref("shop", "web"), ports));
    const auto ours = measure(count);
    must(service_->unpublish(ref("shop", "web")));
    // The same with rules; our table lets what is DNATed pass.
    iptables_rules(count);
    const auto theirs = measure(count);
    iptables_rules(0);
    fmt::print("{:6} {:>24} {:>24}\n", count, fmt::format("{:.1f} / {:.1f}", ours.first, ours.last),
               fmt::format("{:.1f} / {:.1f}", theirs.first, theirs.last));
  }
}

TEST_F(ConnectTimer, ThroughTheLastPortOfARange) {
  std::filesystem::create_directories(folder_);
  create("shop", "10.20.0.0/24");
  network::PortSpec range = port(kFirstPort, kFirstPort);
  range.host_port_end = range.container_port_end = kFirstPort + 9999;
  must(attach_to("shop", "web", {range}));
  const auto first = serve_tcp("web", kFirstPort), last = serve_tcp("web", kFirstPort + 9999);
  const auto ours = measure(10000);
  fmt::print(" range {:>24}\n", fmt::format("{:.1f} / {:.1f}", ours.first, ours.last));
}

class PublishTimer : public ConnectTimer {
 protected:
  static constexpr int kPublishes = 51;

  // Medians in microseconds.
  Medians publishing(const std::string& container, const network::PortSpec& port) {
    std::vector<double> published, unpublished;
    const auto timed = [&](std::vector<double>& into, const network::PortChange& change) {
      const auto start = std::chrono::steady_clock::now();
      must(service_->change_ports(ref("shop", container), change));
      into.push_back(
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
              .count());
    };
    for (int turn = 0; turn < kPublishes; ++turn) {
      timed(published, {.remove = {}, .add = {port}});
      timed(unpublished,
            {.remove = {{.host_port = port.host_port, .host_port_end = port.host_port_end}},
             .add = {}});
    }
    const auto middle = [](std::vector<double>& values) {
      std::ranges::sort(values);
      return values[values.size() / 2];
    };
    return {middle(published), middle(unpublished)};
  }
  static void show(const char* what, const Medians& medians, const Medians& one) {
    fmt::print("{:44} {:8.0f} / {:8.0f} us   {:4.2f} / {:4.2f} times\n", what, medians.first,
               medians.last, medians.first / one.first, medians.last / one.last);
  }
};

TEST_F(PublishTimer, OneARangeAndBesideMany) {
  std::filesystem::create_directories(folder_);
  create("shop", "10.20.0.0/24");
  web_ = address_of(must(attach_to("shop", "web")));
  must(attach_to("shop", "other"));
  network::PortSpec range = port(kFirstPort, kFirstPort);
  range.host_port_end = range.container_port_end = kFirstPort + 9999;
  (void)publishing("web", port(80, 80));  // warm
  const Medians one = publishing("web", port(80, 80));
  fmt::print("{:44} {:>8} / {:>8}\n", "", "publish", "unpublish");
  show("1 port", one, one);
  show("10,000 ports as a range", publishing("web", range), one);
  std::vector<network::PortSpec> singles;
  for (unsigned number = 0; number < 10000; ++number)  // to one port: no range
    singles.push_back(port(static_cast<std::uint16_t>(kFirstPort + number), 80));
  must(service_->publish(ref("shop", "other"), singles));
  show("1 port beside 10,000 single ones", publishing("web", port(80, 80)), one);
  must(service_->unpublish(ref("shop", "other")));
  show("1 port when they are gone", publishing("web", port(80, 80)), one);
}

}  // namespace
}  // namespace fairlead::testing
