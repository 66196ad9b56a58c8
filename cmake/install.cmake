# SPDX-License-Identifier: MIT
# What `cmake --install` puts where: headers, both libraries, the command, pkg-config and CMake files.
#
# Holds      install rules; the templates are juggle.pc.in and juggleConfig.cmake.in beside it.
# Invariant  DESTDIR and GNUInstallDirs are honoured; nothing refers to the build tree.
# Called by  CMakeLists.txt. Checked by tests/e2e/install.sh.
# Why        both ways C projects find a library work from the first release on.
# Quirks     before 1.0 any minor release may break the API, so the version file says SameMinorVersion.
include(CMakePackageConfigHelpers)

if(NOT TARGET juggle_static)
    return()
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/juggle)
install(TARGETS juggle_shared juggle_static EXPORT juggleTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TARGET juggle_cli)
    install(TARGETS juggle_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT juggleTargets NAMESPACE juggle:: DESTINATION ${package_dir})
configure_package_config_file(cmake/juggleConfig.cmake.in juggleConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(juggleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/juggleConfig.cmake
        ${CMAKE_CURRENT_BINARY_DIR}/juggleConfigVersion.cmake DESTINATION ${package_dir})

# Relative, so that `cmake --install --prefix` and a moved tree stay true.
file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/juggle.pc.in juggle.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/juggle.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
