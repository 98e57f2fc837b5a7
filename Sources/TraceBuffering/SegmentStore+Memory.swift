internal import TraceModel

/// The segments between the oldest that is needed and the newest, and the memory of those that are at hand.
///
/// A segment is needed while a trace lives whose first span lies in it or before and whose last one lies in it or
/// behind: of each trace only two numbers are counted, `firsts` and `lasts`, and nothing has to be walked when a trace
/// is dropped. The running sum of the two says how many traces need a segment.
struct SegmentStore: ~Copyable {
    enum State: UInt8 {
        /// Takes messages.
        case open
        /// Full, in memory.
        case sealed
        /// Handed out to be written.
        case inFlight
        case written
        /// Needed by nobody.
        case gone
    }

    struct Segment {
        var state = State.gone
        /// Bytes that hold something.
        var filled = 0
        /// Bytes that messages may fill.
        var capacity = 0
        /// Offset and tick of the first message.
        var firstOffset: Int64 = 0
        var firstTick: Int64 = 0
        var memory: SegmentMemory?
    }

    /// How many live traces begin and end in a segment.
    struct Edges {
        var firsts: UInt32 = 0
        var lasts: UInt32 = 0
    }

    let segmentBytes: Int
    /// Bytes of the segments in memory: what the open one holds, the whole of the others.
    private(set) var usedBytes = 0
    /// Bytes of the written segments that are still needed.
    private(set) var writtenBytes = 0
    private(set) var inFlightBytes = 0

    /// Number of the oldest segment that may be needed, and of the one to be made next.
    private(set) var front: UInt64 = 0
    private(set) var next: UInt64 = 0
    private(set) var hasOpen = false
    /// Segments before it were handed out or were not worth it.
    private var nextToWrite: UInt64 = 0
    /// By number mod its count, a power of two.
    private var ring: [Segment]
    private var mask: UInt64
    private(set) var edges: UnsafeMutablePointer<Edges>
    /// Memory of segments that are being written, also of those that nobody needs any more.
    private var inFlight: [UInt64: (memory: SegmentMemory, capacity: Int)] = [:]
    private var pool: [SegmentMemory] = []
    private var unneeded: [SegmentID] = []
    /// Traces that left since segments were last looked through.
    private(set) var releasedCount = 0

    init(segmentBytes: Int) {
        self.segmentBytes = segmentBytes
        let count = 64
        ring = Array(repeating: Segment(), count: count)
        mask = UInt64(count - 1)
        edges = .allocate(capacity: count)
        edges.initialize(repeating: Edges(), count: count)
    }

    // The counters hold nothing that needs to be released; nothing refers to them after their owner.
    deinit { edges.deallocate() }

    /// Whether the low bits of links tell all segments apart with one more.
    var isWindowFull: Bool { next - front >= Link.segmentWindow - 1 }

    @inline(__always) func place(_ number: UInt64) -> Int { Int(truncatingIfNeeded: number & mask) }

    subscript(number: UInt64) -> Segment {
        precondition(number >= front && number < next, "BUF-3: a chain stays in segments that are needed")
        return ring[place(number)]
    }

    /// The number whose low bits a link or an opening holds.
    @inline(__always) func number(lowBits: UInt64, window: UInt64) -> UInt64 {
        let newest = next &- 1
        return newest &- ((newest &- lowBits) & (window - 1))
    }

    // MARK: Taking messages

    /// Whether a message of this size goes into the open segment.
    func fitsOpen(_ byteCount: Int) -> Bool {
        guard hasOpen else { return false }
        let open = ring[place(next - 1)]
        return open.filled + byteCount <= open.capacity
    }

    /// `usedBytes` once a message of this size was taken.
    func usedBytes(with byteCount: Int) -> Int {
        guard hasOpen, !fitsOpen(byteCount) else { return usedBytes + byteCount }
        let open = ring[place(next - 1)]
        return usedBytes + open.capacity - open.filled + byteCount
    }

    /// Room for a frame at a multiple of 16 in the open segment, which is sealed first when it is full.
    ///
    /// - Returns: The frame's address, its segment and its position; nobody else has the room.
    mutating func reserve(
        _ byteCount: Int, offset: Int64, tick: Int64
    ) -> (frame: UnsafeMutableRawPointer, segment: UInt64, position: Int) {
        if hasOpen, !fitsOpen(byteCount) { sealOpen() }
        if !hasOpen { makeSegment(byteCount, offset, tick) }
        let number = next - 1
        let position = ring[place(number)].filled
        ring[place(number)].filled += byteCount
        usedBytes += byteCount
        return (ring[place(number)].memory!.memory.baseAddress! + position, number, position)
    }

    private mutating func makeSegment(_ byteCount: Int, _ offset: Int64, _ tick: Int64) {
        precondition(!isWindowFull, "the caller asked hasRoom")
        if pool.isEmpty, releasedCount > Int(next - front) / 8 { reclaim() }
        if next - front > mask { growRing() }
        let capacity = max(segmentBytes, byteCount)
        let memory = capacity == segmentBytes ? pool.popLast() : nil
        ring[place(next)] = Segment(
            state: .open, filled: 0, capacity: capacity, firstOffset: offset, firstTick: tick,
            memory: memory ?? SegmentMemory(byteCount: capacity))
        edges[place(next)] = Edges()
        next += 1
        hasOpen = true
    }

