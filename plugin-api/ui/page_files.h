// The files of the page, as they are in the folder page/: built into the program (page_files.cmake), so
// that it needs none beside it.
#pragma once

#include <span>
#include <string_view>

namespace fairlead::ui {

struct PageFile {
  std::string_view path;  // "/app.js"; the page itself is "/"
  std::string_view content_type, text;
};
std::span<const PageFile> page_files();

}  // namespace fairlead::ui
