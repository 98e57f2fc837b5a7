internal import CCurl
internal import Glibc
internal import Threads

/// One request under way.
///
/// Sendable: made by the caller, touched by the client's thread alone from then on. libcurl's callbacks
/// get an unretained pointer to it; the loop's table keeps it alive until its handle was removed.
final class Transfer: @unchecked Sendable {
    typealias Completion = @Sendable (Result<HTTPResponse, HTTPClientError>) -> Void

    let request: HTTPRequest
    let handle: UnsafeMutableRawPointer
    private let completion: Completion
    private var headerList: UnsafeMutablePointer<curl_slist>?
    // Written by libcurl until the handle is freed.
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers: [(name: String, value: String)] = []
    private var body: [UInt8] = []
    private var isTooLarge = false

    init?(_ request: HTTPRequest, completion: @escaping Completion) {
        guard let handle = curl_easy_init() else { return nil }
        self.request = request
        self.handle = handle
        self.completion = completion
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    /// Hands the request to libcurl.
    ///
    /// - Parameter options: Where certificates are.
    func prepare(_ options: HTTPClientOptions) {
        let me = Unmanaged.passUnretained(self).toOpaque()
        tss_curl_set_pointer(handle, CURLOPT_PRIVATE, me)
        tss_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        // Without it libcurl may raise SIGALRM in a program with threads.
        tss_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        tss_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        tss_curl_set_text(handle, CURLOPT_URL, request.url)
        if Self.isThisMachine(request.url) { tss_curl_set_text(handle, CURLOPT_PROXY, "") }
        // What the server announces; what it sends is counted as it comes.
        tss_curl_set_size(handle, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(request.responseLimitBytes))
        tss_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Self.milliseconds(request.timeout))
        tss_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.connectTimeout))
        tss_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
        tss_curl_set_long(handle, CURLOPT_PIPEWAIT, 1)
        tss_curl_set_text(handle, CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
        tss_curl_set_text(handle, CURLOPT_USERAGENT, options.userAgent)
        if let path = options.certificateAuthorityPath {
            tss_curl_set_text(handle, CURLOPT_CAINFO, path)
            // The system's folder of certificates would stay trusted beside it.
            tss_curl_set_text(handle, CURLOPT_CAPATH, nil)
        }
        if let path = options.certificatePath { tss_curl_set_text(handle, CURLOPT_SSLCERT, path) }
        if let path = options.keyPath { tss_curl_set_text(handle, CURLOPT_SSLKEY, path) }
        prepareBody()
        prepareHeaders()
        prepareCallbacks(context: me)
    }

    private func prepareBody() {
        if request.method == "HEAD" {
            tss_curl_set_long(handle, CURLOPT_NOBODY, 1)
        } else if let body = request.body {
            tss_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            body.withUnsafeBytes { bytes in
                // libcurl copies; it must be a non-null address even for an empty body.
                var none: UInt8 = 0
                if let address = bytes.baseAddress {
                    tss_curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: address))
                } else {
                    tss_curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, &none)
                }
            }
            tss_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, request.method)
        } else {
            tss_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, request.method)
        }
    }

    private func prepareHeaders() {
        // Without "Expect:" libcurl waits up to a second for a 100 before larger bodies.
        headerList = curl_slist_append(headerList, "Expect:")
        for (name, value) in request.headers {
            // "Name;" is libcurl's way to send a header without a value.
            headerList = curl_slist_append(headerList, value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        tss_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList)
    }

    private func prepareCallbacks(context: UnsafeMutableRawPointer) {
        tss_curl_set_callback(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
            return transfer.take(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
        }
        tss_curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        tss_curl_set_callback(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
            transfer.takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
            return size * count
        }
        tss_curl_set_pointer(handle, CURLOPT_HEADERDATA, context)
    }

    /// False stops the transfer.
    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard body.count + bytes.count <= request.responseLimitBytes else {
            isTooLarge = true
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    private func takeHeader(_ bytes: UnsafeRawBufferPointer) {
        let line = String(decoding: bytes, as: UTF8.self).filter { $0 != "\r\n" && $0 != "\n" && $0 != "\r" }
        if line.hasPrefix("HTTP/") {
            headers = []
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            headers.append((String(line[..<colon]), String(value)))
        }
    }

    /// Tells the caller how it ended.
    func finish(_ code: CURLcode) {
        guard code == CURLE_OK else {
            var text = String(cString: errorText)
            if text.isEmpty { text = String(cString: curl_easy_strerror(code)) }
            let isTooLarge = isTooLarge || code == CURLE_FILESIZE_EXCEEDED
            if isTooLarge { text = "the answer is larger than \(request.responseLimitBytes) bytes" }
            fail(isTooLarge ? .tooLarge : Self.meaning(of: code), text)
            return
        }
        var status = 0
        tss_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        completion(.success(HTTPResponse(status: status, headers: headers, body: body)))
    }

    func fail(_ code: HTTPClientError.Code, _ text: String) {
        completion(.failure(HTTPClientError(code: code, message: "\(request.method) \(request.url): \(text)")))
    }

    private static func meaning(of code: CURLcode) -> HTTPClientError.Code {
        switch code {
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .notConnected
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
            .notTrusted
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_READ_ERROR: .invalid
        default: .interrupted
        }
    }

    /// Why the request must not be sent: a line break in a header would start another one.
    var mistake: String? {
        for (name, value) in request.headers {
            let isClean = !(name + value).utf8.contains { $0 == 10 || $0 == 13 || $0 == 0 }
            if name.isEmpty || !isClean { return "header \"\(name)\" is empty or holds a line break" }
        }
        return nil
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

    /// At least 1: 0 would mean no limit.
    private static func milliseconds(_ duration: Duration) -> Int {
        max(1, Int(duration.wholeMilliseconds))
    }
}
