// Converts between tar archives and TreeEntry by libarchive. No other file uses libarchive;
// tree_reader.h reads the disk and tree_writer.h writes to it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "volume/kernel/sha256.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume {

enum class Packing { kZstd, kNone };  // kNone: a plain tar

// Writes pax (POSIX.1-2001) in one zstd frame with a checksum of the content, which whoever unpacks
// the frame compares at its end (libarchive's own zstd filter writes no checksum). The same entries
// give the same bytes, because the archive holds no time, host or user of its writer. Not
// thread-safe.
class ArchiveWriter {
 public:
  // `fd` is borrowed and written from its present position; it may be a pipe. Unpacked there is no
  // checksum.
  static Result<ArchiveWriter> open(int fd, Packing packing = Packing::kZstd);
  ArchiveWriter(ArchiveWriter&&) noexcept;
  ~ArchiveWriter();  // without close() before: the archive is left cut off

  // `ranges` are the parts of a file that hold data (offset, length), ascending. The whole content
  // has to follow, the data by write() and the holes by skip().
  Status add(const TreeEntry& entry,
             const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges = {});
  Status write(std::string_view bytes);
  Status skip(std::uint64_t hole);
  // Ends the archive. Returns the SHA-256 of the file as it was written, as sha256sum(1) shows it.
  Result<Digest> close();

 private:
  struct State;
  explicit ArchiveWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Reads every tar (v7, ustar, GNU, pax), plain or compressed with gzip, bzip2, xz, lzma, zstd, lz4
// or compress, and several archives in one stream. Looks up nothing on the host and starts no
// program. Not thread-safe.
class ArchiveReader {
 public:
  // `source` returns the next bytes, empty at the end. They have to stay valid until it is called
  // again.
  using Source = std::function<Result<std::string_view>()>;
  static Result<ArchiveReader> open(Source source);
  static Result<ArchiveReader> open(int fd);  // borrowed; may be a pipe
  ArchiveReader(ArchiveReader&&) noexcept;
  ~ArchiveReader();

  // Returns the next entry, or std::nullopt at the end. Its path is as it stands in the archive and
  // must be checked by tree_writer.h before it is used on the disk. kInvalid when this is no
  // archive or a damaged one.
  Result<std::optional<TreeEntry>> next();

  struct Block {
    std::uint64_t offset = 0;
    std::string_view bytes;  // valid until the next call
  };
  // The next block of the content of the file that next() returned, without its holes. std::nullopt
  // at the end.
  Result<std::optional<Block>> read();

  std::uint64_t consumed() const;  // bytes of the archive read so far

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fairlead::volume
