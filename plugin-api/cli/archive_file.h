// The files that archives are written to and read from.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::cli {

// A file that appears under its name only when it is whole: until then it is a hidden neighbour,
// which goes when this object goes. Devices and pipes are written as they are.
class OutputFile {
 public:
  static Result<OutputFile> open(const std::string& path);
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  int fd() const { return fd_.get(); }
  // Flushed to the disk, then renamed. A file that was there is replaced.
  Status commit();

 private:
  OutputFile(std::string path, std::string temporary, UniqueFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  std::string path_;
  std::string temporary_;  // empty: written in place, or done
  UniqueFd fd_;
};

Result<UniqueFd> open_input(const std::string& path);

}  // namespace fairlead::cli
