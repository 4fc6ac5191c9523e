// Converts POSIX ACLs between the kernel's extended attributes (linux/posix_acl_xattr.h) and
// libarchive.
#pragma once

#include <string>

struct archive_entry;

namespace fairlead::volume {

// `type` is libarchive's number for the ACL: ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT. Returns
// false and adds nothing when the attribute is not an ACL.
bool add_acl(archive_entry* entry, int type, const std::string& xattr);

// The extended attribute, or empty when the entry has no ACL of this type beyond its mode.
std::string acl_of(archive_entry* entry, int type);

}  // namespace fairlead::volume
