public import Pipeline
public import Sampling
public import Telemetry
public import Threads

/// The force rules of the process: the one place that changes them, on a thread of its own.
///
/// Whoever asks for a change gets its answer once the store has it and the shards have been told. Reading never waits.
public final class ForceRuleBook: Sendable {
    public struct Options: Sendable {
        public var register = ForceRuleRegister.Options()
        /// Counts of matched traces are written back this often (5 s); a crash loses what came since.
        public var writeBackInterval: Duration = .seconds(5)
        /// Between two attempts to read a store that cannot be read (5 s).
        public var retryInterval: Duration = .seconds(5)

        public init() {}
    }

    public enum Change: Sendable {
        /// A rule as people write it.
        case create([UInt8])
        /// `{"additional_secs": n}`
        case extend(id: String, [UInt8])
        case setEnabled(id: String, Bool)
        case delete(id: String)
        case cleanUp
    }

    public enum Answer: Sendable {
        /// As it is now; of a deleted one, as it was.
        case rule(ForceRule)
        /// How many rules were taken off the list.
        case cleaned(Int)
    }

    public typealias Reply = @Sendable (Result<Answer, ForceRuleProblem>) -> Void

    /// Changes that may wait; more are refused.
    static let waitingLimit = 64

    private struct Request: Sendable {
        var change: Change
        var reply: Reply
    }

    private let options: Options
    let store: any ForceRuleStore
    let clock: any Clock
    let metrics: ForceRuleMetrics
    let logger: Logger
    private let requests = Mailbox<Request>(capacity: waitingLimit)
    let shown = Lock(ForceRuleView())
    private let isStopping = Lock(false)
    private let thread = Lock<NamedThread?>(nil)
    /// Until the thread takes it.
    private let loaded: Lock<ForceRuleDesk?>

    /// Reads the store at once, so that the first trace of this life finds its rules.
    ///
    /// - Parameter sampler: The policies.
    public init(
        options: Options, store: any ForceRuleStore, sampler: Sampler, clock: any Clock, metrics: ForceRuleMetrics,
        logger: Logger
    ) {
        self.options = options
        self.store = store
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        loaded = Lock(nil)
        var desk = ForceRuleDesk(register: ForceRuleRegister(options: options.register, store: store), sampler: sampler)
        load(&desk)
        let first = desk
        loaded.withLock { $0 = first }
    }

    // MARK: Any thread

    /// The policies with the rules as they are before `start`; afterwards `adopt` is told of every change.
    public var sampler: Sampler? { loaded.withLock { $0?.sampler } }

    /// In the order in which they are asked.
    public var rules: [ForceRule] { shown.withLock { shown in shown.rules.map { shown.counted($0) } } }

    public func rule(_ id: String) -> ForceRule? {
        shown.withLock { shown in shown.rules.first { $0.id == id }.map { shown.counted($0) } }
    }

    /// Why the rules cannot be changed; nil when they can.
    public var obstacle: (message: String, sinceMilliseconds: Int64)? {
        shown.withLock { shown in
            guard let message = shown.obstacle else { return nil }
            return (message, shown.obstacleSinceMilliseconds ?? 0)
        }
    }

    /// Whether the store was read: before that nobody knows which rules there are.
    public var isLoaded: Bool { shown.withLock { $0.isLoaded } }
    /// Entries of the store that are no rules.
    public var unreadable: [StoredForceRules.Unreadable] { shown.withLock { $0.unreadable } }
    public var storeWords: String { store.words }
    public var limits: ForceRuleLimits { options.register.limits }
    public var nowMilliseconds: Int64 { clock.wallMilliseconds }

    /// Asks for a change; never blocks.
    ///
    /// - Parameter reply: Called once, on the book's thread, only when the result is true. Must not block.
    /// - Returns: False when too many changes wait, or the program stops.
    public func submit(_ change: Change, reply: @escaping Reply) -> Bool {
        requests.offer(Request(change: change, reply: reply))
    }

