#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh – what is installed can be used by a stranger: pkg-config, CMake, C11 and C++17.
#
# Installs the build into an empty prefix and compiles a sample against nothing but that. If this
# fails, the project works in its own tree only.
set -u

build=${JUGGLE_BUILD:?set by ctest}
source=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
passed=0
failed=0

# check NAME COMMAND... : one test; its output is shown if it fails.
check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        cat "$work/log"
    fi
}

cat >"$work/sample.c" <<'SAMPLE'
#include <juggle.h>
#include <stdio.h>
#include <string.h>

static intptr_t program(void *arg) {
    *(int *)arg += 1;
    return jg_sleep(1);
}

int main(void) {
    int runs = 0;
    intptr_t rc = jg_run(program, &runs);
    printf("%s\n", jg_version());
    return !(rc == 0 && runs == 1 && strcmp(jg_version(), JG_VERSION) == 0);
}
SAMPLE

install_tree() {
    cmake --install "$build" --prefix "$prefix" || return 1
    for file in include/juggle.h lib/libjuggle.a lib/libjuggle.so.0 lib/pkgconfig/juggle.pc \
        lib/cmake/juggle/juggleConfig.cmake lib/cmake/juggle/juggleConfigVersion.cmake; do
        ls -l "$prefix/$file" || return 1
    done
}

# Nothing installed may point into the build or the source tree.
no_traces() {
    ! grep -rIl -e "$build" -e "$source" "$prefix"
}

shared_pkg_config() {
    # shellcheck disable=SC2046 # flags are meant to be split
    gcc -std=gnu11 -Wall -Wextra -Wpedantic -Werror -o "$work/shared" "$work/sample.c" \
        $(pkg-config --cflags --libs juggle) &&
        LD_LIBRARY_PATH=$prefix/lib "$work/shared" &&
        LD_LIBRARY_PATH=$prefix/lib ldd "$work/shared" | grep "$prefix/lib/libjuggle.so.0"
}

static_pkg_config() {
    # shellcheck disable=SC2046
    gcc -static -o "$work/static" "$work/sample.c" $(pkg-config --static --cflags --libs juggle) &&
        "$work/static"
}

cmake_package() {
    mkdir -p "$work/project"
    cat >"$work/project/CMakeLists.txt" <<'PROJECT'
cmake_minimum_required(VERSION 3.16)
project(sample C)
find_package(juggle 0.1 REQUIRED)
foreach(kind IN ITEMS juggle static)
    add_executable(with_${kind} ../sample.c)
    target_link_libraries(with_${kind} PRIVATE juggle::${kind})
endforeach()
PROJECT
    cmake -G Ninja -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build "$work/project/build" &&
        "$work/project/build/with_juggle" && "$work/project/build/with_static"
}

# Every public header stands alone.
header_alone() {
    printf '#include <%s>\n' "$2" >"$work/alone.$1"
    case $1 in
    c) gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$prefix/include" -fsyntax-only \
        "$work/alone.c" ;;
    cpp) g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I"$prefix/include" -fsyntax-only \
        "$work/alone.cpp" ;;
    esac
}

# The library exports jg_*, each under the version node, and nothing else.
exports() {
    nm -D --defined-only "$prefix/lib/libjuggle.so.0" | awk '{ print $3 }' >"$work/exported"
    grep -q '^jg_run' "$work/exported" &&
        ! grep -v -e '^jg_[a-z0-9_]*@@JUGGLE_0$' -e '^JUGGLE_0' "$work/exported"
}

hardened() {
    readelf -dlW "$prefix/lib/libjuggle.so.0" >"$work/elf" &&
        grep -q 'BIND_NOW' "$work/elf" && grep -q 'GNU_RELRO' "$work/elf" &&
        grep 'GNU_STACK' "$work/elf" | grep -q ' RW '
}

PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export PKG_CONFIG_PATH
check "files are in place" install_tree
check "no trace of the build tree" no_traces
check "pkg-config, shared" shared_pkg_config
check "pkg-config, static" static_pkg_config
check "find_package" cmake_package
check "exports" exports
check "hardening" hardened
for header in $(cd "$prefix/include" && find . -name '*.h' | sed 's|^\./||' | sort); do
    check "$header in C11" header_alone c "$header"
    check "$header in C++17" header_alone cpp "$header"
done

echo "e2e/install: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
