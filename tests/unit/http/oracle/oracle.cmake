# SPDX-License-Identifier: MIT
# Links llhttp into the test that compares our parser with it.
#
# Holds      juggle_llhttp, built from the sources that Debian's node-llhttp installs.
# Invariant  without that package the test still builds, and says that it was skipped.
# Called by  cmake/tests.cmake, after the tests were added.
# Why        llhttp is a test's opponent, never a part of the library.
# Quirks     objects, not a library: a weak reference does not pull a member out of an archive.
find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(LLHTTP_HEADERS llhttp.h PATHS /usr/share/include/llhttp NO_DEFAULT_PATH)
if(LLHTTP_SOURCES AND LLHTTP_HEADERS AND TARGET test_unit_http_llhttp_oracle)
    add_library(juggle_llhttp OBJECT ${LLHTTP_SOURCES}/api.c ${LLHTTP_SOURCES}/http.c
                ${LLHTTP_SOURCES}/llhttp.c)
    target_compile_options(juggle_llhttp PRIVATE -w)
    target_compile_definitions(juggle_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    target_include_directories(juggle_llhttp SYSTEM PUBLIC ${LLHTTP_HEADERS})
    target_sources(test_unit_http_llhttp_oracle PRIVATE
                   ${CMAKE_CURRENT_LIST_DIR}/llhttp_run.c)
    target_link_libraries(test_unit_http_llhttp_oracle PRIVATE juggle_llhttp)
endif()
