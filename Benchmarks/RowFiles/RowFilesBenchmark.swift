import Glibc
import Iceberg
import IcebergSink
import OTLPWire
import Parquet
import Pipeline
import TraceGenerator
import TraceModel

/// How many rows of kept spans a second of CPU time puts into Parquet.
///
///     swift run -c release row-files-benchmark [traces] [folder] [repetitions]
///
/// Prints one line for each repetition; the file of the last one stays in the folder, so that
/// Benchmarks/RowFiles/pyarrow_rows.py can write the same rows.
enum RowFilesBenchmark {
    static func run(_ arguments: [String]) {
        let traceCount = arguments.count > 1 ? Int(arguments[1]) ?? 0 : 25_000
        let folder = arguments.count > 2 ? arguments[2] : "/tmp"
        let repetitions = arguments.count > 3 ? Int(arguments[3]) ?? 1 : 5
        let traces = sampledTraces(Workload(traceCount: traceCount))
        let rows = traces.reduce(0) { $0 + $1.trace.spans.count }
        print("\(traces.count) traces, \(rows) rows, \(residentMegabytes()) MB resident before")
        do {
            for repetition in 1...repetitions {
                try measure(traces, rows, folder: folder, keeps: repetition == repetitions)
            }
        } catch {
            print("failed: \(error)")
            exit(1)
        }
    }

    private static func measure(_ traces: [SampledTrace], _ rows: Int, folder: String, keeps: Bool) throws {
        let metadata = TableMetadata(
            tableUUID: "00000000-0000-0000-0000-000000000000", location: "file://" + folder,
            schema: SpanTable.schema, partitionSpec: SpanTable.partitionSpec, sortOrder: SpanTable.sortOrder,
            properties: [:], nowMilliseconds: 0)
        let files = try ParquetRowFiles(table: metadata)
        let before = cpuSeconds()
        let written = try files.write(
            traces, source: SourceID(topic: "otlp:benchmark", generation: 1), directory: "file://" + folder,
            name: "rows-\(getpid())")
        let seconds = cpuSeconds() - before
        let bytes = written.reduce(0) { $0 + $1.fileSizeBytes }
        print(
            "\(Int(Double(rows) / seconds)) rows per CPU s, \(seconds) CPU s, "
                + "\(bytes / max(Int64(rows), 1)) bytes a row, "
                + "peak: process \(residentMegabytes()) MB, arrow \(ParquetMemory.peakBytes >> 20) MB")
        for file in written {
            if keeps { print(file.path) } else { ParquetFile.remove(String(file.path.dropFirst(7))) }
        }
    }

    /// The workload's spans as kept traces, each with an arena of its own.
    private static func sampledTraces(_ workload: Workload) -> [SampledTrace] {
        var workload = workload
        var batch = SpanBatch()
        var traces: [TraceID: KeptTrace] = [:]
        var offset: Int64 = 0
        guard let program = try? MatcherProgram([]) else { return [] }
        while let request = workload.nextRequest() {
            scan(request, program, into: &batch)
            for record in batch.records {
                traces[record.traceID, default: KeptTrace(traceID: record.traceID, partition: 0)]
                    .append(record, of: request, offset: offset)
            }
            offset += 1
        }
        let decision = Decision(verdict: .sampled, reason: .error, policy: "errors", adjustedCount: 1)
        return traces.values.map {
            SampledTrace(trace: $0, decision: decision, decidedAtMilliseconds: 1_780_000_100_000)
        }
    }

    private static func scan(_ message: [UInt8], _ program: MatcherProgram, into batch: inout SpanBatch) {
        do {
            try SpanScanner.scan(message.span.bytes, matching: program, into: &batch)
        } catch {
            print("the workload is malformed: \(error)")
            exit(1)
        }
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    private static func residentMegabytes() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss / 1024
    }
}

extension KeptTrace {
    /// Copies the span; resource and scope once for the spans of one message, as the pipeline does.
    mutating func append(_ record: SpanRecord, of message: [UInt8], offset: Int64) {
        let last = spans.last.flatMap { $0.offset == offset ? $0 : nil }
        spans.append(
            KeptSpan(
                spanID: record.spanID, offset: offset, index: record.index, span: take(record.span, message),
                resource: last?.resource ?? take(record.resource, message),
                scope: last?.scope ?? take(record.scope, message),
                resourceSchemaURL: last?.resourceSchemaURL ?? take(record.resourceSchemaURL, message),
                scopeSchemaURL: last?.scopeSchemaURL ?? take(record.scopeSchemaURL, message)))
    }

    private mutating func take(_ range: ByteRange, _ message: [UInt8]) -> ByteRange {
        guard !range.isEmpty else { return .none }
        let start = UInt32(arena.count)
        arena += message[range.lowerBound..<range.upperBound]
        return ByteRange(offset: start, count: range.count)
    }
}
