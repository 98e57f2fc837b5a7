#if DEBUG
    internal import TraceModel

    extension TraceBuffer {
        /// What BUF-1, BUF-2 and BUF-3 find wrong; walks everything, so for small buffers of tests.
        func invariantFaults() -> [String] {
            var faults: [String] = []
            checkIndex(&faults)
            checkWheel(&faults)
            checkSegments(&faults)
            return faults
        }

        private func checkIndex(_ faults: inout [String]) {
            var named = 0
            for place in 0..<Int(index.bucketCount) where index.buckets[place] != 0 {
                named += 1
                let number = UInt32(truncatingIfNeeded: index.buckets[place]) - 1
                let tag = index.tag(traceID(number))
                if !flags(number).contains(.live) { faults.append("BUF-2: bucket \(place) names a free slot") }
                if index.find(traceID(number), tag: tag, in: slots.slots) != number {
                    faults.append("BUF-2: slot \(number) is not found by its id")
                }
            }
            var live = 0
            var spans = 0
            forEachLive { number, slot in
                live += 1
                spans += Int(slot.pointee.spanCount)
                if slot.pointee.flags.contains(.isWide) != (slots.wide[number] != nil) {
                    faults.append("BUF-2: slot \(number) and the side table disagree")
                }
            }
            let free = slots.freeNumbers
            if named != live || live != slots.liveCount { faults.append("BUF-2: \(named) named, \(live) live") }
            if spans != spanCount { faults.append("BUF-2: \(spans) spans, counted \(spanCount)") }
            if Set(free).count + live != slots.touchedCount || Set(free).count != free.count {
                faults.append("BUF-2: \(free.count) free and \(live) live of \(slots.touchedCount) slots")
            }
        }

        private func checkWheel(_ faults: inout [String]) {
            var ticks: [UInt32: Int64] = [:]
            for entry in wheel.entries {
                if ticks.updateValue(entry.tick, forKey: entry.slot) != nil {
                    faults.append("BUF-2: slot \(entry.slot) is armed twice")
                }
            }
            for number in 0..<UInt32(slots.touchedCount) {
                if flags(number).contains(.isArmed) != (ticks[number] != nil) {
                    faults.append("BUF-2: slot \(number) and the wheel disagree")
                }
            }
            let waiting = Set(due.traces[due.position...].map(\.slot))
            forEachLive { number, slot in
                guard !slot.pointee.flags.contains(.isHandedOut) else { return }
                if let tick = ticks[number] {
                    if tick > max(deadline(number).tick, wheel.current) {
                        faults.append("BUF-2: slot \(number) is looked at too late")
                    }
                } else if !waiting.contains(number) {
                    faults.append("BUF-2: slot \(number) is never looked at")
                }
            }
        }

        private func checkSegments(_ faults: inout [String]) {
            var edges: [UInt64: SegmentStore.Edges] = [:]
            func count(_ range: (first: UInt64, last: UInt64)) {
                edges[range.first, default: .init()].firsts += 1
                edges[range.last, default: .init()].lasts += 1
            }
            forEachLive { number, slot in
                count(segments(number))
                checkChain(of: number, &faults)
            }
            for gathering in readingBack.values { count((gathering.firstSegment, gathering.lastSegment)) }
            var used = store.inFlightBytes
            var written = 0
            for number in store.front..<store.next {
                let counted = store.edges[store.place(number)]
                let expected = edges[number] ?? .init()
                if counted.firsts != expected.firsts || counted.lasts != expected.lasts {
                    faults.append("BUF-3: segment \(number) counts \(counted), has \(expected)")
                }
                let segment = store[number]
                switch segment.state {
                case .open: used += segment.filled
                case .sealed: used += segment.capacity
                case .written: written += segment.filled
                case .inFlight, .gone: break
                }
                if segment.state == .gone, expected.firsts + expected.lasts > 0 {
                    faults.append("BUF-3: segment \(number) is needed and gone")
                }
            }
            if edges.keys.contains(where: { $0 < store.front }) { faults.append("BUF-3: a needed segment is gone") }
            if used != usedBytes { faults.append("BUF-1: \(used) bytes in memory, counted \(usedBytes)") }
            if written != writtenBytes { faults.append("BUF-1: \(written) bytes written, counted \(writtenBytes)") }
        }

        /// As far as it leads through memory.
        private func checkChain(of number: UInt32, _ faults: inout [String]) {
            var link = slots.slots[Int(number)].link
            var length = 0
            while link != .none {
                let segment = store.number(lowBits: link.segmentBits, window: Link.segmentWindow)
                guard segment >= store.front else {
                    faults.append("BUF-3: slot \(number) leads into a segment that is gone")
                    return
                }
                guard let bytes = store.bytes(segment) else { return }
                guard let place = bytes.place(at: link.position), place.slot == number else {
                    faults.append("BUF-3: slot \(number) leads to another's record")
                    return
                }
                length += 1
                guard length <= Int(slots.slots[Int(number)].spanCount) else { break }
                link = place.previous
            }
            if length != Int(slots.slots[Int(number)].spanCount) {
                faults.append("BUF-3: slot \(number) has a chain of \(length)")
            }
        }
    }
#endif
