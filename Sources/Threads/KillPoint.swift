#if DEBUG
    internal import Glibc
    internal import Synchronization

    /// Kills this process without any clean-up when the place that the environment names is passed for the n-th time.
    ///
    /// `TSS_KILL_POINT=commit.uploaded:2` kills at the second pass of that place. Debug builds only: callers stand
    /// between `#if DEBUG` too, so that a release build does not even hold the names.
    public func killPoint(_ name: StaticString) {
        guard let wanted = KillPoint.wanted, wanted.name == "\(name)" else { return }
        if KillPoint.passes.add(1, ordering: .relaxed).newValue == wanted.pass {
            kill(getpid(), SIGKILL)
        }
    }

    private enum KillPoint {
        static let passes = Atomic<Int>(0)

        /// Read once: the environment of a running program does not change.
        static let wanted: (name: String, pass: Int)? = {
            guard let variable = getenv("TSS_KILL_POINT") else { return nil }
            let parts = String(cString: variable).split(separator: ":")
            guard let name = parts.first else { return nil }
            return (String(name), parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
        }()
    }
#endif
