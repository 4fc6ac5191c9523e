// Runs a thin client as a runtime does, with an environment of its own.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace fairlead::testing {

struct Finished {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out, err;
};

using Variables = std::map<std::string, std::string>;

// `input` is written to its stdin as it takes it.
Finished run_client(const std::string& program, const Variables& variables,
                    const std::string& input, const std::vector<std::string>& arguments = {});

// exec to exit of `runs` runs in microseconds, sorted. Output is thrown away.
std::vector<double> measure(const std::string& program, const Variables& variables,
                            const std::string& input, int runs);

// A folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  // Writes an executable shell script.
  void add_script(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

}  // namespace fairlead::testing
