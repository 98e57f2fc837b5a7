public import Pipeline
public import Sampling
internal import Threads
public import TraceModel

/// The newest decisions, to be asked for by people. Bounded: the oldest makes room.
public final class DecisionLog: Sendable {
    /// One decision, with how every policy voted.
    public struct Entry: Sendable {
        public var event: DecisionEvent
        public var votes: [Vote]
        /// One line: verdict, who decided, and because of what.
        public var explanation: String
    }

    private struct Record {
        var event: DecisionEvent
        var sampler: Sampler
    }

    private struct State {
        var records: [Record] = []
        /// Where the next record goes once the log is full.
        var next = 0
    }

    private let capacity: Int
    private let state = Lock(State())

    public init(capacity: Int) {
        precondition(capacity > 0, "a decision log holds something")
        self.capacity = capacity
    }

    func append(_ events: [DecisionEvent], sampler: Sampler) {
        state.withLock { state in
            for event in events {
                if state.records.count < capacity {
                    state.records.append(Record(event: event, sampler: sampler))
                } else {
                    state.records[state.next] = Record(event: event, sampler: sampler)
                    state.next = (state.next + 1) % capacity
                }
            }
        }
    }

    /// The newest decision about a trace; nil when there was none, or it is forgotten.
    public func decision(about traceID: TraceID) -> Entry? {
        let record = state.withLock { state in
            Self.newestFirst(state).first { state.records[$0].event.summary.traceID == traceID }
                .map { state.records[$0] }
        }
        return record.map(Self.entry)
    }

    /// The newest decisions, newest first.
    public func recent(limit: Int) -> [Entry] {
        let records = state.withLock { state in
            Self.newestFirst(state).prefix(max(0, limit)).map { state.records[$0] }
        }
        return records.map(Self.entry)
    }

    /// Indices of the ring from the newest to the oldest.
    private static func newestFirst(_ state: borrowing State) -> some Sequence<Int> {
        let count = state.records.count
        let next = state.next
        return (1...max(1, count)).lazy.filter { $0 <= count }.map { (next - $0 + count) % count }
    }

    // Votes are computed when somebody asks: the summary and the policies that decided say all of it.
    private static func entry(_ record: Record) -> Entry {
        let summary = record.event.summary
        let votes = record.event.votes.isEmpty ? record.sampler.votes(summary) : record.event.votes
        return Entry(event: record.event, votes: votes, explanation: record.event.explanation(by: record.sampler))
    }
}

extension DecisionEvent {
    /// One line: verdict, who decided, and because of what.
    func explanation(by sampler: Sampler) -> String {
        guard let errorSpan else { return sampler.explanation(of: decision, for: summary) }
        return "\(decision.verdict) by \(decision.policy): span \"\(errorSpan)\" status ERROR"
    }
}
