#!/bin/sh
# SPDX-License-Identifier: MIT
# planted.sh – the lint scripts find what is planted and nothing else.
#
# Each case starts from a small clean tree, plants one thing, and names what the lint must say. If
# this fails, the lint step has gone blind, or cries wolf.
set -eu

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")/../../scripts" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
passed=0
failed=0

# put FILE : standard input becomes the file, after licence line and file comment.
put() {
    mkdir -p "$tree/$(dirname "$1")"
    {
        echo "// SPDX-License-Identifier: MIT"
        echo "/* $(basename "$1") – planted."
        printf ' *\n * Holds      x\n * Invariant  x\n * Called by  x\n * Why        x\n */\n'
        cat
    } >"$tree/$1"
}

clean_tree() {
    rm -rf "${tree:?}"/*
    echo 'int base_one(void);' | put src/base/one.h
    printf '#include "base/one.h"\n#include <stdio.h>\n' | put src/base/one.c
    echo '#include "base/one.h"' | put src/io/pipe.h
    echo '#include "net/tcp.h"' | put src/http/client.h
    echo '#include "io/pipe.h"' | put src/net/tcp.h
    echo '#include <openssl/ssl.h>' | put src/tls/tls.c
    printf '%s\n' '/* Gets one. */' 'JG_API JG_SUSPENDS int jg_one_get(int n);' | put include/juggle/one.h
    printf '#include <juggle/one.h>\nint jg_one_get(int n) {\n    return n;\n}\n' | put src/task/one.c
    printf '#include "units.h"\n#include <juggle/one.h>\n' | put cli/units.c
    echo '#include <juggle/one.h>' | put cli/units.h
    printf '#include "fixtures/fixture.h"\n#include <juggle/one.h>\n' | put tests/api/test_one.c
    printf '#include "fixtures/fixture.h"\n#include "base/one.h"\n' | put tests/unit/base/test_one.c
    echo '#include <check.h>' | put tests/fixtures/fixture.h
}

verdict() {
    if [ "$1" = yes ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $2"
        printf '%s\n' "$3"
    fi
}

# expect_clean SCRIPT NAME
expect_clean() {
    ok=yes
    said=$(python3 "$scripts/$1.py" "$tree") || ok=no
    [ -z "$said" ] || ok=no
    verdict $ok "$2" "$said"
}

# expect SCRIPT TEXT : it fails, and says TEXT.
expect() {
    ok=yes
    said=$(python3 "$scripts/$1.py" "$tree") && ok=no
    case $said in
    *"$2"*) ;;
    *) ok=no ;;
    esac
    verdict $ok "$1: $2" "$said"
}

# lines N : that many statements.
lines() {
    i=0
    while [ $i -lt "$1" ]; do
        echo '    x();'
        i=$((i + 1))
    done
}

clean_tree
expect_clean lint_includes "a clean tree is clean"
expect_clean lint_style "a clean tree is in style"

# Include order.
clean_tree
echo '#include "task/one.h"' | put src/io/up.h
echo '' | put src/task/one.h
echo '#include "http/client.h"' | put src/net/up.h
expect lint_includes "net may not include http/client.h"
clean_tree
echo '#include "net/tcp.h"' | put src/os/beside.h
expect lint_includes "os may not include net/tcp.h"
clean_tree
echo '# include  <io/pipe.h> // in angle brackets' | put src/base/up.h
expect lint_includes "base may not include io/pipe.h"
clean_tree
echo '#include "one.h"' | put src/base/relative.h
expect lint_includes '"one.h" is not relative to src/'
clean_tree
echo '' | put src/attic/old.h
expect lint_includes "lies in no room"
clean_tree
printf '#include <stdio.h>\n#include "base/one.h"\n' | put src/base/one.c
expect lint_includes 'the first include is "base/one.h"'
clean_tree
echo '#include "base/one.c"' | put src/base/two.c
expect lint_includes "no .c file includes another"
clean_tree
echo '#include <openssl/ssl.h>' | put src/http/tls.h
expect lint_includes "only src/tls names OpenSSL"
for outside in cli/bad.c lessons/bad.c examples/bad.c bench/bad.c tests/api/test_bad.c \
    include/juggle/bad.h; do
    clean_tree
    echo '#include "base/one.h"' | put $outside
    expect lint_includes "$outside:9: \"base/one.h\" is internal"
