# The manual pages, in man/ of the build folder: as --help of both programs says it.
fairlead_library(fairlead_manual SOURCES manual.cpp config_words.cpp LINK fairlead_cli)
target_include_directories(fairlead_manual PUBLIC ${CMAKE_BINARY_DIR}/generated)
fairlead_program(fairlead_manual_writer OUTPUT fairlead-manual SOURCES manual_main.cpp LINK fairlead_manual)
if(FAIRLEAD_FUZZ)
  return()
endif()
string(TIMESTAMP FAIRLEAD_MANUAL_DATE "%Y-%m-%d" UTC) # or that of SOURCE_DATE_EPOCH, which packages set
set(FAIRLEAD_MANUAL_DIR ${CMAKE_BINARY_DIR}/man)
file(MAKE_DIRECTORY ${FAIRLEAD_MANUAL_DIR})
add_custom_command(OUTPUT ${FAIRLEAD_MANUAL_DIR}/written
  COMMAND sh -c "rm -f man/*.[158] && bin/fairleadd --help | bin/fairlead-manual man ${FAIRLEAD_MANUAL_DATE} && touch man/written"
  WORKING_DIRECTORY ${CMAKE_BINARY_DIR} DEPENDS fairleadd fairlead_manual_writer VERBATIM COMMENT "Writing the manual pages")
add_custom_target(fairlead_manual_pages ALL DEPENDS ${FAIRLEAD_MANUAL_DIR}/written)
