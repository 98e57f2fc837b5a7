import OTLPWire
import ProtobufWriter
import Testing
import TraceGenerator
import TraceModel

@Suite struct ForceRuleTests {
    private func rank(
        _ clauses: [MatcherClause], span: [GeneratedAttribute] = [], resource: [GeneratedAttribute] = [],
        from floor: UInt16 = 0
    ) throws -> UInt16 {
        var generated = GeneratedSpan.plain(1)
        generated.attributes = span
        let request = GeneratedRequest(resource: resource, scopeName: "", scopeVersion: "", spans: [generated])
        var batch = SpanBatch()
        try SpanScanner.scan(
            request.encoded().span.bytes, matching: MatcherProgram(clauses), into: &batch, forceRulesFrom: floor)
        return try #require(batch.records.first).forceRule
    }

    private let none = SpanRecord.noForceRule

    @Test func `the lowest rank that holds counts`() throws {
        let clauses = [
            MatcherClause(forceRule: 9, terms: []),
            MatcherClause(forceRule: 5, terms: [MatcherTerm(.resource("service.name"), .equals("demo"))]),
            MatcherClause(forceRule: 7, terms: [MatcherTerm(.span("http.route"), .equals("/x"))]),
            MatcherClause(
                forceRule: 3,
                terms: [
                    MatcherTerm(.resource("service.name"), .equals("demo")),
                    MatcherTerm(.span("http.route"), .equals("/x")),
                ]),
        ]
        let demo = GeneratedAttribute("service.name", .string("demo"))
        let route = GeneratedAttribute("http.route", .string("/x"))
        #expect(try rank(clauses) == 9)
        #expect(try rank(clauses, span: [route]) == 7)
        #expect(try rank(clauses, resource: [demo]) == 5)
        #expect(try rank(clauses, span: [route], resource: [demo]) == 3)
        #expect(try rank(clauses, span: [demo], resource: [route]) == 9)
    }

    @Test func `ranks below the floor do not count`() throws {
        let clauses = [2, 4, 6].map { MatcherClause(forceRule: $0, terms: [MatcherTerm(.span("k"), .exists)]) }
        let attribute = GeneratedAttribute("k", .empty)
        let ranks = try (0...7).map { try rank(clauses, span: [attribute], from: $0) }
        #expect(ranks == [2, 2, 2, 4, 4, 6, 6, none])
        #expect(try rank(clauses, from: 0) == none)
    }

    @Test func `a rule of what is absent holds where it is absent`() throws {
        let clauses = [
            MatcherClause(
                forceRule: 1,
                terms: [
                    MatcherTerm(.resource("service.name"), .equals("demo")),
                    MatcherTerm(.span("k"), .exists, isNegated: true),
                ])
        ]
        let demo = GeneratedAttribute("service.name", .string("demo"))
        #expect(try rank(clauses, resource: [demo]) == 1)
        #expect(try rank(clauses, span: [GeneratedAttribute("k", .int(1))], resource: [demo]) == none)
        #expect(try rank(clauses) == none)
    }

    @Test func `terms must hold on one single span`() throws {
        let clauses = [
            MatcherClause(
                forceRule: 0, terms: [MatcherTerm(.span("a"), .exists), MatcherTerm(.span("b"), .exists)])
        ]
        let spans = [["a"], ["b"], ["a", "b"], ["a"]].enumerated().map { index, keys in
            var span = GeneratedSpan.plain(UInt64(index + 1))
            span.attributes = keys.map { GeneratedAttribute($0, .int(1)) }
            return span
        }
        let request = GeneratedRequest(resource: [], scopeName: "", scopeVersion: "", spans: spans)
        let batch = try scan(request.encoded(), MatcherProgram(clauses)).batch
        #expect(batch.records.map(\.forceRule) == [none, none, 0, none])
        #expect(batch.records.map(\.matches) == [0, 0, 0, 0])
    }

    @Test func `a thousand rules of many terms are told apart`() throws {
        let clauses = (0..<MatcherProgram.forceRuleLimit).map { number in
            MatcherClause(
                forceRule: UInt16(number),
                terms: [MatcherTerm(.resource("service.name"), .equals("demo"))]
                    + (0..<15).map { MatcherTerm(.span("key.\($0)"), .equals("value of rule \(number) at \($0)")) })
        }
        let demo = GeneratedAttribute("service.name", .string("demo"))
        for number in [0, 1, 500, 999] {
            var attributes = (0..<15).map {
                GeneratedAttribute("key.\($0)", .string("value of rule \(number) at \($0)"))
            }
            #expect(try rank(clauses, span: attributes, resource: [demo]) == UInt16(number))
            #expect(try rank(clauses, span: attributes) == none)
            attributes[7].value = .string("value of rule \(number + 1) at 7")
            #expect(try rank(clauses, span: attributes, resource: [demo]) == none)
        }
    }

    @Test func `a scan that fails leaves nothing behind for the next`() throws {
        let program = try MatcherProgram([
            MatcherClause(
                forceRule: 0, terms: [MatcherTerm(.span("a"), .exists), MatcherTerm(.span("b"), .exists)])
        ])
        var batch = SpanBatch()
        var broken = GeneratedSpan.plain(1)
        broken.attributes = [GeneratedAttribute("a", .int(1))]
        let body = encoded { span in
            broken.write(to: &span)
            span.varint(7, 1)
        }
        #expect(throws: WireError.self) {
            try SpanScanner.scan(request(spans: [body]).span.bytes, matching: program, into: &batch)
        }
        var other = GeneratedSpan.plain(2)
        other.attributes = [GeneratedAttribute("b", .int(1))]
        let message = request(spans: [encoded { other.write(to: &$0) }])
        try SpanScanner.scan(message.span.bytes, matching: program, into: &batch)
        #expect(batch.records.map(\.forceRule) == [none])
    }

    // MARK: Limits

    @Test func `what is too much for a program is refused`() {
        func rule(_ rank: UInt16, terms: Int) -> MatcherClause {
            MatcherClause(forceRule: rank, terms: (0..<terms).map { MatcherTerm(.span("k\($0)"), .exists) })
        }
        #expect(throws: MatcherProgramError.rankOutOfRange(none)) { try MatcherProgram([rule(none, terms: 0)]) }
        #expect(throws: MatcherProgramError.tooManyForceRules) {
            try MatcherProgram((0...MatcherProgram.forceRuleLimit).map { rule(UInt16($0), terms: 1) })
        }
        #expect(throws: MatcherProgramError.tooManyForceRuleTerms(3)) {
            try MatcherProgram([rule(3, terms: MatcherProgram.forceRuleTermLimit + 1)])
        }
        let condition = MatcherCondition.traceStateHas(key: "a", values: ["b"])
        #expect(throws: MatcherProgramError.conditionOfAnotherType(.span("tracestate"))) {
            try MatcherProgram([MatcherClause(forceRule: 0, terms: [MatcherTerm(.span("tracestate"), condition)])])
        }
    }
}
