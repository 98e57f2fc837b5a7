import Glibc
import JSON
import Sampling
import Settings
import Testing
import TraceModel

@testable import Commands

/// A policy file and lines, answered as `tss evaluate --json` answers them.
private struct Run {
    var evaluation: Evaluation
    var names: [String]

    init(_ policies: String, memoryLimit: Int = Evaluation.rememberedTraceLimit) throws {
        let file = try PolicyFile.read(Array(policies.utf8), path: "policies.yaml")
        names = file.policies.map(\.name)
        evaluation = Evaluation(file.sampler, explains: true, memoryLimit: memoryLimit)
    }

    /// The JSON line, or what is wrong with the line.
    mutating func json(_ line: String) -> String {
        do throws(Evaluation.BadLine) {
            let answer = try evaluation.answer(Array(line.utf8))
            let id = answer.traceID?.description ?? ""
            return String(decoding: EvaluationOutput.json(answer, id, names), as: UTF8.self)
        } catch {
            return "bad: \(error.message)"
        }
    }

    mutating func decision(_ line: String) throws -> JSONValue { try JSONValue(parsing: json(line)) }
}

private let one = "00000000000000000000000000000001"
private let two = "00000000000000000000000000000002"

/// A request of one trace: so many spans, with a status and a duration in milliseconds.
private func trace(_ id: String, spans: Int = 1, status: Int = 0, milliseconds: Int = 10) -> String {
    let spans = (1...spans).map { index in
        #"{"traceId":"\#(id)","spanId":"000000000000000\#(index)","name":"op","startTimeUnixNano":"1000000000","#
            + #""endTimeUnixNano":"\#(1_000_000_000 + milliseconds * 1_000_000)","status":{"code":\#(status)}}"#
    }
    return #"{"resourceSpans":[{"scopeSpans":[{"spans":[\#(spans.joined(separator: ","))]}]}]}"#
}

