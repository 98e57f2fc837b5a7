internal import CSystem

/// Address space that is zero and takes no memory until it is touched; freed with its owner.
struct ZeroedMemory: ~Copyable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    init(byteCount: Int) {
        self.byteCount = max(byteCount, 1)
        guard let base = tss_map_zeroed(self.byteCount) else { fatalError("no address space for the trace index") }
        self.base = base
    }

    deinit { tss_unmap(base, byteCount) }
}
