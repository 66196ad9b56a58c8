#!/bin/sh
# SPDX-License-Identifier: MIT
# front_door.sh – ./run finds out what is missing and installs just that, or says in one line why not.
#
# dpkg-query, apt-get, sudo and id are replaced by scripts that write down how they were called. If
# this fails, a fresh machine gets stuck at the door.
set -u

run=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)/run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# fake NAME : standard input becomes a command that comes first on PATH.
fake() {
    { printf '#!/bin/sh\n'; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

# machine : a copy of ./run on a Debian where all is installed and we are root.
machine() {
    rm -rf "${work:?}"/*
    mkdir -p "$work/bin" "$work/tree"
    cp "$run" "$work/tree/run"
    for tool in sh cat dirname nproc grep mkdir env tail printf; do
        ln -s "$(command -v $tool)" "$work/bin/$tool"
    done
    fake id <<'FAKE'
echo 0
FAKE
    fake dpkg-query <<'FAKE'
echo 'install ok installed'
FAKE
    fake apt-get <<FAKE
echo "apt-get \$*" >>$work/calls
FAKE
}

# expect NAME EXIT_CODE CALLS SAID VERB [ARGS] : runs from another directory, with nothing else on PATH.
expect() {
    name=$1
    wanted_code=$2
    wanted_calls=$3
    wanted_words=$4
    shift 4
    code=0
    said=$(cd / && PATH=$work/bin "$work/bin/sh" "$work/tree/run" "$@" 2>&1) || code=$?
    calls=$(cat "$work/calls" 2>/dev/null)
    ok=yes
    [ $code -eq "$wanted_code" ] || ok=no
    [ "$calls" = "$wanted_calls" ] || ok=no
    case $said in
    *"$wanted_words"*) ;;
    *) ok=no ;;
    esac
    if [ $ok = yes ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s: exit code %s\n  said: %s\n  calls: %s\n' "$name" $code "$said" "$calls"
    fi
}

two_missing() {
    fake dpkg-query <<'FAKE'
case "$*" in
*" ninja-build") echo 'deinstall ok config-files' ;;
*" clang-format") exit 1 ;;
*) echo 'install ok installed' ;;
esac
FAKE
}

machine
expect "all there" 0 "" "" install-deps

machine
two_missing
expect "two missing" 0 "apt-get update
apt-get install -y --no-install-recommends ninja-build clang-format" \
    "installing ninja-build clang-format" install-deps

machine
two_missing
fake id <<'FAKE'
echo 1000
FAKE
fake sudo <<FAKE
printf 'sudo ' >>$work/calls
exec "\$@"
FAKE
expect "not root, with sudo" 0 "sudo apt-get update
sudo apt-get install -y --no-install-recommends ninja-build clang-format" "installing" install-deps

machine
two_missing
fake id <<'FAKE'
echo 1000
FAKE
expect "not root, no sudo" 1 "" "please install: ninja-build clang-format" install-deps

machine
two_missing
fake apt-get <<'FAKE'
echo "E: Unable to locate package clang-format"
exit 100
FAKE
expect "apt fails" 1 "" "E: Unable to locate package" install-deps

machine
rm "$work/bin/dpkg-query" "$work/bin/apt-get"
expect "no apt" 0 "" "no apt here; going on as if these were installed: gcc" install-deps

machine
expect "unknown verb" 2 "" "unknown verb: dmeo" dmeo

# What a verb does not look at is refused, not passed over; a time that is none would be no limit.
for verb in docs pictures measure lint format install-deps; do
    machine
    two_missing
    expect "$verb --nonsense" 2 "" "what is '--nonsense'?" $verb --nonsense
done
machine
two_missing
expect "fuzz soon" 2 "" "a number of seconds, not 'soon'" fuzz soon

machine
expect "help" 0 "" "usage: ./run VERB" help

# Whoever asks what a verb does has not asked for it to be done: nothing is installed, built or rewritten.
for verb in test seeds asan tsan aarch64 coverage fuzz docs pictures measure lint format install-deps help; do
    machine
    two_missing
    expect "$verb --help" 0 "" "usage: ./run VERB" $verb --help
    expect "$verb -h" 0 "" "usage: ./run VERB" $verb -h
    [ "$(ls "$work/tree")" = run ] || {
        failed=$((failed + 1))
        echo "FAIL $verb --help leaves something behind"
    }
done

echo "lint/front_door: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
