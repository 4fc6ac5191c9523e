#include "volume/api/health.h"

namespace fairlead::volume {

std::vector<std::string> problems_of(VolumeService& service, const std::vector<Volume>& volumes) {
  std::vector<std::string> problems;
  for (const Volume& volume : volumes) {
    const auto status = service.status(volume);
    const std::string& health = status ? status->health : status.error().text;
    if (health != "ok")
      problems.push_back(fmt::format("volume \"{}\": {}", volume.name.str(), health));
  }
  for (std::string& problem : service.problems()) problems.push_back(std::move(problem));
  return problems;
}

}  // namespace fairlead::volume
