// What Swift cannot import of libmicrohttpd: variadic functions, and unions behind them. Header only.
#ifndef TSS_CMICROHTTPD_H
#define TSS_CMICROHTTPD_H
#include <sys/types.h>
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

// Every option goes through the array, which the caller ends with MHD_OPTION_END.
static inline struct MHD_Daemon *tss_mhd_start(
    unsigned int flags, MHD_AccessHandlerCallback handler, void *owner, const struct MHD_OptionItem *options) {
    return MHD_start_daemon(flags, 0, NULL, NULL, handler, owner, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

// -1 when there is none.
static inline int tss_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

// The client's address without its port; empty when it is neither IPv4 nor IPv6.
static inline void tss_mhd_peer(struct MHD_Connection *connection, char *text, socklen_t capacity) {
    text[0] = 0;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) return;
    const struct sockaddr *address = info->client_addr;
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, capacity);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, capacity);
}
#endif
