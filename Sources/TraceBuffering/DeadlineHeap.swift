import TraceModel

/// One entry of the heap; orders by tick, then first offset, then trace id.
struct Deadline: Comparable {
    var tick: StreamTick
    var firstOffset: Int64
    var handle: TraceHandle

    static func < (one: Deadline, other: Deadline) -> Bool {
        (one.tick, one.firstOffset, one.handle.traceID, one.handle.serial)
            < (other.tick, other.firstOffset, other.handle.traceID, other.handle.serial)
    }
}

/// A binary heap, smallest first. Entries are re-armed lazily: a trace that got another span keeps its
/// old entry until that is reached.
struct DeadlineHeap {
    private var entries: [Deadline] = []

    var first: Deadline? { entries.first }

    mutating func push(_ deadline: Deadline) {
        entries.append(deadline)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child] < entries[parent] else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if entries[child] < entries[smallest] { smallest = child }
            }
            guard smallest != parent else { return }
            entries.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
