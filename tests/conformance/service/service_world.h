// The services of networks and volumes over a kernel in memory: in this process, or through the
// client library, the API's handler and a server on a socket.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <map>
#include <memory>
#include <string>

#include "plugin-api/client/client.h"
#include "plugin-api/native/native_handler.h"
#include "tests/plugin-api/http/http_fixture.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"
#include "tests/support/fixed_backends.h"
#include "tests/support/mock_services.h"
#include "volume/service/volume_service.h"

namespace fairlead::testing {

enum class Access { kInProcess, kRemote };

class ServiceWorld {
 public:
  explicit ServiceWorld(Access access) {
    host.open();
    backends_.add("fake", std::make_unique<FakeBackend>());
    volume_service_ = volume::make_volume_service(
        host.store, host.locks, backends_, {.now = [this] { return host.now; }, .boot = "boot-1"});
    if (access == Access::kInProcess) return;
    server = std::make_unique<http::testing::RunningServer>(handler());
    remote_networks_ = client::make_remote_network_service(server->path);
    remote_volumes_ = client::make_remote_volume_service(server->path);
  }
  ~ServiceWorld() { server.reset(); }

  network::NetworkService& networks() {
    return remote_networks_ ? *remote_networks_ : *host.service;
  }
  volume::VolumeService& volumes() { return remote_volumes_ ? *remote_volumes_ : *volume_service_; }

  // A descriptor that stands for the namespace at the path: FakeLinks tells files apart.
  int netns(const std::string& path) {
    UniqueFd& fd = namespaces_[path];
    if (!fd) fd = UniqueFd(::memfd_create("netns", MFD_CLOEXEC));
    return fd.get();
  }

  FakeHost host;
  std::unique_ptr<http::testing::RunningServer> server;

 private:
  http::Handler handler() {
    return native::make_native_handler(
        {.networks = *host.service,
         .volumes = *volume_service_,
         .pools = pools_,
         .jobs = jobs_,
         .groups = groups_,
         .open_netns = [this](const std::string& path) -> Result<UniqueFd> {
           return UniqueFd(::fcntl(netns(path), F_DUPFD_CLOEXEC, 0));
         },
         .version = "1.2.3"});
  }

  std::map<std::string, UniqueFd> namespaces_;
  FixedBackends backends_;
  std::unique_ptr<volume::VolumeService> volume_service_;
  ::testing::NiceMock<MockVolumePools> pools_;
  ::testing::NiceMock<MockVolumeJobs> jobs_;
  ::testing::NiceMock<MockVolumeGroups> groups_;
  std::unique_ptr<network::NetworkService> remote_networks_;
  std::unique_ptr<volume::VolumeService> remote_volumes_;
};

}  // namespace fairlead::testing
