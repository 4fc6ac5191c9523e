// Archives through libarchive: tar files to and from TreeEntry. This is the only place that knows
// libarchive; what is on the disk is read by tree_reader.h and made by tree_writer.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "volume/kernel/sha256.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume {

// Writes pax (POSIX.1-2001) in one zstd frame with a checksum of the content, which whoever unpacks
// it compares at its end (libarchive's own zstd filter sets none). The same entries give the same
// bytes: no time, host or user of the writer is in it. Not thread-safe.
class ArchiveWriter {
 public:
  // `fd` is borrowed and written from where it stands; it may be a pipe.
  static Result<ArchiveWriter> open(int fd);
  ArchiveWriter(ArchiveWriter&&) noexcept;
  ~ArchiveWriter();  // without close(): an archive that is cut off

  // `ranges`: the parts of a file that hold data (offset, length), ascending. Content must follow
  // by write(), all of it, holes by skip().
  Status add(const TreeEntry& entry,
             const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges = {});
  Status write(std::string_view bytes);
  Status skip(std::uint64_t hole);
  // The end of the archive; SHA-256 of the file as it was written, as sha256sum(1) shows it.
  Result<Digest> close();

 private:
  struct State;
  explicit ArchiveWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Reads every tar (v7, ustar, GNU, pax), plain or compressed with gzip, bzip2, xz, lzma, zstd, lz4
// or compress, and several in one stream. Nothing is looked up on the host, no program is started.
// Not thread-safe.
class ArchiveReader {
 public:
  // `source` gives the next bytes, empty at the end; they stay valid until it is called again.
  using Source = std::function<Result<std::string_view>()>;
  static Result<ArchiveReader> open(Source source);
  static Result<ArchiveReader> open(int fd);  // borrowed; may be a pipe
  ArchiveReader(ArchiveReader&&) noexcept;
  ~ArchiveReader();

  // Nothing at the end. The path is as it stands in the archive, so tree_writer.h must see it
  // before the disk does. kInvalid when this is no archive or a damaged one.
  Result<std::optional<TreeEntry>> next();

  struct Block {
    std::uint64_t offset = 0;
    std::string_view bytes;  // valid until the next call
  };
  // The content of the file that next() returned, holes left out.
  Result<std::optional<Block>> read();

  std::uint64_t consumed() const;  // bytes of the archive so far

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fairlead::volume
