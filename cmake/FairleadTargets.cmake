# One function per kind of target, so that warnings, sanitizers and labels are the same everywhere.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
  # A clone in another folder finds what was compiled in the one before.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

function(fairlead_options target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-missing-field-initializers
    # False alarms of g++ 12 about strings and optionals (GCC bugs 105651, 80635).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    $<$<BOOL:${FAIRLEAD_WERROR}>:-Werror>)
  if(FAIRLEAD_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${FAIRLEAD_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${FAIRLEAD_SANITIZE})
  endif()
  if(FAIRLEAD_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# fairlead_library(NAME SOURCES a.cpp ... [LINK lib ...]): a static library, one per row of the layer table.
function(fairlead_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  fairlead_options(${name})
  target_link_libraries(${name} PUBLIC fmt::fmt tl::expected ${ARG_LINK})
endfunction()

# fairlead_program(NAME OUTPUT fairleadd SOURCES ... [LINK lib ...])
function(fairlead_program name)
  cmake_parse_arguments(ARG "" "OUTPUT" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  fairlead_options(${name})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME ${ARG_OUTPUT})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()

# fairlead_test(NAME TIER unit|kernel|conformance|crash [COST n] SOURCES ... [LINK lib ...]): a GoogleTest program; its tests
# carry the tier as their CTest label. With -j the tests of the greatest COST (the seconds of the program's longest test) are
# begun first, so that no long one is left for the end; once CTest has run them, it goes by what they took.
function(fairlead_test name)
  cmake_parse_arguments(ARG "" "TIER;COST" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_COST)
    set(ARG_COST 0)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  fairlead_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${ARG_TIER} TIMEOUT 120 COST ${ARG_COST} SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()

# fairlead_folders(a b ...): add_subdirectory for each.
function(fairlead_folders)
  foreach(folder ${ARGN})
    add_subdirectory(${folder})
  endforeach()
endfunction()
