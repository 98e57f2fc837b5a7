"""Writes probabilistic.yaml: cases of the Collector's hash, computed apart from the product's code.

FNV-1a 64 as in draft-eastlake-fnv, over the salt and the id; the limit in exact fractions.
"""

import math
import random
from fractions import Fraction


def fnv1a(data):
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return state


source = random.Random(4711)
print("# Made by make-probabilistic.py; change that.")
for percentage in ["0.1", "1", "10", "33.3", "50", "99"]:
    for salt in ["default-hash-seed", "pepper"]:
        limit = math.floor(Fraction(float(percentage) / 100) * (2**64 - 1))
        member = "" if salt == "default-hash-seed" else f", hash_salt: {salt}"
        print(f"- policies: [{{name: p, type: probabilistic, probabilistic: {{sampling_percentage: {percentage}{member}}}}}]")
        print("  cases:")
        wanted = {True: 2, False: 2}
        while any(wanted.values()):
            id = source.randbytes(16)
            kept = fnv1a(salt.encode() + id) <= limit
            if not wanted[kept]:
                continue
            wanted[kept] -= 1
            vote, word = ("sampled", "yes") if kept else ("not_sampled", "no")
            print(f'    - {{id: "{id.hex()}", votes: [{vote}], says: "probabilistic {percentage} % {word}", count: 0}}')
print(
    """- policies: [{name: p, type: probabilistic, probabilistic: {sampling_percentage: 100}}]
  cases:
    - {votes: [sampled], says: "probabilistic 100 %", count: 1}
- policies: [{name: p, type: probabilistic}]
  warns: nothing keeps anything
  cases:
    - {votes: [not_sampled], says: "probabilistic 0 %"}
- policies: [{name: p, type: probabilistic, probabilistic: {sampling_percentage: 250}}]
  warns: 250 is taken as 100
  cases:
    - {votes: [sampled], count: 1}
- policies: [{name: p, type: probabilistic, probabilistic: {sampling_percentage: -3}}]
  warns: -3 is taken as 0
  cases:
    - {votes: [not_sampled]}
- policies: [{name: p, type: probabilistic, probabilistic: {sampling_percentage: 0.5}}]
  warns: 0.5 is a percentage, not a share of 1
- refused: [{name: p, type: probabilistic, probabilistic: {sampling_percentage: all}}]
  with: 'expected a number, found "all"'"""
)
