public import Pipeline
public import Sampling
internal import Threads
public import TraceModel

/// The newest decisions, to be asked for by people. Bounded: the oldest makes room.
///
///     sequence   … 17   18   19   20        a record's slot is its sequence number modulo the capacity
///                ┌────┬────┬────┬────┐
///                │ ✓  │ ✓  │ ✓  │    │      written is 20
///                └────┴────┴────┴────┘
///
/// A ring made once: shards only copy events into it. Readers look at a few thousand records at a time, so that no
/// shard waits long for one.
public final class DecisionLog: Sendable {
    /// One decision, with how every policy voted.
    public struct Entry: Sendable {
        public var event: DecisionEvent
        public var votes: [Vote]
        /// One line: verdict, who decided, and because of what.
        public var explanation: String

        /// The spans and values behind the votes; of the trace as a whole only, when nobody looked at the spans or
        /// they were gone.
        public var evidence: [VoteEvidence]
    }

    private struct Record {
        var event: DecisionEvent
        var sampler: UInt32
    }

    private struct State {
        var records: [Record] = []
        /// Records ever appended.
        var written = 0
        var samplers: [UInt32: Sampler] = [:]
        /// Of each sampler, the sequence number behind its newest record.
        var ends: [UInt32: Int] = [:]
        var newestSampler: UInt32 = 0
    }

    /// Records that are looked at under the lock at one time: some ten microseconds.
    private static let recordsAtOnce = 2048

    /// Decisions that are remembered at most.
    public let capacity: Int
    private let state: Lock<State>

    public init(capacity: Int) {
        precondition(capacity > 0, "a decision log holds something")
        self.capacity = capacity
        var state = State()
        state.records.reserveCapacity(capacity)
        self.state = Lock(state)
    }

    /// Gives a sampler the number under which its decisions are appended.
    func register(_ sampler: Sampler) -> NumberedSampler {
        state.withLock { state in
            state.newestSampler += 1
            // Nobody asks any more what the others said.
            let oldest = state.written - capacity
            for (number, end) in state.ends where end <= oldest && number + 1 < state.newestSampler {
                state.samplers[number] = nil
                state.ends[number] = nil
            }
            state.samplers[state.newestSampler] = sampler
            state.ends[state.newestSampler] = state.written
            return NumberedSampler(number: state.newestSampler, sampler: sampler)
        }
    }

    /// Samplers whose decisions may still be asked for.
    var samplerCount: Int { state.withLock { $0.samplers.count } }

    /// - Parameter number: Of the sampler that decided.
    func append(_ events: [DecisionEvent], number: UInt32) {
        state.withLock { state in
            for event in events {
                if state.records.count < capacity {
                    state.records.append(Record(event: event, sampler: number))
                } else {
                    state.records[state.written % capacity] = Record(event: event, sampler: number)
                }
                state.written += 1
            }
            state.ends[number] = state.written
        }
    }

    /// The newest decision about a trace; nil when there was none, or it is forgotten.
    public func decision(about traceID: TraceID) -> Entry? {
        var found: Found?
        walk { record, sampler in
            guard record.event.summary.traceID == traceID else { return true }
            found = Found(event: record.event, sampler: sampler())
            return false
        }
        return found.map(Self.entry)
    }

    /// The newest decisions, newest first.
    public func recent(limit: Int) -> [Entry] {
        var found: [Found] = []
        if limit > 0 {
            walk { record, sampler in
                found.append(Found(event: record.event, sampler: sampler()))
                return found.count < limit
            }
        }
        return found.map(Self.entry)
    }

    private struct Found {
        var event: DecisionEvent
        var sampler: Sampler?
    }

    /// From the newest record to the oldest, until `look` returns false; the lock is let go in between.
    private func walk(_ look: (borrowing Record, () -> Sampler?) -> Bool) {
        var next = Int.max
        while true {
            let goesOn = state.withLock { state -> Bool in
                next = min(next, state.written)
                let oldest = max(0, state.written - state.records.count)
                let end = max(oldest, next - Self.recordsAtOnce)
                while next > end {
                    next -= 1
                    let record = state.records[next % capacity]
                    guard look(record, { state.samplers[record.sampler] }) else { return false }
                }
                return next > oldest
            }
            guard goesOn else { return }
        }
    }

    // What a vote says in words is made when somebody asks: outcomes, summary and policies say all of it.
    private static func entry(_ found: Found) -> Entry {
        let event = found.event
        guard let sampler = found.sampler else {
            return Entry(
                event: event, votes: [], explanation: "\(event.decision.verdict) by \(event.decision.policy)",
                evidence: event.evidence)
        }
        return Entry(
            event: event, votes: sampler.votes(event.summary, outcomes: event.votes.outcomes),
            explanation: event.explanation(by: sampler), evidence: event.evidence(by: sampler))
    }
}

/// A sampler and the number under which its decisions are logged.
struct NumberedSampler: Sendable {
    var number: UInt32
    var sampler: Sampler
}

extension DecisionEvent {
    /// One line: verdict, who decided, and because of what.
    func explanation(by sampler: Sampler) -> String {
        sampler.explanation(of: decision, for: summary, outcomes: votes.outcomes, evidence: evidence)
    }

    /// What was found when the trace was decided, or what its summary alone shows.
    func evidence(by sampler: Sampler) -> [VoteEvidence] {
        guard evidence.isEmpty, !votes.isEmpty else { return evidence }
        return sampler.evidence(
            for: decision, votes: votes.outcomes, readings: readings, of: summary, in: nil)
    }
}
