import TraceModel

/// What of one partition is owed to somebody, and how far its position may go.
///
///     offsets      0 … 63      64 … 127    128 … 191        next
///     buckets    ┌───────────┬───────────┬───────────┬──
///     held       │     0     │     2     │     5     │         traces undecided, or kept and not committed
///     in flight  │     1     │     0     │     0     │         in the batch being committed
///     last       │    70     │    130    │           │         highest offset of a decided trace that opens here
///                └───────────┴───────────┴───────────┴──
///                  resume      settled
///
/// Claims are counted per bucket, never added up over offsets: those have gaps. A bucket remembers where
/// its first record was, the clock and the anchor before it, so a position can stand there.
///
/// - `settled` is the first record of the lowest bucket with a claim, else the read position.
/// - `resume` is the first record of the first bucket whose `last` ≥ `settled`, else `settled`.
///
/// Both are lower bounds by at most a bucket; neither goes back. Source: Documentation/Positions.md, "Ledger".
struct Ledger {
    /// A place where reading can start.
    struct Mark: Hashable {
        var offset: Int64
        /// The stream clock before the record.
        var clock: StreamTick
        /// The last checksummed record before it.
        var anchor: Anchor?
    }

    private struct Bucket {
        var number: Int64
        var mark: Mark
        var held = 0
        var inFlight = 0
        var last = Int64.min
        /// Traces of an earlier life open here; how far they reach is known once the clock has come here.
        var openUntil: StreamTick?
    }

    private let shift: Int
    private var buckets: [Bucket] = []
    /// Buckets before this index are done; the array is cut when they are many.
    private var head = 0
    /// The position that the table has, or had at recovery.
    private(set) var durable: (resume: Mark, settled: Mark)
    /// Buckets before this index have no `openUntil`.
    private var firstOpen = 0
    /// Where reading goes on, with the clock and the anchor there.
    private(set) var next: Mark
    /// The draft of the batch in flight.
    private var draft: (resume: Mark, settled: Mark)?

    init(resume: Int64, settled: Int64, clock: StreamTick, anchor: Anchor?, bucketShift: Int) {
        shift = bucketShift
        let start = Mark(offset: resume, clock: clock, anchor: anchor)
        // The clock at `settled` is known when reading comes there; nothing starts there before.
        durable = (start, Mark(offset: max(settled, resume), clock: clock, anchor: anchor))
        next = start
    }

    /// Claims that are not released, batches in flight included.
    private(set) var claimCount = 0

    // MARK: Reading

    /// A record is about to be read; everything below `record.offset` was.
    mutating func open(_ record: LogRecord, clock: StreamTick) {
        let crosses = next.offset < durable.settled.offset && record.offset >= durable.settled.offset
        next.offset = record.offset
        next.clock = clock
        if crosses {
            durable.settled = Mark(offset: durable.settled.offset, clock: clock, anchor: next.anchor)
        }
        let number = record.offset >> Int64(shift)
        if buckets.count == head || buckets[buckets.count - 1].number < number {
            buckets.append(Bucket(number: number, mark: next))
        }
    }

    /// The record was read; its claims are made.
    mutating func close(_ record: LogRecord, clock: StreamTick) {
        next = Mark(
            offset: record.offset + 1, clock: clock,
            anchor: Anchor(
                offset: record.offset, timestampMilliseconds: record.timestampMilliseconds,
                checksum: record.checksum))
    }

    /// The clock moved; who starts at `next` starts with it.
    mutating func moveClock(to tick: StreamTick) {
        next.clock = max(next.clock, tick)
        firstOpen = max(firstOpen, head)
        while firstOpen < buckets.count, let until = buckets[firstOpen].openUntil, until <= tick {
            buckets[firstOpen].openUntil = nil
            buckets[firstOpen].last = max(buckets[firstOpen].last, next.offset - 1)
            firstOpen += 1
        }
    }

    /// A record below the recovered `settled` was read: its traces were decided in an earlier life, and their
    /// last spans may arrive until the clock is at `tick`.
    mutating func foreshadow(at offset: Int64, until tick: StreamTick) {
        guard let index = index(of: offset) else { return }
        buckets[index].openUntil = tick
        // The clock may have passed an earlier record of the same bucket already.
        firstOpen = min(firstOpen, index)
    }

