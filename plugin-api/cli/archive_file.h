// The files that archives are written to and read from.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::cli {

// A file that gets its name only when it is complete. Until then it is a hidden file in the same
// folder, which is removed with this object. Devices and pipes are written directly.
class OutputFile {
 public:
  static Result<OutputFile> open(const std::string& path);
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  int fd() const { return fd_.get(); }
  // Flushes the file to the disk and renames it, replacing a file of that name.
  Status commit();

 private:
  OutputFile(std::string path, std::string temporary, UniqueFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  std::string path_;
  std::string temporary_;  // empty: written directly, or committed
  UniqueFd fd_;
};

Result<UniqueFd> open_input(const std::string& path);

}  // namespace fairlead::cli
