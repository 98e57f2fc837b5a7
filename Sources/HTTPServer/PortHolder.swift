import Glibc

/// The process that listens on a port, as far as /proc tells us: of other users' processes it does not.
public struct PortHolder: Sendable, Hashable {
    public var processID: Int32
    /// The process's short name.
    public var name: String

    /// Nil when nobody listens there or the process may not be looked at.
    public static func find(port: UInt16) -> PortHolder? {
        let inodes = listeners(port, "/proc/net/tcp") + listeners(port, "/proc/net/tcp6")
        guard !inodes.isEmpty else { return nil }
        let links = Set(inodes.map { "socket:[\($0)]" })
        for process in names(in: "/proc") {
            guard let id = Int32(process) else { continue }
            let folder = "/proc/\(process)/fd"
            let holds = names(in: folder).contains { links.contains(link("\(folder)/\($0)") ?? "") }
            guard holds else { continue }
            let name = lines(of: "/proc/\(process)/comm").first.map(String.init) ?? "?"
            return PortHolder(processID: id, name: name)
        }
        return nil
    }

    /// Inodes of the sockets that listen on the port.
    ///
    ///     sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
    ///     0: 0100007F:10DE 00000000:0000 0A …
    private static func listeners(_ port: UInt16, _ table: String) -> [Substring] {
        let listening = "0A"
        return lines(of: table).dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == listening,
                let local = fields[1].split(separator: ":").last, UInt16(local, radix: 16) == port
            else { return nil }
            return fields[9]
        }
    }

    private static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { text in
                text.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append(name)
        }
        return names
    }

    private static func link(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { text in
            let count = readlink(path, text.baseAddress!, text.count)
            guard count > 0 else { return nil }
            return String(decoding: UnsafeRawBufferPointer(start: text.baseAddress, count: count), as: UTF8.self)
        }
    }

    private static func lines(of path: String) -> [Substring] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < 8 << 20 {
            let count = read(descriptor, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
