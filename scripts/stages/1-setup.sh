#!/usr/bin/env bash
# title: set-up
# minutes: 5
# Downloads are most of it, and their speed is not ours: hence more than the minute and a half that it takes.
scripts/setup --tests
