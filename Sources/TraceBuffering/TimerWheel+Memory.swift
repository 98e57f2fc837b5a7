internal import CSystem
internal import TraceModel

/// When to look at which trace: for each tick a list of slot numbers.
///
///     ticks   │ 0 │ 1 │ 2 │ … │ 511 │       chunk, 256 B
///               │                          ┌──────┬───────┬───────────────┐
///               └────────────────────────▶ │ next │ count │ 62 × slot     │ ──▶ older chunk
///                                          └──────┴───────┴───────────────┘
///
/// A slot is named at most once, by its flag `isArmed`, and never later than the first tick at which its trace may be
/// due; more spans leave the entry where it is, and the look finds out. So an entry costs 4 bytes and a bit, and
/// nothing when spans come. A slot that is used again keeps its entry: `horizon` is the shortest wait, so that no new
/// trace can be due before it.
struct TimerWheel: ~Copyable {
    private static let chunkWords = 64
    private static let idsPerChunk = 62
    static let bucketLimit = 4096

    /// Ticks from now to the entry of a slot, at most.
    let horizon: Int64
    private let bucketCount: Int
    /// No entry lies before it; an entry of tick t lies in bucket t mod `bucketCount`, t < `current` + `bucketCount`.
    private(set) var current: Int64 = 0
    private var armedCount = 0
    /// Newest chunk of each bucket + 1; 0: none.
    private var heads: [UInt32]
    /// One bit for each bucket with entries.
    private var occupied: [UInt64]
    private var memory: ZeroedMemory
    private var chunkLimit: Int
    private var chunkCount = 0
    private var freeChunk: UInt32 = 0

    init(horizon: Int64, slotCapacity: Int) {
        var count = 64
        while count < horizon + 2, count < Self.bucketLimit { count *= 2 }
        bucketCount = count
        self.horizon = min(horizon, Int64(count - 2))
        heads = Array(repeating: 0, count: count)
        occupied = Array(repeating: 0, count: count / 64)
        chunkLimit = Self.chunks(for: slotCapacity, count)
        memory = ZeroedMemory(byteCount: chunkLimit * Self.chunkWords * 4)
    }

    /// Full chunks, and for each bucket one that is not, and one more while it is emptied.
    private static func chunks(for slotCapacity: Int, _ bucketCount: Int) -> Int {
        slotCapacity / idsPerChunk + 2 * bucketCount + 2
    }

    mutating func grow(slotCapacity: Int) {
        let limit = Self.chunks(for: slotCapacity, bucketCount)
        let larger = ZeroedMemory(byteCount: limit * Self.chunkWords * 4)
        larger.base.copyMemory(from: memory.base, byteCount: chunkCount * Self.chunkWords * 4)
        memory = larger
        chunkLimit = limit
    }

    // The memory is this value's own; chunk numbers come from `makeChunk`.
    @inline(__always) private func chunk(_ number: UInt32) -> UnsafeMutablePointer<UInt32> {
        memory.base.assumingMemoryBound(to: UInt32.self) + Int(number) * Self.chunkWords
    }

    @inline(__always) private func bucket(_ tick: Int64) -> Int { Int(truncatingIfNeeded: tick) & (bucketCount - 1) }

    /// Time has come to this tick: buckets without entries before it are passed.
    mutating func advance(to tick: Int64) {
        guard let first else {
            current = tick
            return
        }
        current = max(current, min(tick, first))
    }

    /// The first tick with an entry.
    var first: Int64? {
        guard armedCount > 0 else { return nil }
        let start = bucket(current)
        var word = start >> 6
        var bits = occupied[word] & (~0 << UInt64(start & 63))
        for _ in 0...occupied.count {
            if bits != 0 {
                let place = word << 6 + bits.trailingZeroBitCount
                return current + Int64((place - start + bucketCount) & (bucketCount - 1))
            }
            word += 1
            if word == occupied.count { word = 0 }
            bits = occupied[word]
        }
        return nil
    }

    /// Names a slot at a tick, or earlier when that is too far away.
    @inline(__always) mutating func push(_ slot: UInt32, at tick: Int64) {
        let bucket = bucket(min(max(tick, current), current + Int64(bucketCount - 1)))
        var head = heads[bucket]
        if head == 0 || chunk(head - 1)[1] == UInt32(Self.idsPerChunk) {
            head = makeChunk(before: head)
            heads[bucket] = head
            occupied[bucket >> 6] |= 1 << UInt64(bucket & 63)
        }
        let words = chunk(head - 1)
        words[2 + Int(words[1])] = slot
        words[1] += 1
        armedCount += 1
    }

    private mutating func makeChunk(before next: UInt32) -> UInt32 {
        let number: UInt32
        if freeChunk != 0 {
            number = freeChunk - 1
            freeChunk = chunk(number)[0]
        } else {
            precondition(chunkCount < chunkLimit, "each slot is named once")
            number = UInt32(chunkCount)
            chunkCount += 1
        }
        chunk(number)[0] = next
        chunk(number)[1] = 0
        return number + 1
    }

    /// Takes the entries of a tick out, in the order of their coming.
    mutating func drain(_ tick: Int64, into slots: inout [UInt32]) {
        current = max(current, tick)
        let bucket = bucket(tick)
        var head = heads[bucket]
        heads[bucket] = 0
        occupied[bucket >> 6] &= ~(1 << UInt64(bucket & 63))
        // Chunks are linked from the newest to the oldest.
        var chunks: UInt32 = 0
        while head != 0 {
            let words = chunk(head - 1)
            let next = words[0]
            words[0] = chunks
            chunks = head
            head = next
        }
        while chunks != 0 {
            let words = chunk(chunks - 1)
            let next = words[0]
            let count = Int(words[1])
            slots.append(contentsOf: UnsafeBufferPointer(start: words + 2, count: count))
            armedCount -= count
            words[0] = freeChunk
            freeChunk = chunks
            chunks = next
        }
    }

    /// Every entry with its tick, for the checks of debug builds.
    var entries: [(slot: UInt32, tick: Int64)] {
        var result: [(slot: UInt32, tick: Int64)] = []
        for distance in 0..<Int64(bucketCount) {
            var head = heads[bucket(current + distance)]
            while head != 0 {
                let words = chunk(head - 1)
                for place in 0..<Int(words[1]) { result.append((words[2 + place], current + distance)) }
                head = words[0]
            }
        }
        return result
    }
}
