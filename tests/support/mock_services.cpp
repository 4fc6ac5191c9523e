#include "tests/support/mock_services.h"

namespace fairlead::testing {

MockNetworkService::MockNetworkService() {
  ON_CALL(*this, traits).WillByDefault([](const network::NetworkOptions& options) {
    using Scope = network::NetworkTraits::Scope;
    return Result<network::NetworkTraits>(network::NetworkTraits{
        .scope = options.mode == "overlay" ? Scope::kCluster : Scope::kLocal, .no_ports = {}});
  });
}
MockNetworkService::~MockNetworkService() = default;
MockControl::MockControl() = default;
MockControl::~MockControl() = default;
MockPoolService::MockPoolService() = default;
MockPoolService::~MockPoolService() = default;
MockVolumeService::MockVolumeService() = default;
MockVolumeService::~MockVolumeService() = default;
MockVolumePools::MockVolumePools() = default;
MockVolumePools::~MockVolumePools() = default;
MockVolumeArchives::MockVolumeArchives() = default;
MockVolumeArchives::~MockVolumeArchives() = default;
MockVolumeContent::MockVolumeContent() = default;
MockVolumeContent::~MockVolumeContent() = default;
MockVolumeJobs::MockVolumeJobs() = default;
MockVolumeJobs::~MockVolumeJobs() = default;
MockVolumeGroups::MockVolumeGroups() = default;
MockVolumeGroups::~MockVolumeGroups() = default;

}  // namespace fairlead::testing

template class testing::NiceMock<fairlead::testing::MockNetworkService>;
template class testing::NiceMock<fairlead::testing::MockControl>;
template class testing::NiceMock<fairlead::testing::MockPoolService>;
template class testing::NiceMock<fairlead::testing::MockVolumeService>;
template class testing::NiceMock<fairlead::testing::MockVolumePools>;
template class testing::NiceMock<fairlead::testing::MockVolumeArchives>;
template class testing::NiceMock<fairlead::testing::MockVolumeContent>;
template class testing::NiceMock<fairlead::testing::MockVolumeGroups>;
template class testing::NiceMock<fairlead::testing::MockVolumeJobs>;
template class testing::StrictMock<fairlead::testing::MockNetworkService>;
template class testing::StrictMock<fairlead::testing::MockControl>;
template class testing::StrictMock<fairlead::testing::MockPoolService>;
template class testing::StrictMock<fairlead::testing::MockVolumeService>;
template class testing::StrictMock<fairlead::testing::MockVolumePools>;
template class testing::StrictMock<fairlead::testing::MockVolumeArchives>;
template class testing::StrictMock<fairlead::testing::MockVolumeContent>;
template class testing::StrictMock<fairlead::testing::MockVolumeJobs>;
