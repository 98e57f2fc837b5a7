import OTLPWire
import ProtobufWriter
import Testing
import TraceModel

@testable import Sampling

/// A span as its sender sees it, to be encoded, and to be judged by `NaiveForceRule`.
struct RuleSpan {
    enum Value: Hashable {
        case text(String)
        case int(Int64)
        case double(Double)
        case bool(Bool)
        case bytes([UInt8])
    }

    var name = "GET /"
    var status: Int64 = 0
    var kind: Int64 = 2
    var nanoseconds: Int64 = 1_500_000
    /// Each key once, as OpenTelemetry asks for.
    var attributes: [String: Value] = [:]
    var resource: [String: Value] = [:]

    /// An export request of this one span.
    func request() -> [UInt8] {
        var request = MessageWriter()
        request.message(1) { resourceSpans in
            resourceSpans.message(1) { message in Self.write(resource, field: 1, in: &message) }
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(2) { span in
                    span.bytes(1, Array(repeating: 7, count: 16))
                    span.bytes(2, Array(repeating: 1, count: 8))
                    span.string(5, name)
                    span.int(6, kind)
                    span.fixed64(7, 1_000_000_000)
                    span.fixed64(8, UInt64(1_000_000_000 + nanoseconds))
                    Self.write(attributes, field: 9, in: &span)
                    span.message(15) { $0.int(3, status) }
                }
            }
        }
        return request.bytes
    }

    private static func write(_ attributes: [String: Value], field: UInt32, in message: inout MessageWriter) {
        for (key, value) in attributes.sorted(by: { $0.key < $1.key }) {
            message.message(field) { pair in
                pair.string(1, key)
                pair.message(2) { holder in
                    switch value {
                    case .text(let text): holder.string(1, text)
                    case .bool(let flag): holder.bool(2, flag)
                    case .int(let number): holder.int(3, number)
                    case .double(let number): holder.double(4, number)
                    case .bytes(let bytes): holder.bytes(7, bytes)
                    }
                }
            }
        }
    }
}

/// What a rule means, written down as directly as possible.
enum NaiveForceRule {
    static func holds(_ rule: ForceRule, on span: RuleSpan) -> Bool {
        rule.resource.allSatisfy { holds($0, span.resource[$0.key]) }
            && rule.span.allSatisfy { matcher in
                switch matcher.key {
                case "name", "span.name": holds(matcher, .text(span.name))
                case "duration_ms": holds(matcher, .int(span.nanoseconds / 1_000_000))
                case "status": holds(numbered(matcher, ["UNSET", "OK", "ERROR"]), .int(span.status))
                case "kind":
                    holds(
                        numbered(matcher, ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]),
                        .int(span.kind))
                case let key where key.hasPrefix("attributes."):
                    holds(matcher, span.attributes[String(key.dropFirst("attributes.".count))])
                default: holds(matcher, span.attributes[matcher.key])
                }
            }
    }

    private static func numbered(_ matcher: ForceRule.Matcher, _ words: [String]) -> ForceRule.Matcher {
        var matcher = matcher
        matcher.values = matcher.values.map { value in
            guard case .text(let text) = value, let index = words.firstIndex(of: text) else { return value }
            return .integer(Int64(index))
        }
        return matcher
    }

    private static func holds(_ matcher: ForceRule.Matcher, _ value: RuleSpan.Value?) -> Bool {
        guard let value else { return matcher.comparison == .notExists }
        let operand = matcher.values.first
        switch matcher.comparison {
        case .exists: return true
        case .notExists: return false
        case .equal, .isIn: return matcher.values.contains { isSame($0, value) }
        case .notEqual: return !matcher.values.contains { isSame($0, value) }
        case .contains: return text(value)?.contains(text(operand)) ?? false
        case .startsWith: return text(value)?.hasPrefix(text(operand)) ?? false
        case .endsWith: return text(value)?.hasSuffix(text(operand)) ?? false
        // The tests' expressions are a text with a dot for any character, searched anywhere.
        case .regex: return text(value).map { find(text(operand), in: $0) } ?? false
        case .greater: return compare(operand, value) { $0 > $1 }
        case .atLeast: return compare(operand, value) { $0 >= $1 }
        case .less: return compare(operand, value) { $0 < $1 }
        case .atMost: return compare(operand, value) { $0 <= $1 }
        }
    }

    private static func text(_ value: RuleSpan.Value) -> String? {
        if case .text(let text) = value { text } else { nil }
    }

    private static func text(_ value: ForceRule.Value?) -> String {
        switch value {
        case .text(let text): text
        case .integer(let number): "\(number)"
        case .real(let number): number == number.rounded() ? "\(Int64(number))" : "\(number)"
        case .flag(let flag): "\(flag)"
        case nil: ""
        }
    }

    private static func isSame(_ operand: ForceRule.Value, _ value: RuleSpan.Value) -> Bool {
        if compare(operand, value, { $0 == $1 }) { return true }
        switch value {
        case .text(let sent): return sent == text(operand)
        case .bool(let flag): return operand == .flag(flag) || operand == .text("\(flag)")
        case .int, .double, .bytes: return false
        }
    }

    /// As numbers; the tests' numbers are all small enough to be doubles.
    private static func compare(
        _ operand: ForceRule.Value?, _ value: RuleSpan.Value, _ body: (Double, Double) -> Bool
    ) -> Bool {
        let wanted: Double? =
            switch operand {
            case .integer(let number): Double(number)
            case .real(let number): number
            case .text(let text): Double(text)
            case .flag, nil: nil
            }
        let sent: Double? =
            switch value {
            case .int(let number): Double(number)
            case .double(let number): number
            case .text(let text): Double(text)
            case .bool, .bytes: nil
            }
        guard let wanted, let sent else { return false }
        return body(sent, wanted)
    }

    private static func find(_ pattern: String, in text: String) -> Bool {
        let (wanted, letters) = (Array(pattern), Array(text))
        guard wanted.count <= letters.count else { return false }
        return (0...letters.count - wanted.count).contains { start in
            wanted.indices.allSatisfy { wanted[$0] == "." || wanted[$0] == letters[start + $0] }
        }
    }
}

