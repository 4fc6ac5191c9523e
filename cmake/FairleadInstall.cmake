# cmake --install build/release [--prefix /usr], with DESTDIR as usual. Units are written at that time, so that they
# name the prefix that was really chosen.
if(FAIRLEAD_FUZZ)  # without the CNI executables
  return()
endif()
include(FairleadClientPackage)
set(FAIRLEAD_CNI_DIR /opt/cni/bin CACHE STRING "Where the runtimes look for CNI plugins (Debian 13's containerd: /usr/lib/cni)")
target_compile_definitions(fairlead PRIVATE FAIRLEAD_CNI_DIR="${FAIRLEAD_CNI_DIR}"
  FAIRLEAD_LIBEXEC_DIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/fairlead")
set(FAIRLEAD_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd's units go, below the prefix")

install(TARGETS fairleadd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS fairlead RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS fairlead_cni_local fairlead_netavark_local fairlead_netavark_client RUNTIME
  DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/fairlead) # `fairlead podman install` puts the last one where Podman looks
install(PROGRAMS $<TARGET_FILE:fairlead_cni_client> DESTINATION ${FAIRLEAD_CNI_DIR} RENAME fairlead)
install(FILES README.md CHANGELOG.md LICENSE docs/starting.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")  # where README.md looks for them
install(DIRECTORY examples/cni DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
foreach(section 1 5 8)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} FILES_MATCHING PATTERN "*.${section}")
endforeach()
install(FILES packaging/completions/fairlead.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME fairlead)
install(FILES packaging/completions/fairlead.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions RENAME _fairlead)
install(FILES packaging/completions/fairlead.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES packaging/fairleadd.socket DESTINATION ${FAIRLEAD_UNIT_DIR})
# Whoever manages the host's interfaces leaves Fairlead's alone.
install(FILES packaging/10-fairlead.network packaging/10-fairlead.link DESTINATION lib/systemd/network)
install(FILES packaging/10-fairlead.conf DESTINATION lib/NetworkManager/conf.d)
install(CODE "
  set(FAIRLEAD_SBIN_DIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SBINDIR}\")
  set(FAIRLEAD_DOC_DIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\")
  configure_file(\"${CMAKE_SOURCE_DIR}/packaging/fairleadd.service.in\" \"${CMAKE_BINARY_DIR}/fairleadd.service\" @ONLY)")
install(FILES ${CMAKE_BINARY_DIR}/fairleadd.service DESTINATION ${FAIRLEAD_UNIT_DIR})
