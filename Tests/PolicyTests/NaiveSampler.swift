import TraceModel

@testable import Sampling

/// The rules of the sampler written down as directly as possible, to compare with.
///
/// One partition; limiters in fractions of tokens, every policy's own by the path of names to it.
struct NaiveSampler {
    var policies: [PolicyConfiguration]
    var stopsAtFirstMatch = false
    private var tokens: [String: (level: Double, at: Int64)] = [:]
    private var spent: [String: Int64] = [:]

    init(policies: [PolicyConfiguration], stopsAtFirstMatch: Bool = false) {
        self.policies = policies
        self.stopsAtFirstMatch = stopsAtFirstMatch
    }

    /// What decides about a trace beside its summary.
    struct Occasion {
        var milliseconds: Int64 = 0
        var bytes: Int64 = 0
    }

    mutating func decide(
        _ trace: TraceSummary, _ occasion: Occasion = Occasion()
    ) -> (verdict: Verdict, policy: String, votes: [String: String]) {
        var votes: [String: String] = [:]
        for policy in policies where policy.isDrop {
            votes[policy.name] = "not_sampled"
            guard wants(policy.kind, trace, occasion, policy.name) else { continue }
            votes[policy.name] = "dropped"
            return (.dropped, policy.name, votes)
        }
        var credited: String?
        for policy in policies where !policy.isDrop {
            votes[policy.name] = "not_sampled"
            guard wants(policy.kind, trace, occasion, policy.name) else { continue }
            votes[policy.name] = "sampled"
            credited = credited ?? policy.name
            if stopsAtFirstMatch { break }
        }
        return (credited == nil ? .notSampled : .sampled, credited ?? "", votes)
    }

    mutating func wants(
        _ kind: any PolicyKind, _ trace: TraceSummary, _ occasion: Occasion, _ path: String
    ) -> Bool {
        switch kind {
        case let kind as And: return all(kind.parts, trace, occasion, path)
        case let kind as Drop: return all(kind.parts, trace, occasion, path)
        case let kind as Not: return !wants(kind.part, trace, occasion, path + "/")
        case let kind as RateLimiting: return take(Int64(trace.spanCount), kind.rate, occasion, path)
        case let kind as BytesLimiting: return take(occasion.bytes, kind.rate, occasion, path)
        case let kind as Composite: return compose(kind, trace, occasion, path)
        default: return wants(kind, trace)
        }
    }

    private mutating func all(
        _ parts: [any PolicyKind], _ trace: TraceSummary, _ occasion: Occasion, _ path: String
    ) -> Bool {
        for (index, part) in parts.enumerated() where !wants(part, trace, occasion, "\(path)/\(index)") { return false }
        return true
    }

    private mutating func take(_ count: Int64, _ rate: TokenRate, _ occasion: Occasion, _ path: String) -> Bool {
        var bucket = tokens[path] ?? (Double(rate.burst), occasion.milliseconds)
        bucket.level += Double(rate.perSecond) * Double(occasion.milliseconds - bucket.at) / 1000
        bucket.level = min(bucket.level, Double(rate.burst))
        bucket.at = occasion.milliseconds
        let isEnough = bucket.level + 1e-9 >= Double(count)
        if isEnough { bucket.level -= Double(count) }
        tokens[path] = bucket
        return isEnough
    }

    private mutating func compose(
        _ kind: Composite, _ trace: TraceSummary, _ occasion: Occasion, _ path: String
    ) -> Bool {
        for (index, part) in kind.parts.enumerated() where wants(part.kind, trace, occasion, "\(path)/\(index)") {
            return spend(Int64(trace.spanCount), kind, part, path, occasion)
        }
        return false
    }

    private mutating func spend(
        _ count: Int64, _ kind: Composite, _ part: Composite.Part, _ path: String, _ occasion: Occasion
    ) -> Bool {
        let second = Int64((Double(occasion.milliseconds) / 1000).rounded(.down))
        let ofAll = "\(path) \(second)"
        let ofPart = "\(path) \(second) \(part.name)"
        let share =
            part.percent == 0
            ? Double(kind.spansPerSecond) / Double(kind.parts.count)
            : Double(kind.spansPerSecond) * Double(part.percent) / 100
        guard spent[ofPart, default: 0] + count <= Int64(share.rounded(.down)),
            spent[ofAll, default: 0] + count <= kind.spansPerSecond
        else { return false }
        spent[ofPart, default: 0] += count
        spent[ofAll, default: 0] += count
        return true
    }

