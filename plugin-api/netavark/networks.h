// The networks of Podman as Fairlead's: made when they are needed, and let go when Podman has no use for
// them any more. (Podman tells nobody of `network rm`.)
//
// Each is bound to Podman's id (bind_network), so that a network that others use as well stays as long
// as they do. Those that Podman made are labelled as made for it.
#pragma once

#include <functional>
#include <string>

#include "network/api/names.h"
#include "network/api/service.h"
#include "plugin-api/netavark/specs.h"

namespace fairlead::netavark {

// What of the host the networks depend on; borrowed by those who get it.
struct Surroundings {
  // The text of a file; kNotFound when there is none.
  std::function<Result<std::string>(const std::string& path)> read_file;
  std::function<long long()> unix_time;
};

class Networks {
 public:
  // `names` may be nullptr: nobody is told what Podman calls a network that has another name here.
  Networks(network::NetworkService& service, network::NameService* names,
           const Surroundings& surroundings)
      : service_(service), names_(names), surroundings_(surroundings) {}

  // The network, made if there is none: with `option network` the one of that name, which exists, and whose
  // options and subnets those of `network` do not contradict; for a network of Podman's whose name is
  // another one's it is called podman-NAME. One that Podman has made anew with other options is replaced
  // if nobody uses it. `folder`: where Podman keeps the files of its networks.
  Result<network::Network> ensure(const Network& network, const std::string& folder);
  // Podman's last container has left a network of Podman's own; others that use it keep it.
  Status release(const Network& network);
  // Lets go of all networks whose files Podman has removed, and of Podman's own without containers.
  // Returns how many there were. What is younger than kGrace is left alone: Podman writes a network's
  // file when create has answered.
  Result<std::size_t> collect();
  static constexpr long long kGrace = 2;  // seconds

 private:
  Result<network::Network> join(const network::NetworkSpec& spec);
  Result<network::Network> make(const Network& network, network::NetworkSpec spec);
  Result<network::Network> make_anew(const Network& network, network::NetworkSpec spec,
                                     const Error& refusal);
  Result<network::Network> make_beside(const Network& network, network::NetworkSpec spec);
  Status bind(const Network& network, const network::Network& made);
  bool is_gone(const network::NetworkUsage& usage, long long grace) const;
  Result<std::size_t> collect(long long grace);

  network::NetworkService& service_;
  network::NameService* names_;
  const Surroundings& surroundings_;
};

}  // namespace fairlead::netavark
