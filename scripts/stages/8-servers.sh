#!/usr/bin/env bash
# title: servers
# minutes: 6
# Against real servers of other makers.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
suites=()
if ((${#suites[@]} == 0)); then exit "$nothing_yet"; fi
for suite in "${suites[@]}"; do run_tests "$suite" --skip-build --filter "^$suite\\."; done
