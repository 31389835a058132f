# Headers, libraries, the CMake package and the pkg-config file.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/freehold)

install(TARGETS freehold freehold_testing
  EXPORT freehold-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/freehold
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")

install(EXPORT freehold-targets
  NAMESPACE freehold::
  DESTINATION ${package_dir})
configure_package_config_file(
  cmake/freehold-config.cmake.in ${PROJECT_BINARY_DIR}/freehold-config.cmake
  INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/freehold-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/freehold-config.cmake
  ${PROJECT_BINARY_DIR}/freehold-config-version.cmake
  DESTINATION ${package_dir})

# freehold.pc finds its prefix from where it lies, so that `cmake --install --prefix` works.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()

list(TRANSFORM FREEHOLD_ABSL_PUBLIC PREPEND absl_ OUTPUT_VARIABLE pc_requires)
list(TRANSFORM FREEHOLD_ABSL_PRIVATE PREPEND absl_ OUTPUT_VARIABLE pc_requires_private)
list(APPEND pc_requires_private spdlog)
set(pc_libs "-L\${libdir} -lfreehold -pthread")
if(NOT BUILD_SHARED_LIBS)
  # A static library brings nothing of its own along: whoever links it needs all of it.
  list(APPEND pc_requires ${pc_requires_private})
  set(pc_requires_private "")
endif()
list(JOIN pc_requires ", " pc_requires)
list(JOIN pc_requires_private ", " pc_requires_private)
configure_file(cmake/freehold.pc.in ${PROJECT_BINARY_DIR}/freehold.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/freehold.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
