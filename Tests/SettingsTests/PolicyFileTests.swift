import Configuration
import Testing

@testable import Sampling
@testable import Settings

/// A block as people have it, with every key that acts.
private let pasted = """
    decision_wait: 10s
    num_traces: 100
    expected_new_traces_per_sec: 10
    decision_cache: {sampled_cache_size: 100000, non_sampled_cache_size: 50000}
    sample_on_first_match: true
    sampling_strategy: trace-complete
    block_on_overflow: false
    maximum_trace_size_bytes: 0
    policies:
      [
          {name: test-policy-1, type: always_sample},
          {name: test-policy-2, type: latency, latency: {threshold_ms: 5000, upper_threshold_ms: 10000}},
          {name: test-policy-3, type: numeric_attribute, numeric_attribute: {key: key1, min_value: 50, max_value: 100}},
          {name: test-policy-4, type: probabilistic, probabilistic: {sampling_percentage: 10}},
          {name: test-policy-5, type: status_code, status_code: {status_codes: [ERROR, UNSET]}},
          {name: test-policy-6, type: rate_limiting, rate_limiting: {spans_per_second: 35}},
          {name: test-policy-7, type: bytes_limiting, bytes_limiting: {bytes_per_second: 35, burst_capacity: 100}},
          {
            name: and-policy-1, type: and,
            and: {and_sub_policy: [
              {name: a, type: numeric_attribute, numeric_attribute: {key: key1, min_value: 50, max_value: 100}},
              {name: b, type: string_attribute, string_attribute: {key: key2, values: [value1, value2]}}]}
          },
          {
            name: drop-policy-1, type: drop,
            drop: {drop_sub_policy: [
              {name: c, type: string_attribute, string_attribute: {key: url, values: [/health]}}]}
          },
          {
            name: composite-policy-1, type: composite,
            composite: {
              max_total_spans_per_second: 1000, policy_order: [d, e],
              composite_sub_policy: [
                {name: d, type: numeric_attribute, numeric_attribute: {key: key1, min_value: 50}},
                {name: e, type: always_sample}],
              rate_allocation: [{policy: d, percent: 50}, {policy: e, percent: 25}]}
          }
      ]

    """

private func indented(_ text: String, by count: Int = 2) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.isEmpty ? "" : String(repeating: " ", count: count) + $0 }.joined(separator: "\n")
}

private func readFile(_ text: String) throws(SettingsError) -> PolicyFile {
    try PolicyFile.read(Array(text.utf8), path: "p.yaml")
}

