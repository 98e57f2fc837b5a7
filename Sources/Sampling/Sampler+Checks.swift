internal import Configuration

extension Sampler {
    static func namingProblems(_ policies: [PolicyConfiguration]) -> Problems {
        var problems = Problems()
        if policies.count > policyCountLimit {
            problems.error(
                at: policies[policyCountLimit].place, key: "sampling.policies",
                "\(policies.count) policies; at most \(policyCountLimit) are taken")
        }
        var first: [String: PolicyConfiguration] = [:]
        for policy in policies {
            let key = "policy \"\(policy.name)\""
            if policy.name.isEmpty {
                problems.error(at: policy.place, key: "policy", "a policy needs a name")
            } else if policy.name.utf8.count > nameLengthLimit {
                problems.error(
                    at: policy.place, key: "policy", "the name is longer than \(nameLengthLimit) bytes")
            } else if let earlier = first[policy.name] {
                problems.error(
                    at: policy.place, key: key, "the name is taken already by the policy at \(earlier.place)")
            } else {
                first[policy.name] = policy
            }
        }
        return problems
    }

    /// Sets of policies that load, and are probably a mistake.
    static func reachProblems(
        _ policies: [PolicyConfiguration], _ conditions: [[Condition]], _ limiters: LimiterList
    ) -> [Problem] {
        var problems = Problems()
        let keeping = zip(policies, conditions).filter { policy, conditions in
            !policy.isDrop && isPossible(conditions, limiters)
        }
        if keeping.isEmpty {
            problems.warning(at: .builtIn, key: "sampling", "nothing keeps anything: every trace will be dropped")
        } else if !keeping.contains(where: { keepsErrors($0.1, limiters) }) {
            problems.warning(
                at: .builtIn, key: "sampling",
                "nothing keeps errors: set sampling.always_sample_errors, or add a status_code policy for ERROR")
        }
        return problems.list
    }

    private static func isPossible(_ conditions: [Condition], _ limiters: LimiterList) -> Bool {
        conditions.allSatisfy { condition in
            guard case .composite(let index) = condition.test else { return !condition.isImpossible }
            return limiters.composites[index].plan.parts.contains { isPossible($0.conditions, limiters) }
        }
    }

    /// Whether a policy with these conditions singles out traces with errors, or keeps every trace, as far as its
    /// limiters let it.
    private static func keepsErrors(_ conditions: [Condition], _ limiters: LimiterList) -> Bool {
        conditions.allSatisfy { $0.isCertain || $0.isLimiter }
            || conditions.contains { condition in
                switch condition.test {
                case .statusCode(let mask): !condition.isInverted && mask & StatusCode.errorBit != 0
                case .composite(let index):
                    limiters.composites[index].plan.parts.contains { keepsErrors($0.conditions, limiters) }
                default: false
                }
            }
    }
}

extension Condition {
    /// A token bucket: it lets every kind of trace through.
    fileprivate var isLimiter: Bool {
        switch test {
        case .spanTokens, .byteTokens: true
        default: false
        }
    }
}
