import Compression
import Foundation
import Glibc
import HTTPClient
import ProtobufWriter
import Testing
import TraceGenerator
import TraceModel
import Workers

extension WholeProgram {
    /// What a running server does with bytes that nobody should send, while others send what they should.
    @Suite struct BadInputTests {
        private static let protobuf = [(name: "Content-Type", value: "application/x-protobuf")]

        /// A server and good requests between the bad ones: all spans of the good ones must be in the table at the end.
        private static func beside(
            _ name: String, _ settings: [String: String] = [:],
            _ body: (ServerUnderTest, _ good: () throws -> Void) throws -> Void
        ) throws {
            try TestFolder.with(name) { folder in
                let server = try ServerUnderTest(folder, ServerUnderTest.shortWaits.merging(settings) { $1 })
                try server.startAndWait()
                let traces = Traces(seed: .random(in: 0 ... .max))
                var sent: [GeneratedTrace] = []
                func good() throws {
                    let trace = traces.next(.error)
                    try #require(try server.export(trace.requestBytes).status == 200)
                    sent.append(trace)
                }
                try good()
                try body(server, good)
                try good()
                try server.waitUntilSettled(after: sent[sent.count - 1].traceID)
                #expect(try server.get(server.adminURL + "/health/ready").status == 200)
                let page = MetricsPage(try server.metricsPage())
                #expect(page.sum("spans_lost_total") == 0 && page.sum("traces_lost_total") == 0)
                #expect(page["spans_ingested_total"] == Double(sent.flatMap(\.spans).count))
                #expect(try server.stop() == .exited(code: 0))
                #expect(!server.log.contains(" ERROR "))
                try Accounting.check(
                    sent.flatMap(\.spans),
                    in: TableReader(
                        dataFolder: server.dataFolder, columns: Accounting.columns, folder: folder))
            }
        }

        /// The message of a `google.rpc.Status`: field 2, behind the code.
        private static func message(_ response: ClientResponse) -> String {
            String(decoding: response.body, as: UTF8.self)
        }

        @Test func `a message that ends anywhere is 400, names the place and is counted`() throws {
            try Self.beside("truncated") { server, good in
                let whole = Traces(seed: 1).next(.error).requestBytes
                var refused = 0.0
                for count in stride(from: 1, to: whole.count, by: 13) {
                    let response = try server.export(Array(whole[..<count]))
                    try #require(response.status == 400, "cut at \(count) of \(whole.count)")
                    // The only field of the request is longer than the request: its length, at offset 1, says so.
                    let place = count == 1 ? "ends inside a field at offset 1" : "at offset 1"
                    #expect(Self.message(response).contains(place), "\(Self.message(response))")
                    refused += 1
                    if count % 10 == 1 { try good() }
                }
                #expect(try server.metric("decode_errors_total{format=\"otlp_protobuf\"}") == refused)
            }
        }

