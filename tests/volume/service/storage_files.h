// Files of a BackupStorage, written and read whole.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "volume/service/backup_storage.h"

namespace fairlead::volume::testing {

inline Status put(BackupStorage& storage, const std::string& name, std::string_view bytes) {
  TRY(const auto writer, storage.create());
  TRY_STATUS(writer->append(bytes.substr(0, bytes.size() / 3)));
  TRY_STATUS(writer->append(bytes.substr(bytes.size() / 3)));
  return writer->publish(name);
}

inline std::string get(BackupStorage& storage, const std::string& name) {
  const auto file = storage.open(name);
  EXPECT_TRUE(file) << file.error().text;
  if (!file) return {};
  std::string bytes((*file)->size(), '\0');
  const BackupRange all{.offset = 0, .into = bytes};
  const auto read = (*file)->read({&all, 1});
  EXPECT_TRUE(read) << read.error().text;
  return bytes;
}

}  // namespace fairlead::volume::testing
