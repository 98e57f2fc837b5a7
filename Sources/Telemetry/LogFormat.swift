/// How a line looks.
public enum LogFormat: Sendable, Hashable {
    /// `2026-11-24T11:15:54.123Z  INFO otlp_server: message key=value`
    case text
    /// One object per line: timestamp, level, target, message, fields.
    case json
}

/// One call of a logger.
struct LogRecord {
    /// Milliseconds since 1970.
    var time: Int64
    var level: LogLevel
    var module: String
    var message: String
    var metadata: LogMetadata
}

extension LogFormat {
    /// The line with its line feed; control characters of the values never break it.
    func line(_ record: LogRecord) -> [UInt8] {
        var line = ""
        switch self {
        case .text: writeText(record, into: &line)
        case .json: writeJSON(record, into: &line)
        }
        line.append("\n")
        return Array(line.utf8)
    }

    private func writeText(_ record: LogRecord, into line: inout String) {
        let level = record.level.label
        line += Timestamp.text(milliseconds: record.time)
        line += String(repeating: " ", count: 6 - level.count)
        line += "\(level) \(record.module): "
        Self.writeEscaped(record.message, into: &line)
        for (key, value) in record.metadata {
            line += " \(key)="
            let text = value.description
            let isBare = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
            if isBare { line += text } else { Self.writeQuoted(text, into: &line) }
        }
    }

    private func writeJSON(_ record: LogRecord, into line: inout String) {
        line += "{\"timestamp\":\"\(Timestamp.text(milliseconds: record.time))\",\"level\":\""
        line += record.level.label
        line += "\",\"target\":"
        Self.writeQuoted("\(LogFilter.program)::\(record.module)", into: &line)
        line += ",\"message\":"
        Self.writeQuoted(record.message, into: &line)
        line += ",\"fields\":{"
        for (index, (key, value)) in record.metadata.enumerated() {
            if index > 0 { line.append(",") }
            Self.writeQuoted(key, into: &line)
            line.append(":")
            switch value {
            case .text(let text): Self.writeQuoted(text, into: &line)
            case .real(let real) where !real.isFinite: Self.writeQuoted("\(real)", into: &line)
            default: line += value.description
            }
        }
        line += "}}"
    }

    private static func writeQuoted(_ text: String, into line: inout String) {
        line.append("\"")
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            default: writeEscaped(scalar, into: &line)
            }
        }
        line.append("\"")
    }

    private static func writeEscaped(_ text: String, into line: inout String) {
        for scalar in text.unicodeScalars { writeEscaped(scalar, into: &line) }
    }

    /// Control characters as JSON writes them: a value cannot forge a line, nor move the cursor of a terminal.
    private static func writeEscaped(_ scalar: Unicode.Scalar, into line: inout String) {
        switch scalar {
        case "\n": line += "\\n"
        case "\r": line += "\\r"
        case "\t": line += "\\t"
        case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
            let digits = String(scalar.value, radix: 16)
            line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: line.unicodeScalars.append(scalar)
        }
    }
}
