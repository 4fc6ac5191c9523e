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
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true
    CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=true ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

function(fairlead_options target)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-missing-field-initializers
    # False alarms of g++ 12 about strings and optionals (GCC bugs 105651, 80635).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    $<$<BOOL:${FAIRLEAD_WERROR}>:-Werror>)
  if(FAIRLEAD_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${FAIRLEAD_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${FAIRLEAD_SANITIZE})
    # A sixth of what a test takes to compile. The code under test is checked for both; in a test itself, AddressSanitizer stops
    # at a null pointer too.
    if(FAIRLEAD_IN_TESTS AND FAIRLEAD_SANITIZE MATCHES undefined)
      target_compile_options(${target} PRIVATE -fno-sanitize=null,alignment)
    endif()
  endif()
  if(FAIRLEAD_FUZZ AND NOT FAIRLEAD_IN_TESTS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# Headers that nearly every file includes are compiled once: a third of what a file takes. That each file still includes what it
# uses is checked by tests/support/includes.py. CMake's own way with precompiled headers would tie what ccache has to the folder
# of the clone; here it goes by the sum of what the headers say.
# fairlead_pch(NAME HEADER FLAGS ...): compiles cmake/HEADER. (g++ looks for it beside the header, so it gets a copy of that.)
function(fairlead_pch name header)
  set(copy ${CMAKE_BINARY_DIR}/${name}.h)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/${header} ${copy} COPYONLY)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(pch ${CMAKE_BINARY_DIR}/${name}.pch)
  else()
    set(pch ${copy}.gch)
  endif()
  string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}")
  list(APPEND flags -std=c++20 -DFMT_SHARED ${ARGN} $<$<BOOL:${FAIRLEAD_WERROR}>:-Werror>)
  if(FAIRLEAD_SANITIZE)
    list(APPEND flags -fsanitize=${FAIRLEAD_SANITIZE} -fno-omit-frame-pointer)
  endif()
  add_custom_command(OUTPUT ${pch} DEPENDS ${copy} COMMENT "Precompiling ${name}" COMMAND_EXPAND_LISTS VERBATIM
    COMMAND ${CMAKE_SOURCE_DIR}/cmake/pch.sh ${pch} ${copy} ${CMAKE_CXX_COMPILER} ${flags})
  add_custom_target(${name}_pch DEPENDS ${pch})
endfunction()

# fairlead_use_pch(target NAME): does nothing where there is none.
function(fairlead_use_pch target name)
  if(NOT TARGET ${name}_pch)
    return()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(use -include-pch ${CMAKE_BINARY_DIR}/${name}.pch)
  else()
    set(use -include ${CMAKE_BINARY_DIR}/${name}.h -fpch-preprocess -Winvalid-pch)
  endif()
  list(TRANSFORM use REPLACE "(.+)" "$<$<COMPILE_LANGUAGE:CXX>:\\1>" OUTPUT_VARIABLE use)
  target_compile_options(${target} PRIVATE ${use})
  add_dependencies(${target} ${name}_pch)
endfunction()

if(FAIRLEAD_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(library_flags -fPIC $<$<BOOL:${FAIRLEAD_FUZZ}>:-fsanitize=fuzzer-no-link>)
  fairlead_pch(library_headers library_headers.h ${library_flags})
  fairlead_pch(optimized_library_headers library_headers.h ${library_flags} -O1)
  fairlead_pch(test_headers test_headers.h -fPIE -DGTEST_HAS_PTHREAD=1)
elseif(NOT FAIRLEAD_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release")
  fairlead_pch(library_headers library_headers.h -fPIC -Wpedantic) # it decides over a macro that g++ compares
endif()

# fairlead_library(NAME [OPTIMIZED] SOURCES a.cpp ... [LINK lib ...]): a static library, one per row of the layer table. OPTIMIZED:
# with -O1 in debug builds too, because tests put ten thousand calls through it.
function(fairlead_library name)
  cmake_parse_arguments(ARG "OPTIMIZED" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  fairlead_options(${name})
  if(ARG_OPTIMIZED)
    target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O1>)
  endif()
  if(ARG_OPTIMIZED AND TARGET optimized_library_headers_pch)
    fairlead_use_pch(${name} optimized_library_headers)
  elseif(NOT FAIRLEAD_IN_TESTS)
    fairlead_use_pch(${name} library_headers)
  endif()
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
  fairlead_use_pch(${name} test_headers)
  target_link_libraries(${name} PRIVATE ${ARG_LINK} fairlead_test_paths GTest::gtest GTest::gmock GTest::gtest_main)
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
