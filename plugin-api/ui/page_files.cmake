# Writes the files of the page as one C++ source:
#   cmake -DINTO=page_files.cpp -DFOLDER=page -DFILES=index.html,app.js -P page_files.cmake
# (Rejected: an array of numbers for each byte, which takes the compiler seconds and cannot be read in a debugger.)
set(TYPE_html "text/html; charset=utf-8")
set(TYPE_css "text/css; charset=utf-8")
set(TYPE_js "text/javascript; charset=utf-8")
set(TYPE_svg "image/svg+xml")

set(rows "")
string(REPLACE "," ";" files "${FILES}")
foreach(name IN LISTS files)
  file(READ "${FOLDER}/${name}" text)
  string(FIND "${text}" ")page\"" ending)
  if(NOT ending EQUAL -1)
    message(FATAL_ERROR "${name}: must not contain )page\"")
  endif()
  string(REGEX REPLACE ".*\\." "" suffix "${name}")
  string(REPLACE "/index.html" "/" path "/${name}")
  string(APPEND rows "    {\"${path}\", \"${TYPE_${suffix}}\", R\"page(${text})page\"},\n")
endforeach()

file(WRITE "${INTO}.new" "// Made by page_files.cmake.
#include \"plugin-api/ui/page_files.h\"

namespace fairlead::ui {

namespace {

constexpr PageFile kFiles[] = {
${rows}};

}  // namespace

std::span<const PageFile> page_files() { return kFiles; }

}  // namespace fairlead::ui
")
file(COPY_FILE "${INTO}.new" "${INTO}" ONLY_IF_DIFFERENT)
file(REMOVE "${INTO}.new")