    // MARK: Claims

    mutating func claim(at offset: Int64, count: Int = 1) {
        guard count > 0, let index = index(of: offset) else { return }
        buckets[index].held += count
        claimCount += count
    }

    /// A trace that opened at `first` was decided.
    mutating func decided(first: Int64, last: Int64) {
        guard let index = index(of: first) else { return }
        buckets[index].last = max(buckets[index].last, last)
    }

    /// A trace that opened at `first` was decided against: nobody is owed anything.
    mutating func dropped(first: Int64, last: Int64) {
        guard let index = index(of: first) else { return }
        precondition(buckets[index].held > 0, "a claim is released once")
        buckets[index].last = max(buckets[index].last, last)
        buckets[index].held -= 1
        claimCount -= 1
    }

    mutating func release(at offset: Int64) {
        guard let index = index(of: offset) else { return }
        precondition(buckets[index].held > 0, "a claim is released once")
        buckets[index].held -= 1
        claimCount -= 1
    }

    /// The claim goes with the batch that is being sealed.
    mutating func embark(at offset: Int64) {
        guard let index = index(of: offset) else { return }
        precondition(buckets[index].held > 0, "a claim travels once")
        buckets[index].held -= 1
        buckets[index].inFlight += 1
    }

    /// The batch did not happen: the claim is held again.
    mutating func disembark(at offset: Int64) {
        guard let index = index(of: offset) else { return }
        buckets[index].inFlight -= 1
        buckets[index].held += 1
    }

    /// The batch is in the table: the claim is gone.
    mutating func land(at offset: Int64) {
        guard let index = index(of: offset) else { return }
        precondition(buckets[index].inFlight > 0, "a claim lands once")
        buckets[index].inFlight -= 1
        claimCount -= 1
    }

    // MARK: Positions

    /// The position once everything in flight is committed.
    mutating func sealed() -> (resume: Mark, settled: Mark) {
        let position = position { $0.held > 0 }
        draft = position
        return position
    }

    /// The sealed position is in the table.
    mutating func committed() {
        guard let draft else { return }
        durable = draft
        self.draft = nil
        dropFinished()
    }

    mutating func abandoned() { draft = nil }

    private func position(owes: (Bucket) -> Bool) -> (resume: Mark, settled: Mark) {
        var settled = next
        for bucket in buckets[head...] where owes(bucket) {
            settled = bucket.mark
            break
        }
        if settled.offset < durable.settled.offset { settled = durable.settled }
        var resume = settled
        for bucket in buckets[head...] {
            if bucket.mark.offset >= resume.offset { break }
            if bucket.last >= settled.offset || bucket.openUntil != nil {
                resume = bucket.mark
                break
            }
        }
        // While reading is still below `settled`, only the place it started from is one to start again from.
        if resume.offset < durable.resume.offset || next.offset < settled.offset { resume = durable.resume }
        return (resume, settled)
    }

    private mutating func dropFinished() {
        while head < buckets.count - 1, buckets[head].held == 0, buckets[head].inFlight == 0,
            buckets[head].openUntil == nil, buckets[head].last < durable.settled.offset,
            buckets[head + 1].mark.offset <= durable.settled.offset
        {
            head += 1
        }
        if head > 1024, head * 2 > buckets.count {
            buckets.removeFirst(head)
            firstOpen = max(0, firstOpen - head)
            head = 0
        }
    }

    /// Buckets are numbered upwards with gaps: the one looked for lies at its distance from the first, or before.
    private func index(of offset: Int64) -> Int? {
        guard head < buckets.count else { return nil }
        let number = offset >> Int64(shift)
        let distance = number - buckets[head].number
        guard distance >= 0 else { return nil }
        var high = min(head + Int(clamping: distance), buckets.count - 1)
        if buckets[high].number == number { return high }
        // Offsets without gaps end here; with gaps it is searched for.
        var low = head
        while low < high {
            let middle = (low + high) / 2
            if buckets[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return buckets[low].number == number ? low : nil
    }
}