private func problems(_ text: String) -> [String] {
    do throws(SettingsError) {
        _ = try readFile(text)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

struct PolicyFileTests {
    @Test(arguments: [
        pasted, "tail_sampling:\n" + indented(pasted), "tail_sampling/errors first:\n" + indented(pasted),
        "processors:\n  batch: {}\n  tail_sampling/2:\n" + indented(pasted, by: 4),
        "receivers: {otlp: {}}\nprocessors:\n  tail_sampling:\n" + indented(pasted, by: 4) + "service: {}\n",
        "sampling:\n  tail_sampling:\n" + indented(pasted, by: 4),
        "app: {}\nsampling:\n  tail_sampling:\n"
            + indented(pasted, by: 4),
    ])
    func `a pasted block is read under every heading`(text: String) throws {
        let file = try readFile(text)
        #expect(
            file.policies.map(\.name) == (1...7).map { "test-policy-\($0)" } + [
                "and-policy-1", "drop-policy-1", "composite-policy-1",
            ])
        #expect(file.stopsAtFirstMatch)
        #expect(file.warnings.map(\.message) == ["has no effect: the index of traces grows as it must"])
    }

    @Test func `a section has the policies of its simple keys`() throws {
        let file = try readFile("sampling:\n  base_sample_rate: 0.5\n  policies: [{name: x, type: trace_flags}]\n")
        #expect(file.policies.map(\.name) == ["always_sample_errors", "sample_latency", "x", "base_sample_rate"])
        #expect(!file.stopsAtFirstMatch)
        #expect(try readFile("sampling:\n").policies.count == 3)
        #expect(try readFile("policies: []\n").policies.isEmpty)
        #expect(
            try readFile("policies: []\n").warnings.map(\.message).first?.hasPrefix("nothing keeps anything") == true)
    }

    @Test func `what a file cannot be is said with its place`() {
        #expect(
            problems("") == [
                "p.yaml:1:1: the file is empty; expected a sampling: section or a Collector's tail_sampling: block"
            ])
        #expect(problems("- a\n").first?.hasPrefix("p.yaml:1:1: expected a sampling: section") == true)
        #expect(problems("sampling: {policies_file: x}\n").first?.contains("names no further file") == true)
        #expect(problems("processors: {batch: {}}\n") == ["p.yaml:1:1: processors: there is no tail_sampling in it"])
        #expect(
            problems("tail_sampling: {policies: []}\ntail_sampling/2: {policies: []}\n") == [
                "p.yaml:2:1: tail_sampling/2: a second block; one can be used"
            ])
        #expect(problems("policies: []\nalways_sample_errors: true\n") != [])
        #expect(problems("sampling: {}\nsampler: {}\n") == ["p.yaml:2:1: sampler: unknown key"])
        #expect(problems("a: [\n").count == 1)
    }

    @Test func `all mistakes of a block are reported at once`() {
        let text = """
            tail_sampling:
              decision_wait: 30
              decision_wait_after_root_received: soon
              num_traces: 0
              policeis: []
              policies:
                - {name: a, type: latncy}
                - {name: b, type: and, and: {}}
                - {name: c, type: string_attribute, string_attribute: {kye: k}}

            """
        #expect(
            problems(text) == [
                "p.yaml:2:18: tail_sampling.decision_wait: expected a duration such as 30s, found \"30\"; "
                    + "did you mean 30s?",
                "p.yaml:3:38: tail_sampling.decision_wait_after_root_received: expected a duration such as 30s, "
                    + "found \"soon\"",
                "p.yaml:4:15: tail_sampling.num_traces: 0 is not within 1 and 1000000000",
                "p.yaml:7:23: tail_sampling.policies[0].type: unknown kind \"latncy\"; did you mean latency?",
                "p.yaml:8:33: tail_sampling.policies[1].and.and_sub_policy: and needs at least one policy",
                "p.yaml:9:59: tail_sampling.policies[2].string_attribute.key: the key of an attribute is needed",
                "p.yaml:9:60: tail_sampling.policies[2].string_attribute.kye: unknown member; did you mean key?",
                "p.yaml:5:3: tail_sampling.policeis: unknown member; did you mean policies?",
            ])
    }

    @Test(arguments: [
        ("block_on_overflow: true", "no sender waits"), ("maximum_trace_size_bytes: 5", "large traces are kept whole"),
        ("sampling_strategy: span-ingest", "decides before a trace is complete"),
        ("sampling_strategy: other", "unknown strategy \"other\""),
        ("drop_pending_traces_on_shutdown: true", "decided after the restart"),
        ("tail_storage: x", "needs no extension"),
        ("decision_wait: 0s", "a wait above 0"), ("decision_wait: 1000h", "longer than 604800 seconds"),
        ("decision_wait: 3 s", "the units are ns, us, ms, s, m, h"),
        ("policies: [{name: a, type: ottl_condition}]", "ottl_condition"),
    ])
    func `what cannot be honoured is refused by name with the reason`(line: String, reason: String) {
        let found = problems(line + "\n")
        #expect(found.count == 1 && found[0].contains(reason), "\(found)")
        #expect(found.first?.contains(line.prefix { $0 != ":" }) == true)
    }

    @Test(arguments: [
        ("30s", 30_000), ("1m30s", 90_000), ("1.5h", 5_400_000), ("250ms", 250), ("100us", 1), ("5µs", 1),
        ("1h0m1s", 3_601_000),
    ])
    func `durations are the Collector's`(text: String, milliseconds: Int64) throws {
        let duration = try CollectorDuration.read(Node(text: text, at: .builtIn))
        #expect(duration == .milliseconds(milliseconds))
    }
}

