#include "volume/kernel/superblock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>

namespace fairlead::volume {

namespace {

using Bytes = std::span<const unsigned char>;

template <class Number>
Number little(Bytes bytes, std::size_t at) {
  Number number = 0;
  for (std::size_t k = sizeof number; k-- > 0;)
    number = static_cast<Number>((static_cast<std::uint64_t>(number) << 8U) | bytes[at + k]);
  return number;
}

template <class Number>
Number big(Bytes bytes, std::size_t at) {
  Number number = 0;
  for (std::size_t k = 0; k < sizeof number; ++k)
    number = static_cast<Number>((static_cast<std::uint64_t>(number) << 8U) | bytes[at + k]);
  return number;
}

std::string hex(Bytes bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// struct ext4_super_block, from byte 1024 on.
constexpr std::size_t kExtStart = 1024, kExtBytes = 1024, kExtUuid = 0x68, kExtChecksum = 0x3FC;
constexpr std::uint16_t kExtMagic = 0xEF53, kExtErrors = 2;
// s_first_error_errcode (fs/ext4/ext4.h, EXT4_ERR_EIO and EXT4_ERR_ENOSPC).
constexpr unsigned kExtErrIo = 2, kExtErrNoSpace = 6;
constexpr std::uint32_t kIncompatRecover = 0x4, kIncompat64Bit = 0x80, kIncompatCsumSeed = 0x2000,
                        kIncompatExtents = 0x40, kLargestLogBlock = 6,
                        kRoCompatMetadataCsum = 0x400;

Result<Superblock> parse_ext4(Bytes ext) {
  const auto log_block = little<std::uint32_t>(ext, 0x18);
  const auto incompat = little<std::uint32_t>(ext, 0x60);
  if (log_block > kLargestLogBlock || (incompat & kIncompatExtents) == 0)
    return fail(Code::kInvalid, "it is an ext2, an ext3 or a damaged ext4");
  Superblock found{.type = "ext4", .uuid = hex(ext.subspan(kExtUuid, 16))};
  found.block_size = 1024U << log_block;
  found.sector_size = std::min<std::uint32_t>(found.block_size, 4096);
  const std::uint64_t high =
      (incompat & kIncompat64Bit) != 0 ? little<std::uint32_t>(ext, 0x150) : 0;
  const std::uint64_t blocks = (high << 32U) | little<std::uint32_t>(ext, 0x4);
  if (blocks > (std::uint64_t{1} << 47U)) return fail(Code::kInvalid, "it is a damaged ext4");
  found.size = blocks * found.block_size;
  found.needs_recovery = (incompat & kIncompatRecover) != 0;
  found.has_errors = (little<std::uint16_t>(ext, 0x3A) & kExtErrors) != 0;
  const unsigned first_error = ext[0x27A];
  found.write_failed =
      found.has_errors && (first_error == kExtErrIo || first_error == kExtErrNoSpace);
  return found;
}

Result<Superblock> parse_xfs(Bytes xfs) {
  Superblock found{.type = "xfs", .uuid = hex(xfs.subspan(32, 16))};
  found.block_size = big<std::uint32_t>(xfs, 4);
  found.sector_size = big<std::uint16_t>(xfs, 102);
  const auto blocks = big<std::uint64_t>(xfs, 8);
  const auto is_size = [](std::uint32_t size) {
    return std::has_single_bit(size) && size >= 512 && size <= 65536;
  };
  if (!is_size(found.block_size) || !is_size(found.sector_size) ||
      blocks > (std::uint64_t{1} << 47U))
    return fail(Code::kInvalid, "it is a damaged xfs");
  found.size = blocks * found.block_size;
  return found;
}

// CRC-32C (Castagnoli) as ext4 stores it: seeded with all ones and not inverted at the end.
std::uint32_t crc32c(Bytes bytes) {
  std::uint32_t crc = ~0U;
  for (const unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return crc;
}

using ExtBlock = std::array<unsigned char, kExtBytes>;

Result<ExtBlock> with_uuid(ExtBlock block, const std::string& uuid) {
  const auto incompat = little<std::uint32_t>(block, 0x60);
  const auto ro_compat = little<std::uint32_t>(block, 0x64);
  if ((incompat & kIncompatCsumSeed) == 0 || (ro_compat & kRoCompatMetadataCsum) == 0)
    return fail(Code::kUnsupported,
                "give an ext4 another UUID: it has no feature metadata_csum_seed");
  if (crc32c(Bytes(block).first(kExtChecksum)) != little<std::uint32_t>(block, kExtChecksum))
    return fail(Code::kIo, "give an ext4 another UUID: its superblock is damaged; run a check");
  for (std::size_t k = 0; k < 16; ++k)
    if (const auto pair = std::string_view(uuid).substr(2 * k, 2);
        pair.size() != 2 ||
        std::from_chars(pair.data(), pair.data() + 2, block.at(kExtUuid + k), 16).ptr !=
            pair.data() + 2)
      return fail(Code::kInternal, "give an ext4 another UUID: it has no 32 hex digits");
  const std::uint32_t checksum = crc32c(Bytes(block).first(kExtChecksum));
  for (std::size_t k = 0; k < 4; ++k)
    block.at(kExtChecksum + k) = static_cast<unsigned char>(checksum >> (8 * k));
  return block;
}

}  // namespace

Result<Superblock> parse_superblock(std::span<const unsigned char, kSuperblockBytes> bytes) {
  constexpr std::array<unsigned char, 4> kXfsMagic{'X', 'F', 'S', 'B'};
  if (std::equal(kXfsMagic.begin(), kXfsMagic.end(), bytes.begin())) return parse_xfs(bytes);
  const Bytes ext = Bytes(bytes).subspan(kExtStart);
  if (little<std::uint16_t>(ext, 0x38) == kExtMagic) return parse_ext4(ext);
  return fail(Code::kInvalid, "it holds no ext4 or xfs file system");
}

Result<Superblock> read_superblock(int image) {
  std::array<unsigned char, kSuperblockBytes> bytes{};
  const ssize_t got = ::pread(image, bytes.data(), bytes.size(), 0);
  if (got < 0) return fail_errno(errno, "read the beginning of an image");
  return parse_superblock(bytes);  // a short file: the rest is zeros
}

Status set_ext4_uuid(int image, const std::string& uuid) {
  ExtBlock block{};
  if (::pread(image, block.data(), block.size(), kExtStart) != static_cast<ssize_t>(block.size()))
    return fail_errno(errno, "read the superblock of an image");
  TRY(const auto changed, with_uuid(block, uuid));
  if (::pwrite(image, changed.data(), changed.size(), kExtStart) !=
          static_cast<ssize_t>(changed.size()) ||
      ::fsync(image) != 0)
    return fail_errno(errno, "write the superblock of an image");
  return {};
}

}  // namespace fairlead::volume
