// The room on the file system below a folder, and what a full one is.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "volume/api/types.h"

namespace fairlead::volume {

// Of the folder, or of the place where it will be made.
Result<DiskRoom> room_of(std::string folder);
Result<DiskRoom> room_of(int fd, std::string path);

// Whether so little is free that whoever writes is about to fail: less than 16 MiB, or a hundredth
// of a small disk.
bool is_full(const DiskRoom& room);

// "the disk below /var/lib/fairlead/volumes is full", with what to do.
std::string full_disk_text(const DiskRoom& room);

// Puts into a status that is well so far that the disk below is full, and that writes will fail.
void tell_full_disk(const Result<DiskRoom>& room, VolumeStatus& status);
// A condition and its sentence.
void set_health(VolumeStatus& status, Condition condition, std::string text);
// Of an error that kept the status from being looked up.
void set_health(VolumeStatus& status, const Error& error);
// Where the volume's own limit is reached, or nearly, and the status is well so far.
void tell_own_limit(const Volume& volume, VolumeStatus& status);

}  // namespace fairlead::volume
