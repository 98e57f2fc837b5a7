import Foundation
import Iceberg
import IcebergSink
import OTLPWire
import Parquet
import Pipeline
import TraceGenerator
import TraceModel

/// How many rows of kept spans a second of CPU time puts into Parquet.
///
///     swift run -c release row-files-benchmark [traces] [folder] [repetitions] [python] [zstd level]
///
/// Prints one line for each repetition, then with a Python that has pyarrow what it makes of the same rows
/// (pyarrow_rows.py), and at last one line for programs, the best of each:
///
///     row-files rows_per_cpu_s 400000 bytes_per_row 63 pyarrow 310000
///
/// The file of the last repetition stays in the folder. Instructions per row: instructions.py.
enum RowFilesBenchmark {
    static func run(_ arguments: [String]) {
        let traceCount = arguments.count > 1 ? Int(arguments[1]) ?? 0 : 25_000
        let folder = arguments.count > 2 ? arguments[2] : "/tmp"
        let repetitions = arguments.count > 3 ? Int(arguments[3]) ?? 1 : 5
        let traces = sampledTraces(Workload(traceCount: traceCount))
        let rows = traces.reduce(0) { $0 + $1.trace.spans.count }
        print("\(traces.count) traces, \(rows) rows, \(residentMegabytes()) MB resident before")
        var options = ParquetRowFiles.Options()
        if arguments.count > 5 { options.zstdLevel = Int32(arguments[5]) ?? 1 }
        do {
            var runs: [Run] = []
            for repetition in 1...max(repetitions, 1) {
                runs.append(
                    try measure(traces, rows, options, folder: folder, keeps: repetition == repetitions))
            }
            let best = runs.max { $0.rowsPerSecond < $1.rowsPerSecond } ?? runs[0]
            var line = "row-files rows_per_cpu_s \(best.rowsPerSecond) bytes_per_row \(best.bytesPerRow)"
            if arguments.count > 4, !arguments[4].isEmpty, let path = runs.last?.paths.first {
                line += " pyarrow \(try peer(python: arguments[4], path: path, repetitions: repetitions))"
            }
            print(line)
        } catch {
            print("failed: \(error)")
            exit(1)
        }
    }

    private struct Run {
        var rowsPerSecond: Int
        var bytesPerRow: Int
        var paths: [String]
    }

    private static func measure(
        _ traces: [SampledTrace], _ rows: Int, _ options: ParquetRowFiles.Options, folder: String, keeps: Bool
    ) throws -> Run {
        let metadata = TableMetadata(
            tableUUID: "00000000-0000-0000-0000-000000000000", location: "file://" + folder,
            schema: SpanTable.schema, partitionSpec: SpanTable.partitionSpec, sortOrder: SpanTable.sortOrder,
            properties: [:], nowMilliseconds: 0)
        let files = try ParquetRowFiles(table: metadata, options: options)
        let before = cpuSeconds()
        let written = try files.write(
            traces, source: SourceID(topic: "otlp:benchmark", generation: 1), directory: "file://" + folder,
            name: "rows-\(getpid())")
        let seconds = cpuSeconds() - before
        let bytes = written.reduce(0) { $0 + $1.fileSizeBytes }
        let run = Run(
            rowsPerSecond: Int(Double(rows) / seconds), bytesPerRow: Int(bytes) / max(rows, 1),
            paths: written.map { String($0.path.dropFirst(7)) })
        print(
            "\(run.rowsPerSecond) rows per CPU s, \(seconds) CPU s, \(run.bytesPerRow) bytes a row, "
                + "peak: process \(residentMegabytes()) MB, arrow \(ParquetMemory.peakBytes >> 20) MB")
        for path in run.paths {
            if keeps { print(path) } else { ParquetFile.remove(path) }
        }
        return run
    }

    /// Rows per CPU second of pyarrow on the rows of the file, the best of the repetitions.
    private static func peer(python: String, path: String, repetitions: Int) throws -> Int {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "pyarrow_rows.py").path
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: python)
        process.arguments = [script, path, String(repetitions)]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        print(text, terminator: "")
        let figures = text.split(separator: "\n").compactMap { line in
            line.hasPrefix("pyarrow: ") ? line.dropFirst(9).split(separator: " ").first.flatMap { Int($0) } : nil
        }
        guard process.terminationStatus == 0, let best = figures.max() else {
            throw ParquetError(.failed, "pyarrow did not write the rows")
        }
        return best
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
