#!/usr/bin/env bash
# title: processes
# minutes: 8
# The debug build as a user runs it: demo, real senders and readers, kill -9, full disks.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
suites=(ReadersTests ProcessTests)
if ((${#suites[@]} == 0)); then exit "$nothing_yet"; fi
for suite in "${suites[@]}"; do run_tests "$suite" --skip-build --filter "^$suite\\."; done
