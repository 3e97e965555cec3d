# A relocatable tree: bin/tsrun, lib/libtsrun, lib/tsrun/plugins, include/tsrun, lib/cmake/tsrun, share/tsrun/recipes.
include(CMakePackageConfigHelpers)

install(TARGETS tsrun_library EXPORT tsrunTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT tsrunTargets NAMESPACE tsrun:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tsrun)
install(DIRECTORY runtime/include/tsrun DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY recipes/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tsrun/recipes FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY scripts/lua/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tsrun/lua OPTIONAL)

configure_package_config_file(cmake/tsrunConfig.cmake.in ${CMAKE_BINARY_DIR}/tsrunConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tsrun)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tsrunConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tsrunConfig.cmake ${CMAKE_BINARY_DIR}/tsrunConfigVersion.cmake cmake/TsrunTorch.cmake cmake/TsrunPlugin.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tsrun)
