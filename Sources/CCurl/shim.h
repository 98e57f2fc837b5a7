// libcurl's setters and getters are variadic, which Swift does not import: one typed function for each kind of
// argument. Header only.
#ifndef TSS_CCURL_H
#define TSS_CCURL_H
#include <curl/curl.h>

typedef size_t (*tss_curl_callback)(char *bytes, size_t size, size_t count, void *owner);

static inline CURLcode tss_curl_init(void) { return curl_global_init(CURL_GLOBAL_ALL); }
static inline CURLcode tss_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tss_curl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
// Copied by libcurl, COPYPOSTFIELDS included when POSTFIELDSIZE was set before.
static inline CURLcode tss_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
// Kept by libcurl.
static inline CURLcode tss_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tss_curl_set_callback(CURL *easy, CURLoption option, tss_curl_callback value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tss_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode tss_curl_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode tss_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
#endif
