import Glibc
import Testing
import Threads
import Workers

/// Starts real children; the launcher's thread is theirs, so the suite runs alone.
@Suite(.serialized) struct ProcessLauncherTests {
    private func withLauncher<Result>(_ body: (ProcessLauncher) throws -> Result) throws -> Result {
        let launcher = try ProcessLauncher()
        defer { launcher.stop() }
        return try body(launcher)
    }

    /// Runs a shell script, with what it writes to descriptor 3 as the result.
    private func output(of script: String, change: (inout ChildCommand) -> Void = { _ in }) throws -> String {
        try withLauncher { launcher in
            var ends: [Int32] = [-1, -1]
            #expect(pipe(&ends) == 0)
            var command = ChildCommand(path: "/bin/sh")
            command.arguments = ["-c", script]
            command.environment = ["PATH": "/usr/bin:/bin"]
            command.channel = ends[1]
            change(&command)
            let child = try launcher.launch(command)
            close(ends[1])
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = buffer.withUnsafeMutableBytes { read(ends[0], $0.baseAddress, $0.count) }
                guard count > 0 else { break }
                text += buffer[..<count]
            }
            close(ends[0])
            #expect(child.wait() != nil)
            return String(decoding: text, as: UTF8.self)
        }
    }

    @Test func `a child ends with its own exit code`() throws {
        try withLauncher { launcher in
            var command = ChildCommand(path: "/bin/sh")
            command.arguments = ["-c", "exit 7"]
            let child = try launcher.launch(command)
            #expect(child.wait() == .exited(code: 7))
        }
    }

    @Test func `waiting with a limit answers nil while the child runs, and killing reaps it`() throws {
        try withLauncher { launcher in
            var command = ChildCommand(path: "/bin/sh")
            command.arguments = ["-c", "sleep 60"]
            let child = try launcher.launch(command)
            #expect(child.wait(milliseconds: 20) == nil)
            #expect(child.kill() == .signalled(SIGKILL))
            #expect(child.wait() == .signalled(SIGKILL))
        }
    }

    @Test func `killing a child kills what it started`() throws {
        try withLauncher { launcher in
            var ends: [Int32] = [-1, -1]
            #expect(pipe(&ends) == 0)
            var command = ChildCommand(path: "/bin/sh")
            // The grandchild keeps the pipe open for as long as it lives.
            command.arguments = ["-c", "sleep 60 & echo ready >&3; wait"]
            command.environment = ["PATH": "/usr/bin:/bin"]
            command.channel = ends[1]
            let child = try launcher.launch(command)
            close(ends[1])
            var buffer = [UInt8](repeating: 0, count: 16)
            #expect(buffer.withUnsafeMutableBytes { read(ends[0], $0.baseAddress, $0.count) } == 6)
            child.kill()
            #expect(buffer.withUnsafeMutableBytes { read(ends[0], $0.baseAddress, $0.count) } == 0)
            close(ends[0])
        }
    }

    @Test func `a program that is not there is an error that names it`() throws {
        let launcher = try ProcessLauncher()
        defer { launcher.stop() }
        let error = #expect(throws: WorkerError.self) {
            try launcher.launch(ChildCommand(path: "/nonexistent/program"))
        }
        #expect(error?.errorNumber == ENOENT)
        #expect(error?.message.contains("/nonexistent/program") == true)
    }

    @Test func `the child has the environment it was given and no other`() throws {
        setenv("TSS_TEST_LEAK", "leak", 1)
        let text = try output(of: "env >&3") { $0.environment = ["ONLY": "this", "PATH": "/usr/bin:/bin"] }
        let names = Set(text.split(separator: "\n").compactMap { $0.split(separator: "=").first })
        #expect(names.isSubset(of: ["ONLY", "PATH", "PWD", "SHLVL", "_", "OLDPWD"]))
        #expect(text.contains("ONLY=this"))
    }

    @Test func `no descriptor of ours reaches the child but its channel`() throws {
        let leaked = open("/dev/null", O_RDONLY)
        #expect(leaked >= 0)
        defer { close(leaked) }
        let text = try output(of: "ls /proc/self/fd >&3")
        // 0-3 and the one by which ls reads the folder.
        #expect(text.split(separator: "\n").count <= 5)
    }

    @Test func `the address limit holds`() throws {
        let text = try output(of: "ulimit -v >&3") { $0.addressLimitBytes = 512 << 20 }
        #expect(text == "524288\n")
    }

    @Test func `a child leads a process group of its own`() throws {
        let text = try output(of: "cut -d' ' -f1,5 /proc/$$/stat >&3")
        let numbers = text.split(whereSeparator: \.isWhitespace)
        #expect(numbers.count == 2 && numbers[0] == numbers[1])
    }

    @Test func `a child dies with the launcher's thread, and one that must not does not`() throws {
        let launcher = try ProcessLauncher()
        var command = ChildCommand(path: "/bin/sleep")
        command.arguments = ["60"]
        let bound = try launcher.launch(command)
        command.endsWithUs = false
        let free = try launcher.launch(command)
        launcher.stop()
        #expect(bound.wait(milliseconds: 5_000) == .signalled(SIGKILL))
        #expect(free.wait(milliseconds: 50) == nil)
        free.kill()
    }

    @Test func `a stopped launcher refuses`() throws {
        let launcher = try ProcessLauncher()
        launcher.stop()
        #expect(throws: WorkerError.self) { try launcher.launch(ChildCommand(path: "/bin/true")) }
    }

    @Test func `a scratch folder is emptied, and links out of it are not followed`() throws {
        let base = "/tmp/tss-scratch-\(getpid())"
        let outside = base + "-outside"
        let folder = ScratchFolder(path: base + "/a/b")
        try folder.reset()
        mkdir(outside, 0o700)
        close(open(outside + "/kept", O_CREAT | O_WRONLY, 0o600))
        symlink(outside, folder.path + "/link")
        mkdir(folder.path + "/deep", 0o700)
        close(open(folder.path + "/deep/file", O_CREAT | O_WRONLY, 0o600))
        try folder.reset()
        #expect(access(folder.path + "/deep", F_OK) != 0)
        #expect(access(folder.path + "/link", F_OK) != 0)
        #expect(access(outside + "/kept", F_OK) == 0)
        ScratchFolder(path: base).remove()
        ScratchFolder(path: outside).remove()
        #expect(access(base, F_OK) != 0)
    }
}
