"""The OpenTelemetry Collector beside the whole program: the same requests over OTLP/HTTP, the same two policies.

What is counted is processor time of the process, from the first request until the last trace is decided; both are
asked how many traces they kept, and a wrong count makes the row worthless, and says so. The program writes its log
and its table meanwhile, the Collector throws away what it keeps.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
TRACES = 50_000
WAIT_SECONDS = 10
LIMIT_SECONDS = 300
LANES = 4

CONFIGURATION = """
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:{otlp}
        max_request_body_size: 67108864
processors:
  tail_sampling:
    decision_wait: {wait}s
    num_traces: {limit}
    policies:
      - name: errors
        type: status_code
        status_code: {{status_codes: [ERROR]}}
      - name: slow
        type: latency
        latency: {{threshold_ms: 5000}}
exporters:
  nop:
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [tail_sampling], exporters: [nop]}}
  telemetry:
    metrics:
      level: normal
      readers:
        - pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}
"""


def measure(rows, peer, say):
    """Adds the rows `process` and `collector`; without a peer nothing is measured."""
    if not peer:
        return
    if peer != "collector":
        raise SystemExit(f"scripts/bench: PEER={peer} is not known; known is collector")
    servers = os.environ.get("TSS_TEST_SERVERS", "")
    serve = pathlib.Path(servers, "serve")
    if not servers or not serve.exists():
        say("PEER=collector wants TSS_TEST_SERVERS, a folder with a serve script: no Collector, no ratio")
        return
    with tempfile.TemporaryDirectory(prefix="tss-bench-") as name:
        folder = pathlib.Path(name)
        workload = folder / "requests"
        output = subprocess.run(
            [TOP / ".build/release/benchmarks", "requests", "--traces", str(TRACES), "--file", str(workload)],
            check=True, capture_output=True, text=True).stdout
        truth = json.loads(output)
        requests = split(workload.read_bytes())
        say("measuring: the whole process")
        rows.rows["process"] = ours(folder, requests, truth)
        say("measuring: the Collector")
        rows.rows["collector"] = collector(folder, serve, requests, truth)
    theirs, mine = rows.rows["collector"], rows.rows["process"]
    if theirs["is_right"] and mine["is_right"]:
        theirs["over_ours"] = theirs["cpu_s"] / mine["cpu_s"]


def split(data):
    """Length (32 bits, little endian) and one request, again and again."""
    requests, position = [], 0
    while position < len(data):
        (count,) = struct.unpack_from("<I", data, position)
        requests.append(data[position + 4:position + 4 + count])
        position += 4 + count
    return requests


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def wait_for(what, condition):
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"scripts/bench: {what} did not come within {LIMIT_SECONDS} s")


def send(port, requests):
    """Posts all of them in some lanes, each again until it is taken."""
    failed = []

    def lane(mine):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in mine:
            for _ in range(1000):
                connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    break
                time.sleep(0.05)
            else:
                failed.append(answer.status)
                return

    lanes = [threading.Thread(target=lane, args=(requests[number::LANES],)) for number in range(LANES)]
    for each in lanes:
        each.start()
    for each in lanes:
        each.join()
    if failed:
        raise SystemExit(f"scripts/bench: requests were answered {failed}")


def cpu_seconds(pid):
    """Processor time of a process and its threads, children not counted."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^VmHWM:\s+(\d+)", text, re.MULTILINE).group(1)) // 1024


def result(pid, before, truth, kept, started):
    return {
        "per": "M spans", "spans": truth["spans"], "cpu_s": (cpu_seconds(pid) - before) / truth["spans"] * 1e6,
        "wall_s": time.monotonic() - started, "peak_mb": peak_megabytes(pid), "kept": kept,
        "wrong": abs(kept - truth["kept"]), "is_right": kept == truth["kept"],
    }


def total(page, pattern):
    return sum(float(value) for value in re.findall(pattern, page, re.MULTILINE))


def ours(folder, requests, truth):
    otlp, admin, metrics = free_ports(3)
    environment = dict(
        os.environ, TSS__APP__DATA_DIR=str(folder / "data"), TSS__OTLP__HTTP_PORT=str(otlp),
        TSS__OBSERVABILITY__HEALTH_PORT=str(admin), TSS__OBSERVABILITY__METRICS_PORT=str(metrics),
        TSS__APP__INACTIVITY_TIMEOUT_SECS=str(WAIT_SECONDS), TSS__APP__ROOT_INACTIVITY_TIMEOUT_SECS=str(WAIT_SECONDS),
        TSS__QUERY__WORKERS="1")
    with open(folder / "serve.log", "wb") as log:
        process = subprocess.Popen([TOP / ".build/release/tss", "serve"], env=environment, stdout=log, stderr=log)
    try:
        wait_for("the program", lambda: get(admin, "/health/ready")[0] == 200)
        started, before = time.monotonic(), cpu_seconds(process.pid)
        send(otlp, requests)
        counts = {}

        def decided():
            page = get(metrics, "/metrics")[1]
            counts["kept"] = total(page, r"^tail_sampling_traces_sampled_total\{[^}]*\} (\S+)$")
            dropped = total(page, r"^tail_sampling_traces_dropped_total\{[^}]*\} (\S+)$")
            return counts["kept"] + dropped >= truth["traces"]

        wait_for("the program's last decision", decided)
        return result(process.pid, before, truth, int(counts["kept"]), started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def collector(folder, serve, requests, truth):
    otlp, metrics = free_ports(2)
    configuration = folder / "collector.yaml"
    configuration.write_text(
        CONFIGURATION.format(otlp=otlp, metrics=metrics, wait=WAIT_SECONDS, limit=4 * TRACES), encoding="utf-8")
    home = folder / "collector"
    up = subprocess.run(
        [serve, "collector", "up", "--dir", home, "--config", configuration], capture_output=True, text=True)
    if up.returncode != 0:
        raise SystemExit(f"scripts/bench: the Collector did not start:\n{up.stderr[-2000:]}")
    try:
        pid = int((home / "collector.pid").read_text(encoding="ascii"))
        started, before = time.monotonic(), cpu_seconds(pid)
        send(otlp, requests)
        name = r"^otelcol_processor_tail_sampling_global_count_traces_sampled(?:_total|__traces__total)?"
        counts = {}

        def decided():
            page = get(metrics, "/metrics")[1]
            counts["kept"] = total(page, name + r'\{[^}]*sampled="true"[^}]*\} (\S+)$')
            dropped = total(page, name + r'\{[^}]*sampled="false"[^}]*\} (\S+)$')
            return counts["kept"] + dropped >= truth["traces"]

        wait_for("the Collector's last decision", decided)
        return result(pid, before, truth, int(counts["kept"]), started)
    finally:
        subprocess.run([serve, "collector", "down", "--dir", home], check=False, capture_output=True)
