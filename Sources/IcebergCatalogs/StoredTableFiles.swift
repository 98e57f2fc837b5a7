public import Iceberg
public import ObjectStorage

/// The files of a table in an object store.
public struct StoredTableFiles: TableFiles {
    public let store: any ObjectStore

    public init(_ store: any ObjectStore) {
        self.store = store
    }

    public func read(_ location: String, limitBytes: Int) throws(FileError) -> [UInt8] {
        do {
            return try store.read(location, limitBytes: limitBytes)
        } catch {
            throw FileError(error)
        }
    }

    public func write(_ location: String, _ bytes: [UInt8]) throws(FileError) {
        do {
            try store.write(location, bytes)
        } catch {
            throw FileError(error)
        }
    }

    public func delete(_ location: String) throws(FileError) {
        do {
            try store.delete(location)
        } catch {
            throw FileError(error)
        }
    }
}

extension FileError {
    /// What the table's code makes of a storage error.
    public init(_ error: StorageError) {
        let code: Code =
            switch error.code {
            case .notFound: .notFound
            case .full: .full
            case .denied: .denied
            case .tooLarge: .corrupt
            default: .failed
            }
        self.init(code, error.message)
    }
}
