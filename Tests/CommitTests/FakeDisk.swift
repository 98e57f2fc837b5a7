import Iceberg
import Pipeline
import Threads

/// A test's source of chance.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var word = state
        word = (word ^ (word >> 33)) &* 0xff51_afd7_ed55_8ccd
        return word ^ (word >> 33)
    }
}

/// A folder that forgets what was not synced, and whose power can be cut at any operation.
///
/// Bytes are durable by `sync`, names by `syncDirectory`. After a cut every operation fails, until
/// `afterPowerCut` gives the disk as the next start finds it.
final class FakeDisk: SegmentFiles, TableFiles {
    fileprivate struct File {
        var bytes: [UInt8] = []
        /// What a power cut leaves for certain.
        var durable: [UInt8] = []
        /// Pages that were written since the last sync.
        var dirty: Set<Int> = []
    }

    /// What of the unsynced bytes a power cut leaves.
    enum Loss: CaseIterable {
        /// Only what was synced.
        case everything
        /// All that was written.
        case nothing
        /// Some pages, by chance.
        case somePages
    }

    private struct State {
        var files: [String: File] = [:]
        /// Names as they are durable, with the file each stands for.
        var names: Set<String> = []
        var operations = 0
        var cutAt: Int?
        var isCut = false
        var failing: [String: FileError] = [:]
        var observer: (@Sendable () -> Void)?
        var space = DiskSpace(totalBytes: 1 << 40, availableBytes: 1 << 40)
    }

    static let pageBytes = 512
    private let state: Lock<State>

    init() { state = Lock(State()) }

    /// Everything on the disk and what of it is durable, at one moment.
    struct Image {
        fileprivate var files: [String: File]
        fileprivate var names: Set<String>

        /// The disk as the next start finds it.
        func afterPowerCut(_ loss: Loss, _ random: inout SeededRandom) -> FakeDisk {
            var left: [String: [UInt8]] = [:]
            for (name, file) in files.sorted(by: { $0.key < $1.key }) {
                guard names.contains(name) || loss == .nothing || (loss == .somePages && Bool.random(using: &random))
                else { continue }
                left[name] = FakeDisk.left(file, loss, &random)
            }
            return FakeDisk(files: left)
        }
    }

    private init(files: [String: [UInt8]]) {
        var state = State()
        for (name, bytes) in files { state.files[name] = File(bytes: bytes, durable: bytes) }
        state.names = Set(files.keys)
        self.state = Lock(state)
    }

    /// Operations so far that change something.
    var operationCount: Int { state.withLock { $0.operations } }
    var isCut: Bool { state.withLock { $0.isCut } }

    /// The power goes at the n-th changing operation from now, which does not happen.
    func cutPower(at operation: Int) { state.withLock { $0.cutAt = $0.operations + operation } }

    /// Every call of this operation ("sync", "write", "create", …) fails; nil ends it.
    func fail(_ operation: String, with error: FileError?) { state.withLock { $0.failing[operation] = error } }

    func setSpace(_ space: DiskSpace) { state.withLock { $0.space = space } }

    var image: Image { state.withLock { Image(files: $0.files, names: $0.names) } }

    /// The disk as the next start finds it.
    func afterPowerCut(_ loss: Loss, _ random: inout SeededRandom) -> FakeDisk {
        image.afterPowerCut(loss, &random)
    }

    /// Calls `observer` before every operation that changes something.
    func observe(_ observer: @escaping @Sendable () -> Void) { state.withLock { $0.observer = observer } }

    fileprivate static func left(_ file: File, _ loss: Loss, _ random: inout SeededRandom) -> [UInt8] {
        switch loss {
        case .nothing: return file.bytes
        case .everything: return file.durable
        case .somePages:
            // The length may have reached the disk before the bytes: unwritten pages are zero.
            var bytes = file.durable
            for page in file.dirty.sorted() where Bool.random(using: &random) {
                let range = page * pageBytes..<min((page + 1) * pageBytes, file.bytes.count)
                guard range.lowerBound < range.upperBound else { continue }
                if bytes.count < range.upperBound {
                    bytes += [UInt8](repeating: 0, count: range.upperBound - bytes.count)
                }
                bytes.replaceSubrange(range, with: file.bytes[range])
            }
            return bytes
        }
    }

    /// A file's bytes, for tests that damage them.
    subscript(name: String) -> [UInt8]? {
        get { state.withLock { $0.files[name]?.bytes } }
        set {
            state.withLock { state in
                state.files[name] = newValue.map { File(bytes: $0, durable: $0) }
                if newValue == nil { state.names.remove(name) } else { state.names.insert(name) }
            }
        }
    }

