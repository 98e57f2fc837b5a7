/// One trace in the order of decisions: by first offset, then trace id.
struct TraceOrder {
    var firstOffset: Int64
    var idHigh: UInt64
    var slot: UInt32
}

extension TraceSlots {
    /// Longer groups are sorted by the standard library.
    private static var longestInsertion: Int { 96 }

    /// Traces come by first offset as a rule, in groups that one message opened: then only the groups are sorted.
    func sort(_ traces: inout [TraceOrder]) {
        // The pointer lives for this call, in which nothing else touches the array.
        traces.withUnsafeMutableBufferPointer { traces in
            var start = 0
            while start < traces.count {
                var end = start + 1
                while end < traces.count, traces[end].firstOffset == traces[start].firstOffset { end += 1 }
                if end < traces.count, traces[end].firstOffset < traces[start].firstOffset {
                    return traces.sort { isBefore($0, $1) }
                }
                var group = UnsafeMutableBufferPointer(rebasing: traces[start..<end])
                if group.count <= Self.longestInsertion {
                    insertionSort(group)
                } else {
                    group.sort { isBefore($0, $1) }
                }
                start = end
            }
        }
    }

    private func insertionSort(_ traces: UnsafeMutableBufferPointer<TraceOrder>) {
        guard traces.count > 1, let base = traces.baseAddress else { return }
        for place in 1..<traces.count {
            let trace = base[place]
            var hole = place
            while hole > 0, isBefore(trace, base[hole - 1]) {
                base[hole] = base[hole - 1]
                hole -= 1
            }
            base[hole] = trace
        }
    }

    @inline(__always) private func isBefore(_ one: TraceOrder, _ other: TraceOrder) -> Bool {
        if one.firstOffset != other.firstOffset { return one.firstOffset < other.firstOffset }
        if one.idHigh != other.idHigh { return one.idHigh < other.idHigh }
        return slots[Int(one.slot)].idLow < slots[Int(other.slot)].idLow
    }
}
