#!/usr/bin/env bash
# title: static
# minutes: 0.5
# What can be said without building.
scripts/lint
