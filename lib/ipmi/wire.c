/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    PACKET_BYTES = 2048,
    ADDRESS_BYTES = 32,
    /* In an RMCP packet of class IPMI: 13.6. */
    AT_FORMAT = 4,
    AT_PAYLOAD = 5,
    AT_SESSION_ID = 6,
    /* In the messages that open a session: 13.17 to 13.23. */
    AT_TAG = 16,
    AT_STATUS = 17,
    AT_CONSOLE_ID = 20,
    AT_GUID = 40, /* in RAKP message 2, after the BMC's random number */
    FORMAT_2_0 = 0x06,
    PAYLOAD_MASK = 0x3f,
};

/* Payload types: IPMI 2.0, table 13-16. */
enum {
    PAYLOAD_IPMI = 0x00,
    PAYLOAD_OPEN_SESSION_REQUEST = 0x10,
    PAYLOAD_RAKP_1 = 0x12,
    PAYLOAD_RAKP_2 = 0x13,
    PAYLOAD_RAKP_3 = 0x14,
    NOT_2_0 = -1,
};

struct ra_ipmi_wire {
    int front; /* towards FreeIPMI, on the loopback interface */
    int back;  /* towards the BMC, connected */
    int stop;
    bool runs;
    pthread_t thread;
    char address[ADDRESS_BYTES];
    pthread_mutex_t lock; /* of what follows, which the thread writes */
    struct ra_ipmi_guid guid;
};

/* --- what may pass -----------------------------------------------------------------------------*/

static int payload_of(const unsigned char *packet, size_t bytes)
{
    if (bytes <= AT_PAYLOAD || packet[AT_FORMAT] != FORMAT_2_0)
        return NOT_2_0;
    return packet[AT_PAYLOAD] & PAYLOAD_MASK;
}

/* True if the reply is of the kind that answers the request. */
static bool kinds_match(int request, int reply)
{
    switch (request) {
    case PAYLOAD_OPEN_SESSION_REQUEST:
    case PAYLOAD_RAKP_1:
    case PAYLOAD_RAKP_3:
        return reply == request + 1;
    default:
        return reply == request;
    }
}

/* FNV-1a, 64 bits: two different answers among a few dozen do not meet by chance. */
static uint64_t digest(const unsigned char *bytes, size_t count)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The tag by which the messages that open a session are matched, -1 for other packets. */
static int tag_of(const unsigned char *packet, size_t bytes)
{
    int payload = payload_of(packet, bytes);

    if (payload < PAYLOAD_OPEN_SESSION_REQUEST || payload > PAYLOAD_RAKP_3 + 1 || bytes <= AT_TAG)
        return -1;
    return packet[AT_TAG];
}

void ra_ipmi_wire_note_request(struct ra_ipmi_wire_memory *memory, const unsigned char *request,
                               size_t request_bytes)
{
    memory->request_kind = payload_of(request, request_bytes);
    memory->request_tag = tag_of(request, request_bytes);
    memory->answered = false;
    if (memory->request_kind == PAYLOAD_OPEN_SESSION_REQUEST &&
        request_bytes >= AT_CONSOLE_ID + sizeof(memory->console_id))
        memcpy(memory->console_id, request + AT_CONSOLE_ID, sizeof(memory->console_id));
}

/* True if the answer to a message that opens a session may be ours. */
static bool is_for_us(const struct ra_ipmi_wire_memory *memory, const unsigned char *reply,
                      size_t reply_bytes)
{
    static const unsigned char outside_of_sessions[4];

    if (tag_of(reply, reply_bytes) != memory->request_tag ||
        memcmp(reply + AT_SESSION_ID, outside_of_sessions, sizeof(outside_of_sessions)) != 0)
        return false;
    /* A refusal may carry any session id. */
    return reply_bytes < AT_CONSOLE_ID + sizeof(memory->console_id) || reply[AT_STATUS] != 0 ||
           memcmp(reply + AT_CONSOLE_ID, memory->console_id, sizeof(memory->console_id)) == 0;
}

