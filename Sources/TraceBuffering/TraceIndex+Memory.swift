internal import CSystem
internal import TraceModel

/// Finds the slot of a trace id: open addressing with linear probing.
///
///     bucket, 8 B: │ tag, 32 bits │ slot + 1, 32 bits │      0: free
///
/// A bucket's place follows from its tag alone and rises with it, so that removing shifts the following buckets back
/// without looking at a slot: there are no tombstones. The whole size is reserved when the buffer is made and touched
/// when used: no turn ever stops to rehash.
struct TraceIndex: ~Copyable {
    private(set) var bucketCount: UInt32
    private var memory: ZeroedMemory
    let key: HashKey

    init(bucketCount: Int, key: HashKey) {
        self.bucketCount = UInt32(bucketCount)
        self.key = key
        memory = ZeroedMemory(byteCount: bucketCount * 8)
    }

    // The memory is this value's own and lives as long; places are below `bucketCount` by construction.
    @inline(__always) var buckets: UnsafeMutablePointer<UInt64> { memory.base.assumingMemoryBound(to: UInt64.self) }

    /// Two multiplications to 128 bits, folded, each with a secret word on one side: an id that shall fall on another
    /// one's place cannot be computed without the key, and no answer of the program shows a place.
    @inline(__always) static func tag(_ high: UInt64, _ low: UInt64, _ key: HashKey) -> UInt32 {
        let first = (high ^ key.first).multipliedFullWidth(by: low ^ key.second)
        let mixed = first.high ^ first.low
        // The second round takes the id in again: an id that makes a factor of the first one 0 spreads all the same.
        let second = (mixed ^ key.second).multipliedFullWidth(by: (high &+ low) ^ 0x9E37_79B9_7F4A_7C15 ^ key.first)
        return UInt32(truncatingIfNeeded: (second.high ^ second.low) >> 16)
    }

    @inline(__always) func tag(_ id: TraceID) -> UInt32 { Self.tag(id.high, id.low, key) }

    @inline(__always) static func home(_ tag: UInt32, _ bucketCount: UInt32) -> Int {
        Int((UInt64(tag) &* UInt64(bucketCount)) >> 32)
    }

    @inline(__always) func home(_ tag: UInt32) -> Int { Self.home(tag, bucketCount) }

    @inline(__always) func prefetch(_ tag: UInt32) { tss_prefetch(buckets + home(tag)) }

    /// The slot of an id, or nil.
    @inline(__always) func find(_ id: TraceID, tag: UInt32, in slots: UnsafeMutablePointer<TraceSlot>) -> UInt32? {
        var place = home(tag)
        while true {
            let bucket = buckets[place]
            guard bucket != 0 else { return nil }
            if UInt32(truncatingIfNeeded: bucket >> 32) == tag {
                let number = UInt32(truncatingIfNeeded: bucket) &- 1
                if slots[Int(number)].idHigh == id.high, slots[Int(number)].idLow == id.low { return number }
            }
            place += 1
            if place == Int(bucketCount) { place = 0 }
        }
    }

    /// Adds a slot whose id is not in the index; there is always a free bucket.
    @inline(__always) mutating func insert(_ number: UInt32, tag: UInt32) {
        var place = home(tag)
        while buckets[place] != 0 {
            place += 1
            if place == Int(bucketCount) { place = 0 }
        }
        buckets[place] = UInt64(tag) << 32 | UInt64(number + 1)
    }

    /// Removes a slot that is in the index.
    mutating func remove(_ number: UInt32, tag: UInt32) {
        let wanted = UInt64(tag) << 32 | UInt64(number + 1)
        let count = Int(bucketCount)
        var hole = home(tag)
        while buckets[hole] != wanted {
            precondition(buckets[hole] != 0, "BUF-2: a live trace is in the index")
            hole += 1
            if hole == count { hole = 0 }
        }
        var place = hole
        while true {
            place += 1
            if place == count { place = 0 }
            let bucket = buckets[place]
            guard bucket != 0 else { break }
            // A bucket may move back to the hole unless its home lies behind it, cyclically.
            let home = home(UInt32(truncatingIfNeeded: bucket >> 32))
            let fromHome = place >= home ? place - home : place - home + count
            let fromHole = place >= hole ? place - hole : place - hole + count
            if fromHome >= fromHole {
                buckets[hole] = bucket
                hole = place
            }
        }
        buckets[hole] = 0
    }

    /// Makes the index anew; see `TraceSlots.grow`.
    mutating func grow(to bucketCount: Int) {
        var old = ZeroedMemory(byteCount: bucketCount * 8)
        swap(&old, &memory)
        let oldCount = Int(self.bucketCount)
        self.bucketCount = UInt32(bucketCount)
        let oldBuckets = old.base.assumingMemoryBound(to: UInt64.self)
        for place in 0..<oldCount {
            let bucket = oldBuckets[place]
            guard bucket != 0 else { continue }
            insert(UInt32(truncatingIfNeeded: bucket) - 1, tag: UInt32(truncatingIfNeeded: bucket >> 32))
        }
        // The old buckets are read up to here.
        _ = old.byteCount
    }
}
