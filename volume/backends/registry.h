// The one list of volume backends: a new one is one file pair in this folder and one line in
// make_backends.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

class Backends : public BackendRegistry {
 public:
  // The first one added is the default.
  void add(std::string name, std::unique_ptr<Backend> backend);

  Result<Choice> choose(const VolumeOptions& options) override;
  Result<Backend*> find(const std::string& name) override;
  Result<Backend*> find(const Volume& volume) override { return find(volume.backend); }
  std::vector<Backend*> all() override;

 private:
  std::map<std::string, std::unique_ptr<Backend>> backends_;
  std::string default_;
};

// The backends of this host. `volume_dir` is the absolute path of the volume folder
// (/var/lib/fairlead/volumes); nothing on disk is touched yet. The result is thread-safe and must
// outlive the service that uses it.
std::unique_ptr<BackendRegistry> make_backends(const std::string& volume_dir);

}  // namespace fairlead::volume
