import OTLPWire
import ProtobufWriter
import Testing
import TraceGenerator
import TraceModel

@Suite struct MatcherProgramTests {
    // MARK: One condition

    struct Case: Sendable {
        var condition: MatcherCondition
        var value: GeneratedValue
        var holds: Bool

        init(_ condition: MatcherCondition, _ value: GeneratedValue, _ holds: Bool) {
            self.condition = condition
            self.value = value
            self.holds = holds
        }
    }

    static let long = String(repeating: "0123456789", count: 20)
    static let cases: [Case] = [
        Case(.exists, .empty, true), Case(.exists, .string(""), true), Case(.exists, .array([.int(1)]), true),
        Case(.equals(""), .string(""), true), Case(.equals("abc"), .string("abc"), true),
        Case(.equals("abc"), .string("abd"), false), Case(.equals("abc"), .string("abcd"), false),
        Case(.equals("5"), .int(5), false), Case(.equals(""), .empty, false), Case(.equals("a"), .bytes([97]), false),
        Case(.equals(long), .string(long), true), Case(.equals(long), .string("x" + long.dropFirst()), false),
        Case(.equals(long), .string(long.dropLast() + "x"), false),
        Case(.isIn(["a", "bb"]), .string("bb"), true), Case(.isIn(["a", "bb"]), .string("b"), false),
        Case(.isIn([""]), .string(""), true), Case(.isIn([]), .string(""), false),
        Case(.isIn((0..<100).map { "value \($0)" }), .string("value 77"), true),
        Case(.isIn((0..<100).map { "value \($0)" }), .string("value 100"), false),
        Case(.hasPrefix("ab"), .string("abc"), true), Case(.hasPrefix("ab"), .string("a"), false),
        Case(.hasPrefix(""), .string(""), true), Case(.hasPrefix("ab"), .string("xab"), false),
        Case(.hasSuffix("bc"), .string("abc"), true), Case(.hasSuffix("bc"), .string("bcd"), false),
        Case(.contains("bc"), .string("abcd"), true), Case(.contains("bc"), .string("bdc"), false),
        Case(.contains(""), .string(""), true), Case(.contains("9012"), .string(long), true),
        Case(.contains("9013"), .string(long), false), Case(.contains("89"), .string(long), true),
        Case(.contains("aab"), .string("aaaaaaaaaaaaaaaaaaaaaaaab"), true),
        Case(.isBool(true), .bool(true), true), Case(.isBool(true), .bool(false), false),
        Case(.isBool(false), .bool(false), true), Case(.isBool(true), .int(1), false),
        Case(.intIn(5...5), .int(5), true), Case(.intIn(5...5), .double(5), false),
        Case(.intIn(5...5), .string("5"), false),
        Case(.intIn(-3 ... -1), .int(-2), true), Case(.intIn(.min ... .max), .int(.min), true),
        Case(.intIn(1...10), .int(11), false), Case(.intIn(1...10), .int(0), false),
        Case(.doubleIn(0.5...1), .double(1), true), Case(.doubleIn(Double(0.5).nextUp...1), .double(0.5), false),
        Case(.doubleIn(-.infinity ... .infinity), .double(.nan), false), Case(.doubleIn(5...5), .int(5), false),
        Case(.doubleIn(-2 ... -1), .double(-1.5), true),
    ]

    @Test(arguments: Self.cases) func `a condition holds of a value or does not`(given: Case) throws {
        // Keys of every length around the shapes that the scan tells apart, on the span and on the resource.
        for key in ["", "k", "key", "http", "http.route", String(repeating: "k", count: 130)] {
            let attribute = GeneratedAttribute(key, given.value)
            let onSpan = try MatcherProgram([MatcherClause(bit: 3, terms: [MatcherTerm(.span(key), given.condition)])])
            #expect(try bits(onSpan, span: [attribute]) == (given.holds ? 8 : 0), "span \(key)")
            #expect(try bits(onSpan, resource: [attribute]) == 0)
            let onResource = try MatcherProgram([
                MatcherClause(bit: 3, terms: [MatcherTerm(.resource(key), given.condition)])
            ])
            #expect(try bits(onResource, resource: [attribute]) == (given.holds ? 8 : 0), "resource \(key)")
            #expect(try bits(onResource, span: [attribute]) == 0)
            let negated = try MatcherProgram([
                MatcherClause(bit: 0, terms: [MatcherTerm(.span(key), given.condition, isNegated: true)])
            ])
            #expect(try bits(negated, span: [attribute]) == (given.holds ? 0 : 1))
            #expect(try bits(negated, span: []) == 1)
        }
    }

