import Foundation
import Glibc
import Testing

@testable import ObjectStorage

@Suite struct LocalFilesTests {
    @Test func `an object comes back as it was written, in directories that are made`() throws {
        let scratch = try Scratch()
        let files = try LocalFiles(root: "file://\(scratch.path)/warehouse/")
        let uri = "file://\(scratch.path)/warehouse/a b/é/start_time_day=2026-01-01/x.bin"
        for bytes in [[], [1, 2, 3], [UInt8](repeating: 7, count: 3_000_000)] as [[UInt8]] {
            try files.write(uri, bytes)
            #expect(try files.read(uri, limitBytes: 3_000_000) == bytes)
            #expect(try files.path(of: uri) == String(uri.dropFirst(7)))
        }
        #expect(scratch.names(in: "warehouse/a b/é/start_time_day=2026-01-01") == ["x.bin"])
        try files.delete(uri)
        try files.delete(uri)
        let error = #expect(throws: StorageError.self) { try files.read(uri, limitBytes: 1) }
        #expect(error?.code == .notFound)
    }

    @Test func `more than the limit is refused`() throws {
        let scratch = try Scratch()
        let files = try LocalFiles(root: scratch.path)
        try files.write(scratch.path + "/x", [1, 2, 3])
        #expect(try files.read(scratch.path + "/x", limitBytes: 3).count == 3)
        let error = #expect(throws: StorageError.self) { try files.read(scratch.path + "/x", limitBytes: 2) }
        #expect(error?.code == .tooLarge)
        // A device says that it is empty and never ends.
        let devices = try LocalFiles(root: "/dev")
        #expect(throws: StorageError.self) { try devices.read("/dev/zero", limitBytes: 100_000) }
    }

    @Test(arguments: [
        "/etc/passwd", "file:///etc/passwd", "ROOT/../x", "ROOT/a/../../x", "ROOTx/y", "ROOT", "s3://b/k", "x", "",
        "ROOT/./x", "ROOT/a\u{0}b", "file:ROOT/../x",
    ])
    func `what lies outside of the root is out of reach`(uri: String) throws {
        let scratch = try Scratch()
        let files = try LocalFiles(root: scratch.path + "/root")
        let uri = uri.replacing("ROOT", with: scratch.path + "/root")
        for call in [
            { _ = try files.read(uri, limitBytes: 10) }, { try files.write(uri, [1]) }, { try files.delete(uri) },
        ] {
            let error = #expect(throws: StorageError.self) { try call() }
            #expect(error?.code == .denied)
        }
    }

    @Test func `a file in place of a directory and a directory in place of a file are errors`() throws {
        let scratch = try Scratch()
        let files = try LocalFiles(root: scratch.path)
        try files.write(scratch.path + "/x", [1])
        #expect(throws: StorageError.self) { try files.write(scratch.path + "/x/y", [1]) }
        try files.write(scratch.path + "/d/y", [1])
        #expect(throws: StorageError.self) { try files.write(scratch.path + "/d", [1]) }
        #expect(throws: StorageError.self) { try files.read(scratch.path + "/d", limitBytes: 10) }
        // What failed left no temporary file.
        #expect(scratch.names(in: "") == ["d", "x"])
    }

    @Test(arguments: [
        (ENOSPC, StorageError.Code.full), (EDQUOT, .full), (EIO, .failed), (ENOENT, .notFound), (EACCES, .denied),
        (EROFS, .denied), (EMFILE, .failed),
    ])
    func `error numbers become the codes that callers act on`(number: Int32, code: StorageError.Code) {
        let error = StorageError(errno: number, "write", "/x")
        #expect(error.code == code)
        #expect(error.message.hasPrefix("write /x: "))
    }

    @Test func `a listing has all files below, none beside, and no links`() throws {
        let scratch = try Scratch()
        let files = try LocalFiles(root: scratch.path)
        for name in ["t/a", "t/b/c", "t/b/d/e", "tt/f"] { try files.write("\(scratch.path)/\(name)", [1, 2]) }
        #expect(symlink("/etc", scratch.path + "/t/link") == 0)
        let found = try files.list("file://\(scratch.path)/t", limit: 10)
        #expect(found.map(\.uri).sorted() == ["a", "b/c", "b/d/e"].map { "file://\(scratch.path)/t/\($0)" })
        #expect(found.allSatisfy { $0.sizeBytes == 2 && $0.modifiedMilliseconds > 1_700_000_000_000 })
        #expect(try files.list("\(scratch.path)/none", limit: 1).isEmpty)
        #expect(throws: StorageError.self) { try files.list(scratch.path, limit: 3) }
        #expect(throws: StorageError.self) { try files.list("/etc", limit: 3) }
    }

    @Test func `what an interrupted write left is removed when it is old, and nothing else is`() throws {
        let scratch = try Scratch()
        let files = try LocalFiles(root: scratch.path)
        let leftovers = ["d/x.parquet.tmp", "d/e/v1.metadata.json.18446744073709551615.tmp", "y.0.tmp"]
        let others = [
            "d/x.parquet", "d/notes.tmp", "d/.parquet.tmp", "d/a.b.tmp", "d/a..tmp", "d/.5.tmp", "d/x.5.tmp.old",
        ]
        for name in leftovers + others { try files.write("\(scratch.path)/\(name)", [1]) }
        #expect(files.removeLeftovers(changedBefore: 0) == 0)
        #expect(files.removeLeftovers(changedBefore: .max) == leftovers.count)
        for name in leftovers {
            #expect(throws: StorageError.self) { try files.read("\(scratch.path)/\(name)", limitBytes: 1) }
        }
        for name in others { #expect(try files.read("\(scratch.path)/\(name)", limitBytes: 1) == [1]) }
        #expect(files.removeLeftovers(changedBefore: .max) == 0)
    }
}
