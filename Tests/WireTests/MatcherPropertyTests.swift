import OTLPWire
import Patterns
import Testing
import TraceGenerator
import TraceModel

/// Programs of random clauses against the oracle, over random spans in usual and unusual encodings.
@Suite struct MatcherPropertyTests {
    static let keys = ["a", "b.key", "http.method", "service.name", "long.key.number.one", ""]

    /// Few of each, so that terms are shared and hold often.
    private func condition(_ random: inout SeededRandom) throws -> MatcherCondition {
        let number = random.pick([MatcherNumber.int(7), .int(0), .double(0.5), .double(-1000), .int(.max)])
        return random.pick([
            .exists, .equals("x"), .equals("yy"), .isIn(["x", "yy"]), .isIn([]), .intIn(0...1), .isBool(true),
            .doubleIn(0...1), .hasPrefix("y"), .hasSuffix("x"), .contains("/"),
            .numberIn(.equal(to: number)), .numberIn(.above(number)), .numberIn(.atMost(number)),
            .pattern(try Pattern(random.pick(["^x", "y+$", "[0-9]", "(?i)get", "^$"]))),
        ])
    }

    private func fieldTest(_ random: inout SeededRandom) throws -> MatcherTest {
        let tests: [(MatcherField, MatcherCondition)] = [
            (.statusCode, .intIn(2...2)), (.statusCode, .numberIn(.atLeast(.double(1.5)))), (.kind, .intIn(2...3)),
            (.name, .equals("GET /x")), (.name, .pattern(try Pattern("/x$"))), (.name, .pattern(try Pattern("^G"))),
            (.name, .numberIn(.below(.int(100)))), (.isRoot, .isBool(true)), (.statusMessage, .contains("o")),
            (.durationMilliseconds, .numberIn(.above(.double(0.5)))), (.durationNanoseconds, .intIn(-5...5)),
            (.traceState, .traceStateHas(key: "a", values: ["b", "c"])), (.traceState, .hasPrefix("a=")),
            (.traceState, .traceStateHas(key: "ot", values: ["th:8"])), (.flags, .intIn(1...1)),
        ]
        let test = random.pick(tests)
        return MatcherTest(.field(test.0), test.1)
    }

    private func clause(_ random: inout SeededRandom, effect: MatcherClause.Effect) throws -> MatcherClause {
        let terms = try (0..<random.below(4)).map { _ in
            let tests = try (0..<(1 + random.below(2))).map { _ in
                if random.below(4) == 0 { return try fieldTest(&random) }
                let key = random.pick(Self.keys)
                return MatcherTest(random.chance(0.5) ? .span(key) : .resource(key), try condition(&random))
            }
            return MatcherTerm(anyOf: tests, isNegated: random.chance(0.3))
        }
        switch effect {
        case .bit(let bit): return MatcherClause(bit: bit, terms: terms)
        case .forceRule(let rank): return MatcherClause(forceRule: rank, terms: terms)
        }
    }

    private func clauses(_ random: inout SeededRandom) throws -> [MatcherClause] {
        var clauses: [MatcherClause] = []
        if random.chance(0.8) {
            for _ in 0..<random.below(10) { clauses.append(try clause(&random, effect: .bit(random.below(64)))) }
        }
        if random.chance(0.8) {
            for _ in 0..<random.below(random.pick([4, 20, 120])) {
                // Ranks with holes, some of them twice.
                let rank = UInt16(random.below(200))
                clauses.append(try clause(&random, effect: .forceRule(rank)))
            }
        }
        return clauses
    }

    private func attributes(_ random: inout SeededRandom) -> [GeneratedAttribute] {
        (0..<random.below(6)).map { _ in
            let values: [GeneratedValue] = [
                .string("x"), .string("yy"), .string(""), .int(0), .int(7), .bool(true), .double(0.5), .empty,
                .string("7"), .string("7.0"), .string("-1e3"), .string("007"), .string("GET /x"), .double(7),
                .bytes([0x78]), .array([.string("x")]), .string(String(repeating: "x", count: 200)),
            ]
            return GeneratedAttribute(random.pick(Self.keys + ["other"]), random.pick(values))
        }
    }

