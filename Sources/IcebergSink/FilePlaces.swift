import Iceberg
import Parquet

/// The path behind a `file:` URI; the text behind the scheme is taken as it is, as pyiceberg does.
struct LocalPath {
    let path: String

    init(_ location: String) throws(FileError) {
        let scheme = ["file://", "file:"].first { location.hasPrefix($0) } ?? ""
        path = String(location.dropFirst(scheme.count))
        guard path.hasPrefix("/") else {
            throw FileError(.denied, "\(location) is no file of this machine: only file:///… is supported")
        }
    }
}

extension FileError {
    init(writing name: String, _ error: any Error) {
        self.init("cannot write \(name)", error)
    }

    init(reading name: String, _ error: any Error) {
        self.init("cannot read \(name)", error)
    }

    private init(_ what: String, _ error: any Error) {
        if let file = error as? FileError {
            self = file
            return
        }
        guard let parquet = error as? ParquetError else {
            self.init(.failed, "\(what): \(error)")
            return
        }
        let code: FileError.Code =
            switch parquet.code {
            case .full: .full
            case .notFound: .notFound
            case .denied: .denied
            case .corrupt: .corrupt
            default: .failed
            }
        self.init(code, "\(what): \(parquet.message)")
    }
}

/// A day of the Gregorian calendar, as people write it.
enum CalendarDay {
    /// `2026-11-24` for a number of days since 1970-01-01.
    ///
    /// Counts years from March, so that the leap day is the last of its year; 400 years have 146,097 days.
    static func text(_ days: Int32) -> String {
        let sinceMarchOfYear0 = Int(days) + 719_468
        let era = (sinceMarchOfYear0 >= 0 ? sinceMarchOfYear0 : sinceMarchOfYear0 - 146_096) / 146_097
        let dayOfEra = sinceMarchOfYear0 - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
