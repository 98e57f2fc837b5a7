import Glibc
import TraceGenerator
import TraceModel

extension BenchmarkProgram {
    /// Writes the workload for another program: a length (32 bits, little endian) before each request.
    ///
    /// Prints what is true of it: one JSON object.
    static func requests(_ options: Options) throws {
        guard !options.file.isEmpty else { throw Usage(message: "requests wants --file") }
        guard let file = fopen(options.file, "w") else { throw Usage(message: "cannot write \(options.file)") }
        defer { fclose(file) }
        var workload = Workload(traceCount: options.traceCount)
        while let request = workload.nextRequest() {
            let count = UInt32(request.count)
            let head = (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * UInt32($0))) }
            for bytes in [head, request] where fwrite(bytes, 1, bytes.count, file) != bytes.count {
                throw Usage(message: "cannot write \(options.file)")
            }
        }
        let kept = workload.truth.count { $0.isError || $0.isSlow }
        let spans = options.traceCount * Workload.spansPerTrace
        print("{\"traces\": \(options.traceCount), \"spans\": \(spans), \"kept\": \(kept)}")
    }
}
