# The CNI executables. The thin client is static and, where cni_client.h knows the processor, made without the C
# library: it is started for every container. Sanitizers need one, so their builds link it as usual.
set(FAIRLEAD_CLIENT_DEFINITIONS FAIRLEAD_VERSION="${PROJECT_VERSION}"
  FAIRLEAD_LIBEXECDIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/fairlead")
if(NOT FAIRLEAD_FUZZ)
  fairlead_program(fairlead_cni_client OUTPUT fairlead-cni SOURCES cni_client.cpp)
  target_compile_definitions(fairlead_cni_client PRIVATE ${FAIRLEAD_CLIENT_DEFINITIONS})
  set_target_properties(fairlead_cni_client PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(fairlead_cni_client PRIVATE -Os -fno-exceptions -fno-rtti -fno-pie -fno-stack-protector
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections)
  target_link_options(fairlead_cni_client PRIVATE -no-pie)
  if(NOT FAIRLEAD_SANITIZE)
    target_link_options(fairlead_cni_client PRIVATE -static -Wl,--gc-sections -Wl,--build-id=none
      -Wl,-z,norelro -Wl,-z,noseparate-code)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64|aarch64|arm64)$")
      target_compile_definitions(fairlead_cni_client PRIVATE FAIRLEAD_NOLIBC)
      target_compile_options(fairlead_cni_client PRIVATE -ffreestanding)
      target_link_options(fairlead_cni_client PRIVATE -nostdlib -nostartfiles)
    endif()
  endif()

  # The same through the C library: what other processors get. Built for the tests, which run both.
  fairlead_program(fairlead_cni_client_libc OUTPUT fairlead-cni-libc SOURCES cni_client.cpp)
  target_compile_definitions(fairlead_cni_client_libc PRIVATE ${FAIRLEAD_CLIENT_DEFINITIONS})
  set_target_properties(fairlead_cni_client_libc PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_options(fairlead_cni_client_libc PRIVATE -Os -fno-exceptions -fno-rtti)
  if(NOT FAIRLEAD_SANITIZE)
    target_link_options(fairlead_cni_client_libc PRIVATE -static -Wl,--gc-sections)
  endif()
endif()

# fairlead_start_quickly(target): links in what a dynamic linker would otherwise look up at each start. Measured, exec
# to exit of VERSION: 2.6 ms as usual, 1.2 ms with fmt and libstdc++ linked in, 0.8 ms with SQLite and libnftnl as well.
find_library(FAIRLEAD_SQLITE_ARCHIVE libsqlite3.a)
find_library(FAIRLEAD_NFTNL_ARCHIVE libnftnl.a)
function(fairlead_start_quickly target)
  target_link_options(${target} PRIVATE -Wl,--as-needed -Wl,-z,lazy -Wl,--gc-sections)
  if(FAIRLEAD_SANITIZE)
    return()
  endif()
  target_sources(${target} PRIVATE cni_local_fmt.cpp)
  target_link_libraries(${target} PRIVATE fmt::fmt)
  target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  # Before the shared libraries, which then have nothing left to give (--as-needed).
  if(FAIRLEAD_SQLITE_ARCHIVE)
    target_link_options(${target} PRIVATE -Wl,-u,sqlite3_libversion ${FAIRLEAD_SQLITE_ARCHIVE})
  endif()
  if(FAIRLEAD_NFTNL_ARCHIVE)
    target_link_options(${target} PRIVATE -Wl,--whole-archive ${FAIRLEAD_NFTNL_ARCHIVE} -Wl,--no-whole-archive)
  endif()
endfunction()

# The whole core in one executable.
if(NOT FAIRLEAD_FUZZ AND TARGET fairlead_core)
  fairlead_program(fairlead_cni_local OUTPUT fairlead-cni-local
    SOURCES cni_local_main.cpp LINK fairlead_cni fairlead_core)
  fairlead_start_quickly(fairlead_cni_local)
endif()