done
clean_tree
echo '#include "../src/base/one.h"' | put cli/bad.c
expect lint_includes 'is internal; only <juggle.h>'
clean_tree
echo '#include <base/one.h>' | put bench/core/bad.c
expect lint_includes '<base/one.h> is internal'
clean_tree
echo '// #include "http/client.h"' | put src/base/said.h
expect_clean lint_includes "an include in a comment is none"

# Style.
clean_tree
echo 'int x;' >"$tree/src/base/bare.h"
expect lint_style "the first line is not SPDX"
clean_tree
printf '// SPDX-License-Identifier: MIT\nint x;\n' >"$tree/cli/bare.c"
expect lint_style "no file comment"
clean_tree
printf '// SPDX-License-Identifier: MIT\n/* mute.h – says little. */\n' >"$tree/src/base/mute.h"
expect lint_style "does not answer: Holds"
clean_tree
lines 601 | put cli/long.c
expect lint_style "a file has at most 500"
for word in TODO FIXME XXX HACK; do
    clean_tree
    echo "// $word: later" | put src/base/later.h
    expect lint_style "$word: finish it"
done
clean_tree
printf '// see %swork/%s\n' / main | put src/base/path.h
expect lint_style "a path of somebody's machine"
clean_tree
{ printf 'static int long_one(int (*fn)(void),\n                    int n) {\n'; lines 79; echo '}'; } |
    put cli/long.c
expect lint_style "long_one: 82 lines"
clean_tree
{ printf 'int short_one(void) {\n'; lines 50; printf '}\n\nint next(void) {\n'; lines 50; echo '}'; } |
    put cli/short.c
expect_clean lint_style "two short functions are not one long one"
clean_tree
printf 'void *x(void) {\n    return malloc(1);\n}\n' | put src/io/heap.c
expect lint_style "malloc: all allocation goes through base/mem.h"
clean_tree
printf 'bool seen(struct sched *here) {\n    return here->observer != NULL;\n}\n' | put src/io/seen.c
expect lint_style "who looks on is asked through rt/observe.h"
clean_tree
printf 'void *malloc_of(void) {\n    say("malloc(1)"); // malloc(2)\n}\n' | put src/io/heap.c
expect_clean lint_style "a name in a string or comment is no call"
clean_tree
echo 'JG_API JG_SUSPENDS int jg_one_lost(int n);' | put include/juggle/lost.h
expect lint_style "jg_one_lost: JG_SUSPENDS declared, not defined"

# Comments of the public headers.
clean_tree
expect_clean lint_headers "a clean header is clean"
{ echo; echo 'JG_API int jg_mute_get(int n);'; } | put include/juggle/mute.h
expect lint_headers "include/juggle/mute.h:10: jg_mute_get: declared without a comment"
clean_tree
printf '/* Ours. */\nint jg_ours;\n\n#define JG_MUTE 1\n' | put include/juggle/mute.h
expect lint_headers "JG_MUTE: declared without a comment"
clean_tree
printf '/* Ours. */\nint jg_ours;\n\ntypedef struct jg_mute jg_mute;\n' | put include/juggle/mute.h
expect lint_headers "jg_mute: declared without a comment"
clean_tree
printf '/* Ours. */\nstruct jg_ours {\n    int said; /* this one */\n    int (*mute)(int, int);\n};\n' |
    put include/juggle/mute.h
expect lint_headers ":12: mute: a field without a comment"
clean_tree
printf '/* Ours. */\nenum jg_ours {\n    JG_SAID, /* this one,\n                and more */\n    JG_MUTE\n};\n' |
    put include/juggle/mute.h
expect lint_headers "JG_MUTE: a field without a comment"
clean_tree
{
    printf '#define JG_PICK_(a, b) b\n\n'
    printf '/* Ours, both. */\n#define jg_ours(n) jg_ours_at((n), JG_HERE)\nint jg_ours_at(int n, const char *at);\n\n'
    printf '/* All private. */\nstruct jg_ours {\n    int a;\n};\n\n'
    printf '/* Two parts. */\nstruct jg_parts {\n    /* This one. */\n    int said;\n\n'
    printf '    /* Private below. */\n    int mute;\n};\n\n'
    printf '/* Private below. */\nint jg_deep(void);\n\nint jg_deeper(void);\n'
} | put include/juggle/said.h
expect_clean lint_headers "what is private or shares a comment needs none"

echo "lint/planted: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
