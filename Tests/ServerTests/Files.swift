import CSystem
import Glibc
import Testing

/// Runs one command line and collects what it prints.
func shell(_ command: String) throws -> (status: Int32, output: String) {
    let stream = try #require(popen(command, "r"))
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = fread(&chunk, 1, chunk.count, stream)
        if count == 0 { break }
        output += chunk[..<count]
    }
    let status = pclose(stream)
    return (tss_wait_exited(status) != 0 ? tss_wait_exit_status(status) : -1, String(decoding: output, as: UTF8.self))
}

/// Folder of the checkout, from this file's own place.
let checkout: String = {
    let parts = #filePath.split(separator: "/").dropLast(3)
    return "/" + parts.joined(separator: "/")
}()

func fileText(_ path: String) -> String? {
    guard let stream = fopen(path, "re") else { return nil }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&chunk, 1, chunk.count, stream)
        if count == 0 { break }
        bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// Holds a generated page against the file; with `UPDATE_DOCUMENTATION=1` in the environment writes it first.
func expectGenerated(_ path: String, _ text: String) throws {
    let full = "\(checkout)/\(path)"
    if getenv("UPDATE_DOCUMENTATION") != nil {
        let stream = try #require(fopen(full, "we"))
        fputs(text, stream)
        fclose(stream)
    }
    #expect(fileText(full) == text, "\(path) is out of date: run the tests with UPDATE_DOCUMENTATION=1")
}
