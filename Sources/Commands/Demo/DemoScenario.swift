internal import HTTPClient
internal import JSON
internal import Threads
internal import TraceGenerator
internal import TraceModel
internal import Workers

/// The steps of the demo: what a new user would try, and what must be seen.
struct DemoScenario {
    let server: DemoServer

    /// Waits are 2 s in the demo, commits 1 s; a loaded machine takes longer.
    private static let decisionLimit: Duration = .seconds(30)

    private struct Seen {
        var error: GeneratedTrace
        var slow: GeneratedTrace
        var normal: GeneratedTrace
    }

    func run(_ report: inout DemoReport) {
        guard report.step("application starts", { () throws(DemoFailure) in try start() }) else { return }
        let traces = Self.traces()
        let errorsBefore = (try? server.metric(Self.sampled("error"))) ?? 0
        let droppedBefore = (try? server.metric(Self.droppedSeries)) ?? 0
        report.step("traces accepted") { () throws(DemoFailure) in try send(traces) }
        report.step("A error trace kept") { () throws(DemoFailure) in
            try expectDecision(of: traces.error, verdict: "sampled", reason: "error")
        }
        report.step("B slow trace kept") { () throws(DemoFailure) in
            try expectDecision(of: traces.slow, verdict: "sampled", reason: "latency")
        }
        report.step("C normal trace dropped") { () throws(DemoFailure) in
            try expectDecision(of: traces.normal, verdict: "not_sampled", reason: "not_sampled")
        }
        report.step("D force rule") { () throws(DemoFailure) in try forceOne() }
        report.step("metrics") { () throws(DemoFailure) in
            let errors = try server.metric(Self.sampled("error"))
            let dropped = try server.metric(Self.droppedSeries)
            guard errors > errorsBefore, dropped > droppedBefore else {
                throw DemoFailure(message: "\(Self.sampled("error")) and \(Self.droppedSeries) did not both rise")
            }
            return "traces_sampled_total{reason=\"error\"} \(Int(errorsBefore)) → \(Int(errors)), "
                + "traces_dropped_total{reason=\"not_sampled\"} \(Int(droppedBefore)) → \(Int(dropped))"
        }
        report.step("rows committed") { () throws(DemoFailure) in try expectRows(traces) }
        report.step("Parquet files") { () throws(DemoFailure) in try listFiles() }
        report.step("table metadata") { () throws(DemoFailure) in try showMetadata() }
        report.step("SQL") { () throws(DemoFailure) in try runSQL() }
        report.step("health") { () throws(DemoFailure) in try showHealth() }
        report.skip("Kafka, Redis, S3", because: "the demo starts no broker; Redis and S3 are not in this version")
    }

    func stop(_ report: inout DemoReport) {
        report.step("stops cleanly") { () throws(DemoFailure) in
            let status = try server.stop()
            guard status == .exited(code: 0) else { throw DemoFailure(message: "the server ended with \(status)") }
            return "SIGTERM, \(status)"
        }
    }

    // MARK: Steps

    private func start() throws(DemoFailure) -> String {
        try server.waitUntilReady()
        let live = try server.get(server.adminURL + "/health/live").status
        guard live == 200 else { throw DemoFailure(message: "/health/live answers \(live)") }
        return "live and ready, \(server.adminURL)/health"
    }

    private static func traces() -> Seen {
        var options = DemoTraceOptions(
            seed: UInt64.random(in: 0...UInt64(UInt32.max)),
            startUnixNano: UInt64(WallClock.nanoseconds) - 10_000_000_000)
        options.traceCount = 3
        // One of each: a third are errors, and half of what is left is slow.
        options.errorPercent = 34
        options.slowPercent = 34
        let all = DemoTraces(options)
        let traces = (0..<3).map { all.trace(at: $0) }
        func first(_ kind: GeneratedTrace.Kind) -> GeneratedTrace { traces.first { $0.kind == kind } ?? traces[0] }
        return Seen(error: first(.error), slow: first(.slow), normal: first(.ok))
    }

    private func send(_ traces: Seen) throws(DemoFailure) -> String {
        let all = [traces.error, traces.slow, traces.normal]
        try send(all)
        return "3 traces of \(all.map(\.spanCount).reduce(0, +)) spans are on disk: one failing, one slow, one normal"
    }