private func at(_ milliseconds: Int, _ trace: String) -> String { #"{"at_ms":\#(milliseconds),"trace":\#(trace)}"# }

private let errorsAndLatency = """
    policies:
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: slow, type: latency, latency: {threshold_ms: 500}}
    """

@Suite struct EvaluationTests {
    @Test func `each line has the members of the contract, in their order`() throws {
        var run = try Run(errorsAndLatency)
        #expect(
            run.json(trace(one, status: 2, milliseconds: 900))
                == #"{"trace_id":"\#(one)","decision":"sampled","policy":"errors","reason":"policy","#
                + #""per_policy":{"errors":"sampled","slow":"sampled"}}"#)
        #expect(
            run.json(trace(two))
                == #"{"trace_id":"\#(two)","decision":"not_sampled","policy":null,"reason":"not_sampled","#
                + #""per_policy":{"errors":"not_sampled","slow":"not_sampled"}}"#)
    }

    @Test func `a later line of a trace is late spans of it and gets its decision`() throws {
        var run = try Run(errorsAndLatency)
        let first = run.json(trace(one))
        // An error that comes late changes nothing.
        #expect(run.json(trace(one, status: 2)) == first)
        #expect(try run.evaluation.answer(Array(trace(one, status: 2).utf8)).isLate)
    }

    @Test func `what was decided is forgotten behind a limit, the oldest first`() throws {
        var run = try Run(errorsAndLatency, memoryLimit: 2)
        let ids = (1...3).map { "0000000000000000000000000000000\($0)" }
        for id in ids { #expect(try run.decision(trace(id))["decision"] == "not_sampled") }
        #expect(try run.decision(trace(ids[2], status: 2))["decision"] == "not_sampled")
        #expect(try run.decision(trace(ids[1], status: 2))["decision"] == "not_sampled")
        // The first makes room for the third; judged anew it is an error.
        #expect(try run.decision(trace(ids[0], status: 2))["decision"] == "sampled")
    }

    @Test func `an id of zeros, and none at all, is judged as any other`() throws {
        var run = try Run(errorsAndLatency)
        let zeros = String(repeating: "0", count: 32)
        let answer = try run.decision(trace(zeros, status: 2))
        #expect(answer["trace_id"]?.text == zeros)
        #expect(answer["decision"] == "sampled")
        var other = try Run(errorsAndLatency)
        let bare = #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"status":{"code":"STATUS_CODE_ERROR"}}]}]}]}"#
        #expect(try other.decision(bare)["trace_id"]?.text == zeros)
        #expect(try other.decision(bare)["decision"] == "sampled")
    }

    @Test func `hashes and rates see the id of zeros, not what stands for it`() throws {
        // Its randomness is 0, below every threshold.
        let zeros = String(repeating: "0", count: 32)
        var rate = try Run("policies: [{name: r, type: rate, rate: {sample_rate: 0.999999}}]")
        #expect(try rate.decision(trace(zeros))["decision"] == "not_sampled")
    }

    @Test(arguments: ["{}", #"{"resourceSpans":[]}"#, #"{"at_ms":5}"#, #"{"at_ms":5,"trace":null}"#])
    func `a line without spans is not sampled and has no id`(line: String) throws {
        var run = try Run("policies: [{name: all, type: always_sample}]")
        #expect(
            run.json(line)
                == #"{"trace_id":"","decision":"not_sampled","policy":null,"reason":"not_sampled","#
                + #""per_policy":{"all":"not_evaluated"}}"#)
    }

    @Test func `a drop comes first, and after it nobody is asked`() throws {
        var run = try Run(
            """
            policies:
              - {name: all, type: always_sample}
              - name: noise
                type: drop
                drop: {drop_sub_policy: [{name: few, type: span_count, span_count: {max_spans: 1}}]}
            """)
        let dropped = try run.decision(trace(one))
        #expect(dropped["decision"] == "dropped" && dropped["policy"] == "noise" && dropped["reason"] == "drop_policy")
        #expect(dropped["per_policy"] == ["all": "not_evaluated", "noise": "dropped"])
        #expect(try run.decision(trace(two, spans: 2))["per_policy"] == ["all": "sampled", "noise": "not_sampled"])
    }

    @Test func `limiters spend on the virtual clock`() throws {
        var run = try Run(
            "policies: [{name: few, type: rate_limiting, rate_limiting: {spans_per_second: 2, burst_capacity: 4}}]")
        func id(_ number: Int) -> String { String(repeating: "0", count: 30) + String(number + 10) }
        let decisions = try [
            at(0, trace(id(1), spans: 3)), trace(id(2), spans: 1), trace(id(3), spans: 1),
            // A bare line has the time of the line before; half a second brings one token back.
            at(500, trace(id(4), spans: 1)), trace(id(5), spans: 1), at(10_000, trace(id(6), spans: 4)),
            at(10_000, trace(id(7), spans: 5)),
        ].map { try run.decision($0)["decision"]?.text }
        #expect(
            decisions == [
                "sampled", "sampled", "not_sampled", "sampled", "not_sampled", "sampled", "not_sampled",
            ])
    }

    @Test func `a composite counts by whole seconds of the virtual clock`() throws {
        var run = try Run(
            """
            policies:
              - name: c
                type: composite
                composite: {max_total_spans_per_second: 2, composite_sub_policy: [{name: a, type: always_sample}]}
            """)
        func id(_ number: Int) -> String { String(repeating: "0", count: 30) + String(number + 10) }
        let decisions = try [
            at(0, trace(id(1), spans: 2)), at(999, trace(id(2))), at(1000, trace(id(3))),
        ].map { try run.decision($0)["decision"]?.text }
        #expect(decisions == ["sampled", "not_sampled", "sampled"])
    }

    @Test func `bytes are those of the trace`() throws {
        var run = try Run(
            "policies: [{name: b, type: bytes_limiting, bytes_limiting: {bytes_per_second: 10, burst_capacity: 100}}]")
        #expect(try run.decision(trace(one, spans: 1))["decision"] == "sampled")
        #expect(try run.decision(trace(two, spans: 5))["decision"] == "not_sampled")
    }

    @Test(arguments: [
        ("[]", "1:1: expected an object"), ("{\"at_ms\":1", "1:11: unexpected end of text"),
        (#"{"at_ms":-1}"#, "1:10: at_ms is a whole number"), (#"{"at_ms":"5"}"#, "1:10: at_ms is a whole number"),
        (#"{"at_ms":1,"at_ms":2}"#, "appears twice"), (#"{"trace":5}"#, "1:10: expected an object, found a number"),
        (#"{"trace":{},"resourceSpans":[]}"#, "not both"),
        (
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abcd"}]}]}]}"#,
            "1 spans have an id of another length"
        ),
    ])
    func `a line that is no trace is said to be none`(line: String, message: String) throws {
        var run = try Run(errorsAndLatency)
        let answer = run.json(line)
        #expect(answer.hasPrefix("bad: ") && answer.contains(message), "\(answer)")
        // And harms no other.
        #expect(try run.decision(trace(one, status: 2))["decision"] == "sampled")
    }

    @Test func `a line with two traces is refused by their ids`() throws {
        var run = try Run(errorsAndLatency)
        let both = trace(one).replacing(
            #"]}]}]}"#, with: #",{"traceId":"\#(two)","spanId":"0000000000000009"}]}]}]}"#)
        #expect(run.json(both) == "bad: a line holds one trace, and this has spans of \(one) and of \(two)")
    }

    @Test func `a bad line leaves the clock where it was`() throws {
        var run = try Run(
            "policies: [{name: few, type: rate_limiting, rate_limiting: {spans_per_second: 1, burst_capacity: 1}}]")
        #expect(try run.decision(at(0, trace(one)))["decision"] == "sampled")
        #expect(run.json(#"{"at_ms":60000,"trace":[]}"#).hasPrefix("bad: "))
        #expect(try run.decision(trace(two))["decision"] == "not_sampled")
    }

    @Test func `the table shows the span and the value`() throws {
        var run = try Run(errorsAndLatency)
        let answer = try run.evaluation.answer(Array(trace(one, status: 2).utf8))
        #expect(answer.explanation == #"sampled by errors: span "op" status ERROR"#)
    }

    // MARK: Lines

    /// Writes pieces into a pipe and reads lines from it.
    private func lines(_ pieces: [String], limit: Int) throws -> [String] {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        for piece in pieces {
            let bytes = Array(piece.utf8)
            #expect(write(ends[1], bytes, bytes.count) == bytes.count)
        }
        close(ends[1])
        defer { close(ends[0]) }
        var reader = LineReader(ends[0], lineLimit: limit)
        var lines: [String] = []
        while let line = try reader.next() {
            switch line {
            case .tooLong: lines.append("(too long)")
            case .bytes(let bytes): lines.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        return lines
    }

    @Test(arguments: [
        (["a\nb\n"], ["a", "b"]), (["a\nb"], ["a", "b"]), (["\n\n"], ["", ""]), ([""], []),
        (["ab", "c\nd"], ["abc", "d"]),
        (["12345678\n"], ["12345678"]), (["123456789\nx\n"], ["(too long)", "x"]),
        (["x\n", String(repeating: "y", count: 60_000)], ["x", "(too long)"]),
    ])
    func `lines come whole, and what is too long is passed over`(pieces: [String], expected: [String]) throws {
        #expect(try lines(pieces, limit: 8) == expected)
    }

    @Test func `a sender's text does nothing on a terminal`() {
        #expect(VisibleText.of("a\u{1B}[2Jb\nc\u{202E}d") == "a [2Jb c d")
    }
}