    /// Traces that rules have decided, as a worker's turn found them.
    public func noteMatches(_ traceCounts: [String: Int]) {
        let now = clock.wallMilliseconds
        let counted = shown.withLock { shown in
            traceCounts.filter { shown.note($0.key, traceCount: Int64($0.value), at: now) }
        }
        for (id, count) in counted { metrics.matches.counter(id).add(count) }
    }

    // MARK: Life

    /// Starts the thread.
    ///
    /// - Parameter adopt: Told of every sampler with other rules.
    public func start(adopt: @escaping @Sendable (Sampler) -> Void) throws(ThreadError) {
        let started = try NamedThread.start(name: "force-rules") {
            guard var desk = self.loaded.withLock({ $0 }) else { return }
            self.run(&desk, adopt)
        }
        thread.withLock { $0 = started }
    }

    /// Answers what waits, writes the counts back and ends.
    public func stop() {
        isStopping.withLock { $0 = true }
        requests.close()
        requests.receiver.signal()
        thread.withLock { $0.take() }?.join()
    }

    private func run(_ desk: inout ForceRuleDesk, _ adopt: (Sampler) -> Void) {
        var nextWriteBack = MonotonicInstant.now + options.writeBackInterval
        var nextAttempt = MonotonicInstant.now + options.retryInterval
        while true {
            let ticket = requests.receiver.ticket()
            let isOver = isStopping.withLock { $0 }
            desk.register.count(shown.withLock { shown in shown.takeMatches() })
            if !desk.isLoaded, .now >= nextAttempt {
                nextAttempt = .now + options.retryInterval
                load(&desk)
                if desk.isLoaded { adopt(desk.sampler) }
            }
            passTime(&desk, adopt)
            for request in requests.takeAll() {
                let result = answer(request.change, &desk, adopt)
                show(desk)
                request.reply(result)
            }
            if isOver || .now >= nextWriteBack {
                nextWriteBack = .now + options.writeBackInterval
                writeBack(&desk)
            }
            show(desk)
            if isOver { return }
            requests.receiver.wait(past: ticket, until: min(nextWriteBack, wakeUp(desk)))
        }
    }

    /// When a rule changes by itself; the wall clock may jump, so never far away.
    private func wakeUp(_ desk: ForceRuleDesk) -> MonotonicInstant {
        // What a failing store has not taken is due already: it is tried again in a second, not at once.
        guard desk.isLoaded, obstacle == nil, let next = desk.register.nextChangeMilliseconds else {
            return .now + .seconds(1)
        }
        return .now + .milliseconds(min(1000, max(1, next - clock.wallMilliseconds)))
    }
}

/// What the book's thread owns.
struct ForceRuleDesk: Sendable {
    var register: ForceRuleRegister
    /// The policies with the register's rules.
    var sampler: Sampler
    var isLoaded = false
}

/// What any thread may look at.
struct ForceRuleView: Sendable {
    /// Those that are listed.
    var rules: [ForceRule] = []
    var isLoaded = false
    /// What failed last; nil when nothing does.
    var obstacle: String?
    var obstacleSinceMilliseconds: Int64?
    var unreadable: [StoredForceRules.Unreadable] = []
    /// Counted and not yet in the register; of listed rules only, so no more than those.
    private var matches: [String: ForceRuleMatches] = [:]

    /// - Returns: Whether the rule is listed; others count nothing.
    mutating func note(_ id: String, traceCount: Int64, at now: Int64) -> Bool {
        guard rules.contains(where: { $0.id == id }) else { return false }
        let before = matches[id]?.traceCount ?? 0
        matches[id] = ForceRuleMatches(id: id, traceCount: before + traceCount, lastMilliseconds: now)
        return true
    }

    mutating func takeMatches() -> [ForceRuleMatches] {
        defer { matches = [:] }
        return Array(matches.values)
    }

    func counted(_ rule: ForceRule) -> ForceRule {
        guard let matches = matches[rule.id] else { return rule }
        var rule = rule
        rule.tracesMatched += matches.traceCount
        rule.lastMatchedMilliseconds = matches.lastMilliseconds
        return rule
    }
}
