# SPDX-License-Identifier: MIT
# Compiler and linker flags of everything in this repository.
#
# Holds      the interface library juggle_flags; tests, command and library all link it.
# Invariant  asserts stay on in every build; hardening is on unless a sanitizer takes its place.
# Called by  CMakeLists.txt.
# Why        one place, so that no target is built differently by accident.
# Quirks     CMake's own release flags say -O3 -DNDEBUG; they are replaced, the user's CFLAGS are not.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3 -fno-omit-frame-pointer")

include(CheckPIESupported)
include(CheckIncludeFile)
check_pie_supported(LANGUAGES C)

add_library(juggle_flags INTERFACE)
target_compile_definitions(juggle_flags INTERFACE _GNU_SOURCE)
target_compile_options(juggle_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wpointer-arith -Wvla>
    $<$<BOOL:${JUGGLE_WERROR}>:-Werror>)

# Hardening. The stack clash flag is needed, not only wanted: a frame larger than a page would step
# over the guard of a coroutine stack.
target_compile_options(juggle_flags INTERFACE -fstack-clash-protection -fstack-protector-strong)
# Reports name places as the project does, not as the machine that built it.
target_compile_options(juggle_flags INTERFACE -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
    target_compile_options(juggle_flags INTERFACE -fcf-protection=branch)
endif()
target_link_options(juggle_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

if(JUGGLE_SANITIZE STREQUAL address)
    set(sanitizer -fsanitize=address,undefined -fno-sanitize-recover=undefined
        -fno-omit-frame-pointer)
    target_compile_definitions(juggle_flags INTERFACE JUGGLE_SANITIZE_ADDRESS=1)
elseif(JUGGLE_SANITIZE STREQUAL thread)
    set(sanitizer -fsanitize=thread -fno-omit-frame-pointer)
    target_compile_definitions(juggle_flags INTERFACE JUGGLE_SANITIZE_THREAD=1)
elseif(JUGGLE_SANITIZE STREQUAL none)
    set(sanitizer)
else()
    message(FATAL_ERROR "JUGGLE_SANITIZE is none, address or thread, not ${JUGGLE_SANITIZE}")
endif()
target_compile_options(juggle_flags INTERFACE ${sanitizer})
target_link_options(juggle_flags INTERFACE ${sanitizer})
if(sanitizer AND CMAKE_C_COMPILER_ID STREQUAL GNU)
    # The sanitizers' own branches make gcc see paths that do not exist.
    target_compile_options(juggle_flags INTERFACE -Wno-format-truncation -Wno-maybe-uninitialized)
endif()

if(JUGGLE_FUZZ)
    target_compile_options(juggle_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(JUGGLE_COVERAGE)
    target_compile_definitions(juggle_flags INTERFACE JUGGLE_COVERAGE=1)
    target_compile_options(juggle_flags INTERFACE --coverage -fprofile-update=atomic)
    target_link_options(juggle_flags INTERFACE --coverage)
endif()
if(JUGGLE_SANITIZE STREQUAL none AND NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    # Fortify needs the optimizer, and hides accesses from the sanitizers.
    target_compile_options(juggle_flags INTERFACE
                           $<$<COMPILE_LANGUAGE:C>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
endif()

if(NOT JUGGLE_VALGRIND STREQUAL OFF AND JUGGLE_SANITIZE STREQUAL none)
    check_include_file(valgrind/valgrind.h JUGGLE_VALGRIND_HEADER)
    if(JUGGLE_VALGRIND_HEADER)
        target_compile_definitions(juggle_flags INTERFACE JUGGLE_HAVE_VALGRIND=1)
    elseif(JUGGLE_VALGRIND STREQUAL ON)
        message(FATAL_ERROR "JUGGLE_VALGRIND=ON, but valgrind/valgrind.h is not installed")
    endif()
endif()
