import Configuration
import Foundation
import OTLPWire
import Testing
import TraceModel
import YAML

@testable import Sampling

/// What a real Collector kept of the same traces; Cases/Collector/make.py asks it.
struct CollectorTests {
    private struct Recorded {
        var traces: [[UInt8]] = []
        var bytes: [Int64] = []
        var sets: [(policies: Node, kept: Set<Int64>)] = []
    }

    private static func recorded() throws -> Recorded {
        let url = PolicyCaseTests.files.appendingPathComponent("Collector/collector.json")
        let node = try YAMLText.parse(Array(Data(contentsOf: url)), name: "collector.json")
        var fields = Fields(node, path: "", place: .builtIn)
        var recorded = Recorded()
        recorded.traces = (fields.texts("traces") ?? []).map { hexadecimal($0.text) }
        for number in fields.list("bytes") ?? [] { recorded.bytes.append(try number.integer()) }
        for node in fields.list("sets") ?? [] {
            var members = Fields(node, path: "", place: node.place)
            let written = members.node("policies")
            let policies = try #require(written)
            var kept: Set<Int64> = []
            for index in members.list("kept") ?? [] { kept.insert(try index.integer()) }
            recorded.sets.append((policies, kept))
        }
        return recorded
    }

    private static func hexadecimal(_ text: String) -> [UInt8] {
        let digits = text.utf8.map { UInt8($0 < 0x3A ? $0 - 0x30 : $0 - 0x57) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static func scanned(_ message: [UInt8], _ program: MatcherProgram) throws -> SpanBatch {
        var batch = SpanBatch()
        try SpanScanner.scan(message.span.bytes, matching: program, into: &batch)
        return batch
    }

    @Test func `keeps what the Collector keeps`() throws {
        let recorded = try Self.recorded()
        #expect(recorded.traces.count >= 100 && recorded.sets.count >= 30)
        for set in recorded.sets {
            var problems = Problems()
            let policies = PolicyCatalog.policies(in: set.policies, path: "policies", problems: &problems)
            try #require(!problems.hasErrors, "\(problems.errors)")
            let sampler = try Sampler(policies: policies)
            var state = sampler.makeState(partitionCount: 1)
            var kept: Set<Int64> = []
            for (index, message) in recorded.traces.enumerated() {
                let batch = try Self.scanned(message, sampler.program)
                var summary = TraceSummary(opening: batch.records[0], offset: 0, tick: StreamTick(0))
                for record in batch.records.dropFirst() { summary.add(record, offset: 0, tick: StreamTick(0)) }
                if sampler.decide(summary, state: &state, now: StreamTick(0)).isKept { kept.insert(Int64(index)) }
            }
            #expect(
                kept == set.kept,
                "\(policies.map(\.words)): more \(kept.subtracting(set.kept)), less \(set.kept.subtracting(kept))")
        }
    }

    @Test func `counts the bytes that the Collector counts`() throws {
        let recorded = try Self.recorded()
        var measured = 0
        for (message, bytes) in zip(recorded.traces, recorded.bytes) where bytes > 0 {
            let batch = try Self.scanned(message, .empty)
            var trace = KeptTrace(traceID: batch.records[0].traceID, partition: 0, arena: message + batch.merged)
            // The order of the log, whatever the order of the list.
            for record in batch.records.reversed() {
                trace.spans.append(
                    KeptSpan(
                        spanID: record.spanID, offset: 0, index: record.index, span: record.span,
                        resource: record.resource, scope: record.scope, resourceSchemaURL: record.resourceSchemaURL,
                        scopeSchemaURL: record.scopeSchemaURL))
            }
            #expect(trace.tracesDataBytes == Int(bytes), "\(message.count) bytes were sent")
            measured += 1
        }
        #expect(measured >= 100)
    }

    @Test func `a trace whose bytes do not decode has no size`() {
        var trace = KeptTrace(traceID: TraceID(high: 1, low: 2), partition: 0, arena: [0x0A, 0x05, 0x01])
        let span = KeptSpan(
            spanID: SpanID(1), offset: 0, index: 0, span: ByteRange(offset: 0, count: 3), resource: .none, scope: .none,
            resourceSchemaURL: .none, scopeSchemaURL: .none)
        #expect(trace.tracesDataBytes == 0, "no spans")
        trace.spans = [span]
        #expect(trace.tracesDataBytes == nil)
    }
}
