#!/usr/bin/env bash
# title: debug build
# minutes: 6
# Program and tests; every import is declared, and a warning is an error.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
set_build_flags
swift build --build-tests "${build_flags[@]}"
