import OTLPWire
import TraceGenerator
import TraceModel

/// The workload's messages, made once, and what it takes to send them again and again as new traces.
///
/// A pass over the messages has a number, which is mixed into the first half of every trace id of a message just
/// before it is used; the second half says which of the workload's traces it is, and so what must be decided.
struct MessageStore: ~Copyable {
    struct Message {
        var bytes: Range<Int>
        /// Of `ids`.
        var ids: Range<Int>
        /// When it is sent, after the first trace's start.
        var milliseconds: Int64
        var spanCount: Int { ids.count }
    }

    private struct IDPlace {
        var position: Int
        var high: UInt64
    }

    /// Traces start at this distance in the workload.
    static let millisecondsBetweenTraces = 1.0

    let traceCount: Int
    private(set) var bytes: [UInt8] = []
    private(set) var messages: [Message] = []
    private var ids: [IDPlace] = []
    /// Whether the trace with this second half of its id has an error or is slow.
    private var isKept: [UInt64: Bool] = [:]

    init(traceCount: Int, seed: UInt64 = 20_261_122) throws {
        self.traceCount = traceCount
        var workload = Workload(seed: seed, traceCount: traceCount)
        var batch = SpanBatch()
        var latest: UInt64 = 0
        var first: UInt64?
        while let request = workload.nextRequest() {
            try SpanScanner.scan(request.span.bytes, matching: .empty, into: &batch)
            let start = first ?? batch.records.map(\.startTimeUnixNano).min() ?? 0
            first = start
            // A message leaves when its last span has ended, and the messages are in order.
            latest = max(latest, batch.records.map(\.endTimeUnixNano).max() ?? 0)
            append(request, batch, milliseconds: Int64((latest - min(start, latest)) / 1_000_000))
        }
        for truth in workload.truth { isKept[truth.traceID.low] = truth.isError || truth.isSlow }
        precondition(isKept.count == traceCount, "two traces share half of their ids")
    }

    private mutating func append(_ request: [UInt8], _ batch: SpanBatch, milliseconds: Int64) {
        let firstID = ids.count
        for record in batch.records {
            // The generator writes the trace id first: tag, length, 16 bytes.
            let position = record.span.lowerBound + 2
            let id = (0..<8).reduce(UInt64(0)) { $0 << 8 | UInt64(request[position + $1]) }
            precondition(id == record.traceID.high, "the trace id is not where the generator writes it")
            ids.append(IDPlace(position: bytes.count + position, high: id))
        }
        messages.append(
            Message(
                bytes: bytes.count..<bytes.count + request.count, ids: firstID..<ids.count,
                milliseconds: milliseconds))
        bytes += request
    }

    var spanCount: Int { ids.count }

    /// Gives a message's spans the trace ids of a pass.
    mutating func salt(_ message: Int, pass: UInt64) {
        // The id stays valid: the pass is below 2³², the other half is random.
        for index in messages[message].ids {
            let (position, high) = (ids[index].position, ids[index].high ^ pass)
            for byte in 0..<8 { bytes[position + byte] = UInt8(truncatingIfNeeded: high >> (56 - 8 * UInt64(byte))) }
        }
    }

    /// What must become of a trace of any pass.
    func mustKeep(_ id: TraceID) -> Bool? { isKept[id.low] }
}

/// Passes over a store's messages that begin one after the other and overlap, merged in the order of their times.
struct MessageStream {
    struct Item {
        var message: Int
        var pass: UInt64
        /// On the stream's clock.
        var milliseconds: Int64
    }

    private struct Pass {
        var number: UInt64
        var start: Double
        var next = 0
        var time: Double
    }

    /// Milliseconds that a trace stays in the buffer: half a minute after its root, and what it lasts itself.
    static let stayMilliseconds = 30_700.0

    private var passes: [Pass] = []
    private var nextPass: UInt64
    private let lastPass: UInt64
    private let distance: Double
    /// How much slower than the workload's own the stream's clock runs.
    private let pace: Double
    private var start = 0.0
    /// An item that had no place in the last window.
    private var held: Item?

    /// - Parameters:
    ///   - liveTraces: About so many traces are in the buffer once the first of them have left it.
    ///   - firstPass, lastPass: Their numbers, at least 1, tell the traces of several streams apart.
    init(_ store: borrowing MessageStore, liveTraces: Int, firstPass: UInt64 = 1, passLimit: UInt64 = 1 << 30) {
        let length = Double(store.traceCount) * MessageStore.millisecondsBetweenTraces
        let rate = Double(liveTraces) * MessageStore.millisecondsBetweenTraces / Self.stayMilliseconds
        let lanes = max(1, rate.rounded())
        pace = lanes / rate
        // A slow trace takes 9.2 s: stretched more it would be cut in two by its own length.
        precondition(pace < 3.2, "at least 10,000 live traces")
        distance = length / lanes
        nextPass = firstPass
        lastPass = firstPass + passLimit - 1
    }

    /// Replaces the window by the next messages, their ids those of their passes; empty when the last pass is through.
    ///
    /// A message lies in memory once, so it stands in a window once: where two passes meet, the window ends early.
    mutating func fill(
        _ window: inout [Item], from store: inout MessageStore, messageLimit: Int = .max, byteLimit: Int = .max
    ) {
        window.removeAll(keepingCapacity: true)
        var bytes = 0
        while window.count < messageLimit, bytes < byteLimit, let item = held ?? next(store) {
            held = nil
            guard !window.contains(where: { $0.message == item.message }) else {
                held = item
                return
            }
            store.salt(item.message, pass: item.pass)
            bytes += store.messages[item.message].bytes.count
            window.append(item)
        }
    }

    private mutating func next(_ store: borrowing MessageStore) -> Item? {
        while nextPass <= lastPass, passes.first.map({ $0.time >= start }) ?? true {
            push(Pass(number: nextPass, start: start, time: start + Double(store.messages[0].milliseconds)))
            nextPass += 1
            start += distance
        }
        guard var first = passes.first else { return nil }
        let item = Item(message: first.next, pass: first.number, milliseconds: Int64(first.time * pace))
        first.next += 1
        if first.next == store.messages.count {
            removeFirst()
        } else {
            first.time = first.start + Double(store.messages[first.next].milliseconds)
            passes[0] = first
            sink(0)
        }
        return item
    }

    // MARK: A binary heap by time, then number

    private func isBefore(_ one: Pass, _ other: Pass) -> Bool {
        (one.time, one.number) < (other.time, other.number)
    }

    private mutating func push(_ pass: Pass) {
        passes.append(pass)
        var index = passes.count - 1
        while index > 0, isBefore(passes[index], passes[(index - 1) / 2]) {
            passes.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func removeFirst() {
        passes.swapAt(0, passes.count - 1)
        passes.removeLast()
        sink(0)
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < passes.count {
                if isBefore(passes[child], passes[least]) { least = child }
            }
            guard least != index else { return }
            passes.swapAt(index, least)
            index = least
        }
    }
}
