# fairlead-cni-local and fairlead-netavark-local, the core in one executable for one call. (The thin client: plugin-api/thin.)

# fairlead_start_quickly(target): links in what a dynamic linker would otherwise look up at each start. Measured, exec
# to exit of VERSION: 2.6 ms as usual, 1.2 ms with fmt and libstdc++ linked in, 0.8 ms with SQLite and libnftnl as well.
find_library(FAIRLEAD_SQLITE_ARCHIVE libsqlite3.a)
find_library(FAIRLEAD_NFTNL_ARCHIVE libnftnl.a)
function(fairlead_start_quickly target)
  target_link_options(${target} PRIVATE -Wl,--as-needed -Wl,-z,lazy -Wl,--gc-sections)
  if(FAIRLEAD_SANITIZE)
    return()
  endif()
  target_sources(${target} PRIVATE local_fmt.cpp)
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

# The whole core in one executable, for each protocol: what a program does not know it does not load.
if(NOT FAIRLEAD_FUZZ AND TARGET fairlead_core)
  fairlead_program(fairlead_cni_local OUTPUT fairlead-cni-local
    SOURCES cni_local_main.cpp local_call.cpp LINK fairlead_cni fairlead_core)
  fairlead_program(fairlead_netavark_local OUTPUT fairlead-netavark-local
    SOURCES netavark_local_main.cpp local_call.cpp netavark_host.cpp LINK fairlead_netavark fairlead_core)
  fairlead_start_quickly(fairlead_cni_local)
  fairlead_start_quickly(fairlead_netavark_local)
endif()
