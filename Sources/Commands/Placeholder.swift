public func run() -> Never { fatalError("not built yet") }
