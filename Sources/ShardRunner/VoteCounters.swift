internal import Sampling
internal import Telemetry

/// The counters of one set of policies, looked up once: by policy and outcome.
struct VoteCounters {
    private var counters: [Counter?]

    init(_ sampler: Sampler, _ metrics: PipelineMetrics) {
        counters = sampler.policies.flatMap { policy in
            Vote.Outcome.allCases.map { outcome in
                PolicyVote(rawValue: outcome.description).map { metrics.policyVotes.counter(policy.name, $0) }
            }
        }
    }

    func add(_ policy: Int, _ outcome: Vote.Outcome, _ count: Int) {
        counters[policy * Vote.Outcome.allCases.count + Int(outcome.rawValue)]?.add(count)
    }
}
