# SPDX-License-Identifier: MIT
"""cli_help.py – what `juggle` says about itself: help, manual, version, completions.

If this fails, people are told of options that do not exist, or not of those that do.
"""
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from lib_cli import GOOD, JUGGLE, Skip, Suite, check, environment, equal, run

suite = Suite("e2e/cli_help")

COMMANDS = ("demo", "race", "serve", "trace", "completion", "help", "version")


def printed(*args, **more):
    ended = run(*args, **more)
    equal((ended.code, ended.err), (GOOD, ""), str(ended))
    check(ended.out.endswith("\n"), str(ended))
    return ended.out


def long_options(text):
    return set(re.findall(r"^ *(?:-., |    )(--[a-z0-9-]+)", text, re.M))


def tool(name):
    path = shutil.which(name)
    if path is None:
        raise Skip(f"{name} is not installed")
    return path


@suite.test
def overview():
    text = printed("--help")
    equal((printed("-h"), printed("help")), (text, text), "other ways to ask")
    for command in COMMANDS:
        check(re.search(rf"^  {command} +\S", text, re.M), f"{command} is not in", text)
    check("\x1b" not in text and text.isascii(), "escapes", text)


@suite.test
def help_of_every_command():
    """--help and `help COMMAND` are the same, -h is its list of options, and examples come first."""
    for command in COMMANDS:
        full, short = printed(command, "--help"), printed(command, "-h")
        equal(printed("help", command), full, f"help {command}")
        check(full.startswith(f"juggle {command}: ") and f"Usage: juggle {command}" in full, full)
        equal(long_options(short), long_options(full), f"options of {command}")
        check("--help" in long_options(short), f"{command}: no --help in", short)
        check("Exit codes:" in full, full)
        check(max(map(len, full.splitlines())) <= 80, f"{command}: wider than 80 columns", full)
    race = printed("race", "--help")
    check(race.index("Examples:") < race.index("Options:"), "examples come later")
    wanted = {"--requests", "--concurrency", "--models", "--rounds", "--work", "--cores", "--timeout", "--json",
              "--output", "--color", "--quiet", "--help"}
    check(wanted <= long_options(race), "missing:", wanted - long_options(race))
    for code in ("0", "1", "2", "4", "5", "130"):
        check(re.search(rf"^ +{code}  \S", race, re.M), f"exit code {code} is not in", race)
    for word in ("sync", "threads", "processes", "coroutines"):
        check(word in race, f"{word} is not in", race)


@suite.test
def what_failing_means():
    """If this fails, a script's author reads of failed requests where a command sends none."""
    meanings = {"demo": "requests failed, or the result could not be written",
                "race": "requests failed, or the result could not be written",
                "serve": "serving stopped with an error, or the output could not be written",
                "trace": "the trace could not be read, or the picture could not be written",
                "completion": "the text could not be written", "help": "the text could not be written",
                "version": "the text could not be written"}
    equal(set(meanings), set(COMMANDS), "commands")
    for command, meaning in meanings.items():
        check(f"\n    1  {meaning}\n" in printed(command, "--help"), f"{command} --help: no", meaning)
        check(f"\n\\fB1\\fR\n{meaning}\n" in printed("help", "--man", command), f"{command}, manual: no", meaning)


@suite.test
def examples_are_accepted():
    """Every example in the help is a line that juggle takes, up to the point of contacting somebody."""
    for command in ("race", "demo", "serve"):
        lines = re.findall(r"^  juggle (.*)$", printed(command, "--help"), re.M)
        check(lines, f"no examples of {command}")
        for line in lines:
            words = line.split("|")[0].split()
            ended = run(*words, "--help")
            equal((ended.code, ended.err), (GOOD, ""), str(ended))


@suite.test
def width():
    """Help fits the terminal it is shown in."""
    for columns in (70, 120):
        text = printed("race", "--help", env=environment(COLUMNS=str(columns)))
        prose = [line for line in text.splitlines() if "juggle" not in line and "http" not in line]
        check(max(map(len, prose)) <= columns, f"wider than {columns}", prose)


@suite.test
def version():
    text = printed("--version")
    check(re.fullmatch(r"juggle \d+\.\d+\.\d+\S*\n\w+, (gcc|clang) .*[+-]jansson.*\n", text), text)
    equal(printed("version"), text, "the command")


@suite.test
def manual():
    """The manual pages are roff that man can read without a warning."""
    for args in ([], ["race"], ["serve"], ["demo"]):
        page = printed("help", "--man", *args)
        check(page.startswith((".TH", '.\\"')), "no manual page:", page[:80])
        groff = shutil.which("groff")
        if groff:
            done = subprocess.run([groff, "-man", "-Tascii", "-ww", "-z"], input=page.encode(),
                                  capture_output=True, timeout=10, check=False)
            equal((done.returncode, done.stderr), (0, b""), f"groff on {args}")


# Completions.

def every_word():
    """Every command and every long option."""
    words = set(COMMANDS)
    for command in COMMANDS:
        words |= long_options(printed(command, "--help"))
    return words


def check_script(shell, check_only):
    script = printed("completion", shell)
    done = subprocess.run([tool(shell), *check_only], input=script.encode(), capture_output=True, timeout=10,
                          env=environment(), check=False)
    equal((done.returncode, done.stdout, done.stderr), (0, b"", b""), f"{shell} on its script")
    for word in every_word():
        plain = word.removeprefix("--") if shell == "fish" else word
        check(plain in script, f"{shell} does not complete", word)


@suite.test
def bash():
    check_script("bash", ["-n"])


@suite.test
def zsh():
    check_script("zsh", ["-n"])


@suite.test
def fish():
    check_script("fish", ["--no-execute"])


@suite.test
def bash_completes():
    """What the Tab key gives in bash."""
    cases = ((["ra"], {"race"}), (["race", "--mod"], {"--models"}), (["race", "--json", "--ro"], {"--rounds"}),
             (["serve", "--latency-p"], {"--latency-players"}), (["race", "--color", "a"], {"auto", "always"}),
             (["race", "--models", "sync,thr"], {"sync,threads"}), (["demo", "-"], {"--json", "--help"}),
             (["completion", ""], {"bash", "zsh", "fish"}))
    for words, wanted in cases:
        offered = complete_in_bash(words)
        check(wanted <= offered, f"after {words}:", offered)
        check(all(word.startswith(words[-1]) for word in offered), f"after {words}:", offered)


def complete_in_bash(words):
    """Asks the completion function as bash does; returns what it offers."""
    program = """
        source <("$1" completion bash); shift
        spec=$(complete -p juggle) || exit 1
        name=${spec#*-F }; name=${name%% *}
        COMP_WORDS=(juggle "$@"); COMP_CWORD=$#
        COMP_LINE="juggle $*"; COMP_POINT=${#COMP_LINE}
        "$name" juggle "${@: -1}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run([tool("bash"), "-c", program, "bash", JUGGLE, *words], capture_output=True, timeout=10,
                          env=environment(), check=False)
    equal((done.returncode, done.stderr), (0, b""), f"bash completing {words}")
    return {word.strip() for word in done.stdout.decode().split("\n")} - {""}


if __name__ == "__main__":
    sys.exit(suite.main())
