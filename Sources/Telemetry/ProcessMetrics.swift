import Glibc

/// The standard metrics of a process, from /proc.
///
/// Source: prometheus.io, Writing client libraries, "Process metrics".
enum ProcessMetrics {
    static func declare(_ declare: inout MetricDeclarations) {
        declare.process("process_cpu_seconds_total", .counter, "User and system CPU time.") {
            .real(cpuSeconds())
        }
        declare.process("process_resident_memory_bytes", .gauge, "Resident memory.") { residentBytes() }
        declare.process("process_virtual_memory_bytes", .gauge, "Address space.") { virtualBytes() }
        declare.process("process_open_fds", .gauge, "Open file descriptors.") { openDescriptors() }
        declare.process("process_max_fds", .gauge, "Most file descriptors that may be open.") { maxDescriptors() }
        declare.process("process_start_time_seconds", .gauge, "Start of the process since 1970.") { startTime() }
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    // /proc/self/statm: size and resident set, in pages.
    private static func residentBytes() -> MetricNumber? { pages(1) }
    private static func virtualBytes() -> MetricNumber? { pages(0) }

    private static func pages(_ field: Int) -> MetricNumber? {
        guard let text = ProcFile.text("/proc/self/statm") else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > field, let count = Int(fields[field]) else { return nil }
        return .integer(count * Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    private static func openDescriptors() -> MetricNumber? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        // The folder's own descriptor is among them.
        return .integer(count - 1)
    }

    private static func maxDescriptors() -> MetricNumber? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return .integer(Int(clamping: limit.rlim_cur))
    }

    /// Field 22 of /proc/self/stat, clock ticks after boot, on top of the boot time in /proc/stat.
    private static func startTime() -> MetricNumber? {
        guard let own = ProcFile.text("/proc/self/stat"), let all = ProcFile.text("/proc/stat"),
            // The second field, the name in brackets, may hold spaces and brackets.
            let bracket = own.lastIndex(of: ")"),
            let bootLine = all.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let boot = Double(bootLine.dropFirst(6))
        else { return nil }
        let fields = own[own.index(after: bracket)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
        return .real(boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK))))
    }
}

/// Small files of /proc.
enum ProcFile {
    /// More is cut.
    static let maxBytes = 256 << 10

    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < maxBytes {
            let count = read(descriptor, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
