"""Instructions for each row, from the wire's bytes to the file, counted by callgrind.

    swift build -c release -Xcc -gdwarf-4 -Xcxx -gdwarf-4 --product row-files-benchmark
    python Benchmarks/RowFiles/instructions.py .build/release/row-files-benchmark [TRACES] [OUTPUT]

Only the call of `ParquetRowFiles.write` is counted. Prints one line:

    row-files instructions_per_row 20000
"""

import re
import subprocess
import sys
import tempfile


def main():
    program = sys.argv[1]
    traces = sys.argv[2] if len(sys.argv) > 2 else "2048"
    symbols = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    call = r" T (\$s11IcebergSink15ParquetRowFilesC5write_6source9directory4name\S*F)$"
    name = re.search(call, symbols, re.M).group(1)
    with tempfile.TemporaryDirectory() as folder:
        output = sys.argv[3] if len(sys.argv) > 3 else folder + "/callgrind.out"
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + output, "--toggle-collect=" + name,
             program, traces, folder, "1"], check=True, capture_output=True, text=True)
    rows = int(re.search(r"(\d+) rows, ", run.stdout).group(1))
    total = int(re.search(r"Collected : (\d+)", run.stderr).group(1))
    print(f"row-files instructions_per_row {total // rows}")


main()
