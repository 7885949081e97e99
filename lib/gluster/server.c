/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gluster/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* RFC 5531: record mark, then the call: xid, CALL, RPC version, program, version, procedure,
 * credentials and verifier of flavour AUTH_NONE and length 0; then the argument, 64 bits. */
#define RECORD_LAST  0x80000000U
#define RPC_CALL     0U
#define RPC_VERSION  2U
#define DUMP_PROGRAM 123451501U
#define DUMP_VERSION 1U
#define DUMP_DUMP    1U

/* 0: ready. Otherwise an errno value. */
static int wait_for(int fd, short events, struct ra_deadline deadline)
{
    struct pollfd ready = { .fd = fd, .events = events };
    int count;

    do {
        count = poll(&ready, 1, ra_deadline_remaining_int_ms(deadline));
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno;
    return count == 0 ? ETIMEDOUT : 0;
}

static int connect_to(const struct addrinfo *address, struct ra_deadline deadline, int *ret_fd)
{
    ra_auto_close int fd =
        socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = sizeof(int);
    int failed = 0;

    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            return errno;
        failed = wait_for(fd, POLLOUT, deadline);
        if (failed == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0)
            failed = errno;
        if (failed != 0)
            return failed;
    }
    *ret_fd = ra_steal_fd(&fd);
    return 0;
}

static int ask(int fd, struct ra_deadline deadline)
{
    const uint32_t call[] = { htonl(RPC_CALL),
                              htonl(RPC_CALL),
                              htonl(RPC_VERSION),
                              htonl(DUMP_PROGRAM),
                              htonl(DUMP_VERSION),
                              htonl(DUMP_DUMP),
                              0,
                              0,
                              0,
                              0,
                              0,
                              0 };
    uint32_t record[1 + sizeof(call) / sizeof(call[0])];
    char reply[64];
    int failed;

    record[0] = htonl(RECORD_LAST | (uint32_t)sizeof(call));
    memcpy(record + 1, call, sizeof(call));
    if (send(fd, record, sizeof(record), MSG_NOSIGNAL) != (ssize_t)sizeof(record))
        return errno;
    failed = wait_for(fd, POLLIN, deadline);
    if (failed != 0)
        return failed;
    return recv(fd, reply, sizeof(reply), 0) >= 0 ? 0 : errno;
}

int ra_gluster_server_ping(const char *host, int port, struct ra_deadline deadline,
                           struct ra_error *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *addresses = NULL;
    char service[16];
    int failed, fd = -1;

    (void)snprintf(service, sizeof(service), "%d", port != 0 ? port : RA_GLUSTER_PORT);
    failed = getaddrinfo(host, service, &hints, &addresses);
    if (failed != 0)
        return ra_error_set(err, RA_ERROR_UNREACHABLE, "%s", gai_strerror(failed));
    failed = ECONNREFUSED;
    for (const struct addrinfo *address = addresses; address != NULL && fd < 0;
         address = address->ai_next)
        failed = connect_to(address, deadline, &fd);
    freeaddrinfo(addresses);
    if (fd < 0)
        return ra_error_set(err, RA_ERROR_UNREACHABLE, "%s", strerror(failed));
    failed = ask(fd, deadline);
    (void)close(fd);
    if (failed == ETIMEDOUT)
        return ra_error_set(err, RA_ERROR_TIMEOUT,
                            "glusterd accepts connections but does not "
                            "answer");
    /* A reset is a glusterd too: it does not like to be asked without TLS. */
    if (failed != 0 && failed != ECONNRESET)
        return ra_error_set(err, RA_ERROR_UNREACHABLE, "%s", strerror(failed));
    return 0;
}
