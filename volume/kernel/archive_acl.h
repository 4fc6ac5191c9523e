// POSIX ACLs between the kernel's extended attributes (linux/posix_acl_xattr.h) and libarchive.
#pragma once

#include <string>

struct archive_entry;

namespace fairlead::volume {

// Which of the two ACLs, as libarchive numbers them: ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT.
// False when the attribute is not an ACL; nothing is added then.
bool add_acl(archive_entry* entry, int type, const std::string& xattr);

// The attribute, or empty when the entry has no ACL of this type beyond its mode.
std::string acl_of(archive_entry* entry, int type);

}  // namespace fairlead::volume