struct ForceRuleMatchingTests {
    private static let keys = ["a", "b", "status", "http.code"]
    private static let texts = ["", "x", "xy", "yx", "5", "5.0", "500", "true", "0.5"]

    /// The scanner's answer for a span: the first rank.
    private static func rank(_ span: RuleSpan, _ sampler: Sampler, from floor: UInt16 = 0) throws -> UInt16 {
        var batch = SpanBatch()
        let bytes = span.request()
        try SpanScanner.scan(bytes.span.bytes, matching: sampler.program, into: &batch, forceRulesFrom: floor)
        return try #require(batch.records.first).forceRule
    }

    private static func randomValue(using generator: inout SeededGenerator) -> RuleSpan.Value {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4: .text(texts.randomElement(using: &generator)!)
        case 4..<6: .int([0, 5, 6, 500, -1].randomElement(using: &generator)!)
        case 6..<8: .double([0, 5, 5.5, 0.5, 500].randomElement(using: &generator)!)
        case 8: .bool(Bool.random(using: &generator))
        default: .bytes([120])
        }
    }

    private static func randomAttributes(using generator: inout SeededGenerator) -> [String: RuleSpan.Value] {
        var attributes: [String: RuleSpan.Value] = [:]
        for key in keys where Bool.random(using: &generator) { attributes[key] = randomValue(using: &generator) }
        return attributes
    }

    private static func randomSpan(using generator: inout SeededGenerator) -> RuleSpan {
        var span = RuleSpan()
        span.name = ["x", "xy", "5"].randomElement(using: &generator)!
        span.status = Int64.random(in: 0...2, using: &generator)
        span.kind = Int64.random(in: 0...5, using: &generator)
        span.nanoseconds = [-1, 0, 999_999, 5_000_000, 5_999_999, 6_000_000].randomElement(using: &generator)!
        span.attributes = randomAttributes(using: &generator)
        span.resource = randomAttributes(using: &generator)
        return span
    }

    private static func randomMatcher(isSpan: Bool, using generator: inout SeededGenerator) -> ForceRule.Matcher? {
        var keys = isSpan ? ["a", "b", "http.code", "attributes.status"] : Self.keys
        if isSpan { keys += ["name", "span.name", "status", "kind", "duration_ms"] }
        let key = keys.randomElement(using: &generator)!
        let comparison = ForceRule.Comparison.allCases.randomElement(using: &generator)!
        var values: [ForceRule.Value] = []
        if comparison.takesValue {
            for _ in 0..<(comparison == .isIn ? Int.random(in: 1...3, using: &generator) : 1) {
                let choices: [ForceRule.Value] =
                    texts.map { .text($0) } + [
                        .integer(5), .integer(0), .integer(2), .real(5.5), .real(0.5), .flag(true), .text("ERROR"),
                        .text("SERVER"), .text("x."),
                    ]
                values.append(choices.randomElement(using: &generator)!)
            }
        }
        let matcher = ForceRule.Matcher(key, comparison, values)
        return (try? matcher.terms(inSpan: isSpan)) == nil ? nil : matcher
    }

    private static func randomRule(_ number: Int, using generator: inout SeededGenerator) -> ForceRule {
        func matchers(isSpan: Bool, _ generator: inout SeededGenerator) -> [ForceRule.Matcher] {
            (0..<Int.random(in: 0...2, using: &generator)).compactMap { _ in
                randomMatcher(isSpan: isSpan, using: &generator)
            }
        }
        return ForceRule(
            id: "r\(number)", description: "d", durationSeconds: 60,
            priority: Int64.random(in: 0...2, using: &generator), resource: matchers(isSpan: false, &generator),
            span: matchers(isSpan: true, &generator), action: Bool.random(using: &generator) ? .keep : .drop,
            createdMilliseconds: Int64.random(in: 0...1, using: &generator))
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `the first rule that the naive reading finds is the one that the scan finds`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var hits = 0
        for round in 0..<150 {
            let rules = (0..<Int.random(in: 1...8, using: &generator)).map { Self.randomRule($0, using: &generator) }
            let sampler = try Sampler(policies: [], forceRules: ForceRuleSet(rules: rules))
            // Higher priority, then newer, then by id.
            let order = rules.sorted {
                ($1.priority, $1.createdMilliseconds, $0.id) < ($0.priority, $0.createdMilliseconds, $1.id)
            }
            #expect(sampler.forceRules.entries.map(\.rule.id) == order.map(\.id))
            for _ in 0..<20 {
                let span = Self.randomSpan(using: &generator)
                let floor = UInt16.random(in: 0...2, using: &generator)
                let expected = order.indices.first { $0 >= floor && NaiveForceRule.holds(order[$0], on: span) }
                let rank = try Self.rank(span, sampler, from: floor)
                if expected != nil { hits += 1 }
                try #require(
                    rank == expected.map { UInt16($0) } ?? SpanRecord.noForceRule,
                    "seed \(seed), round \(round): \(span), \(order.map { ($0.resource, $0.span) })")
            }
        }
        #expect(hits > 300 && hits < 2900, "seed \(seed): the cases prove little")
    }

    @Test func `an absent attribute satisfies not_exists alone`() throws {
        for comparison in ForceRule.Comparison.allCases {
            let values: [ForceRule.Value] = comparison.takesValue ? [.text("1")] : []
            for isSpan in [true, false] {
                let matcher = ForceRule.Matcher("missing", comparison, values)
                let rule = ForceRule(
                    id: "r", description: "d", durationSeconds: 1, resource: isSpan ? [] : [matcher],
                    span: isSpan ? [matcher] : [], action: .keep, createdMilliseconds: 0)
                let sampler = try Sampler(policies: [], forceRules: ForceRuleSet(rules: [rule]))
                let isHit = try Self.rank(RuleSpan(), sampler) == 0
                #expect(isHit == (comparison == .notExists), "\(comparison)")
            }
        }
    }

    @Test func `integers beyond the doubles compare exactly`() throws {
        let large: Int64 = 9_007_199_254_740_993
        func isHit(_ comparison: ForceRule.Comparison, _ value: ForceRule.Value, _ sent: RuleSpan.Value) throws -> Bool
        {
            let rule = ForceRule(
                id: "r", description: "d", durationSeconds: 1, span: [.init("n", comparison, [value])],
                action: .keep, createdMilliseconds: 0)
            let sampler = try Sampler(policies: [], forceRules: ForceRuleSet(rules: [rule]))
            return try Self.rank(RuleSpan(attributes: ["n": sent]), sampler) == 0
        }
        #expect(try isHit(.equal, .integer(large), .int(large)))
        #expect(try !isHit(.equal, .integer(large), .int(large - 1)))
        #expect(try !isHit(.equal, .integer(large), .double(9_007_199_254_740_992)))
        #expect(try isHit(.greater, .integer(large - 1), .int(large)))
        #expect(try isHit(.less, .integer(large), .double(9_007_199_254_740_992)))
        #expect(try isHit(.equal, .text("\(large)"), .int(large)))
        #expect(try isHit(.greater, .integer(500), .text("500.5")))
        #expect(try !isHit(.atLeast, .integer(0), .double(.nan)))
    }

    @Test func `the lists hold on one single span and its own resource`() throws {
        let rule = ForceRule(
            id: "r", description: "d", durationSeconds: 1, resource: [.init("s", .equal, [.text("one")])],
            span: [.init("a", .equal, [.integer(1)]), .init("b", .equal, [.integer(2)])], action: .keep,
            createdMilliseconds: 0)
        let sampler = try Sampler(policies: [], forceRules: ForceRuleSet(rules: [rule]))
        let whole = RuleSpan(attributes: ["a": .int(1), "b": .int(2)], resource: ["s": .text("one")])
        #expect(try Self.rank(whole, sampler) == 0)
        let halves = [
            RuleSpan(attributes: ["a": .int(1)], resource: ["s": .text("one")]),
            RuleSpan(attributes: ["b": .int(2)], resource: ["s": .text("one")]),
            RuleSpan(attributes: ["a": .int(1), "b": .int(2)], resource: ["s": .text("two")]),
        ]
        // Requests put one behind the other are one request.
        let bytes = halves.flatMap { $0.request() }
        var batch = SpanBatch()
        try SpanScanner.scan(bytes.span.bytes, matching: sampler.program, into: &batch)
        #expect(batch.records.map(\.forceRule) == Array(repeating: SpanRecord.noForceRule, count: 3))
    }
}
