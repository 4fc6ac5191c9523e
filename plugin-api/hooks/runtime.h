// What hooks need of a container runtime.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace fairlead::hooks {

// One that runs and uses at least one of the volumes that were asked for.
struct Container {
  std::string id, name, image;
  std::map<std::string, std::string> labels;  // its own and those of its image
  std::vector<std::string> volumes;           // of Fairlead's, by name
  bool operator==(const Container&) const = default;
};

struct Command {
  std::vector<std::string> words;
  std::string user;  // empty: as whom the container runs
  std::map<std::string, std::string> environment;
};

struct Answer {
  int exit_code = 0;
  std::string output;  // of both streams, the first 64 KiB
};

inline constexpr std::size_t kMostOutput = 64 << 10;

// Thread-safe.
class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::string name() const = 0;  // for people: "Docker"
  // Those that use one of these volumes. Empty when the runtime does not run; fails when it runs
  // and does not answer.
  virtual Result<std::vector<Container>> using_volumes(const std::vector<std::string>& volumes) = 0;
  // The labels of an image alone.
  virtual Result<std::map<std::string, std::string>> labels_of_image(const std::string& image) = 0;
  // Runs a command in the container, with the container's own rights, and waits. kUnavailable when
  // the deadline has passed: the command still runs then.
  virtual Result<Answer> run(const Container& container, const Command& command,
                             std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace fairlead::hooks
