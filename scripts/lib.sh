# shellcheck shell=bash
# What the scripts share. Source it; it changes to the top of the checkout.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

say() { printf '%s\n' "$*"; }

# Prints what is wrong and what to do about it, and ends the script.
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Entries of a list file: lines without comments and blank lines.
entries() { grep -hvE '^[[:space:]]*(#|$)' -- "$@"; }

# The exit code by which a stage says that it has nothing to check yet.
# shellcheck disable=SC2034
nothing_yet=75

# The Swift with which this code was read for warnings. A later one may know more of them, and then they must not
# keep anybody from building; in CI they are errors with any.
readonly tried_swift=6.3

# Flags of every build: the same for `make build`, `make demo` and `make test`, so that they share one build.
# Fills the array `build_flags`.
set_build_flags() {
    build_flags=(--explicit-target-dependency-import-check error)
    if [[ ${CI-} == true || $(swift --version 2>&1) == *"Swift version $tried_swift"* ]]; then
        build_flags+=(-Xswiftc -warnings-as-errors)
    fi
}

# run_tests LABEL [ARGUMENT…]: `swift test` with the arguments, believed only when its report says that tests ran,
# none failed and none was skipped. `swift test` alone is content with skipped tests and with none at all. XCTest is not
# used; with it there would be two reports under other names.
# `limit_seconds=N` in front of the call ends it after so long: a test that waits for ever is a failure.
run_tests() {
    local label=$1 report=.build/reports/$1
    shift
    mkdir -p .build/reports
    rm -f "$report"*
    set_build_flags
    timeout --kill-after=15 "${limit_seconds:-3600}" swift test --disable-xctest "${build_flags[@]}" --xunit-output "$report.xml" "$@" 2>&1 | tee "$report.log"
    grep -qE '^.{0,4}Test run with [0-9]+ tests? .*passed' "$report.log" || fail "$label: the runner's closing line is missing"
    [[ -f $report.xml ]] || fail "$label: no report $report.xml"
    check_report "$label" "$report.xml"
}

# check_report LABEL FILE: reads the counts of a test report.
check_report() {
    local label=$1 counts tests failures errors skipped
    counts=$(grep -m 1 '<testsuite ' "$2") || fail "$label: $2 holds no test suite"
    tests=$(attribute tests "$counts")
    failures=$(attribute failures "$counts")
    errors=$(attribute errors "$counts")
    skipped=$(attribute skipped "$counts")
    say "$label: $tests tests, $failures failed, $errors errors, $skipped skipped"
    ((tests > 0)) || fail "$label: no test ran"
    ((failures == 0 && errors == 0)) || fail "$label: tests failed"
    ((skipped == 0)) || fail "$label: a skipped test shows nothing"
}

# attribute NAME XML: the number that an attribute holds; a report without it is not understood, and so not believed.
attribute() {
    local value
    value=$(sed -nE "s/.* $1=\"([0-9]+)\".*/\1/p" <<<"$2")
    [[ -n $value ]] || fail "test report without \"$1\": $2"
    printf '%s\n' "$value"
}
