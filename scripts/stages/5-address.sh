#!/usr/bin/env bash
# title: address sanitizer
# minutes: 8
# The engine's properties with every memory access checked. Leaks are not looked for: the test runner's own would
# be all that is found.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
suites=(BufferTests EngineTests FormatTests PolicyTests ShardTests WireTests)
export ASAN_OPTIONS=detect_leaks=0
filters=()
for suite in "${suites[@]}"; do filters+=(--filter "^$suite\\."); done
run_tests address --sanitize address --scratch-path .build/asan "${filters[@]}"

# Every fuzzer replays its corpus and searches for half a minute; then it is shown that it can find something.
scripts/fuzz --all 30
scripts/fuzz --planted
