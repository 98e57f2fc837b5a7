#!/usr/bin/env bash
# title: processes
# minutes: 8
# The debug build as a user runs it: demo, real senders and readers, kill -9, full disks.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
run_tests ReadersTests --skip-build --filter "^ReadersTests\\."
# Suites that start the built program, with the seconds that each may take: five times what it took.
suites=(
    AccountingTests:30 ConfigurationTests:60 StartTests:180 DemoTests:180 KilledTests:180 BadInputTests:180
    DiskFullTests:240 MetricsTests:60 AdminTests:120 SendersAndReadersTests:120 EvaluateTests:120 ForceRuleTests:180
)
for file in Tests/ProcessTests/*Tests.swift; do
    name=$(basename "$file" .swift)
    [[ " ${suites[*]}" == *" $name:"* ]] || fail "$name is in no stage: name it in ${BASH_SOURCE[0]}"
done
for suite in "${suites[@]}"; do
    name=${suite%:*}
    limit_seconds=${suite#*:} run_tests "$name" --skip-build --filter "^ProcessTests\\.WholeProgram/$name/"
done
