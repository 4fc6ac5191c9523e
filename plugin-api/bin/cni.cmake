# The CNI executables. The thin client is static and, where cni_client.h knows the processor, made without the C
# library: it is started for every container. Sanitizers need one, so their builds link it as usual.
if(NOT FAIRLEAD_FUZZ)
  fairlead_program(fairlead_cni_client OUTPUT fairlead-cni SOURCES ${CMAKE_SOURCE_DIR}/plugin-api/bin/cni_client.cpp)
  target_compile_definitions(fairlead_cni_client PRIVATE FAIRLEAD_VERSION="${PROJECT_VERSION}")
  set_target_properties(fairlead_cni_client PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(fairlead_cni_client PRIVATE -Os -fno-exceptions -fno-rtti -fno-pie -fno-stack-protector
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections)
  if(NOT FAIRLEAD_SANITIZE)
    target_link_options(fairlead_cni_client PRIVATE -static -no-pie -Wl,--gc-sections -Wl,--build-id=none
      -Wl,-z,norelro -Wl,-z,noseparate-code)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64|aarch64|arm64)$")
      target_compile_definitions(fairlead_cni_client PRIVATE FAIRLEAD_NOLIBC)
      target_compile_options(fairlead_cni_client PRIVATE -ffreestanding)
      target_link_options(fairlead_cni_client PRIVATE -nostdlib -nostartfiles)
    endif()
  endif()

  # The same through the C library: what other processors get. Built for the tests, which run both.
  fairlead_program(fairlead_cni_client_libc OUTPUT fairlead-cni-libc SOURCES ${CMAKE_SOURCE_DIR}/plugin-api/bin/cni_client.cpp)
  target_compile_definitions(fairlead_cni_client_libc PRIVATE FAIRLEAD_VERSION="${PROJECT_VERSION}")
  set_target_properties(fairlead_cni_client_libc PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_options(fairlead_cni_client_libc PRIVATE -Os -fno-exceptions -fno-rtti)
  if(NOT FAIRLEAD_SANITIZE)
    target_link_options(fairlead_cni_client_libc PRIVATE -static -Wl,--gc-sections)
  endif()
endif()

# The whole core in one executable that starts quickly: what Debian has as archives is linked in.
if(NOT FAIRLEAD_FUZZ AND EXISTS ${CMAKE_SOURCE_DIR}/plugin-api/bin/core.cpp AND TARGET fairlead_core)
  fairlead_program(fairlead_cni_local OUTPUT fairlead-cni-local
    SOURCES ${CMAKE_SOURCE_DIR}/plugin-api/bin/cni_local_main.cpp LINK fairlead_cni fairlead_core)
  target_link_options(fairlead_cni_local PRIVATE -Wl,--as-needed -Wl,-z,lazy -Wl,--gc-sections)
  if(NOT FAIRLEAD_SANITIZE)
    target_link_options(fairlead_cni_local PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endif()
