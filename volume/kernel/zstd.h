// Zstandard (RFC 8878) by libzstd: chunks of known size, and streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace fairlead::volume {

// How hard zstd tries: 3 is its own default. Level 2 takes two thirds of the time for 2 % more bytes;
// level 1 is for what hardly becomes smaller.
enum class ZstdLevel { kQuick = 1, kChunks = 2, kDefault = 3 };

// Writes frames one after the other, with checksums. Not thread-safe: the context is reused.
class ZstdWriter {
 public:
  explicit ZstdWriter(ZstdLevel level = ZstdLevel::kDefault);

  // A whole frame, with the size of its content in the header.
  std::string pack(std::string_view plain);
  // The same, borrowed until the next call: spares the memory to be cleared for each frame.
  std::string_view pack_in_place(std::string_view plain);
  // Compresses a frame piece by piece. Each call returns what can be written of the frame so far;
  // finish() returns the rest.
  std::string add(std::string_view plain);
  std::string finish();

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
  std::string room_;
};

class ZstdReader {
 public:
  ZstdReader();

  // Unpacks a whole frame whose content has exactly `size` bytes; anything else is kInvalid.
  Result<std::string> unpack(std::string_view packed, std::size_t size);
  // Unpacks a whole frame whose content has at most `most` bytes.
  Result<std::string> unpack_at_most(std::string_view packed, std::size_t most);
  // Unpacks a frame piece by piece: appends at most `most` bytes to `plain` and removes what was
  // read from the front of `packed`. Returns true when the frame has ended.
  Result<bool> add(std::string_view& packed, std::string& plain, std::size_t most);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace fairlead::volume
