#!/usr/bin/env bash
# title: tests
# minutes: 4
# Every test that needs neither a process of its own nor a server. Suites that start processes are in stage 7,
# those against servers in stage 8: name them in `elsewhere`.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
elsewhere=(ReadersTests ProcessTests)
skips=()
for suite in ${elsewhere[@]+"${elsewhere[@]}"}; do skips+=(--skip "^$suite\\."); done
run_tests tests --skip-build ${skips[@]+"${skips[@]}"}
