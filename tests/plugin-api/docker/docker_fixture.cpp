#include "tests/plugin-api/docker/docker_fixture.h"

#include "base/log.h"
#include "plugin-api/docker/docker_handler.h"

namespace fairlead::docker::testing {

namespace {

template <class Mock>
std::unique_ptr<Mock> make(Core core) {
  if (core == Core::kSaysYes) return std::make_unique<::testing::NiceMock<Mock>>();
  return std::make_unique<::testing::StrictMock<Mock>>();
}

}  // namespace

Plugin::Plugin(Core core)
    : networks_(make<fairlead::testing::MockNetworkService>(core)),
      pools_(make<fairlead::testing::MockPoolService>(core)),
      volumes_(make<fairlead::testing::MockVolumeService>(core)),
      networks(*networks_),
      pools(*pools_),
      volumes(*volumes_),
      handler(make_docker_handler(networks, pools, volumes)) {
  log::configure(log::Level::kError, log::Format::kText);
  answer_for_networks();
  answer_for_pools();
  answer_for_volumes();
}

Plugin::~Plugin() = default;

http::Response Plugin::call(std::string_view verb, std::string_view body) {
  return handler({.method = "POST",
                  .path = "/" + std::string(verb),
                  .query = {},
                  .headers = {},
                  .body = std::string(body),
                  .peer = {},
                  .hung_up = hung_up});
}

void Plugin::answer_for_networks() {
  ON_CALL(networks, create_network).WillByDefault(Return(shop()));
  ON_CALL(networks, inspect_network).WillByDefault(Return(shop()));
  ON_CALL(networks, bind_network).WillByDefault(Return(shop()));
  ON_CALL(networks, remove_network).WillByDefault(Return(Status()));
  ON_CALL(networks, unbind_network).WillByDefault(Return(Status()));
  ON_CALL(networks, is_bound).WillByDefault(Return(false));
  ON_CALL(networks, create_endpoint).WillByDefault(Return(web()));
  ON_CALL(networks, inspect_endpoint).WillByDefault(Return(web()));
  ON_CALL(networks, join).WillByDefault(Return(attachment()));
  ON_CALL(networks, publish).WillByDefault(Return(web().ports));
  ON_CALL(networks, leave).WillByDefault(Return(Status()));
  ON_CALL(networks, remove_endpoint).WillByDefault(Return(Status()));
  ON_CALL(networks, unpublish).WillByDefault(Return(Status()));
}
void Plugin::answer_for_pools() {
  ON_CALL(pools, request_pool)
      .WillByDefault([](const network::PoolRequest& request) -> Result<network::Pool> {
        const bool v4 = request.family == Family::kV4;
        if (request.join) {
          const network::Subnet joined = shop().subnets.at(v4 ? 0 : 1);
          return network::Pool{.id = joined.pool_id,
                               .subnet = joined.subnet,
                               .range = {},
                               .gateway = joined.gateway};
        }
        const Cidr any = v4 ? cidr("10.88.0.0/24") : cidr("fd00:88::/64");
        const Cidr chosen = request.subnet.value_or(any);
        return network::Pool{
            .id = chosen.to_string(), .subnet = chosen, .range = request.range, .gateway = {}};
      });
  ON_CALL(pools, release_pool).WillByDefault(Return(Status()));
  ON_CALL(pools, request_address)
      .WillByDefault([](const std::string&, std::optional<IpAddress> wanted,
                        network::AddressUse) -> Result<Cidr> {
        return Cidr::of(wanted.value_or(ip("10.88.0.2")), 24);
      });
  ON_CALL(pools, release_address).WillByDefault(Return(Status()));
}
void Plugin::answer_for_volumes() {
  ON_CALL(volumes, create)
      .WillByDefault(
          [](const volume::VolumeSpec& spec, const volume::Progress&) -> Result<volume::Volume> {
            return data_volume(spec.name.str());
          });
  ON_CALL(volumes, remove).WillByDefault(Return(Status()));
  ON_CALL(volumes, unmount).WillByDefault(Return(Status()));
  ON_CALL(volumes, mount)
      .WillByDefault(
          [](const std::string& name, const std::string&,
             const std::string&) -> Result<volume::Volume> { return data_volume(name); });
  ON_CALL(volumes, inspect).WillByDefault([](const std::string& name) -> Result<volume::Volume> {
    return data_volume(name);
  });
  ON_CALL(volumes, list).WillByDefault(Return(std::vector<volume::Volume>{data_volume("data")}));
  ON_CALL(volumes, status)
      .WillByDefault(Return(volume::VolumeStatus{.backend = "dir",
                                                 .reason = "the default",
                                                 .size = {},
                                                 .used = 4096,
                                                 .in_use = false,
                                                 .health = "ok"}));
}

}  // namespace fairlead::docker::testing
