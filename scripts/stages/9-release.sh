#!/usr/bin/env bash
# title: release
# minutes: 6
# The release build is made without a warning, and nothing of the kill points is in it.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
set_build_flags
swift build -c release --product tss "${build_flags[@]}"
if grep -qaE 'TSS_KILL_POINT|killPoint|TSS_PLANTED_FAULT' .build/release/tss; then fail "the release binary holds kill points"; fi
