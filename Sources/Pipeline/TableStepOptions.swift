import Iceberg

/// The waits and limits of FENCE, RECOVER and COMMIT; every default is what the product runs with.
public struct TableStepOptions: Sendable, Hashable {
    /// Full jitter: the n-th wait after conflicts is random in 0 … min(cap, base × 2ⁿ).
    public var conflictBaseMilliseconds: Int64 = 100
    public var conflictCapMilliseconds: Int64 = 10_000
    /// The same for a catalog or a store that does not answer.
    public var outageBaseMilliseconds: Int64 = 250
    public var outageCapMilliseconds: Int64 = 30_000
    /// What no try can change is tried this often all the same: somebody may repair it (1 min).
    public var refusedMilliseconds: Int64 = 60_000
    /// An uploaded file that waited longer goes up anew: orphan removal may have taken it (1 h).
    public var uploadAgeMilliseconds: Int64 = 3_600_000
    /// Late spans find the verdict of a trace that was decided within this time (15 min).
    public var lateHorizonMilliseconds: Int64 = 15 * 60_000
    /// Most that our clock may differ from the catalog's (30 s).
    public var clockSkewMilliseconds: Int64 = 30_000
    /// Manifest lists and manifests are not larger (256 MiB).
    public var manifestBytes = 256 << 20

    #if DEBUG
        /// Rules switched off, to show which invariant each one carries.
        public var faults: Set<PlantedFault> = []
    #endif

    public init() {}

    func plants(_ fault: PlantedFault) -> Bool {
        #if DEBUG
            faults.contains(fault)
        #else
            false
        #endif
    }
}

/// Small, seeded, good enough for jitter and names: SplitMix64 (Steele, Lea, Flood 2014).
struct StepRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// Waits that grow with every failure in a row, each random below its bound.
struct Backoff: Sendable {
    private let base: Int64
    private let cap: Int64
    private var failures = 0

    init(baseMilliseconds: Int64, capMilliseconds: Int64) {
        base = baseMilliseconds
        cap = capMilliseconds
    }

    mutating func next(_ random: inout StepRandom) -> Int64 {
        failures += 1
        let bound = min(cap, base << Int64(min(failures, 20)))
        return Int64.random(in: 0...max(1, bound), using: &random)
    }

    mutating func succeeded() { failures = 0 }
}

extension TableStepOptions {
    var conflictBackoff: Backoff {
        Backoff(baseMilliseconds: conflictBaseMilliseconds, capMilliseconds: conflictCapMilliseconds)
    }

    var outageBackoff: Backoff {
        Backoff(baseMilliseconds: outageBaseMilliseconds, capMilliseconds: outageCapMilliseconds)
    }

    /// How far our clock is off the catalog's, when it is too far; positive when it is ahead.
    func skew(of table: LoadedTable, at moment: Moment) -> Int64? {
        guard let server = table.serverMilliseconds else { return nil }
        let skew = moment.wallMilliseconds - server
        return abs(skew) > clockSkewMilliseconds ? skew : nil
    }
}
