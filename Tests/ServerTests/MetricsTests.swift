import Glibc
import Telemetry
import Testing
import Threads

@Suite struct MetricsTests {
    @Test func `series with known labels are there at zero from the start`() {
        let page = Metrics(version: "0.1.0").page(.text)
        for line in [
            "tail_sampling_traces_sampled_total{reason=\"error\"} 0",
            "tail_sampling_traces_dropped_total{reason=\"not_sampled\"} 0",
            "tail_sampling_export_requests_total{sink=\"iceberg\",result=\"failure\"} 0",
            "tail_sampling_iceberg_commits_total{result=\"conflict\"} 0",
            "tail_sampling_decision_latency_seconds_bucket{le=\"+Inf\"} 0",
            "tail_sampling_build_info{version=\"0.1.0\"} 1",
        ] {
            #expect(page.contains("\n\(line)\n"), "\(line)")
        }
    }

    @Test func `every metric is named, described and typed once`() {
        let declarations = Metrics(version: "0.1.0").declarations
        #expect(Set(declarations.map(\.name)).count == declarations.count)
        for declaration in declarations {
            #expect(declaration.name.hasPrefix("tail_sampling_") || declaration.name.hasPrefix("process_"))
            #expect(declaration.name.hasSuffix("_total") == (declaration.kind == .counter), "\(declaration.name)")
            #expect(declaration.help.hasSuffix("."), "\(declaration.name)")
        }
    }

    @Test func `counts from many threads add up`() throws {
        let metrics = Metrics(version: "x")
        try inParallel(8) { index in
            for _ in 0..<1000 {
                metrics.pipeline.tracesSampled[.error].add(1)
                metrics.pipeline.bufferSpans.add(index.isMultiple(of: 2) ? 3 : -3)
                metrics.pipeline.decisionLatency.observe(.milliseconds(index * 10))
                metrics.pipeline.policyVotes.counter("errors", .sampled).add(2)
            }
        }
        let page = metrics.page(.text)
        #expect(page.contains("tail_sampling_traces_sampled_total{reason=\"error\"} 8000\n"))
        #expect(page.contains("tail_sampling_buffer_spans_current 0\n"))
        #expect(page.contains("tail_sampling_decision_latency_seconds_bucket{le=\"0.005\"} 1000\n"))
        #expect(page.contains("tail_sampling_decision_latency_seconds_bucket{le=\"0.05\"} 6000\n"))
        #expect(page.contains("tail_sampling_decision_latency_seconds_count 8000\n"))
        #expect(page.contains("tail_sampling_decision_latency_seconds_sum 280.0\n"))
        #expect(page.contains("tail_sampling_policy_votes_total{policy=\"errors\",vote=\"sampled\"} 16000\n"))
        #expect(page.contains("tail_sampling_policy_votes_total{policy=\"errors\",vote=\"not_sampled\"} 0\n"))
    }

    @Test func `what one thread has gathered is what it would have observed one by one`() {
        let (one, other) = (Metrics(version: "x"), Metrics(version: "x"))
        var local = LocalHistogram(like: one.pipeline.shardTurnDuration)
        for nanoseconds in [0, -5, 1_000_000, 1_000_001, 99_000_000, 100_000_001, 5_000_000_000] {
            local.observe(nanoseconds: nanoseconds, count: 2)
            for _ in 0..<2 { other.pipeline.shardTurnDuration.observe(.nanoseconds(nanoseconds)) }
        }
        for _ in 0..<2 { one.pipeline.shardTurnDuration.add(&local) }
        func lines(_ metrics: Metrics) -> [Substring] {
            metrics.page(.text).split(separator: "\n").filter { $0.contains("shard_turn_seconds") }
        }
        #expect(lines(one) == lines(other))
        #expect(lines(one).contains("tail_sampling_shard_turn_seconds_count 14"))
    }

    @Test func `names beyond the limit share one series`() {
        let metrics = Metrics(version: "x")
        for index in 0..<(NamedCounters<PolicyVote>.maxNames + 10) {
            metrics.pipeline.policyVotes.counter("p\(index)", .sampled).add(1)
        }
        #expect(metrics.page(.text).contains("{policy=\"other\",vote=\"sampled\"} 10\n"))
        metrics.pipeline.policyVotes.remove("other")
        #expect(!metrics.page(.text).contains("{policy=\"other\""))
    }

    @Test func `a label's value is escaped`() {
        let metrics = Metrics(version: "x")
        metrics.pipeline.policyVotes.declare("a\"b\\c\nd")
        #expect(metrics.page(.text).contains(#"{policy="a\"b\\c\nd",vote="sampled"} 0"#))
    }

    @Test func `counts the lines of the log`() throws {
        let pipe = Pipe()
        var options = Log.Options()
        options.descriptor = pipe.writer
        let log = try Log(options)
        let metrics = Metrics(version: "x", log: log)
        log.logger("x").warning("once")
        #expect(metrics.page(.text).contains("tail_sampling_log_lines_total{level=\"warning\"} 1\n"))
        log.stop()
        log.logger("x").warning("late")
        #expect(metrics.page(.text).contains("tail_sampling_log_lines_dropped_total 1\n"))
    }

    @Test func `the process's numbers are those of this process`() throws {
        let page = Metrics(version: "x").page(.text)
        func value(_ name: String) throws -> Double {
            let line = try #require(page.split(separator: "\n").first { $0.hasPrefix(name + " ") })
            return try #require(Double(line.dropFirst(name.utf8.count + 1)))
        }
        let now = Double(WallClock.milliseconds) / 1000
        #expect(try value("process_start_time_seconds") > now - 86_400)
        #expect(try value("process_start_time_seconds") <= now + 1)
        #expect(try value("process_resident_memory_bytes") > 1_000_000)
        #expect(try value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"))
        #expect(try value("process_open_fds") >= 3)
        #expect(try value("process_cpu_seconds_total") > 0)
    }

    @Test func `OpenMetrics names a counter's family without its suffix and ends the page`() {
        let page = Metrics(version: "x").page(.openMetrics)
        #expect(page.contains("# TYPE tail_sampling_spans_ingested counter\n"))
        #expect(page.contains("\ntail_sampling_spans_ingested_total 0\n"))
        #expect(page.hasSuffix("# EOF\n"))
    }

    @Test(arguments: [
        (nil, MetricPage.text), ("*/*", .text), ("text/plain", .text),
        ("application/openmetrics-text", .openMetrics),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
                + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
        ),
        ("application/openmetrics-text;version=0.0.1;q=0.9,text/plain;q=0.3", .text),
        ("application/openmetrics-text; version=1.0.0; q=0.1, text/plain; q=0.9", .text),
    ])
    func `the format is what Accept likes best`(accept: String?, format: MetricPage) {
        #expect(MetricPage(accept: accept) == format)
    }

    @Test func `promtool finds nothing to say about the page`() throws {
        let metrics = Metrics(version: "0.1.0")
        metrics.pipeline.policyVotes.declare("errors")
        metrics.pipeline.decisionLatency.observe(.milliseconds(3))
        let file = "/tmp/tss-metrics-\(getpid()).txt"
        defer { unlink(file) }
        let page = Array(metrics.page(.text).utf8)
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        #expect(write(descriptor, page, page.count) == page.count)
        close(descriptor)
        let result = try shell("promtool check metrics < \(file) 2>&1")
        #expect(result.output == "")
        #expect(result.status == 0)
    }

    @Test func `Documentation/Metrics.md is what the declarations say`() throws {
        try expectGenerated("Documentation/Metrics.md", Metrics(version: "0").reference)
    }
}
