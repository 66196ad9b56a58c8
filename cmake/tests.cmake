# SPDX-License-Identifier: MIT
# Finds, builds and registers every test.
#
# Holds      one executable and one or more ctest entries per tests/**/test_*.c, one entry per script
#            in tests/e2e, tests/lessons and tests/lint, and one per fuzz target that has saved inputs.
# Invariant  every entry ends its output with `name: N passed, N failed, N skipped`.
# Called by  CMakeLists.txt.
# Why        a test's place says what it is: tests/unit/<room> may see src/, tests/api only include/.
# Quirks     an api test runs once per backend. A line `// Backends: epoll blocking` in the file
#            replaces the list of backends for any test, `// Links: jansson` adds libraries by their
#            pkg-config names. `// Wants: libuv` adds it where it is installed and defines
#            TEST_HAS_LIBUV: without it the test has to skip itself. Scripts whose names start with lib or _ are helpers and not run.
if(NOT JUGGLE_TEST_MINI)
    # Building the command alone must not need what only tests need.
    find_package(PkgConfig)
    if(PkgConfig_FOUND)
        pkg_check_modules(CHECK IMPORTED_TARGET check)
    endif()
    if(NOT CHECK_FOUND)
        message(STATUS "juggle: libcheck is not installed; no tests are built")
        return()
    endif()
endif()

set(JUGGLE_TEST_BACKENDS epoll sim CACHE STRING "Backends each tests/api file runs on")
set(JUGGLE_TEST_ONLY "" CACHE STRING "Build only tests whose path under tests/ matches this regex")
set(JUGGLE_TEST_TIMEOUT_S 300)

# Those that are also run in debug mode, and traced.
set(observed_tests api/task api/ring api/call api/group api/cancel api/hazards api/spin api/limits api/embed
                   api/future api/future_callback api/wait api/http_client api/http_server api/process_pool
                   api/process_pool_death api/process_pool_loss api/run_many sim/seeds
                   sim/cancel_sweep sim/alloc_sweep sim/fault_sweep sim/weather sim/grants)

# What a sanitizer should say, and when a test has to stop. At its end a process with other threads, such as the
# watchdog's, waits for them to race: not for the second that is TSan's default, in each of thousands.
set(test_environment
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:detect_leaks=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=second_deadlock_stack=1:history_size=4:atexit_sleep_ms=20"
    "JUGGLE_BUILD=${PROJECT_BINARY_DIR}")
if(TARGET juggle_cli)
    list(APPEND test_environment "JUGGLE=$<TARGET_FILE:juggle_cli>")
endif()

set(fixture_dir ${PROJECT_SOURCE_DIR}/tests/fixtures)
if(JUGGLE_TEST_MINI)
    set(engine ${fixture_dir}/mini/engine_mini.c)
else()
    set(engine ${fixture_dir}/engine_check.c)
endif()
add_library(juggle_fixture STATIC ${fixture_dir}/fixture.c ${fixture_dir}/audit.c ${engine})
if(JUGGLE_COVERAGE)
    # Not counted itself: it stands below what counts.
    add_library(juggle_fixture_coverage OBJECT ${fixture_dir}/coverage.c)
    target_compile_definitions(juggle_fixture_coverage PRIVATE _GNU_SOURCE)
    target_sources(juggle_fixture PRIVATE $<TARGET_OBJECTS:juggle_fixture_coverage>)
endif()
target_include_directories(juggle_fixture PUBLIC tests)
target_link_libraries(juggle_fixture PRIVATE juggle_flags PUBLIC m)
if(JUGGLE_TEST_MINI)
    target_compile_definitions(juggle_fixture PUBLIC JUGGLE_TEST_MINI=1)
    target_include_directories(juggle_fixture SYSTEM PUBLIC ${fixture_dir}/mini)
else()
    target_link_libraries(juggle_fixture PUBLIC PkgConfig::CHECK)
endif()

if(CMAKE_CROSSCOMPILING_EMULATOR)
    target_compile_definitions(juggle_fixture PUBLIC JUGGLE_EMULATED=1)
endif()

# juggle_test_register(NAME LABEL BACKEND COMMAND...)
function(juggle_test_register name label backend)
    set(environment ${test_environment})
    if(backend)
        list(APPEND environment "JUGGLE_BACKEND=${backend}")
        string(APPEND name "[${backend}]")
    endif()
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS ${label} ENVIRONMENT "${environment}"
                         TIMEOUT ${JUGGLE_TEST_TIMEOUT_S})
endfunction()

# juggle_test_observe(NAME LABEL BACKEND TARGET): once more in debug mode, and once more traced. Neither may
# change anything that a program can see.
function(juggle_test_observe name label backend target)
    foreach(setting IN ITEMS JUGGLE_DEBUG=1 JUGGLE_TRACE=/dev/null)
        string(REGEX REPLACE "^JUGGLE_([A-Z]+)=.*" "\\1" what ${setting})
        string(TOLOWER "${name}+${what}" observed)
        juggle_test_register(${observed} ${label} "${backend}" ${target})
        if(backend)
            string(APPEND observed "[${backend}]")
        endif()
        set_property(TEST ${observed} APPEND PROPERTY ENVIRONMENT ${setting} FIXTURE_BRIEF=1)
    endforeach()
endfunction()

# juggle_test_mark(FILE MARK OUT): the words after `// MARK: ` in the file, or nothing.
function(juggle_test_mark file mark out_words)
    file(STRINGS ${file} line REGEX "^// ${mark}: " LIMIT_COUNT 1)
    string(REGEX REPLACE "^// ${mark}: *" "" words "${line}")
    separate_arguments(words)
    set(${out_words} "${words}" PARENT_SCOPE)
