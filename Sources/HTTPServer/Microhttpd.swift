import CMicrohttpd
import Glibc

/// Calls into libmicrohttpd with Swift's types.
enum Microhttpd {
    /// All headers of the request.
    static func headers(_ connection: OpaquePointer) -> HTTPHeaders {
        var headers = HTTPHeaders()
        withUnsafeMutablePointer(to: &headers) { headers in
            _ = MHD_get_connection_values(
                connection, .HEADER_KIND,
                { target, _, name, value in
                    guard let target, let name else { return .YES }
                    target.assumingMemoryBound(to: HTTPHeaders.self).pointee
                        .add(String(cString: name), value.map { String(cString: $0) } ?? "")
                    return .YES
                }, headers)
        }
        return headers
    }

    static func peer(_ connection: OpaquePointer) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            tss_mhd_peer(connection, text.baseAddress, socklen_t(text.count))
            return String(cString: text.baseAddress!)
        }
    }

    static func queue(_ response: HTTPResponse, on connection: OpaquePointer, closes: Bool) -> MHD_Result {
        // Copied by the library, which frees its copy with the response.
        let made = response.body.withUnsafeBytes { body in
            MHD_create_response_from_buffer(
                body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
        }
        guard let made else { return .NO }
        defer { MHD_destroy_response(made) }
        for (name, value) in response.headers.fields { MHD_add_response_header(made, name, value) }
        if closes { MHD_add_response_header(made, "Connection", "close") }
        return MHD_queue_response(connection, UInt32(response.status), made)
    }

    /// Reads the request line's target; what it returns comes back as the slot of the handler.
    static let target:
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?
        ) -> UnsafeMutableRawPointer? = { owner, target, connection in
            guard let owner, let target, let connection else { return nil }
            let core = Unmanaged<ServerCore>.fromOpaque(owner).takeUnretainedValue()
            core.table.mark(UInt(bitPattern: connection), .receiving)
            let exchange = Exchange(core, connection, target: String(cString: target))
            // Released by `completed`.
            return Unmanaged.passRetained(exchange).toOpaque()
        }

    /// Called with the headers, with each chunk, and with nothing at the end.
    static let handler: MHD_AccessHandlerCallback = { _, _, _, method, _, bytes, count, slot in
        guard let raw = slot?.pointee, let method, let count else { return .NO }
        let exchange = Unmanaged<Exchange>.fromOpaque(raw).takeUnretainedValue()
        guard exchange.hasBegun else { return exchange.begin(method: String(cString: method)) }
        guard count.pointee > 0, let bytes else { return exchange.end() }
        let chunk = UnsafeRawBufferPointer(start: bytes, count: count.pointee)
        count.pointee = 0
        return exchange.take(chunk)
    }

    static let completed:
        @convention(c) (
            UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
            MHD_RequestTerminationCode
        ) -> Void = { owner, connection, slot, _ in
            guard let owner, let connection, let raw = slot?.pointee else { return }
            slot?.pointee = nil
            Unmanaged<ServerCore>.fromOpaque(owner).takeUnretainedValue()
                .table.mark(UInt(bitPattern: connection), .idle)
            Unmanaged<Exchange>.fromOpaque(raw).release()
        }

    static let connected:
        @convention(c) (
            UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
            MHD_ConnectionNotificationCode
        ) -> Void = { owner, connection, _, code in
            guard let owner, let connection else { return }
            let table = Unmanaged<ServerCore>.fromOpaque(owner).takeUnretainedValue().table
            let key = UInt(bitPattern: connection)
            if code == .CONNECTION_NOTIFY_STARTED {
                table.open(key, socket: tss_mhd_socket(connection))
            } else {
                table.close(key)
            }
        }

    /// - Parameter owner: A `ServerCore` that outlives the daemon.
    static func start(_ options: HTTPServerOptions, listener: Int32, owner: UnsafeMutableRawPointer) -> OpaquePointer? {
        var items: [MHD_OptionItem] = []
        func add(_ option: MHD_OPTION, _ value: Int, _ pointer: UnsafeMutableRawPointer? = nil) {
            items.append(MHD_OptionItem(option: option, value: value, ptr_value: pointer))
        }
        add(.URI_LOG_CALLBACK, Int(bitPattern: unsafeBitCast(target, to: UnsafeRawPointer.self)), owner)
        add(.NOTIFY_COMPLETED, Int(bitPattern: unsafeBitCast(completed, to: UnsafeRawPointer.self)), owner)
        add(.NOTIFY_CONNECTION, Int(bitPattern: unsafeBitCast(connected, to: UnsafeRawPointer.self)), owner)
        add(.LISTEN_SOCKET, Int(listener))
        if options.threads > 1 { add(.THREAD_POOL_SIZE, options.threads) }
        add(.CONNECTION_LIMIT, max(options.maxConnections, options.threads))
        if options.maxConnectionsPerAddress > 0 { add(.PER_IP_CONNECTION_LIMIT, options.maxConnectionsPerAddress) }
        add(.CONNECTION_TIMEOUT, max(1, Int(options.inactivityTimeout.components.seconds)))
        add(.CONNECTION_MEMORY_LIMIT, options.connectionMemoryBytes)
        add(.STRICT_FOR_CLIENT, 1)
        add(.END, 0)
        let flags =
            MHD_USE_EPOLL_INTERNAL_THREAD.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue | MHD_USE_TURBO.rawValue
        return tss_mhd_start(flags, handler, owner, items)
    }
}
