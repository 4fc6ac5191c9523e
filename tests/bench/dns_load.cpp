// Asks a name server as fast as it answers: dns_load ADDRESS SECONDS COUNT [SOCKETS WINDOW] asks for A of "c0", "c1", ... by
// turns, over UDP from SOCKETS ports, with WINDOW questions on their way from each. Prints one line of JSON: answers, answers
// per second, the median and the 99th of 100 waits in us, and how many were lost (no answer in a second) or wrong.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "network/kernel/host/bound_sockets.h"

namespace {

using namespace fairlead;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::chrono::seconds kLost{1};
constexpr std::size_t kBatch = 64;

struct Figures {
  std::uint64_t answers = 0, lost = 0, wrong = 0;
  std::vector<std::uint32_t> waits;  // us
};

std::vector<std::uint8_t> query_for(std::uint64_t name, std::uint16_t id) {
  std::vector<std::uint8_t> bytes{static_cast<std::uint8_t>(id >> 8),
                                  static_cast<std::uint8_t>(id & 0xff),
                                  1,
                                  0,
                                  0,
                                  1,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0};
  const std::string text = "c" + std::to_string(name);
  bytes.push_back(static_cast<std::uint8_t>(text.size()));
  bytes.insert(bytes.end(), text.begin(), text.end());
  for (const std::uint8_t byte : std::array<std::uint8_t, 5>{0, 0, 1, 0, 1}) bytes.push_back(byte);
  return bytes;
}

// One socket, and the questions that are on their way from it; the low bits of an id are the place of its question.
class Asker {
 public:
  Asker(UniqueFd fd, std::size_t window, std::uint64_t names)
      : fd_(std::move(fd)), questions_(window), names_(names) {}

  int fd() const { return fd_.get(); }
  void begin(std::uint64_t first) {
    next_name_ = first;
    for (std::size_t i = 0; i < questions_.size(); ++i) ask(i);
  }

  void read(Figures& figures) {
    std::array<std::uint8_t, 1500> bytes;
    for (std::size_t i = 0; i < kBatch; ++i) {
      const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (size < 12) return;
      const auto id = static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
      const std::size_t place = id % questions_.size();
      if (questions_[place].id != id) continue;  // counted as lost
      const bool right = (bytes[3] & 0xf) == 0 && (bytes[6] << 8 | bytes[7]) == 1;
      if (right) ++figures.answers;
      if (!right) ++figures.wrong;
      figures.waits.push_back(static_cast<std::uint32_t>(
          std::chrono::duration_cast<microseconds>(Clock::now() - questions_[place].since)
              .count()));
      ask(place);
    }
  }

  void repeat_lost(Figures& figures) {
    for (std::size_t i = 0; i < questions_.size(); ++i) {
      if (Clock::now() - questions_[i].since < kLost) continue;
      ++figures.lost;
      ask(i);
    }
  }

 private:
  struct Question {
    std::uint16_t id = 0;
    Clock::time_point since{};
  };

  void ask(std::size_t place) {
    Question& question = questions_[place];
    const std::size_t turn = question.id / questions_.size() + 1;
    const std::size_t turns = 65'536 / questions_.size();
    question.id = static_cast<std::uint16_t>(turn % turns * questions_.size() + place);
    question.since = Clock::now();
    const auto bytes = query_for(next_name_++ % names_, question.id);
    (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  }

  UniqueFd fd_;
  std::vector<Question> questions_;
  const std::uint64_t names_;
  std::uint64_t next_name_ = 0;
};

Figures load(std::vector<Asker>& askers, Clock::duration time, std::uint64_t names) {
  Figures figures;
  std::vector<pollfd> ready;
  for (const Asker& asker : askers)
    ready.push_back({.fd = asker.fd(), .events = POLLIN, .revents = 0});
  for (std::size_t i = 0; i < askers.size(); ++i) askers[i].begin(i * names / askers.size());
  const auto end = Clock::now() + time;
  for (auto looked = Clock::now(); Clock::now() < end;) {
    ::poll(ready.data(), ready.size(), 100);
    for (std::size_t i = 0; i < askers.size(); ++i)
      if (ready[i].revents != 0) askers[i].read(figures);
    if (Clock::now() - looked < kLost / 4) continue;
    looked = Clock::now();
    for (Asker& asker : askers) asker.repeat_lost(figures);
  }
  return figures;
}

std::uint32_t part(std::vector<std::uint32_t>& waits, double of) {
  if (waits.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(static_cast<double>(waits.size() - 1) * of);
  std::nth_element(waits.begin(), waits.begin() + at, waits.end());
  return waits[static_cast<std::size_t>(at)];
}

std::uint64_t number(int argc, char** argv, int index, std::uint64_t otherwise) {
  return index < argc ? std::strtoull(argv[index], nullptr, 10) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const auto address = IpAddress::parse(argv[1]);
  const std::uint64_t seconds = number(argc, argv, 2, 1), names = number(argc, argv, 3, 1);
  const std::uint64_t sockets = number(argc, argv, 4, 8), window = number(argc, argv, 5, 4);
  if (!address || seconds == 0 || names == 0 || sockets == 0 || window == 0) return 2;
  std::vector<Asker> askers;
  for (std::uint64_t i = 0; i < sockets; ++i) {
    auto fd = kernel::connect_datagram(kernel::SocketName::of(*address, 53));
    if (!fd) return 1;
    askers.emplace_back(std::move(*fd), window, names);
  }
  Figures figures = load(askers, std::chrono::seconds(seconds), names);
  std::printf(
      "{\"answers\": %llu, \"per_second\": %llu, \"p50\": %u, \"p99\": %u, \"lost\": %llu, "
      "\"wrong\": %llu}\n",
      static_cast<unsigned long long>(figures.answers),
      static_cast<unsigned long long>(figures.answers / seconds), part(figures.waits, 0.5),
      part(figures.waits, 0.99), static_cast<unsigned long long>(figures.lost),
      static_cast<unsigned long long>(figures.wrong));
  return 0;
}