struct CollectorBlockSettingsTests {
    private func block(_ keys: String) -> String {
        "sampling:\n  tail_sampling:\n" + indented(keys + "\npolicies: []\n", by: 4)
    }

    @Test func `the wait from the first span is the longest duration and no other wait`() throws {
        let app = try load(block("decision_wait: 10s")).settings.app
        #expect(app.maximumTraceDuration == .seconds(10))
        #expect(app.inactivityTimeout == .seconds(10))
        #expect(app.rootInactivityTimeout == .seconds(10))
        let byDefault = try load(block("")).settings.app
        #expect(byDefault.maximumTraceDuration == .seconds(30))
        #expect(byDefault.inactivityTimeout == .seconds(30))
        #expect(byDefault.rootInactivityTimeout == .seconds(30))
        #expect(byDefault.maximumBufferTraces == 2_000_000)
        #expect(byDefault.maximumDecisions == 10_000_000)
    }

    @Test func `the other keys act`() throws {
        let loaded = try load(
            block(
                """
                decision_wait: 10s
                decision_wait_after_root_received: 2s
                num_traces: 123
                decision_cache: {sampled_cache_size: 7, non_sampled_cache_size: 8}
                """))
        let app = loaded.settings.app
        #expect(app.rootInactivityTimeout == .seconds(2))
        #expect(app.inactivityTimeout == .seconds(10))
        #expect(app.maximumBufferTraces == 123)
        #expect(app.maximumDecisions == 15)
        #expect(loaded.places["app.max_buffer_traces"] == .file("conf/tss.yaml", line: 5, column: 17))
        #expect(loaded.warnings.contains { $0.message.contains("there it counts from the root") })
        #expect(try load(block("decision_cache: {sampled_cache_size: 7}")).settings.app.maximumDecisions == 10_000_000)
    }

    @Test func `keys of app count where the block does not contradict them`() throws {
        let given = try load("app: {inactivity_timeout_secs: 5}\n" + block("")).settings.app
        #expect(given.inactivityTimeout == .seconds(5))
        #expect(given.maximumTraceDuration == .seconds(300))
        #expect(
            refusal("app: {max_trace_duration_secs: 5}\n" + block("decision_wait: 10s")) == [
                "conf/tss.yaml:1:32: app.max_trace_duration_secs: contradicts sampling.tail_sampling.decision_wait at "
                    + "conf/tss.yaml:4:20: leave one of them out"
            ])
        #expect(refusal("app: {max_trace_duration_secs: 10}\n" + block("decision_wait: 10s")).isEmpty)
    }

    @Test func `a block stands alone`() throws {
        let loaded = try load(block("policies_are: below").replacing("policies_are: below", with: "decision_wait: 5s"))
        #expect(loaded.settings.sampling.words.isEmpty)
        #expect(
            refusal("sampling: {base_sample_rate: 0.1, policies: [], tail_sampling: {policies: []}}") == [
                "conf/tss.yaml:1:30: sampling.base_sample_rate: does not apply beside sampling.tail_sampling, which "
                    + "stands alone: leave one of them out",
                "conf/tss.yaml:1:45: sampling.policies: does not apply beside sampling.tail_sampling, which stands "
                    + "alone: leave one of them out",
            ])
        let json = #"{"policies": [{"name": "x", "type": "always_sample"}], "decision_wait": "1s"}"#
        let fromVariable = try load("", ["TSS__SAMPLING__TAIL_SAMPLING": json]).settings
        #expect(fromVariable.sampling.words == ["x keeps every trace"])
        #expect(fromVariable.app.maximumTraceDuration == .seconds(1))
    }

    @Test func `what is printed loads again as the same`() throws {
        let text = block("decision_wait: 10s\ndecision_wait_after_root_received: 2s\nnum_traces: 9")
        let first = try load(text).printed
        #expect(!first.contains("base_sample_rate"))
        let second = try load(first).printed
        func values(_ text: String) -> [Substring] {
            text.split(separator: "\n").map { $0.split(separator: "  # ", maxSplits: 1)[0] }
        }
        #expect(values(first) == values(second))
    }

    @Test func `policies can lie in a file`() throws {
        func loaded(_ yaml: String, _ content: String) throws(SettingsError) -> Settings {
            let sources = SettingsSources(file: SettingsSources.File(path: "conf/tss.yaml", text: Array(yaml.utf8)))
            return try Settings.load(sources, machine: testMachine) { path throws(ReadError) in
                guard path == "/srv/app/conf/p.yaml" else { throw ReadError("cannot read \(path)") }
                return content
            }.settings
        }
        let yaml = "sampling: {policies_file: p.yaml}"
        let block = try loaded(yaml, "tail_sampling: {decision_wait: 3s, policies: [{name: x, type: trace_flags}]}")
        #expect(block.sampling.sampler.policies.map(\.name) == ["x"])
        #expect(block.app.maximumTraceDuration == .seconds(3))
        let section = try loaded(yaml, "sampling: {sample_latency: false}")
        #expect(section.sampling.sampler.policies.map(\.name) == ["always_sample_errors", "base_sample_rate"])
        #expect(section.app.maximumTraceDuration == .seconds(300))
        #expect(throws: SettingsError.self) { try loaded("sampling: {policies_file: q.yaml}", "") }
        let error = #expect(throws: SettingsError.self) { try loaded(yaml, "policies: [{name: x, type: y}]") }
        #expect(error?.problems.first?.description.hasPrefix("/srv/app/conf/p.yaml:1:28: policies[0].type") == true)
    }
}

