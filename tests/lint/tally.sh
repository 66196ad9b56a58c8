#!/bin/sh
# SPDX-License-Identifier: MIT
# tally.sh – the adding up: a program that fails without saying so still counts as a failure.
#
# Runs scripts/tally.py over made-up programs. If this fails, ./run test may say "0 failed" of
# something that crashed.
set -u

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")/../../scripts" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# expect NAME "P F S" EXIT_CODE SHELL_TEXT : one made-up program and what must be counted.
expect() {
    printf '%s\n' "$4" >"$work/program.sh"
    echo "add_test([=[suite/one[sim]]=] sh $work/program.sh)
set_tests_properties([=[suite/one[sim]]=] PROPERTIES TIMEOUT 2)" >"$work/CTestTestfile.cmake"
    rm -f "$work/totals"
    said=$(python3 "$scripts/tally.py" made "$work/totals" --test-dir "$work")
    code=$?
    if [ $code -eq "$3" ] && [ "$(cat "$work/totals")" = "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: exit code $code, counted $(cat "$work/totals")"
        echo "$said"
    fi
}

expect "good" "3 0 1" 0 'echo "SKIP x: why"; echo "suite/one[sim]: 3 passed, 0 failed, 1 skipped"'
expect "bad" "2 1 0" 1 'echo "suite/one: 2 passed, 1 failed, 0 skipped"; exit 1'
expect "no closing line" "0 1 0" 1 'echo hello'
expect "killed" "0 1 0" 1 'kill -9 $$'
expect "good words, bad exit code" "2 1 0" 1 'echo "suite/one: 2 passed, 0 failed, 0 skipped"; exit 3'
expect "says failed, exits 0" "2 1 0" 1 'echo "suite/one: 2 passed, 1 failed, 0 skipped"'
expect "hangs" "1 1 0" 1 'echo "suite/one: 1 passed, 0 failed, 0 skipped"; exec sleep 60'
expect "long output" "5 0 0" 0 'seq 100000; echo "suite/one: 5 passed, 0 failed, 0 skipped"'

# However much a program says, no verdict is left out.
expect "early verdict" "5 1 0" 1 \
    'echo "FAIL early: why"; seq 1000; echo "suite/one: 5 passed, 1 failed, 0 skipped"'
case $said in
*"FAIL early: why"*) ;;
*)
    failed=$((failed + 1))
    echo "FAIL the early verdict was not shown: $said"
    ;;
esac

printf 'add_test(suite/gone %s/no-such-program)\n' "$work" >"$work/CTestTestfile.cmake"
rm -f "$work/totals"
if python3 "$scripts/tally.py" made "$work/totals" --test-dir "$work" >/dev/null ||
    [ "$(cat "$work/totals")" != "0 1 0" ]; then
    failed=$((failed + 1))
    echo "FAIL a program that was not built: $(cat "$work/totals")"
else
    passed=$((passed + 1))
fi

echo "lint/tally: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