        @Test func `random and damaged bytes are refused or taken, never more than that`() throws {
            let seed = UInt64.random(in: 0 ... .max)
            print("seed \(seed)")
            try Self.beside("random") { server, good in
                var random = SeededRandom(seed: seed)
                var refused = 0.0
                for round in 0..<200 {
                    var bytes = (0..<random.int(in: 1...300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                    // Every other one looks like a request at first, and holds no span.
                    if round % 2 == 0 {
                        var writer = MessageWriter()
                        writer.message(1) { $0.message(1) { $0.bytes(1, bytes) } }
                        bytes = writer.bytes
                    }
                    let response = try server.export(bytes)
                    if response.status == 400 {
                        #expect(Self.message(response).contains("at offset "))
                        refused += 1
                    } else {
                        #expect(response.status == 200)
                    }
                    if round % 40 == 0 { try good() }
                }
                #expect(refused > 150)
                #expect(try server.metric("decode_errors_total{format=\"otlp_protobuf\"}") == refused)
            }
        }

        private static func request(_ body: (inout MessageWriter) -> Void) -> [UInt8] {
            var writer = MessageWriter()
            writer.message(1) { $0.message(2) { $0.message(2) { body(&$0) } } }
            return writer.bytes
        }

        private static func nested(_ depth: Int) -> GeneratedValue {
            var value = GeneratedValue.int(1)
            for _ in 0..<depth { value = .array([value]) }
            return value
        }

        @Test func `wrong wire types, huge lengths and deep nesting are 400 with the place`() throws {
            let span = Traces(seed: 2).next(.ok).spans[0]
            var deep = span
            // Written from the inside out: its encoder would need the stack that the reader must not.
            deep.attributes = [GeneratedAttribute("deep", Self.nested(100))]
            let cases: [(body: [UInt8], message: String)] = [
                (Self.request { $0.varint(1, 7) }, "wrong wire type for the field at offset 6"),
                (Self.request { $0.bytes(7, [1]) }, "wrong wire type for the field at offset 6"),
                (Self.request { $0.fixed32(9, 1) }, "wrong wire type for the field at offset 6"),
                ([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], "length reaches beyond its message at offset 1"),
                ([0x0A] + [UInt8](repeating: 0xFF, count: 9) + [0x01], "length reaches beyond its message at offset 1"),
                ([0x0A] + [UInt8](repeating: 0xFF, count: 10), "varint of more than 64 bits at offset 1"),
                ([0x07], "invalid tag at offset 0"), ([0x0C], "invalid tag at offset 0"),
                (Self.request { deep.write(to: &$0) }, "nested too deeply at offset "),
                ([UInt8](repeating: 0x0B, count: 100_000), "nested too deeply at offset "),
            ]
            try Self.beside("wire") { server, good in
                for one in cases {
                    let response = try server.export(one.body)
                    #expect(response.status == 400)
                    #expect(Self.message(response).contains(one.message), "\(Self.message(response))")
                    try good()
                }
                #expect(try server.metric("decode_errors_total{format=\"otlp_protobuf\"}") == Double(cases.count))
            }
        }

        @Test func `a span without a valid id is rejected in a partial success, the others are stored`() throws {
            try Self.beside("ids") { server, good in
                func bodyOf(_ trace: [UInt8], _ span: [UInt8]) -> [UInt8] {
                    Self.request {
                        $0.bytes(1, trace)
                        $0.bytes(2, span)
                    }
                }
                let (trace, span) = ([UInt8](repeating: 7, count: 16), [UInt8](repeating: 7, count: 8))
                let bad = [
                    bodyOf([UInt8](repeating: 0, count: 16), span), bodyOf(trace, [UInt8](repeating: 0, count: 8)),
                    bodyOf(Array(trace.dropLast()), span), bodyOf(trace, span + [1]), bodyOf([], []),
                ]
                for body in bad {
                    let response = try server.export(body)
                    #expect(response.status == 200 && response.header("Content-Type") == "application/x-protobuf")
                    // partial_success { rejected_spans: 1 error_message: … }
                    #expect(response.body.first == 0x0A && response.body[2...3] == [0x08, 0x01])
                    #expect(Self.message(response).contains("valid trace id"))
                }
                #expect(try server.metric("spans_rejected_total{reason=\"invalid_id\"}") == Double(bad.count))
                try good()
            }
        }

        @Test func `other content types, other methods and other paths are told so`() throws {
            try Self.beside("types") { server, good in
                let json = Array("{\"resourceSpans\":[]}".utf8)
                #expect(try server.export(json, headers: [("Content-Type", "application/json")]).status == 200)
                #expect(try server.export(json, headers: [("Content-Type", "text/plain")]).status == 415)
                let bad = try server.export(Array("{]".utf8), headers: [("Content-Type", "application/json")])
                #expect(bad.status == 400 && bad.header("Content-Type") == "application/json")
                #expect(try server.get(server.otlpURL + "/v1/traces").status == 405)
                #expect(try server.get(server.otlpURL + "/v1/metrics").status == 404)
                try good()
            }
        }

        @Test func `a body that is too large is 413, before and after decompression`() throws {
            try Self.beside("large", ["TSS__OTLP__MAX_BODY_BYTES": "1000000"]) { server, good in
                #expect(try server.export([UInt8](repeating: 0, count: 1_000_001)).status == 413)
                try good()
                let packed = try Deflater.deflate([UInt8](repeating: 0, count: 1_000_001), .gzip)
                let gzip = Self.protobuf + [("Content-Encoding", "gzip")]
                #expect(try server.export(packed, headers: gzip).status == 413)
                try good()
                let broken = Array(packed.dropLast(9)) + [1, 2, 3]
                #expect(try [400, 413].contains(server.export(broken, headers: gzip).status))
                #expect(try server.export(Array("no gzip".utf8), headers: gzip).status == 400)
                #expect(try server.metric("decode_errors_total{format=\"gzip\"}") ?? 0 >= 1)
            }
        }

        @Test func `a gzip bomb is 413 and costs no memory`() throws {
            // 512 MiB of zeros in half a megabyte; a body of 20 MiB is allowed.
            let bomb = try Deflater.deflate([UInt8](repeating: 0, count: 512 << 20), .gzip, level: 9)
            try Self.beside("bomb") { server, good in
                let processID = try #require(server.processID)
                let gzip = Self.protobuf + [("Content-Encoding", "gzip")]
                let before = try Self.peakMemoryBytes(of: processID)
                for _ in 0..<20 { #expect(try server.export(bomb, headers: gzip).status == 413) }
                let after = try Self.peakMemoryBytes(of: processID)
                print("peak memory, MiB: \(before >> 20) before, \(after >> 20) after 20 bombs of 512 MiB")
                // The 20 MiB that are allowed, old and new copy side by side while they grow, in the heaps of both
                // of the server's threads (87 MiB here, from the sixth bomb on): a quarter of one bomb.
                #expect(after - before < 128 << 20)
                try good()
            }
        }

        /// `VmHWM` of /proc: the most memory that a process ever had.
        private static func peakMemoryBytes(of processID: Int32) throws -> Int {
            let status = try Program.text("/proc/\(processID)/status")
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(Int(line.filter(\.isNumber))) << 10
        }
    }
}
