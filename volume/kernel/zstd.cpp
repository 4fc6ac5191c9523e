#include "volume/kernel/zstd.h"

#include <zstd.h>

#include <algorithm>
#include <new>

namespace fairlead::volume {

namespace {

constexpr int kLargestWindowLog = 27;  // 128 MiB: the most memory that a frame can make us take

std::string compress(ZSTD_CCtx_s* context, std::string_view plain, ZSTD_EndDirective directive) {
  std::string packed;
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  for (std::size_t left = 1; left != 0 || in.pos < in.size;) {
    const std::size_t before = packed.size();
    packed.resize(before + ZSTD_CStreamOutSize());
    ZSTD_outBuffer out{packed.data() + before, packed.size() - before, 0};
    left = ZSTD_compressStream2(context, &out, &in, directive);
    packed.resize(before + out.pos);
    if (ZSTD_isError(left) != 0) throw std::bad_alloc();  // the only possible cause
    if (directive == ZSTD_e_continue && in.pos == in.size) break;
  }
  return packed;
}

tl::unexpected<Error> broken(std::size_t code) {
  return fail(Code::kInvalid, "the compressed data is damaged: {}", ZSTD_getErrorName(code));
}

}  // namespace

void ZstdWriter::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
void ZstdReader::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

ZstdWriter::ZstdWriter(ZstdLevel level) : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, static_cast<int>(level));
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
}

std::string_view ZstdWriter::pack_in_place(std::string_view plain) {
  const std::size_t most = ZSTD_compressBound(plain.size());
  if (room_.size() < most) room_.resize(most);
  const std::size_t size =
      ZSTD_compress2(context_.get(), room_.data(), room_.size(), plain.data(), plain.size());
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();
  return std::string_view(room_).substr(0, size);
}

std::string ZstdWriter::pack(std::string_view plain) { return std::string(pack_in_place(plain)); }

std::string ZstdWriter::add(std::string_view plain) {
  return compress(context_.get(), plain, ZSTD_e_continue);
}
std::string ZstdWriter::finish() { return compress(context_.get(), {}, ZSTD_e_end); }

ZstdReader::ZstdReader() : context_(ZSTD_createDCtx()) {
  if (!context_) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kLargestWindowLog);
}

Result<std::string> ZstdReader::unpack(std::string_view packed, std::size_t size) {
  std::string plain(size, '\0');
  const std::size_t got =
      ZSTD_decompressDCtx(context_.get(), plain.data(), plain.size(), packed.data(), packed.size());
  if (ZSTD_isError(got) != 0) return broken(got);
  if (got != size)
    return fail(Code::kInvalid, "the compressed data is damaged: {} bytes instead of {}", got,
                size);
  return plain;
}

Result<std::string> ZstdReader::unpack_at_most(std::string_view packed, std::size_t most) {
  std::string plain;
  TRY(const bool ended, add(packed, plain, most));
  if (!ended || !packed.empty())
    return fail(Code::kInvalid,
                "the compressed data is damaged: it is no frame of at most {} bytes", most);
  return plain;
}

Result<bool> ZstdReader::add(std::string_view& packed, std::string& plain, std::size_t most) {
  const std::size_t step = ZSTD_DStreamOutSize();
  std::size_t added = 0;
  while (added < most) {
    const std::size_t before = plain.size();
    plain.resize(before + std::min(step, most - added));
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{plain.data() + before, plain.size() - before, 0};
    const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
    plain.resize(before + out.pos);
    added += out.pos;
    packed.remove_prefix(in.pos);
    if (ZSTD_isError(left) != 0) {
      ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only);
      return broken(left);
    }
    if (left == 0) return true;
    if (out.pos == 0 && packed.empty()) return false;  // needs more input
  }
  return false;
}

}  // namespace fairlead::volume
