import OTLPWire
import Patterns
import TraceModel

/// Called by libFuzzer with every input. A trap, an address error or a broken promise is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: size).bytes
    let summary = try? MessageValidator.validate(bytes)
    var batch = SpanBatch(capacity: 16)
    for program in [MatcherProgram.empty, program] {
        do {
            try SpanScanner.scan(bytes, matching: program, into: &batch)
        } catch {
            precondition(summary == nil, "validated, and yet the scan threw \(error)")
            precondition(batch.records.isEmpty, "a batch of a message that was refused")
            continue
        }
        guard let summary else { continue }
        precondition(batch.records.count == summary.spanCount, "spans counted otherwise")
        precondition(batch.rejectedCount == summary.rejectedCount, "rejections counted otherwise")
        decode(batch, of: bytes, isMatched: !program.isEmpty)
    }
    return 0
}

/// Everything of a validated message must decode.
private func decode(_ batch: SpanBatch, of message: RawSpan, isMatched: Bool) {
    var whole: [UInt8] = []
    for offset in 0..<message.byteCount {
        whole.append(message.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    whole.append(contentsOf: batch.merged)
    let bytes = whole.span.bytes
    var span = SpanContents()
    var resource = ResourceContents()
    var scope = ScopeContents()
    for record in batch.records {
        if isMatched {
            let alone = program.match(span: record.span, resource: record.resource, in: bytes)
            precondition(alone.matches == record.matches, "a span alone matches otherwise")
            precondition(alone.forceRule == record.forceRule, "a span alone satisfies another rule")
        }
        do {
            try span.decode(record.span, in: bytes)
            try resource.decode(record.resource, in: bytes)
            try scope.decode(record.scope, in: bytes)
        } catch {
            preconditionFailure("validated, and yet decoding threw \(error)")
        }
        for node in span.tape.nodes {
            precondition(Int(node.next) <= span.tape.nodes.count, "a value beyond the tape")
            precondition(node.content.upperBound <= whole.count, "content beyond the message")
            precondition(node.key.upperBound <= whole.count, "a key beyond the message")
        }
        precondition(record.resourceSchemaURL.upperBound <= whole.count, "a text beyond the message")
        precondition(record.scopeSchemaURL.upperBound <= whole.count, "a text beyond the message")
    }
}

/// Every operation, on keys that the corpus has.
private let program: MatcherProgram = {
    let tests: [(MatcherSubject, MatcherCondition)] = [
        (.span("http.route"), .contains("e")), (.span("http.route"), .hasSuffix("}")),
        (.span("http.request.method"), .isIn(["GET", "POST"])), (.span("k"), .exists), (.span(""), .exists),
        (.span("number"), .intIn(0...9)), (.span("late"), .isBool(true)), (.span("app.price"), .doubleIn(0...1)),
        (.resource("service.name"), .equals("alpha")), (.resource("service.name"), .hasPrefix("a")),
        (.field(.name), .contains("op")), (.field(.traceState), .contains("ot=")),
        (.field(.statusMessage), .exists), (.field(.durationNanoseconds), .intIn(0 ... .max)),
        (.span("k"), .numberIn(.above(.int(5)))), (.field(.traceState), .traceStateHas(key: "a", values: ["b"])),
    ]
    do {
        let patterns: [(MatcherSubject, MatcherCondition)] = [
            (.span("http.route"), .pattern(try Pattern("[a-z]+/"))), (.span("http.route"), .pattern(try Pattern("x$"))),
        ]
        let clauses = (tests + patterns).enumerated().flatMap { index, test in
            let terms = [MatcherTerm(test.0, test.1), MatcherTerm(.span("late"), .exists, isNegated: true)]
            return [
                MatcherClause(bit: index, terms: [terms[0]]), MatcherClause(forceRule: UInt16(index), terms: terms),
            ]
        }
        return try MatcherProgram(clauses)
    } catch {
        preconditionFailure("\(error)")
    }
}()
