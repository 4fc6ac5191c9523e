# The client library for other programs, which is installed on demand alone:
#   cmake --install build/release --component client --prefix /usr/local
# Headers keep their paths below include/fairlead, as they include each other by them.
include(CMakePackageConfigHelpers)

set(FAIRLEAD_CLIENT_LIBRARIES fairlead_client fairlead_native_codec fairlead_http_client fairlead_json fairlead_network_api
  fairlead_volume_api fairlead_base_options fairlead_base)
set(FAIRLEAD_CLIENT_HEADERS plugin-api/client/client.h network/api/service.h network/api/types.h network/api/policy.h network/api/options.h
  volume/api/service.h volume/api/types.h volume/api/options.h volume/api/excludes.h base/ip.h base/names.h base/result.h)
set(FAIRLEAD_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Fairlead)

foreach(library ${FAIRLEAD_CLIENT_LIBRARIES})
  string(REPLACE "fairlead_" "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(TARGETS ${FAIRLEAD_CLIENT_LIBRARIES} EXPORT FairleadTargets COMPONENT client
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} EXCLUDE_FROM_ALL INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fairlead)
install(EXPORT FairleadTargets NAMESPACE Fairlead:: DESTINATION ${FAIRLEAD_PACKAGE_DIR} COMPONENT client EXCLUDE_FROM_ALL)
foreach(header ${FAIRLEAD_CLIENT_HEADERS})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fairlead/${folder} COMPONENT client EXCLUDE_FROM_ALL)
endforeach()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/FairleadConfig.cmake.in ${CMAKE_BINARY_DIR}/FairleadConfig.cmake
  INSTALL_DESTINATION ${FAIRLEAD_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/FairleadConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/FairleadConfig.cmake ${CMAKE_BINARY_DIR}/FairleadConfigVersion.cmake
  DESTINATION ${FAIRLEAD_PACKAGE_DIR} COMPONENT client EXCLUDE_FROM_ALL)
