// Hosts and containers that exist only as records, for one real agent to keep up with: writes them
// into the etcd that the agent's own configuration names, as their agents would.
//
//   cluster_feed CONFIG NETWORK-ID fill HOSTS ENDPOINTS    that many hosts with so many each
//   cluster_feed CONFIG NETWORK-ID churn COUNT PAUSE       a new endpoint every PAUSE ms; prints
//                                                          "<Unix time in us> <address>" of each
//
// See cluster_scale.py.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "base/state/etcd_store.h"
#include "network/cluster/keys.h"
#include "network/cluster/records.h"
#include "plugin-api/bin/config.h"

namespace fairlead::network::cluster {
namespace {

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}\n", result.error().text);
  std::exit(1);
}

class Feed {
 public:
  Feed(const char* config, std::string network) : network_(std::move(network)) {
    const auto read = must(read_config(config, Presence::kRequired, {}));
    if (!read.cluster) std::exit(2);
    store_ = must(state::open_etcd_store(read.cluster->etcd));
  }

  void fill(int hosts, int endpoints) {
    for (int host = 1; host <= hosts; ++host) {
      state::Txn txn{.puts = {{keys::host(host_id(host)), encode(HostRecord{info(host)})},
                              {keys::live(host_id(host)), encode(LiveRecord{"boot", 1, "a"})}}};
      for (int number = 1; number <= endpoints; ++number) put(txn, host, number);
      must(store_->commit(txn));
    }
  }

  // The addresses are those that fill() leaves free.
  void churn(int count, std::chrono::milliseconds pause) {
    std::minstd_rand random(42);
    for (int made = 0; made < count; ++made) {
      state::Txn txn;
      const IpAddress address = put(txn, 1 + made, 201 + static_cast<int>(random() % 50U));
      const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
          std::chrono::system_clock::now().time_since_epoch());
      must(store_->commit(txn));
      fmt::print("{} {}\n", now.count(), address.to_string());
      std::this_thread::sleep_for(pause);
    }
  }

 private:
  static std::string host_id(int host) { return fmt::format("{:032x}", host); }
  static HostInfo info(int host) {
    return {.id = host_id(host),
            .name = fmt::format("fed-{}", host),
            .vtep = *IpAddress::parse("172.16.0.0")->plus(static_cast<std::uint64_t>(host))};
  }
  IpAddress put(state::Txn& txn, int host, int number) const {
    const IpAddress address =
        *IpAddress::parse("10.0.0.0")->plus(static_cast<std::uint64_t>(host * 256 + number));
    const SharedEndpoint endpoint{.host_id = host_id(host),
                                  .epoch = 1,
                                  .addresses = {address},
                                  .mac = MacAddress::for_ip(address),
                                  .container = fmt::format("shop-web-{}", number),
                                  .names = {"web"},
                                  .state = EndpointState::kReady};
    const std::string id = fmt::format("{:012x}-{:020x}", host, number);
    txn.puts.push_back({keys::endpoint(network_, id), encode(endpoint)});
    return address;
  }

  const std::string network_;
  std::unique_ptr<state::EtcdStore> store_;
};

}  // namespace
}  // namespace fairlead::network::cluster

int main(int argc, char** argv) {
  const std::string_view verb = argc == 6 ? argv[3] : "";
  const int first = argc == 6 ? std::atoi(argv[4]) : 0, second = argc == 6 ? std::atoi(argv[5]) : 0;
  if (verb == "fill" && first >= 1 && first <= 4000 && second >= 1 && second <= 120)
    fairlead::network::cluster::Feed(argv[1], argv[2]).fill(first, second);
  else if (verb == "churn" && first >= 1 && second >= 0)
    fairlead::network::cluster::Feed(argv[1], argv[2])
        .churn(first, std::chrono::milliseconds(second));
  else
    return 2;
  return 0;
}
