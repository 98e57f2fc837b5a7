internal import Glibc
internal import Pipeline
internal import Threads

/// Records that do not decode, kept on disk for somebody to look at.
///
/// One file each: `<partition>-<offset>.bin` is the record's body, `.txt` says what is wrong with it.
struct DeadLetterFolder {
    let path: String

    /// Durable on return; false when the disk does not take it.
    func store(_ letter: DeadLetter, of id: PartitionID) -> Bool {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { return false }
        let name = "\(path)/\(id.partition)-\(letter.record.offset)"
        return write(letter.bytes, to: name + ".bin") && write(Array((letter.message + "\n").utf8), to: name + ".txt")
            && syncFolder()
    }

    private func write(_ bytes: [UInt8], to name: String) -> Bool {
        let descriptor = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var at = 0
        while at < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + at, $0.count - at) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            at += count
        }
        return fsync(descriptor) == 0
    }

    private func syncFolder() -> Bool {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return fsync(descriptor) == 0
    }
}
