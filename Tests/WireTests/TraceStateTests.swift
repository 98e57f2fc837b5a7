import OTLPWire
import Testing
import TraceGenerator
import TraceModel

@Suite struct TraceStateTests {
    private static func members(_ count: Int) -> String { (0..<count).map { "k\($0)=v" }.joined(separator: ",") }

    struct Case: Sendable {
        var text: String
        var holds: Bool
    }

    /// Whether the member a has the value b in a trace state that is valid as a whole.
    static let cases = [
        Case(text: "a=b", holds: true), Case(text: "x=y,a=b", holds: true), Case(text: " \ta=b\t ,x=y", holds: true),
        Case(text: "a=b,", holds: true), Case(text: ",,a=b, ,x=y", holds: true), Case(text: "a=bb", holds: false),
        Case(text: "aa=b", holds: false), Case(text: "", holds: false), Case(text: "a=b,x", holds: false),
        Case(text: "a=b,x=", holds: false), Case(text: "a=b,=x", holds: false), Case(text: "a=b,a=b", holds: false),
        Case(text: "a=b,x=y,x=y", holds: false), Case(text: "a=b,X=y", holds: false),
        Case(text: "a=b,1x=y", holds: false),
        Case(text: "a=b,1x@y=z", holds: true), Case(text: "a=b,x@1=z", holds: false),
        Case(text: "a=b,x@=z", holds: false),
        Case(text: "a=b,@y=z", holds: false), Case(text: "a=b,x@y@z=z", holds: false), Case(text: "a =b", holds: false),
        Case(text: "a= b", holds: false), Case(text: "a=b,x=y=z", holds: false), Case(text: "a=b,x=ü", holds: false),
        Case(text: "a=b,x=y\tz", holds: false), Case(text: "a=b,x=y z", holds: true),
        Case(text: "a=b,_x=y", holds: false),
        Case(text: "a=b,x_-*/9=y", holds: true),
        Case(text: "a=b," + members(31), holds: true), Case(text: "a=b," + members(32), holds: false),
        Case(text: "a=b,x\(String(repeating: "x", count: 255))=y", holds: true),
        Case(text: "a=b,x\(String(repeating: "x", count: 256))=y", holds: false),
        Case(text: "a=b,\(String(repeating: "x", count: 241))@\(String(repeating: "y", count: 14))=y", holds: true),
        Case(text: "a=b,\(String(repeating: "x", count: 242))@y=y", holds: false),
        Case(text: "a=b,x@\(String(repeating: "y", count: 15))=y", holds: false),
        Case(text: "a=b,x=\(String(repeating: "~", count: 256))", holds: true),
        Case(text: "a=b,x=\(String(repeating: "~", count: 257))", holds: false),
    ]

    @Test(arguments: cases) func `a member counts in a trace state that is valid as a whole`(given: Case) throws {
        let condition = MatcherCondition.traceStateHas(key: "a", values: ["b"])
        #expect(MatcherOracle.holds(condition, .string(given.text)) == given.holds)
        var span = GeneratedSpan.plain(1)
        span.traceState = given.text
        let clause = MatcherClause(bit: 0, terms: [MatcherTerm(.field(.traceState), condition)])
        let message = request(spans: [encoded { span.write(to: &$0) }])
        let (batch, bytes) = try scan(message, MatcherProgram([clause]))
        let record = try #require(batch.records.first)
        #expect(record.matches == (given.holds ? 1 : 0))
        var contents = SpanContents()
        try contents.decode(record.span, in: bytes.span.bytes)
        let isTrue = clause.holds(on: contents, resource: ResourceContents(), in: bytes.span.bytes)
        #expect(isTrue == given.holds)
    }

    @Test func `one of several values is enough, and none is not`() throws {
        var span = GeneratedSpan.plain(1)
        span.traceState = "vendor=two"
        let values = [["one", "two"], ["one"], []]
        let program = try MatcherProgram(
            values.enumerated().map { index, values in
                MatcherClause(
                    bit: index,
                    terms: [MatcherTerm(.field(.traceState), .traceStateHas(key: "vendor", values: values))])
            })
        let record = try scan(request(spans: [encoded { span.write(to: &$0) }]), program).batch.records.first
        #expect(record?.matches == 1)
    }
}
