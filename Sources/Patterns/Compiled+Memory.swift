internal import CRE2

/// Owns what RE2 compiled, and frees it.
// It never changes after `init`, and RE2 lets any number of threads match at once.
final class CompiledPattern: @unchecked Sendable {
    private let handle: OpaquePointer

    init(_ text: [UInt8], memoryLimitBytes: Int64) throws(PatternError) {
        var code = CRE2_OK
        var message = [CChar](repeating: 0, count: 256)
        let handle = text.withUnsafeBytes { bytes in
            cre2_pattern_new(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, memoryLimitBytes, &code, &message,
                message.count)
        }
        guard let handle else {
            let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw PatternError(reason: code == CRE2_TOO_LARGE ? .tooLarge : .invalid, message: text)
        }
        self.handle = handle
    }

    deinit { cre2_pattern_free(handle) }

    var reference: PatternReference { PatternReference(handle: handle) }
}

/// A pattern to match with, which somebody else keeps alive.
// A pointer to what never changes: see `CompiledPattern`.
public struct PatternReference: @unchecked Sendable {
    fileprivate let handle: OpaquePointer

    /// Whether the expression matches somewhere in the bytes `start ..< end`.
    public func matches(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        bytes.extracting(start..<end).withUnsafeBytes { text in
            cre2_pattern_matches(handle, text.baseAddress, text.count)
        }
    }
}

/// Owns the automaton for several patterns, and frees it.
// It never changes after `init` but for an atomic counter, and RE2 lets any number of threads match at once.
final class CompiledSet: @unchecked Sendable {
    private let handle: OpaquePointer

    /// nil when the set takes more than its memory.
    init?(_ patterns: [Pattern], memoryLimitBytes: Int64) {
        guard let handle = cre2_set_new(memoryLimitBytes) else { return nil }
        self.handle = handle
        for pattern in patterns {
            // A pattern has passed this before.
            guard let text = try? PatternText.forRE2(pattern.text) else { return nil }
            let isAdded = text.withUnsafeBytes { bytes in
                cre2_set_add(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            guard isAdded else { return nil }
        }
        guard cre2_set_compile(handle) else { return nil }
    }

    deinit { cre2_set_free(handle) }

    var exhaustedCount: UInt64 { cre2_set_exhausted_count(handle) }

    var reference: PatternSetReference { PatternSetReference(handle: handle) }
}

/// A set to match with, which somebody else keeps alive.
// A pointer to what never changes but for an atomic counter: see `CompiledSet`.
public struct PatternSetReference: @unchecked Sendable {
    fileprivate let handle: OpaquePointer

    /// Whether some pattern may match in the bytes `start ..< end`; when false, none does.
    public func mayMatch(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        bytes.extracting(start..<end).withUnsafeBytes { text in
            cre2_set_matches(handle, text.baseAddress, text.count) != CRE2_NONE
        }
    }
}