    private mutating func growRing() {
        let count = ring.count * 2
        var larger = Array(repeating: Segment(), count: count)
        let largerEdges = UnsafeMutablePointer<Edges>.allocate(capacity: count)
        largerEdges.initialize(repeating: Edges(), count: count)
        for number in front..<next {
            let place = Int(truncatingIfNeeded: number & UInt64(count - 1))
            larger[place] = ring[self.place(number)]
            largerEdges[place] = edges[self.place(number)]
        }
        edges.deallocate()
        ring = larger
        edges = largerEdges
        mask = UInt64(count - 1)
    }

    /// Closes the segment that takes messages. What lies behind its bytes in the last block becomes zero.
    mutating func sealOpen() {
        guard hasOpen else { return }
        hasOpen = false
        let place = place(next - 1)
        let filled = ring[place].filled
        usedBytes += ring[place].capacity - filled
        let end = SegmentMemory.wholeBlocks(filled)
        UnsafeMutableRawBufferPointer(rebasing: ring[place].memory!.memory[filled..<end]).initializeMemory(
            as: UInt8.self, repeating: 0)
        ring[place].state = .sealed
    }

    // MARK: Giving back

    /// A trace left whose spans lie from one segment to another.
    mutating func release(first: UInt64, last: UInt64) {
        edges[place(first)].firsts -= 1
        edges[place(last)].lasts -= 1
        releasedCount += 1
        if first == front { dropFront() }
    }

    /// The oldest segment is needed as long as a trace begins in it.
    private mutating func dropFront() {
        while front < next, ring[place(front)].state == .gone || edges[place(front)].firsts == 0 {
            drop(front)
            front += 1
        }
    }

    /// Drops every segment that no trace needs, also those behind one that is needed.
    mutating func reclaim() {
        releasedCount = 0
        dropFront()
        var needing = 0
        for number in front..<next {
            needing += Int(edges[place(number)].firsts)
            if needing == 0 { drop(number) }
            needing -= Int(edges[place(number)].lasts)
        }
    }

    private mutating func drop(_ number: UInt64) {
        let place = place(number)
        let segment = ring[place]
        ring[place].memory = nil
        ring[place].state = .gone
        switch segment.state {
        case .gone: break
        case .open:
            hasOpen = false
            usedBytes -= segment.filled
            recycle(segment.memory!, segment.capacity)
        case .sealed:
            usedBytes -= segment.capacity
            recycle(segment.memory!, segment.capacity)
        case .inFlight: break  // `written` gives the memory back
        case .written:
            writtenBytes -= segment.filled
            unneeded.append(SegmentID(value: number))
        }
    }

    private mutating func recycle(_ memory: SegmentMemory, _ capacity: Int) {
        if capacity == segmentBytes { pool.append(memory) }
    }

    // MARK: Writing out

    /// The oldest sealed segments that nobody was given, while more than `aboveBytes` stay in memory.
    mutating func sealed(limit: Int, aboveBytes: Int) -> [SealedSegment] {
        var result: [SealedSegment] = []
        let end = hasOpen ? next - 1 : next
        nextToWrite = max(nextToWrite, front)
        if nextToWrite < end, releasedCount > 0, inFlight.count < limit { reclaim() }
        while inFlight.count < limit, usedBytes - inFlightBytes > aboveBytes, nextToWrite < end {
            let number = nextToWrite
            nextToWrite += 1
            guard number >= front, ring[place(number)].state == .sealed else { continue }
            let segment = ring[place(number)]
            ring[place(number)].state = .inFlight
            inFlight[number] = (segment.memory!, segment.capacity)
            inFlightBytes += segment.capacity
            result.append(
                SealedSegment(id: SegmentID(value: number), byteCount: segment.filled, memory: segment.memory!))
        }
        return result
    }

    mutating func written(_ number: UInt64) {
        guard let (memory, capacity) = inFlight.removeValue(forKey: number) else { return }
        inFlightBytes -= capacity
        usedBytes -= capacity
        if number >= front, ring[place(number)].state == .inFlight {
            ring[place(number)].state = .written
            ring[place(number)].memory = nil
            writtenBytes += ring[place(number)].filled
        } else {
            unneeded.append(SegmentID(value: number))  // everything in it was decided while it was written
        }
        recycle(memory, capacity)
    }

    mutating func takeUnneeded() -> [SegmentID] {
        if writtenBytes > 0, releasedCount > Int(next - front) / 8 { reclaim() }
        defer { unneeded = [] }
        return unneeded
    }

    // MARK: Reading

    func isInMemory(_ number: UInt64) -> Bool { self[number].memory != nil }

    /// The bytes of a segment in memory, valid until the store is changed.
    func bytes(_ number: UInt64) -> SegmentBytes? {
        let segment = self[number]
        guard let memory = segment.memory else { return nil }
        return SegmentBytes(UnsafeRawBufferPointer(rebasing: memory.bytes[..<segment.filled]))
    }

    /// The last segment whose first message is not behind an offset.
    func segment(ofOffset offset: Int64) -> UInt64 {
        var low = front
        var high = next
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if ring[place(middle)].firstOffset <= offset { low = middle } else { high = middle }
        }
        return low
    }
}
