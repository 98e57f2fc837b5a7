import CCurl

/// One request in libcurl's hands. Owned by the client's thread.
///
/// libcurl keeps unretained pointers to it and to its error buffer until the handle is freed, in `deinit`.
final class Transfer {
    let easy: UnsafeMutableRawPointer
    let pending: PendingTransfer
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>
    private var body: [UInt8] = []
    private var headers: [(name: String, value: String)] = []
    private var isTooLarge = false

    var key: UInt { UInt(bitPattern: easy) }

    init(_ pending: PendingTransfer, _ options: HTTPClientOptions) throws(HTTPError) {
        guard let easy = curl_easy_init() else {
            throw Self.error(pending.request, .system, "libcurl has no memory")
        }
        self.easy = easy
        self.pending = pending
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try prepare(options)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    private func prepare(_ options: HTTPClientOptions) throws(HTTPError) {
        let request = pending.request
        _ = tss_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
        // Threads: time-outs must not come as SIGALRM.
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        guard set(CURLOPT_URL, request.url) else { throw Self.error(request, .invalidRequest, "the URL is not valid") }
        if Self.isThisMachine(request.url) { set(CURLOPT_PROXY, "") }
        set(CURLOPT_USERAGENT, options.userAgent)
        set(CURLOPT_TIMEOUT_MS, Self.milliseconds(request.deadline))
        set(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.connectDeadline))
        let version = request.isHTTP1Only ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS
        set(CURLOPT_HTTP_VERSION, Int(version))
        set(CURLOPT_PIPEWAIT, 1)
        set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
        // What the server announces; what it sends is counted as it comes.
        _ = tss_curl_set_size(easy, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(request.maxResponseBytes))
        prepareTLS(options)
        prepareBody(request)
        try prepareHeaders(request)
        prepareCallbacks()
    }

    private func prepareTLS(_ options: HTTPClientOptions) {
        if let path = options.certificateAuthorityPath {
            set(CURLOPT_CAINFO, path)
            // Debian's default folder would stay trusted beside it.
            _ = tss_curl_set_text(easy, CURLOPT_CAPATH, nil)
        }
        if let path = options.certificatePath { set(CURLOPT_SSLCERT, path) }
        if let path = options.keyPath { set(CURLOPT_SSLKEY, path) }
    }

    private func prepareBody(_ request: ClientRequest) {
        if request.method == "HEAD" { set(CURLOPT_NOBODY, 1) }
        if let body = request.body {
            // The size first: the copy takes that many bytes, zeros among them.
            _ = tss_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            body.withUnsafeBytes { bytes in
                let start = bytes.baseAddress.map { $0.assumingMemoryBound(to: CChar.self) }
                _ = tss_curl_set_text(easy, CURLOPT_COPYPOSTFIELDS, start)
            }
            if body.isEmpty { set(CURLOPT_COPYPOSTFIELDS, "") }
        }
        if request.method != "GET" && request.method != "HEAD" { set(CURLOPT_CUSTOMREQUEST, request.method) }
    }

    private func prepareHeaders(_ request: ClientRequest) throws(HTTPError) {
        // Without this libcurl waits a second for `100 Continue` before a body of more than 1 MiB.
        var lines = ["Expect:"]
        for (name, value) in request.headers {
            let isClean = !(name + value).utf8.contains { $0 == 10 || $0 == 13 || $0 == 0 }
            guard isClean, !name.isEmpty else {
                throw Self.error(request, .invalidRequest, "header \(name) holds a line break")
            }
            // `name;` is libcurl's way of sending a header without a value.
            lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        for line in lines { headerList = curl_slist_append(headerList, line) }
        _ = tss_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headerList)
    }

    private func prepareCallbacks() {
        let owner = Unmanaged.passUnretained(self).toOpaque()
        _ = tss_curl_set_pointer(easy, CURLOPT_WRITEDATA, owner)
        _ = tss_curl_set_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, _, count, owner in
            guard let owner, let bytes else { return 0 }
            let transfer = Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
            return transfer.take(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
        }
        _ = tss_curl_set_pointer(easy, CURLOPT_HEADERDATA, owner)
        _ = tss_curl_set_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, _, count, owner in
            guard let owner, let bytes else { return 0 }
            let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
            Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue().take(header: line)
            return count
        }
    }

    /// - Returns: False ends the transfer.
    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // Decompressed bytes: a bomb stops here.
        guard body.count + bytes.count <= pending.request.maxResponseBytes else {
            isTooLarge = true
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    private func take(header line: String) {
        // A status line starts an answer, after `100 Continue` or a proxy's another one.
        if line.hasPrefix("HTTP/") {
            headers = []
            return
        }
        let fields = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard fields.count == 2 else { return }
        let value = fields[1].drop { $0 == " " }
        headers.append((name: String(fields[0]), value: String(value.prefix { !$0.isNewline })))
    }

    func result(_ code: CURLcode) -> Result<ClientResponse, HTTPError> {
        guard code == CURLE_OK else { return .failure(failure(code)) }
        var status = 0
        _ = tss_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return .success(ClientResponse(status: status, headers: headers, body: body))
    }

    private func failure(_ code: CURLcode) -> HTTPError {
        let request = pending.request
        if isTooLarge || code == CURLE_FILESIZE_EXCEEDED {
            return Self.error(request, .tooLarge, "answer of more than \(request.maxResponseBytes) bytes")
        }
        var text = String(cString: errorText)
        if text.isEmpty { text = String(cString: curl_easy_strerror(code)) }
        return Self.error(request, Self.kind(code), text)
    }

    private static func kind(_ code: CURLcode) -> HTTPError.Code {
        switch code {
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT: .invalidRequest
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
        case CURLE_COULDNT_CONNECT: .connect
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE:
            .tls
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2: .badResponse
        case CURLE_OUT_OF_MEMORY: .system
        default: .broken
        }
    }

    static func error(_ request: ClientRequest, _ code: HTTPError.Code, _ text: String) -> HTTPError {
        HTTPError(code: code, message: "\(request.method) \(request.url): \(text)")
    }

    /// Loopback: a proxy of the environment is not meant for it.
    private static func isThisMachine(_ text: String) -> Bool {
        guard let url = curl_url() else { return false }
        defer { curl_url_cleanup(url) }
        guard curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK else { return false }
        var part: UnsafeMutablePointer<CChar>?
        guard curl_url_get(url, CURLUPART_HOST, &part, 0) == CURLUE_OK, let part else { return false }
        defer { curl_free(part) }
        let host = String(cString: part).lowercased()
        return host == "localhost" || host == "[::1]" || host.hasPrefix("127.")
    }

    /// 0 would be no limit at all.
    private static func milliseconds(_ duration: Duration) -> Int {
        max(1, Int(duration.components.seconds) * 1000 + Int(duration.components.attoseconds / 1_000_000_000_000_000))
    }

    private func set(_ option: CURLoption, _ value: Int) {
        _ = tss_curl_set_long(easy, option, value)
    }

    @discardableResult
    private func set(_ option: CURLoption, _ value: String) -> Bool {
        tss_curl_set_text(easy, option, value) == CURLE_OK
    }
}