static void note_guid(struct ra_ipmi_wire_memory *memory, const unsigned char *reply,
                      size_t reply_bytes)
{
    if (payload_of(reply, reply_bytes) != PAYLOAD_RAKP_2 ||
        reply_bytes < AT_GUID + sizeof(memory->guid.bytes) || reply[AT_STATUS] != 0)
        return;
    memcpy(memory->guid.bytes, reply + AT_GUID, sizeof(memory->guid.bytes));
}

/*
 * While a session is opened, a request has one answer: a BMC that received the request twice
 * answers twice, and differently. Later, session and sequence numbers keep answers apart, so only
 * what is the same byte for byte is held back.
 */
bool ra_ipmi_wire_passes(struct ra_ipmi_wire_memory *memory, const unsigned char *reply,
                         size_t reply_bytes)
{
    uint64_t hash = digest(reply, reply_bytes);

    if (!kinds_match(memory->request_kind, payload_of(reply, reply_bytes)))
        return false;
    if (memory->request_tag >= 0 && (memory->answered || !is_for_us(memory, reply, reply_bytes)))
        return false;
    for (size_t i = 0; i < RA_IPMI_WIRE_RECENT; i++)
        if (memory->recent[i] == hash)
            return false;
    memory->recent[memory->next++ % RA_IPMI_WIRE_RECENT] = hash;
    memory->answered = true;
    note_guid(memory, reply, reply_bytes);
    return true;
}

/* --- the thread --------------------------------------------------------------------------------*/

struct traffic {
    bool begun;
    struct sockaddr_in console; /* FreeIPMI's socket */
    struct ra_ipmi_wire_memory memory;
};

static void pass_request(const struct ra_ipmi_wire *wire, struct traffic *traffic)
{
    unsigned char request[PACKET_BYTES];
    socklen_t length = sizeof(traffic->console);
    ssize_t count = recvfrom(wire->front, request, sizeof(request), 0,
                             (struct sockaddr *)&traffic->console, &length);

    if (count < 0)
        return;
    traffic->begun = true;
    ra_ipmi_wire_note_request(&traffic->memory, request, (size_t)count);
    /* A failure may be the network's word on the packet before; this one is sent all the same. */
    if (send(wire->back, request, (size_t)count, MSG_NOSIGNAL) < 0)
        (void)send(wire->back, request, (size_t)count, MSG_NOSIGNAL);
}

static void publish_guid(struct ra_ipmi_wire *wire, const struct ra_ipmi_wire_memory *memory)
{
    (void)pthread_mutex_lock(&wire->lock);
    wire->guid = memory->guid;
    (void)pthread_mutex_unlock(&wire->lock);
}

static void pass_reply(struct ra_ipmi_wire *wire, struct traffic *traffic)
{
    unsigned char reply[PACKET_BYTES];
    ssize_t count = recv(wire->back, reply, sizeof(reply), 0);

    if (count <= 0 || !traffic->begun ||
        !ra_ipmi_wire_passes(&traffic->memory, reply, (size_t)count))
        return;
    publish_guid(wire, &traffic->memory); /* before FreeIPMI can have opened the session by it */
    (void)sendto(wire->front, reply, (size_t)count, MSG_NOSIGNAL,
                 (const struct sockaddr *)&traffic->console, sizeof(traffic->console));
}

static void *run(void *argument)
{
    struct ra_ipmi_wire *wire = argument;
    struct traffic traffic = { .begun = false };
    struct pollfd fds[] = { { .fd = wire->front, .events = POLLIN },
                            { .fd = wire->back, .events = POLLIN },
                            { .fd = wire->stop, .events = POLLIN } };

    for (;;) {
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[2].revents != 0)
            return NULL;
        if (fds[0].revents != 0)
            pass_request(wire, &traffic);
        if (fds[1].revents != 0)
            pass_reply(wire, &traffic);
    }
}