    private func wants(_ kind: any PolicyKind, _ trace: TraceSummary) -> Bool {
        switch kind {
        case is AlwaysSample: return true
        case let kind as StatusCode: return kind.codes.contains { trace.statusCodes >> $0.rawValue & 1 == 1 }
        case let kind as Latency:
            let milliseconds = trace.durationMilliseconds
            if kind.upperThresholdMilliseconds == 0 { return milliseconds >= kind.thresholdMilliseconds }
            return milliseconds > kind.thresholdMilliseconds && milliseconds <= kind.upperThresholdMilliseconds
        case let kind as SpanCount:
            if kind.maximum != 0, Int64(trace.spanCount) > kind.maximum { return false }
            return Int64(trace.spanCount) >= kind.minimum
        case is TraceFlags: return trace.isFlaggedSampled
        case let kind as Rate:
            let randomness = trace.explicitRandomness == .max ? trace.traceID.low % (1 << 56) : trace.explicitRandomness
            return Double(randomness) >= (1 - kind.probability) * 72_057_594_037_927_936
        case let kind as Probabilistic: return wants(kind, trace.traceID)
        default: fatalError("unknown kind \(kind)")
        }
    }

    private func wants(_ kind: Probabilistic, _ id: TraceID) -> Bool {
        var hash: UInt64 = 14_695_981_039_346_656_037
        var bytes = Array(kind.salt.utf8)
        for word in [id.high, id.low] {
            bytes += (0..<8).map { UInt8(word >> UInt64(56 - 8 * $0) & 255) }
        }
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return Double(hash) <= 18_446_744_073_709_551_616 * kind.percentage / 100
    }
}

/// Which kinds a random set may hold.
struct RandomKinds: OptionSet {
    var rawValue: Int
    static let hashes = RandomKinds(rawValue: 1)
    static let limiters = RandomKinds(rawValue: 2)
}

extension PolicyConfiguration {
    /// A set of policies of every kind, nested as far as they may be.
    static func randomSet(
        using generator: inout SeededGenerator, _ kinds: RandomKinds = [.hashes, .limiters]
    ) -> [PolicyConfiguration] {
        (0..<Int.random(in: 0...5, using: &generator)).map { index in
            PolicyConfiguration(name: "p\(index)", kind: randomKind(using: &generator, kinds))
        }
    }

    private static func randomKind(using generator: inout SeededGenerator, _ kinds: RandomKinds) -> any PolicyKind {
        let parts = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            Bool.random(using: &generator)
                ? randomBasic(using: &generator, kinds) as any PolicyKind : Not(randomBasic(using: &generator, kinds))
        }
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: return And(parts)
        case 1: return Drop(parts)
        case 2: return parts[0]
        case 3 where kinds.contains(.limiters): return randomComposite(using: &generator, kinds)
        default: return randomBasic(using: &generator, kinds)
        }
    }

    private static func randomComposite(using generator: inout SeededGenerator, _ kinds: RandomKinds) -> Composite {
        let parts = (0..<Int.random(in: 1...3, using: &generator)).map { index in
            Composite.Part(
                name: "c\(index)",
                kind: Bool.random(using: &generator)
                    ? randomBasic(using: &generator, kinds) as any PolicyKind
                    : And([randomBasic(using: &generator, kinds), randomBasic(using: &generator, kinds)]),
                percent: [0, 10, 50, 100].randomElement(using: &generator)!)
        }
        return Composite(spansPerSecond: Int64.random(in: 0...20, using: &generator), parts: parts)
    }

    private static func randomBasic(
        using generator: inout SeededGenerator, _ kinds: RandomKinds
    ) -> any BasicPolicyKind {
        var choices = 6
        if kinds.contains(.hashes) { choices = 7 }
        if kinds.contains(.limiters) { choices = 9 }
        switch Int.random(in: 0..<choices, using: &generator) {
        case 0: return AlwaysSample()
        case 1: return StatusCode([StatusCode.Code.allCases.randomElement(using: &generator)!])
        case 2:
            return Latency(
                thresholdMilliseconds: Int64.random(in: -2...8, using: &generator),
                upperThresholdMilliseconds: Int64.random(in: 0...8, using: &generator))
        case 3:
            return SpanCount(
                minimum: Int64.random(in: 0...6, using: &generator),
                maximum: Int64.random(in: 0...6, using: &generator))
        case 4: return TraceFlags()
        // Rates of few bits: exact in binary, so that the naive comparison in Double is.
        case 5: return Rate(Double(Int.random(in: 0...8, using: &generator)) / 8)
        case 7: return RateLimiting(randomRate(using: &generator, upTo: 10))
        case 8: return BytesLimiting(randomRate(using: &generator, upTo: 1000))
        default:
            return Probabilistic(
                percentage: Double(Int.random(in: 0...4, using: &generator)) * 25,
                salt: ["", "a"].randomElement(using: &generator)!)
        }
    }

    private static func randomRate(using generator: inout SeededGenerator, upTo limit: Int64) -> TokenRate {
        TokenRate(
            perSecond: Int64.random(in: 0...limit, using: &generator),
            burst: Int64.random(in: 0...limit, using: &generator))
    }
}
