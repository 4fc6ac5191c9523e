// libarchive, loaded when an archive is first read or written: with it come libxml2, ICU and nine more
// libraries, whose loading takes longer than most commands of `fairlead`.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "base/result.h"

// The functions that are used, by their own names.
#define FAIRLEAD_LIBARCHIVE_FUNCTIONS(X)   \
  X(archive_entry_acl_add_entry)           \
  X(archive_entry_acl_next)                \
  X(archive_entry_acl_reset)               \
  X(archive_entry_copy_hardlink)           \
  X(archive_entry_copy_pathname)           \
  X(archive_entry_copy_symlink)            \
  X(archive_entry_fflags)                  \
  X(archive_entry_filetype)                \
  X(archive_entry_free)                    \
  X(archive_entry_gid)                     \
  X(archive_entry_hardlink)                \
  X(archive_entry_mtime)                   \
  X(archive_entry_mtime_nsec)              \
  X(archive_entry_new)                     \
  X(archive_entry_pathname)                \
  X(archive_entry_perm)                    \
  X(archive_entry_rdev)                    \
  X(archive_entry_set_fflags)              \
  X(archive_entry_set_gid)                 \
  X(archive_entry_set_mode)                \
  X(archive_entry_set_mtime)               \
  X(archive_entry_set_rdev)                \
  X(archive_entry_set_size)                \
  X(archive_entry_set_uid)                 \
  X(archive_entry_size)                    \
  X(archive_entry_sparse_add_entry)        \
  X(archive_entry_symlink)                 \
  X(archive_entry_uid)                     \
  X(archive_entry_xattr_add_entry)         \
  X(archive_entry_xattr_next)              \
  X(archive_entry_xattr_reset)             \
  X(archive_error_string)                  \
  X(archive_read_data_block)               \
  X(archive_read_free)                     \
  X(archive_read_new)                      \
  X(archive_read_next_header)              \
  X(archive_read_open)                     \
  X(archive_read_set_option)               \
  X(archive_read_support_filter_bzip2)     \
  X(archive_read_support_filter_compress)  \
  X(archive_read_support_filter_gzip)      \
  X(archive_read_support_filter_lz4)       \
  X(archive_read_support_filter_lzma)      \
  X(archive_read_support_filter_xz)        \
  X(archive_read_support_filter_zstd)      \
  X(archive_read_support_format_tar)       \
  X(archive_set_error)                     \
  X(archive_write_close)                   \
  X(archive_write_data)                    \
  X(archive_write_free)                    \
  X(archive_write_header)                  \
  X(archive_write_new)                     \
  X(archive_write_open2)                   \
  X(archive_write_set_bytes_in_last_block) \
  X(archive_write_set_bytes_per_block)     \
  X(archive_write_set_format_pax)

namespace fairlead::volume {

struct Libarchive {
#define FAIRLEAD_MEMBER(name) decltype(&::name) name;
  FAIRLEAD_LIBARCHIVE_FUNCTIONS(FAIRLEAD_MEMBER)
#undef FAIRLEAD_MEMBER
};

// kUnsupported, with what the loader says, where the library or one of its functions is missing. The
// same each time. Thread-safe.
Status load_libarchive();

// Only after load_libarchive() has succeeded.
const Libarchive& lib();

}  // namespace fairlead::volume
