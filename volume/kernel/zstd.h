// Zstandard (RFC 8878) through libzstd: chunks of known size, and streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace fairlead::volume {

// One frame after the other, with checksums. Not thread-safe; the contexts are used again.
class ZstdWriter {
 public:
  ZstdWriter();

  // A whole frame, with its size in the header.
  std::string pack(std::string_view plain);
  // A frame in chunks: what can be written now of it.
  std::string add(std::string_view plain);
  std::string finish();

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

class ZstdReader {
 public:
  ZstdReader();

  // A whole frame whose content has exactly `size` bytes; anything else is kInvalid.
  Result<std::string> unpack(std::string_view packed, std::size_t size);
  // A whole frame whose content has at most `most` bytes.
  Result<std::string> unpack_at_most(std::string_view packed, std::size_t most);
  // A frame in chunks: appends at most `most` bytes to `plain`, takes what was read off the front
  // of `packed`, and is true when the frame ended.
  Result<bool> add(std::string_view& packed, std::string& plain, std::size_t most);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace fairlead::volume
