import Testing

/// A checker that cannot fail is worth nothing: each is shown what it must find, and what it must let pass.
@Suite struct CheckerTests {
    func lines(_ check: (SourceText) -> [Finding], _ text: String) -> [Int] {
        check(SourceText(path: "Sources/M/F.swift", text: text)).map(\.line)
    }

    @Test func `code is what is left without comments and literals`() {
        let cases: [(String, String)] = [
            ("a // b", "a     "),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"await \\(g(\"x\", y)) z\") // w", "f(\"        g(\" \", y)   \")     "),
            ("#\"a\"b\"# c", " \"    \" c"),
            ("\"\"\"\nactor\n\"\"\"", "\"  \n     \n  \""),
            ("\"\\\\\" a", "\"  \" a"),
            ("\"\\\"\" a", "\"  \" a"),
        ]
        for (source, code) in cases { #expect(CodeOnly.text(of: source) == code, "\(source)") }
    }

    @Test func `a line of 121 characters is found, one of 120 is not`() {
        #expect(lines(Checkers.lineLength, String(repeating: "a", count: 120)) == [])
        #expect(lines(Checkers.lineLength, "\n" + String(repeating: "a", count: 121)) == [2])
    }

    @Test func `a file of 801 lines is found, one of 800 is not`() {
        #expect(lines(Checkers.fileLength, String(repeating: "\n", count: 800)) == [])
        #expect(lines(Checkers.fileLength, String(repeating: "\n", count: 801)) == [801])
    }

    @Test(arguments: [
        ("func f()", "{"), ("public mutating func f() -> Int", "{"), ("init(", "a: Int) {"),
        ("@Test func `a b`()", "{"),
        ("func f<T>(_ x: T)", "where T: Equatable {"), ("static func f(_ g: () -> Void = { }) -> [Int]", "{"),
    ])
    func `a function of 71 lines is found, one of 70 is not`(first: String, second: String) {
        let long = [first, second] + Array(repeating: "    if a { b() }", count: 68) + ["}", "func g() {}"]
        let short = [first, second] + Array(repeating: "    if a { b() }", count: 67) + ["}", "func g() {}"]
        #expect(lines(Checkers.functionLength, long.joined(separator: "\n")) == [1])
        #expect(lines(Checkers.functionLength, short.joined(separator: "\n")) == [])
    }

    @Test func `a requirement of a protocol has no body`() {
        let body = Array(repeating: "    var a: Int { 0 }", count: 80)
        let text = ["protocol P {", "    func f()", "    init(a: Int) throws(E)", "}", "struct S {"] + body + ["}"]
        #expect(lines(Checkers.functionLength, text.joined(separator: "\n")) == [])
    }

    @Test func `unfinished work is found in comments and in code`() {
        let mark = "TO" + "DO"
        #expect(lines(Checkers.unfinished, "a\n// \(mark): later\n\(mark)s\nFIX" + "ME") == [2, 4])
    }

    @Test func `a path of one machine is found`() {
        #expect(lines(Checkers.machinePaths, "a\n// see /ho" + "me/me/x\n/var/lib/tss") == [2])
    }

    @Test(arguments: [
        "func f() async {", "let x = await g()", "actor A {", "Task { g() }", "Task.detached { }",
        "@MainActor func f()",
        "withTaskGroup(of: Int.self) { _ in TaskGroup<Int>() }", "let m = Mutex(0)",
    ])
    func `Swift's concurrency is found`(text: String) {
        #expect(lines(Checkers.concurrency, "\n" + text) == [2])
    }

    @Test(arguments: ["// await", "let s = \"async\"", "let asyncronous = 1", "let factor = 2", "struct TaskName {}"])
    func `words that only look like it pass`(text: String) {
        #expect(lines(Checkers.concurrency, text) == [])
    }

    @Test(arguments: [
        "let c = ContinuousClock()", "print(a)", "let l = Lock(0)", "pthread_mutex_lock(&m)", "let d = Date()",
        "Int.random(in: 0..<3)", "let t = Thread { }", "clock_gettime(CLOCK_MONOTONIC, &t)", "a.shuffled()",
    ])
    func `the world in the engine is found`(text: String) {
        #expect(lines(Checkers.engineWords, text) == [1])
    }

