internal import Configuration
public import Sampling

/// Section `sampling`: the simple keys, the written policies, and the sampler made of them.
public struct SamplingSettings: Sendable {
    public var simple = SimpleSampling()
    /// `sampling.policies` as written.
    var policies: Node?
    /// `sampling.tail_sampling` as written.
    var tailSampling: Node?
    /// Absolute path.
    var policiesFile: String?
    /// The block that stands alone, when there is one.
    var block: CollectorBlock?
    /// The effective policies, compiled. Made by `load`; before that the one of the defaults.
    public internal(set) var sampler: Sampler

    init() {
        do throws(SamplingError) {
            sampler = try Sampler(policies: simple.policies())
        } catch {
            preconditionFailure("the default policies do not compile: \(error)")
        }
    }

    /// Whether a Collector's block or a policy file takes the place of the simple keys.
    public var standsAlone: Bool { tailSampling != nil || policiesFile != nil }

    /// The effective policies in words, one line each, in the order in which they are credited.
    public var words: [String] { sampler.policies.map(\.words) }
}