    var names: [String] { state.withLock { $0.files.keys.sorted() } }

    private func change(
        _ operation: String, _ body: (inout sending State) throws(FileError) -> Void
    ) throws(FileError) {
        if let observer = state.withLock({ $0.observer }) { observer() }
        try state.withLock { state throws(FileError) in
            try Self.check(&state, operation)
            state.operations += 1
            if let cutAt = state.cutAt, state.operations >= cutAt {
                state.isCut = true
                throw FileError(.failed, "power cut")
            }
            try body(&state)
        }
    }

    private static func check(_ state: inout State, _ operation: String) throws(FileError) {
        if state.isCut { throw FileError(.failed, "power cut") }
        if let error = state.failing[operation] { throw error }
    }

    // MARK: SegmentFiles

    func list() throws(FileError) -> [SegmentFile] {
        try state.withLock { state throws(FileError) in
            try Self.check(&state, "list")
            return state.files.map { SegmentFile(name: $0.key, byteCount: $0.value.bytes.count) }
        }
    }

    func create(_ name: String) throws(FileError) {
        try change("create") { state throws(FileError) in
            guard state.files[name] == nil else { throw FileError(.failed, "\(name) exists") }
            state.files[name] = File()
        }
    }

    func write(_ name: String, at position: Int, _ bytes: [UInt8]) throws(FileError) {
        try change("write") { state throws(FileError) in
            guard var file = state.files[name] else { throw FileError(.notFound, name) }
            state.files[name] = nil
            guard position <= file.bytes.count else { throw FileError(.failed, "a hole in \(name)") }
            let overlap = min(bytes.count, file.bytes.count - position)
            file.bytes.replaceSubrange(position..<position + overlap, with: bytes[..<overlap])
            file.bytes += bytes[overlap...]
            if !bytes.isEmpty {
                for page in position / Self.pageBytes...(position + bytes.count - 1) / Self.pageBytes {
                    file.dirty.insert(page)
                }
            }
            state.files[name] = file
        }
    }

    func sync(_ name: String) throws(FileError) {
        try change("sync") { state throws(FileError) in
            guard var file = state.files[name] else { throw FileError(.notFound, name) }
            file.durable = file.bytes
            file.dirty = []
            state.files[name] = file
        }
    }

    func syncDirectory() throws(FileError) {
        try change("syncDirectory") { state in state.names = Set(state.files.keys) }
    }

    func read(_ name: String, at position: Int, count: Int) throws(FileError) -> [UInt8] {
        try state.withLock { state throws(FileError) in
            try Self.check(&state, "read")
            guard let file = state.files[name] else { throw FileError(.notFound, name) }
            guard position < file.bytes.count else { return [] }
            return Array(file.bytes[position..<min(file.bytes.count, position + count)])
        }
    }

    func truncate(_ name: String, to byteCount: Int) throws(FileError) {
        try change("truncate") { state in
            guard var file = state.files[name] else { return }
            file.bytes.removeSubrange(byteCount...)
            file.dirty = file.dirty.filter { $0 <= byteCount / Self.pageBytes }
            state.files[name] = file
        }
    }

    func remove(_ name: String) throws(FileError) {
        try change("remove") { state in
            state.files[name] = nil
            // A removal may reach the disk before anybody syncs it; a new file of this name is another one.
            state.names.remove(name)
        }
    }

    func space() throws(FileError) -> DiskSpace {
        try state.withLock { state throws(FileError) in
            try Self.check(&state, "space")
            return state.space
        }
    }

    // MARK: TableFiles: durable on return

    func read(_ location: String, limitBytes: Int) throws(FileError) -> [UInt8] {
        try read(location, at: 0, count: limitBytes)
    }

    func write(_ location: String, _ bytes: [UInt8]) throws(FileError) {
        try create(location)
        try write(location, at: 0, bytes)
        try sync(location)
        try syncDirectory()
    }

    func delete(_ location: String) throws(FileError) { try remove(location) }
}

/// Two clocks that a test moves.
final class FakeClock: Clock {
    private let state = Lock<(wall: Int64, monotonic: Int64)>((1_764_000_000_000, 5_000))

    var wallMilliseconds: Int64 { state.withLock { $0.wall } }
    var monotonicMilliseconds: Int64 { state.withLock { $0.monotonic } }

    func advance(milliseconds: Int64) {
        state.withLock { $0 = ($0.wall + milliseconds, $0.monotonic + milliseconds) }
    }

    func jumpWall(milliseconds: Int64) { state.withLock { $0.wall += milliseconds } }
}