    private func span(_ number: Int, _ random: inout SeededRandom) -> GeneratedSpan {
        var span = GeneratedSpan.plain(UInt64(number))
        span.attributes = attributes(&random)
        span.statusCode = random.below(3)
        span.kind = random.below(6)
        span.name = random.pick(["GET /x", "", "7", "grün"])
        span.statusMessage = random.pick(["", "boom"])
        span.traceState = random.pick(["", "a=b", "a=b,ot=th:8", "a=b,a=c", "A=b", "a = b", " ot=th:8 ,, a=c\t", "a"])
        span.startTimeUnixNano = 5_000_000
        span.endTimeUnixNano = random.pick([0, 5_000_000, 5_000_004, 5_999_999, 6_000_000, 7_500_000])
        if random.chance(0.5) { span.parentSpanID = SpanID(3) }
        span.flags = UInt32(random.below(2))
        return span
    }

    @Test(arguments: 0..<600) func `a scan finds what the clauses mean`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let clauses = try clauses(&random)
        let program = try MatcherProgram(clauses)
        // Several resources, so that what held on one is seen to be forgotten on the next.
        let groups = (0..<3).map { _ in
            ModelResourceSpans(
                attributes: attributes(&random),
                scopes: [ModelScopeSpans(spans: (1...5).map { span($0, &random) })])
        }
        let oracles = groups.flatMap { group in
            group.scopes[0].spans.map { MatcherOracle(span: $0, resource: group.attributes) }
        }
        let floor = random.pick([0, 0, UInt16(random.below(200))])
        let usual = groups.flatMap { group in
            GeneratedRequest(
                resource: group.attributes, scopeName: "s", scopeVersion: "", spans: group.scopes[0].spans
            ).encoded()
        }
        var encoder = UnusualEncoder(random: random)
        // The batch of another program goes on being used: its scratch is of another size.
        var batch = SpanBatch()
        try SpanScanner.scan(
            usual.span.bytes, matching: try MatcherProgram(self.clauses(&random)), into: &batch)
        for message in [usual, encoder.encode(ModelMessage(groups: groups))] {
            try SpanScanner.scan(message.span.bytes, matching: program, into: &batch, forceRulesFrom: floor)
            try #require(batch.records.count == oracles.count)
            for (record, oracle) in zip(batch.records, oracles) {
                #expect(record.matches == oracle.matches(clauses))
                #expect(record.forceRule == oracle.forceRule(clauses, from: floor))
            }
            try expectSpansAlone(batch, message + batch.merged, program, clauses, floor, oracles)
        }
    }

    /// Spans at hand, and clauses on decoded contents, answer as the scan does.
    private func expectSpansAlone(
        _ batch: SpanBatch, _ bytes: [UInt8], _ program: MatcherProgram, _ clauses: [MatcherClause], _ floor: UInt16,
        _ oracles: [MatcherOracle]
    ) throws {
        var scratch = MatcherScratch()
        var span = SpanContents()
        var resource = ResourceContents()
        for (record, oracle) in zip(batch.records, oracles) {
            let answer = program.match(
                span: record.span, resource: record.resource, in: bytes.span.bytes, forceRulesFrom: floor,
                using: &scratch)
            #expect(answer.matches == record.matches)
            #expect(answer.forceRule == record.forceRule)
            try span.decode(record.span, in: bytes.span.bytes)
            try resource.decode(record.resource, in: bytes.span.bytes)
            for clause in clauses {
                let isTrue = clause.holds(on: span, resource: resource, in: bytes.span.bytes)
                #expect(isTrue == oracle.holds(clause))
            }
        }
    }
}
