public import Configuration
internal import OTLPWire

/// Gathers what the policies of one set share while they are compiled: the questions to the scanner.
public struct PolicyCompiler {
    public var problems = Problems()
    /// In the order of their bits; equal questions share a bit.
    private(set) var questions: [[MatcherTerm]] = []
    private(set) var limiters = LimiterList()
    /// Name of the top-level policy whose conditions are being made; limiters are known by it.
    var policy = ""

    init() {}

    /// A condition that holds as long as the rate is not exceeded.
    mutating func limiter(_ rate: TokenRate, _ test: (_ bucket: Int) -> Condition.Test) -> Condition {
        // Nothing ever passes: then it is no limiter, and whoever looks at the plan sees that.
        guard rate.burst > 0 else { return Condition(.never) }
        let ordinal = limiters.buckets.count { $0.policy == policy }
        limiters.buckets.append(LimiterList.Bucket(policy: policy, ordinal: ordinal, rate: rate))
        return Condition(test(limiters.buckets.count - 1))
    }

    /// A condition that holds when the composite lets the trace through.
    mutating func composite(_ plan: CompositePlan) -> Condition {
        limiters.composites.append(LimiterList.Composite(policy: policy, plan: plan))
        return Condition(.composite(limiters.composites.count - 1))
    }

    /// A condition that holds when on some span of the trace one of the tests does.
    mutating func anySpan(_ tests: [MatcherTest]) -> Condition {
        let terms = [MatcherTerm(anyOf: tests)]
        let bit = questions.firstIndex(of: terms) ?? questions.count
        if bit == questions.count { questions.append(terms) }
        // Too many bits are reported by `program`; the mask is then of no consequence.
        return Condition(.matches(mask: 1 << UInt64(bit)))
    }

    /// The questions as clauses of the scanner's program; too many of them are a problem.
    mutating func clauses() -> [MatcherClause] {
        guard questions.count <= MatcherProgram.bitCount else {
            problems.error(
                at: .builtIn, key: "sampling.policies",
                "the policies ask \(questions.count) different questions about attributes; "
                    + "at most \(MatcherProgram.bitCount) are possible")
            return []
        }
        return questions.enumerated().map { MatcherClause(bit: $0.offset, terms: $0.element) }
    }
}

extension Sampler {
    /// One program for the questions of the policies and of the force rules.
    static func program(
        _ policyClauses: [MatcherClause], _ rules: ForceRuleSet
    ) throws(SamplingError) -> MatcherProgram {
        do throws(MatcherProgramError) {
            return try MatcherProgram(policyClauses + rules.clauses)
        } catch {
            let problem = Problem(
                .error, at: .builtIn, key: "sampling", "the attributes that are asked for do not compile: \(error)")
            throw SamplingError([problem])
        }
    }
}