endfunction()

function(juggle_test_add relative)
    set(file ${PROJECT_SOURCE_DIR}/tests/${relative})
    cmake_path(GET relative PARENT_PATH dir)
    cmake_path(GET relative STEM LAST_ONLY stem)
    string(REGEX REPLACE "^test_" "" subject ${stem})
    string(MAKE_C_IDENTIFIER "test_${dir}_${subject}" target)
    set(is_api OFF)
    if(dir MATCHES "^api(/|$)")
        set(is_api ON)
    endif()

    add_executable(${target} ${file})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${stem}
                          RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${dir})
    target_link_libraries(${target} PRIVATE juggle_flags juggle_fixture)
    if(NOT is_api)
        target_include_directories(${target} PRIVATE src include)
    endif()
    if(dir STREQUAL unit/cli AND TARGET juggle_cli_parts)
        target_link_libraries(${target} PRIVATE juggle_cli_parts)
    endif()
    if(TARGET juggle_static)
        target_link_libraries(${target} PRIVATE juggle_static)
    endif()

    juggle_test_mark(${file} Links libraries)
    foreach(library IN LISTS libraries)
        pkg_check_modules(LINKS_${library} REQUIRED IMPORTED_TARGET ${library})
        target_link_libraries(${target} PRIVATE PkgConfig::LINKS_${library})
    endforeach()

    juggle_test_mark(${file} Wants wanted)
    foreach(library IN LISTS wanted)
        if(NOT JUGGLE_TEST_MINI)
            pkg_check_modules(WANTS_${library} IMPORTED_TARGET ${library})
        endif()
        if(WANTS_${library}_FOUND)
            string(TOUPPER "TEST_HAS_${library}" definition)
            target_link_libraries(${target} PRIVATE PkgConfig::WANTS_${library})
            target_compile_definitions(${target} PRIVATE ${definition}=1)
        endif()
    endforeach()

    juggle_test_mark(${file} Backends backends)
    if(is_api AND NOT backends)
        set(backends ${JUGGLE_TEST_BACKENDS})
    endif()
    if(NOT backends)
        set(backends NONE)
    endif()
    foreach(backend IN LISTS backends)
        string(REPLACE NONE "" backend ${backend})
        juggle_test_register(${dir}/${subject} ${dir} "${backend}" ${target})
        if(${dir}/${subject} IN_LIST observed_tests)
            juggle_test_observe(${dir}/${subject} ${dir} "${backend}" ${target})
        endif()
    endforeach()
endfunction()

file(GLOB_RECURSE test_files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/tests
     tests/test_*.c)
if(JUGGLE_TEST_ONLY)
    list(FILTER test_files INCLUDE REGEX "${JUGGLE_TEST_ONLY}")
endif()
foreach(relative IN LISTS test_files)
    juggle_test_add(${relative})
endforeach()

# What a test needs beyond that: a *.cmake file beside it, which adds to the test's target.
file(GLOB_RECURSE extras CONFIGURE_DEPENDS tests/unit/*.cmake)
foreach(extra IN LISTS extras)
    include(${extra})
endforeach()

if(NOT JUGGLE_TEST_ONLY)
    # The saved inputs of the fuzz targets.
    file(GLOB fuzz_targets CONFIGURE_DEPENDS fuzz/fuzz_*.c)
    foreach(file IN LISTS fuzz_targets)
        cmake_path(GET file STEM LAST_ONLY stem)
        set(corpus ${PROJECT_SOURCE_DIR}/fuzz/corpus/${stem})
        string(REGEX REPLACE "^fuzz_" "" subject ${stem})
        if(EXISTS ${corpus})
            add_executable(replay_${subject} ${file} tests/fixtures/replay.c)
            target_include_directories(replay_${subject} PRIVATE src include)
            target_link_libraries(replay_${subject} PRIVATE juggle_flags juggle_static)
            juggle_test_register(fuzz/${subject} fuzz "" replay_${subject} fuzz/${subject} ${corpus})
        endif()
    endforeach()

    file(GLOB test_scripts CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/tests
         tests/e2e/*.sh tests/e2e/*.py tests/lint/*.sh tests/lint/*.py
         tests/lessons/*.py)
    list(FILTER test_scripts EXCLUDE REGEX "/(lib|_)[^/]*$")
    if(NOT JUGGLE_SANITIZE STREQUAL none OR JUGGLE_COVERAGE OR NOT TARGET juggle_static)
        # What is installed is never instrumented, and lint runs none of our code.
        list(FILTER test_scripts EXCLUDE REGEX "^(lint/|e2e/install)")
    endif()
    if(NOT CMAKE_BUILD_TYPE STREQUAL Release OR NOT TARGET juggle_lesson_parts)
        list(FILTER test_scripts EXCLUDE REGEX "^lessons/") # they are not part of `all`
    endif()
    foreach(relative IN LISTS test_scripts)
        cmake_path(GET relative PARENT_PATH dir)
        cmake_path(GET relative STEM LAST_ONLY stem)
        set(interpreter sh)
        if(relative MATCHES "\\.py$")
            set(interpreter python3)
        endif()
        juggle_test_register(${dir}/${stem} ${dir} "" ${interpreter}
                             ${PROJECT_SOURCE_DIR}/tests/${relative})
    endforeach()
endif()
