import JSON
import OTLPJSON
import OTLPWire
import ProtobufWriter
import Testing
import TraceGenerator
import TraceModel

@Suite struct TracesJSONTests {
    private func protobuf(_ text: String) throws(JSONError) -> [UInt8] { try TracesJSON.protobuf(Array(text.utf8)) }

    /// A request with one span that has these members besides its ids.
    private func request(span members: String) -> String {
        let ids = #""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#
        return #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(ids),\#(members)}]}]}]}"#
    }

    private func contents(span members: String) throws -> GeneratedSpan {
        let (batch, bytes) = try scan(try protobuf(request(span: members)))
        return try Rebuilder(bytes: bytes).span(try #require(batch.records.first))
    }

    private func attribute(_ value: String) throws -> GeneratedValue? {
        try contents(span: #""attributes":[{"key":"k","value":\#(value)}]"#).attributes.first?.value
    }

    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func `whatever way a request is spelled, its protobuf says the same`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let model = random.message()
        var spelling = JSONSpelling(random: SeededRandom(seed: seed &+ 1))
        let text = spelling.spell(model)
        let converted = try protobuf(text)
        #expect(try protobuf(text) == converted, "seed \(seed)")

        // By an encoder and a decoder that have nothing in common with the code under test.
        var encoder = UnusualEncoder(random: SeededRandom(seed: seed &+ 2))
        var naive = NaiveDecoder()
        let got = try naive.request(converted)
        let wanted = try naive.request(encoder.encode(model))
        #expect(got.map(\.traceID) == wanted.map(\.traceID), "seed \(seed)")
        #expect(got.map(\.parentSpanID) == wanted.map(\.parentSpanID), "seed \(seed)")
        #expect(got.map(\.start) == wanted.map(\.start) && got.map(\.end) == wanted.map(\.end), "seed \(seed)")
        #expect(got.map(\.kind) == wanted.map(\.kind) && got.map(\.flags) == wanted.map(\.flags), "seed \(seed)")
        #expect(got.map(\.statusCode) == wanted.map(\.statusCode), "seed \(seed)")
        #expect(got.map(\.resourceSchemaURL) == wanted.map(\.resourceSchemaURL), "seed \(seed)")
        #expect(got.map(\.scopeSchemaURL) == wanted.map(\.scopeSchemaURL), "seed \(seed)")

        // And every field of every span.
        let spans = model.groups.flatMap { $0.scopes.flatMap(\.spans) }
        let (batch, bytes) = try scan(converted)
        #expect(try batch.records.map { try Rebuilder(bytes: bytes).span($0) } == spans, "seed \(seed)")
        #expect(try validate(converted).spanCount == spans.count, "seed \(seed)")
        let resources = model.groups.flatMap { group in
            group.scopes.flatMap { scope in scope.spans.map { _ in group.attributes } }
        }
        for (record, attributes) in zip(batch.records, resources) {
            var resource = ResourceContents()
            try resource.decode(record.resource, in: bytes.span.bytes)
            let rebuilt = Rebuilder(bytes: bytes).attributes(resource.tape.nodes.indices, of: resource.tape)
            #expect(rebuilt == attributes, "seed \(seed)")
        }
    }

    @Test func `the example of the specification is read`() throws {
        // The shape of opentelemetry-proto's examples/trace.json, in our own words.
        let text = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
              "scopeSpans":[{"scope":{"name":"lib","version":"1.0.0","attributes":[
                  {"key":"a","value":{"stringValue":"b"}}]},
                "spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
                  "parentSpanId":"EEE19B7EC3C1B173","name":"I'm a server span",
                  "startTimeUnixNano":"1544712660000000000",
                  "endTimeUnixNano":"1544712661000000000","kind":2,
                  "attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}]}]}]}]}
            """
        let (batch, bytes) = try scan(try protobuf(text))
        let span = try Rebuilder(bytes: bytes).span(try #require(batch.records.first))
        #expect(span.traceID.description == "5b8efff798038103d269b633813fc60c")
        #expect(span.parentSpanID.description == "eee19b7ec3c1b173")
        #expect(span.kind == 2 && span.endTimeUnixNano - span.startTimeUnixNano == 1_000_000_000)
        #expect(span.attributes == [GeneratedAttribute("my.span.attr", "some value")])
    }

    @Test(arguments: [
        (#"{"doubleValue":"Infinity"}"#, GeneratedValue.double(.infinity)),
        (#"{"doubleValue":"-Infinity"}"#, .double(-.infinity)), (#"{"doubleValue":"1.5e3"}"#, .double(1500)),
        (#"{"doubleValue":-0.0}"#, .double(-0.0)), (#"{"doubleValue":7}"#, .double(7)),
        (#"{"intValue":"-9223372036854775808"}"#, .int(.min)), (#"{"intValue":9223372036854775807}"#, .int(.max)),
        (#"{"intValue":1e3}"#, .int(1000)), (#"{"intValue":1.0}"#, .int(1)), (#"{"intValue":"0"}"#, .int(0)),
        (#"{"stringValue":""}"#, .string("")), (#"{"boolValue":false}"#, .bool(false)),
        (#"{"bytesValue":""}"#, .bytes([])), (#"{"bytesValue":"-_8"}"#, .bytes([0xFB, 0xFF])),
        (#"{"bytesValue":"+/8="}"#, .bytes([0xFB, 0xFF])), (#"{"stringValue":null}"#, .empty), ("{}", .empty),
        ("null", .empty), (#"{"arrayValue":{}}"#, .array([])),
        (#"{"stringValue":null,"intValue":"3"}"#, .int(3)),
        (#"{"arrayValue":{"values":[null,{"boolValue":true}]}}"#, .array([.empty, .bool(true)])),
    ])
    func `values of every type are read`(text: String, value: GeneratedValue) throws {
        #expect(try attribute(text) == value)
    }

    @Test func `not a number is read`() throws {
        guard case .double(let number) = try attribute(#"{"doubleValue":"NaN"}"#) else {
            Issue.record("no double")
            return
        }
        #expect(number.isNaN)
    }

    @Test(arguments: [
        (#"{"resourceSpans":5}"#, "1:18: expected an array, found a number"),
        (#"{"resourceSpans":[null]}"#, "1:19: expected an object, found null"),
        ("[]", "1:1: expected an object, found an array"), ("", "1:1: unexpected end of text"),
        ("{\n \"resourceSpans\": [\n  {\"scopeSpans\": true}]}", "3:18: expected an array, found true or false"),
        (#"{"resourceSpans":[]} x"#, "1:22: unexpected text after the value"),
        (#"{"resourceSpans":[],"resource_spans":[]}"#, "1:21: member \"resource_spans\": appears twice"),
    ])
    func `a request of another shape is refused with its place`(text: String, message: String) {
        let error = #expect(throws: JSONError.self) { try protobuf(text) }
        #expect(error?.description == message)
    }

    @Test(arguments: [
        (#""kind":"SERVER""#, "unknown name \"SERVER\"; known are SPAN_KIND_UNSPECIFIED"),
        (#""kind":2.5"#, "expected a whole number of 32 bits"),
        (#""startTimeUnixNano":-1"#, "expected a whole number of 64 bits, not negative"),
        (#""startTimeUnixNano":"18446744073709551616""#, "no whole number of 64 bits, not negative"),
        (#""startTimeUnixNano":"+1""#, "no whole number"), (#""flags":4294967296"#, "32 bits, not negative"),
        (#""parentSpanId":"AAAAAAAAAAA=""#, "no id: ids are hexadecimal in OTLP/JSON"),
        (#""parentSpanId":"abc""#, "odd number of digits"), (#""name":7"#, "expected a string, found a number"),
        (#""attributes":[{"key":"k","value":{"intValue":1,"stringValue":"x"}}]"#, "a value has one type"),
        (#""attributes":[{"key":"k","value":{"doubleValue":"0x10"}}]"#, "is no number, nor NaN"),
        (#""attributes":[{"key":"k","value":{"bytesValue":"a"}}]"#, "no base64"),
        (#""attributes":[{"key":"k","value":{"bytesValue":"ab=c"}}]"#, "no base64"),
        (#""attributes":[{"key":"k","value":{"bytesValue":"abc=="}}]"#, "no base64"),
        (#""name":"a","name":"b""#, "member \"name\": appears twice"),
    ])
    func `a value that is none is refused`(members: String, message: String) {
        let error = #expect(throws: JSONError.self) { try protobuf(request(span: members)) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "nothing")")
    }

    @Test func `an id of another length costs its span, not the request`() throws {
        let text = #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abcd","spanId":"eee19b7ec3c1b174"}]}]}]}"#
        #expect(try validate(try protobuf(text)).rejectedCount == 1)
    }

    @Test(arguments: [
        (#"{}"#, true, true), (#"{"traceId":"","spanId":null}"#, true, true),
        (#"{"traceId":"00000000000000000000000000000000","spanId":"0000000000000001"}"#, true, false),
        (#"{"spanId":"0000000000000000","traceId":"00000000000000000000000000000001"}"#, false, true),
    ])
    func `for who wants to judge them, spans without ids get some`(span: String, noTraceID: Bool, noSpanID: Bool) throws
    {
        let text = #"{"resourceSpans":[{"scopeSpans":[{"spans":[\#(span)]}]}]}"#
        let zeroIDs = TracesJSON.ZeroIDs(traceID: Array(1...16), spanID: Array(1...8))
        var writer = MessageWriter()
        var reader = try TracesJSON.reader(of: Array(text.utf8))
        try TracesJSON.append(&reader, to: &writer, zeroIDs: zeroIDs)
        let (batch, _) = try scan(writer.bytes)
        let record = try #require(batch.records.first)
        #expect((record.traceID.bytes == zeroIDs.traceID) == noTraceID)
        #expect((record.spanID.bytes == zeroIDs.spanID) == noSpanID)
        #expect(record.isRoot)
    }

    @Test(arguments: [(64, true), (65, false)])
    func `values nest as deep as in protobuf, lists and maps alike`(depth: Int, isTaken: Bool) throws {
        for (open, close) in [
            (#"{"arrayValue":{"values":["#, "]}}"), (#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
        ] {
            let value =
                String(repeating: open, count: depth - 1) + #"{"intValue":1}"#
                + String(repeating: close, count: depth - 1)
            let bytes = try protobuf(request(span: #""attributes":[{"key":"k","value":\#(value)}]"#))
            #expect(((try? validate(bytes)) != nil) == isTaken)
        }
    }

    @Test func `nesting beyond every sense is refused and does not exhaust the stack`() {
        for text in [String(repeating: "[", count: 1 << 20), String(repeating: #"{"a":"#, count: 1 << 18)] {
            let error = #expect(throws: JSONError.self) { try protobuf(#"{"unknown":"# + text) }
            #expect(error?.message == "nested deeper than 300 levels")
        }
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `a text with a broken byte is refused or read, never worse`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var spelling = JSONSpelling(random: SeededRandom(seed: seed))
        var bytes = Array(spelling.spell(random.message()).utf8)
        for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
        guard let converted = try? TracesJSON.protobuf(bytes) else { return }
        // What is read is well-formed: the entrance's own walk finds no fault.
        #expect(throws: Never.self, "seed \(seed)") { try validate(converted) }
    }
}
