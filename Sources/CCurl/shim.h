// libcurl's option calls are variadic, which Swift does not import: one typed function for each kind of argument.
#ifndef TSS_CCURL_H
#define TSS_CCURL_H
#include <sys/types.h>
#include <curl/curl.h>

typedef size_t (*tss_curl_data_callback)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode tss_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode tss_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode tss_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode tss_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode tss_curl_set_callback(CURL *handle, CURLoption option, tss_curl_data_callback value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode tss_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode tss_curl_get_pointer(CURL *handle, CURLINFO info, void **value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLMcode tss_curl_multi_set_long(CURLM *handle, CURLMoption option, long value) {
    return curl_multi_setopt(handle, option, value);
}
#endif
