#!/usr/bin/env bash
# title: release
# minutes: 6
# The release build is made without a warning, nothing of the kill points is in it, and no span costs more instructions
# or allocations than before.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
set_build_flags
swift build -c release --product tss "${build_flags[@]}"
if grep -qaE 'TSS_KILL_POINT|killPoint|TSS_PLANTED_FAULT' .build/release/tss; then fail "the release binary holds kill points"; fi
scripts/bench --gates