    private func bits(
        _ program: MatcherProgram, span: [GeneratedAttribute] = [], resource: [GeneratedAttribute] = []
    ) throws -> UInt64 {
        var generated = GeneratedSpan.plain(1)
        generated.attributes = span
        let request = GeneratedRequest(resource: resource, scopeName: "", scopeVersion: "", spans: [generated])
        return try #require(try scan(request.encoded(), program).batch.records.first).matches
    }

    // MARK: Fields

    @Test func `fields of the span are matched by their types`() throws {
        var span = GeneratedSpan.plain(1)
        span.name = "GET /x"
        span.kind = 2
        span.statusCode = 2
        span.statusMessage = "boom"
        span.traceState = "a=b"
        span.flags = 1
        span.startTimeUnixNano = 1_000_000
        span.endTimeUnixNano = 900_000
        let tests: [(MatcherField, MatcherCondition, Bool)] = [
            (.name, .equals("GET /x"), true), (.name, .hasPrefix("POST"), false), (.name, .exists, true),
            (.statusMessage, .contains("oo"), true), (.traceState, .equals("a=b"), true),
            (.statusCode, .intIn(2...2), true), (.statusCode, .intIn(0...1), false),
            (.kind, .intIn(2...3), true), (.durationNanoseconds, .intIn(-100_000 ... -100_000), true),
            (.flags, .intIn(1...1), true), (.isRoot, .isBool(true), true), (.isRoot, .isBool(false), false),
        ]
        let program = try MatcherProgram(
            tests.enumerated().map { index, test in
                MatcherClause(bit: index, terms: [MatcherTerm(.field(test.0), test.1)])
            })
        let record = try #require(
            try scan(request(spans: [encoded { span.write(to: &$0) }]), program).batch.records.first)
        for (index, test) in tests.enumerated() {
            #expect((record.matches >> UInt64(index) & 1 == 1) == test.2, "\(test.0) \(test.1)")
        }
    }

    @Test func `a field is not tested by a condition of another type`() {
        #expect(throws: MatcherProgramError.conditionOfAnotherType(.field(.name))) {
            try MatcherProgram([MatcherClause(bit: 0, terms: [MatcherTerm(.field(.name), .intIn(0...1))])])
        }
        #expect(throws: MatcherProgramError.bitOutOfRange(64)) {
            try MatcherProgram([MatcherClause(bit: 64, terms: [])])
        }
        let many = (0...MatcherProgram.termLimit).map {
            MatcherClause(bit: 0, terms: [MatcherTerm(.span("k\($0)"), .exists)])
        }
        #expect(throws: MatcherProgramError.tooManyTerms) { try MatcherProgram(many) }
    }

    // MARK: Clauses

    /// Random clauses over few keys, so that terms are shared and hold often.
    private func clauses(_ random: inout SeededRandom) -> [MatcherClause] {
        let keys = ["a", "b.key", "http.method", "service.name", "long.key.number.one"]
        let conditions: [MatcherCondition] = [
            .exists, .equals("x"), .isIn(["x", "yy"]), .intIn(0...1), .isBool(true), .doubleIn(0...1), .hasPrefix("y"),
        ]
        return (0..<(1 + random.below(12))).map { _ in
            let terms = (0..<random.below(4)).map { _ in
                let tests = (0..<(1 + random.below(2))).map { _ in
                    let key = random.pick(keys)
                    let subject: MatcherSubject =
                        random.below(5) == 0
                        ? .field(.statusCode) : random.chance(0.5) ? .span(key) : .resource(key)
                    let condition = random.pick(conditions)
                    return MatcherTest(subject, subject == .field(.statusCode) ? .intIn(2...2) : condition)
                }
                return MatcherTerm(anyOf: tests, isNegated: random.chance(0.3))
            }
            return MatcherClause(bit: random.below(64), terms: terms)
        }
    }

    private func attributes(_ random: inout SeededRandom) -> [GeneratedAttribute] {
        (0..<random.below(6)).map { _ in
            let values: [GeneratedValue] = [
                .string("x"), .string("yy"), .string(""), .int(0), .int(7), .bool(true), .double(0.5), .empty,
            ]
            let keys = ["a", "b.key", "http.method", "service.name", "long.key.number.one", "other"]
            return GeneratedAttribute(random.pick(keys), random.pick(values))
        }
    }

    private func holds(_ condition: MatcherCondition, _ value: GeneratedValue) -> Bool {
        switch (condition, value) {
        case (.exists, _): true
        case (.equals(let text), .string(let value)): text == Array(value.utf8)
        case (.isIn(let texts), .string(let value)): texts.contains(Array(value.utf8))
        case (.hasPrefix(let text), .string(let value)): Array(value.utf8).starts(with: text)
        case (.isBool(let wanted), .bool(let value)): wanted == value
        case (.intIn(let range), .int(let value)): range.contains(value)
        case (.doubleIn(let range), .double(let value)): range.contains(value)
        default: false
        }
    }

    private func holds(
        _ test: MatcherTest, _ span: GeneratedSpan, _ resource: [GeneratedAttribute]
    ) -> Bool {
        switch test.subject {
        case .spanAttribute(let key):
            span.attributes.contains { Array($0.key.utf8) == key && holds(test.condition, $0.value) }
        case .resourceAttribute(let key):
            resource.contains { Array($0.key.utf8) == key && holds(test.condition, $0.value) }
        case .field: holds(test.condition, .int(Int64(span.statusCode)))
        }
    }

    @Test(arguments: 0..<300) func `bits are those of a plain evaluation of the clauses`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let clauses = clauses(&random)
        let program = try MatcherProgram(clauses)
        let resource = attributes(&random)
        let spans = (1...10).map { number in
            var span = GeneratedSpan.plain(UInt64(number))
            span.attributes = attributes(&random)
            span.statusCode = random.below(3)
            return span
        }
        let expected = spans.map { span in
            clauses.reduce(UInt64(0)) { bits, clause in
                let isTrue = clause.terms.allSatisfy { term in
                    term.anyOf.contains { holds($0, span, resource) } != term.isNegated
                }
                guard case .bit(let bit) = clause.effect else { return bits }
                return isTrue ? bits | 1 << UInt64(bit) : bits
            }
        }
        // As SDKs encode, and in an unusual way with the resource behind the spans and in pieces.
        let usual = GeneratedRequest(resource: resource, scopeName: "s", scopeVersion: "", spans: spans)
        #expect(try scan(usual.encoded(), program).batch.records.map(\.matches) == expected)
        var encoder = UnusualEncoder(random: random)
        let unusual = encoder.encode(
            ModelMessage(groups: [
                ModelResourceSpans(attributes: resource, scopes: [ModelScopeSpans(spans: spans)])
            ]))
        #expect(try scan(unusual, program).batch.records.map(\.matches) == expected)
    }

    @Test func `a malformed attribute matches nothing and does not end the scan`() throws {
        let program = try MatcherProgram([MatcherClause(bit: 0, terms: [MatcherTerm(.span("key"), .exists)])])
        let body = encoded { span in
            GeneratedSpan.plain(1).write(to: &span)
            span.bytes(9, [0x0A, 0x03, 0x6B, 0x65, 0x79, 0x12, 0x7F])
            span.bytes(9, [0x0A, 0x7F, 0x6B, 0x65, 0x79, 0x12, 0x02, 0x0A, 0x00])
        }
        #expect(try scan(request(spans: [body]), program).batch.records.first?.matches == 0)
    }
}