struct AdminSettingsTests {
    @Test func `the admin keys are read`() throws {
        let admin = try load("admin: {token: 12345, allowed_hosts: [a.example, b.example]}").settings.admin
        #expect(admin.token == "12345")
        #expect(admin.allowedHosts == ["a.example", "b.example"])
        let variables = [
            "TSS__ADMIN__TOKEN": "s3cret", "TSS__ADMIN__ALLOWED_HOSTS": #"["c.example"]"#,
        ]
        let fromVariables = try load("", variables)
        #expect(fromVariables.settings.admin.token == "s3cret")
        #expect(fromVariables.settings.admin.allowedHosts == ["c.example"])
        #expect(!fromVariables.printed.contains("s3cret"))
        #expect(fromVariables.printed.contains("token: <redacted>  # TSS__ADMIN__TOKEN"))
        #expect(try load("", ["TSS__ADMIN__ALLOWED_HOSTS": "d.example"]).settings.admin.allowedHosts == ["d.example"])
        #expect(try load().settings.admin.token == nil)
    }

    @Test func `the token can lie in a file`() throws {
        func loaded(_ variables: [String: String]) throws(SettingsError) -> LoadedSettings {
            try Settings.load(SettingsSources(environment: variables), machine: testMachine) { path throws(ReadError) in
                guard path == "/run/token" else { throw ReadError("cannot read \(path)") }
                return "s3cret\n"
            }
        }
        let settings = try loaded(["TSS__ADMIN__TOKEN_FILE": "/run/token"])
        #expect(settings.settings.admin.token == "s3cret")
        #expect(!settings.printed.contains("s3cret"))
        #expect(settings.printed.contains("token_file: /run/token"))
        #expect(throws: SettingsError.self) { try loaded(["TSS__ADMIN__TOKEN_FILE": "/run/other"]) }
        #expect(throws: SettingsError.self) {
            try loaded(["TSS__ADMIN__TOKEN_FILE": "/run/token", "TSS__ADMIN__TOKEN": "x"])
        }
    }

    @Test func `a token that no client can send is refused, and not repeated`() {
        #expect(refusal("admin: {token: 'a b'}").count == 1)
        #expect(!refusal("admin: {token: 'a b'}")[0].contains("a b"))
    }
}