    @Test(arguments: [
        "func blueprint() {}", "protocol Clock {}", "Int.random(in: 0..<3, using: &generator)", "// print(a)",
    ])
    func `what only looks like the world passes`(text: String) {
        #expect(lines(Checkers.engineWords, text) == [])
    }

    @Test(arguments: [
        "p: UnsafeRawPointer", "a.withUnsafeBytes { $0 }", "unsafeBitCast(a, to: Int.self)",
        "Unmanaged.passUnretained(a)",
        "var p: OpaquePointer?", "String(unsafeUninitializedCapacity: 1) { _ in 0 }",
    ])
    func `unsafe code is found`(text: String) {
        #expect(lines(Checkers.unsafeWords, text) == [1])
        #expect(lines(Checkers.unsafeWords, "// " + text) == [])
    }

    @Test func `a proof is a comment above, attributes between`() {
        #expect(lines(Checkers.sendability, "\nclass A: @unchecked Sendable {") == [2])
        #expect(lines(Checkers.sendability, "// Proof: immutable.\n@frozen\nclass A: @unchecked Sendable {") == [])
        #expect(lines(Checkers.sendability, "// Proof.\nnonisolated(unsafe) var a = 0") == [2])
    }

    @Test func `a kill point outside of a debug block is found`() {
        #expect(lines(Checkers.killPoints, "#if DEBUG\nkillPoint(\"a\")\n#endif\nkillPoint(\"b\")") == [4])
        #expect(lines(Checkers.killPoints, "#if DEBUG\n#else\nkillPoint(\"a\")\n#endif") == [3])
        #expect(lines(Checkers.killPoints, "#if DEBUG\n#if os(Linux)\nkillPoint(\"a\")\n#endif\n#endif") == [])
    }

    let manifest = Manifest(
        text: """
            let rows: [[Module]] = [
                // Engine: pure.
                [
                    Module(name: "A", uses: []),
                    Module(
                        name: "B",
                        uses: ["A"], native: ["CB"]),
                ],
                // Clients: one foreign thing each.
                [Module(name: "C", uses: ["A"], embeds: ["Worker/x.py"])],
            ]
            targets += [ tests("BTests", ["B"], resources: [.copy("Cases")]) ]
            .systemLibrary(name: "CB", pkgConfig: prefix + "b.pc"),
            func target(_ module: Module) -> Target { .target(name: module.name) }
            """)

    @Test func `the manifest's entries are read`() {
        #expect(manifest.dependencies == ["A": [], "B": ["A", "CB"], "C": ["A"], "BTests": ["B"], "CB": []])
        #expect(manifest.layers == ["A": .engine, "B": .engine, "C": .clients])
    }

    @Test(arguments: [
        ("A", "import B"), ("A", "public import Foundation"), ("B", "internal import C"), ("B", "import Glibc"),
        ("B", "@testable import BTests"), ("C", "import struct B.Thing"), ("C", "@_spi(X) import CB"),
        ("D", "let a = 1"),
    ])
    func `an import that the entry does not name is found`(module: String, text: String) {
        let file = SourceText(path: "Sources/\(module)/F.swift", text: text)
        #expect(Imports.findings(in: file, manifest: manifest).map(\.line) == [1])
    }

    @Test(arguments: [("B", "public import A"), ("B", "import CB"), ("C", "import Glibc"), ("B", "// import C")])
    func `an import that the entry names passes`(module: String, text: String) {
        let file = SourceText(path: "Sources/\(module)/F.swift", text: text)
        #expect(Imports.findings(in: file, manifest: manifest) == [])
    }

    @Test func `links to what is not there are found`() {
        let files = ["Documentation/A.md": "# Top\n## The clock's hand\n", "README.md": "", "Documentation": ""]
        func read(_ path: String) -> String? { files[path] }
        let text = """
            [a](A.md) [b](../README.md) [c](#the-clocks-hand) [d](https://example.org/x) [e](../Documentation)
            [f](B.md)
            [g](A.md#nothing)
            """
        let broken = Links.broken(
            inMarkdown: files["Documentation/A.md"]! + text, path: "Documentation/A.md", read: read)
        #expect(broken.map(\.line) == [4, 5])
        let source = """
            /// Documentation/A.md, "The clock" and Documentation/A.md.
            /// Documentation/A.md, "The hand" says so.
            /// `Documentation/C.md`
            """
        #expect(Links.broken(inSource: source, path: "F.swift", read: read).map(\.line) == [2, 3])
    }
}
