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
        _ policies: [PolicyConfiguration], _ conditions: [[Condition]]
    ) -> [Problem] {
        var problems = Problems()
        let keeping = zip(policies, conditions).filter { policy, conditions in
            !policy.isDrop && !conditions.contains(where: \.isImpossible)
        }
        if keeping.isEmpty {
            problems.warning(at: .builtIn, key: "sampling", "nothing keeps anything: every trace will be dropped")
        } else if !keeping.contains(where: { keepsErrors($0.1) }) {
            problems.warning(
                at: .builtIn, key: "sampling",
                "nothing keeps errors: set sampling.always_sample_errors, or add a status_code policy for ERROR")
        }
        return problems.list
    }

    /// Whether a policy with these conditions singles out traces with errors, or keeps every trace.
    private static func keepsErrors(_ conditions: [Condition]) -> Bool {
        conditions.allSatisfy(\.isCertain)
            || conditions.contains { condition in
                guard case .statusCode(let mask) = condition.test else { return false }
                return !condition.isInverted && mask & StatusCode.errorBit != 0
            }
    }
}
