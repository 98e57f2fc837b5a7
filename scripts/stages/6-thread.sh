#!/usr/bin/env bash
# title: thread sanitizer
# minutes: 8
# What crosses threads, with every crossing checked.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
suites=(CommitTests ServerTests StateStoreTests)
if ((${#suites[@]} == 0)); then exit "$nothing_yet"; fi
filters=()
for suite in "${suites[@]}"; do filters+=(--filter "^$suite\\."); done
run_tests thread --sanitize thread --scratch-path .build/tsan "${filters[@]}"
