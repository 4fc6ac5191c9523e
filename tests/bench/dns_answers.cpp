// What names cost: the time of an answer and of a change, and the memory, in one network with that many containers.
//
//   dns_answers [CONTAINERS]
//
// Prints a table and asserts nothing.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "network/dns/directory.h"
#include "network/dns/name.h"

namespace fairlead::dns {
namespace {

using Clock = std::chrono::steady_clock;

// Resident memory of this process, in bytes.
std::size_t memory() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Message question(const std::string& name, std::uint16_t type) {
  Message message{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  const std::string key = key_of(name).value_or("");
  message.insert(message.end(), key.begin(), key.end());
  for (const int byte : {0, type >> 8, type & 0xff, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0})
    message.push_back(static_cast<std::uint8_t>(byte));
  return message;
}

class Bench {
 public:
  explicit Bench(unsigned containers) : containers_(containers), names_(make_directory()) {}

  void run() {
    const std::size_t before = memory();
    const auto start = Clock::now();
    fill();
    const double change = seconds_since(start) / containers_;
    fmt::print("{} containers: {:.2f} us a change, {} bytes of memory each\n", containers_,
               change * 1e6, (memory() - before) / containers_);
    answers("a container, A", "", 1);
    answers("a container, AAAA", "", 28);
    answers("NAME.NETWORK, A", ".net", 1);
    answers("a service of 10, A", "service", 1);
    answers("an address, PTR", "ptr", 12);
    answers("_80._tcp.NAME, SRV", "srv", 33);
    answers("somebody else's, forwarded", "other", 1);
  }

 private:
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  static IpAddress address(unsigned i) { return *IpAddress::parse("10.128.0.2")->plus(i); }

  void fill() {
    names_->put(Zone{.network = "net",
                     .names = {"net"},
                     .gateways = {*IpAddress::parse("10.128.0.1")},
                     .subnets = {*Cidr::parse("10.128.0.0/9")}});
    for (unsigned i = 0; i < containers_; ++i)
      names_->put(Host{.network = "net",
                       .endpoint = fmt::format("{:064x}", i),
                       .owner = fmt::format("docker/{:064x}", i),
                       .names = {fmt::format("shop-web-{}", i), fmt::format("service-{}", i / 10),
                                 fmt::format("{:012x}", i)},
                       .addresses = {address(i), *IpAddress::parse("fd00::2")->plus(i)},
                       .ports = {{.host_port = 8080, .container_port = 80}}});
  }

  std::string name(const std::string& what, unsigned i) const {
    if (what == "service") return fmt::format("service-{}", i / 10);
    if (what == "srv") return fmt::format("_80._tcp.shop-web-{}", i);
    if (what == "other") return fmt::format("shop-web-{}.example.com", i);
    if (what != "ptr") return fmt::format("shop-web-{}{}", i, what);
    const IpAddress of = address(i);
    const auto bytes = of.bytes();
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
  }

  void answers(const char* title, const std::string& what, std::uint16_t type) {
    constexpr unsigned kRounds = 20;
    std::vector<Message> questions;
    for (unsigned i = 0; i < containers_; ++i)
      questions.push_back(question(name(what, i * 7919 % containers_), type));
    std::size_t bytes = 0;
    const auto start = Clock::now();
    for (unsigned round = 0; round < kRounds; ++round)
      for (unsigned i = 0; i < containers_; ++i) {
        const Reply reply =
            names_->answer({.message = questions[i], .client = address(i), .network = "net"});
        if (const auto* message = std::get_if<Message>(&reply)) bytes += message->size();
      }
    const double each = seconds_since(start) / (kRounds * containers_);
    fmt::print("{:<28} {:6.2f} us  {:4} bytes\n", title, each * 1e6,
               bytes / (kRounds * containers_));
  }

  const unsigned containers_;
  std::unique_ptr<Directory> names_;
};

}  // namespace
}  // namespace fairlead::dns

int main(int argc, char** argv) {
  const int containers = argc > 1 ? std::atoi(argv[1]) : 10'000;
  if (containers < 1 || containers > 1'000'000) return 2;
  fairlead::dns::Bench(static_cast<unsigned>(containers)).run();
  return 0;
}