    private func send(_ traces: [GeneratedTrace]) throws(DemoFailure) {
        do throws(ProduceFailure) {
            let target = try OTLPTarget(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": server.otlpURL])
            let client = try OTLPTraceClient(target)
            defer { client.stop() }
            _ = try client.send(traces.map(OutgoingTrace.init))
        } catch {
            throw DemoFailure(message: error.message)
        }
    }

    private func expectDecision(
        of trace: GeneratedTrace, verdict: String, reason: String
    ) throws(DemoFailure) -> String {
        let id = trace.traceID.description
        let url = "\(server.adminURL)/admin/decisions/\(id)"
        let decision = try server.wait(for: "the decision about \(id)", atMost: Self.decisionLimit) {
            () throws(DemoFailure) -> JSONValue? in
            let response = try server.get(url)
            return response.status == 404 ? nil : try server.json(response, from: url)["data"]
        }
        let seen = "\(id.prefix(4))… \(decision["explanation"]?.text ?? "without an explanation")"
        guard decision["verdict"]?.text == verdict, decision["reason"]?.text == reason else {
            throw DemoFailure(message: "\(seen), expected \(verdict) because of \(reason)")
        }
        return seen
    }

    /// A rule for a service, then a normal trace of that service, which no policy wants.
    private func forceOne() throws(DemoFailure) -> String {
        let series = "tail_sampling_traces_force_sampled_total"
        let before = try server.metric(series)
        let url = "\(server.adminURL)/admin/force-rules"
        let rule = try server.post(
            url,
            [
                "description": "demo: keep every trace of demo-service", "duration_secs": 600, "action": "force_keep",
                "match": ["resource": [["key": "service.name", "op": "eq", "value": .string(Self.forcedService)]]],
            ])["data"]
        guard let id = rule?["id"]?.text else { throw DemoFailure(message: "\(url) answered without a rule") }
        let trace = Self.forcedTrace()
        try send([trace])
        _ = try expectDecision(of: trace, verdict: "sampled", reason: "force_rule")
        let after = try server.wait(for: "\(series) to rise", atMost: Self.decisionLimit) {
            () throws(DemoFailure) -> Double? in
            let now = try server.metric(series)
            return now > before ? now : nil
        }
        return "rule \(id.prefix(4))… \(Self.forcedService): kept, traces_force_sampled_total "
            + "\(Int(before)) → \(Int(after))"
    }

    private static let forcedService = "demo-service"

    /// A normal trace of the service.
    private static func forcedTrace() -> GeneratedTrace {
        var options = DemoTraceOptions(
            seed: UInt64.random(in: 0...UInt64(UInt32.max)),
            startUnixNano: UInt64(WallClock.nanoseconds) - 10_000_000_000)
        options.traceCount = 1
        options.errorPercent = 0
        options.slowPercent = 0
        options.service = forcedService
        return DemoTraces(options).trace(at: 0)
    }

    private func expectRows(_ traces: Seen) throws(DemoFailure) -> String {
        let kept = [traces.error, traces.slow]
        func count(_ trace: GeneratedTrace) throws(DemoFailure) -> Int64 {
            try query("SELECT count(*) AS n FROM spans WHERE trace_id = '\(trace.traceID)'")["data"]?["rows"]?
                .array?.first?["n"]?.int64 ?? 0
        }
        let expected = kept.map(\.spanCount).reduce(0, +)
        let rows = try server.wait(for: "\(expected) rows in the table", atMost: Self.decisionLimit) {
            () throws(DemoFailure) -> Int64? in
            var sum: Int64 = 0
            for trace in kept { sum += try count(trace) }
            return sum >= expected ? sum : nil
        }
        guard rows == expected else { throw DemoFailure(message: "\(rows) rows instead of \(expected)") }
        let others = try count(traces.normal)
        guard others == 0 else { throw DemoFailure(message: "the dropped trace has \(others) rows in the table") }
        return "\(rows) rows of 2 kept traces, none of the dropped one"
    }

    private func listFiles() throws(DemoFailure) -> String {
        let files = FolderListing.files(below: server.folder + "/warehouse", ending: ".parquet")
        guard let first = files.first else {
            throw DemoFailure(message: "no Parquet file below \(server.folder)/warehouse")
        }
        let bytes = files.map(\.sizeBytes).reduce(0, +)
        return "\(files.count) \(files.count == 1 ? "file" : "files"), \(bytes) bytes, such as \(first.path)"
    }

    private func showMetadata() throws(DemoFailure) -> String {
        let files = FolderListing.files(below: server.folder + "/warehouse", ending: ".metadata.json")
        guard let newest = files.max(by: { $0.path < $1.path }),
            let text = try? ProcessEnvironment.readBytes(newest.path, limitBytes: 64 << 20),
            let metadata = try? JSONValue(parsing: text)
        else { throw DemoFailure(message: "no table metadata below \(server.folder)/warehouse") }
        let snapshots = metadata["snapshots"]?.array?.count ?? 0
        let current = metadata["current-snapshot-id"]?.int64 ?? 0
        return "format v\(metadata["format-version"]?.int64 ?? 0), \(snapshots) snapshots, current \(current)"
    }

    private func runSQL() throws(DemoFailure) -> String {
        let sql = "SELECT trace_id, status_code, duration_ms FROM spans LIMIT 10"
        let rows = try query(sql)["data"]?["rows"]?.array ?? []
        guard !rows.isEmpty else { throw DemoFailure(message: "\(sql) → no rows") }
        return "\(sql) → \(rows.count) rows"
    }

    private func query(_ sql: String) throws(DemoFailure) -> JSONValue {
        try server.post(server.adminURL + "/admin/query", ["sql": .string(sql)])
    }

    private func showHealth() throws(DemoFailure) -> String {
        let url = server.adminURL + "/health"
        let health = try server.json(server.get(url), from: url)
        let status = health["status"]?.text ?? "?"
        guard status == "healthy" else { throw DemoFailure(message: "\(url) says \(status)") }
        return "\(status), version \(health["version"]?.text ?? "?")"
    }

    private static func sampled(_ reason: String) -> String {
        "tail_sampling_traces_sampled_total{reason=\"\(reason)\"}"
    }

    private static let droppedSeries = "tail_sampling_traces_dropped_total{reason=\"not_sampled\"}"
}