/* --- laying and removing -----------------------------------------------------------------------*/

static int connect_back(struct ra_ipmi_wire *wire, const char *endpoint, struct ra_error *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_DGRAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    ra_auto_free char *host = ra_text_copy(endpoint[0] == '[' ? endpoint + 1 : endpoint);
    char *colon = strrchr(host, ':');
    struct addrinfo *info = NULL;
    int result = 0;

    if (colon == NULL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "'%s' has no port", endpoint);
    *colon = '\0';
    if (colon > host && colon[-1] == ']')
        colon[-1] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &info) != 0)
        return ra_error_set(err, RA_ERROR_SYSTEM, "'%s' is no address", endpoint);
    wire->back = socket(info->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wire->back < 0 || connect(wire->back, info->ai_addr, info->ai_addrlen) != 0)
        result = ra_error_set_errno(err, errno, "there is no way to %s", endpoint);
    freeaddrinfo(info);
    return result;
}

static int bind_front(struct ra_ipmi_wire *wire, struct ra_error *err)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    ra_auto_close int trial = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    wire->front = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wire->front < 0 || bind(wire->front, (struct sockaddr *)&address, length) != 0 ||
        getsockname(wire->front, (struct sockaddr *)&address, &length) != 0)
        return ra_error_set_errno(err, errno, "cannot open a port on the loopback interface");
    /* An interface that is down can be bound to, but not reached. */
    if (trial < 0 || connect(trial, (struct sockaddr *)&address, length) != 0)
        return ra_error_set_errno(err, errno, "the loopback interface cannot be used");
    (void)snprintf(wire->address, sizeof(wire->address), "127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    return 0;
}

/* The thread takes no signals: they are for the others. */
static int start(struct ra_ipmi_wire *wire, struct ra_error *err)
{
    sigset_t all, before;
    int failed;

    wire->stop = eventfd(0, EFD_CLOEXEC);
    if (wire->stop < 0)
        return ra_error_set_errno(err, errno, "eventfd");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    failed = pthread_create(&wire->thread, NULL, run, wire);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return ra_error_set_errno(err, failed, "cannot start a thread");
    wire->runs = true;
    return 0;
}

int ra_ipmi_wire_open(const char *endpoint, struct ra_ipmi_wire **ret_wire, struct ra_error *err)
{
    struct ra_ipmi_wire *wire = calloc(1, sizeof(*wire));

    if (wire == NULL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "out of memory");
    wire->front = wire->back = wire->stop = -1;
    (void)pthread_mutex_init(&wire->lock, NULL);
    if (connect_back(wire, endpoint, err) != 0 || bind_front(wire, err) != 0 ||
        start(wire, err) != 0) {
        ra_ipmi_wire_close(wire);
        return -1;
    }
    *ret_wire = wire;
    return 0;
}

const char *ra_ipmi_wire_address(const struct ra_ipmi_wire *wire)
{
    return wire->address;
}

struct ra_ipmi_guid ra_ipmi_wire_guid(struct ra_ipmi_wire *wire)
{
    struct ra_ipmi_guid guid;

    (void)pthread_mutex_lock(&wire->lock);
    guid = wire->guid;
    (void)pthread_mutex_unlock(&wire->lock);
    return guid;
}

void ra_ipmi_wire_close(struct ra_ipmi_wire *wire)
{
    const uint64_t one = 1;

    if (wire == NULL)
        return;
    if (wire->runs) {
        while (write(wire->stop, &one, sizeof(one)) < 0 && errno == EINTR)
            continue;
        (void)pthread_join(wire->thread, NULL);
    }
    ra_cleanup_close(&wire->front);
    ra_cleanup_close(&wire->back);
    ra_cleanup_close(&wire->stop);
    (void)pthread_mutex_destroy(&wire->lock);
    free(wire);
}
