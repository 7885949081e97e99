/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/probe.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

enum {
    RESEND_FIRST_MS = 100,
    RESEND_MOST_MS = 800,
    /* A host may refuse the port beside a BMC on the same wire that answers. */
    REFUSED_GRACE_MS = 500,
    CIPHER_PAGES_MOST = 8,
    CIPHER_PAGE_BYTES = 16,
    CIPHER_LEAST_MS = 300, /* the longest wait for a page of the list: this or four round trips */
    CIPHER_MOST_MS = 1500,
    CHANNEL_CURRENT = 0x0e,
    WITH_2_0_DATA = 0x80,
    LIST_BY_SUITE = 0x80,
    PAYLOAD_IPMI = 0x00,
};

struct endpoint {
    int fd;
    char name[RA_IPMI_ENDPOINT_BYTES];
    int failed; /* errno of the last failure, 0: none */
    bool given_up;
    int64_t sent_us[RA_IPMI_PACKET_SEQUENCES];
    unsigned sent_count;
    struct ra_deadline resend_at;
    int64_t resend_ms;
};

struct search {
    struct endpoint endpoints[RA_IPMI_PROBE_MOST_ENDPOINTS];
    size_t count;
    struct ra_text_buffer faults; /* of names that gave no address */
    bool name_unknown;
    struct ra_deadline refused_until; /* armed by the first refusal */
    bool refused;
};

static void search_end(struct search *search)
{
    for (size_t i = 0; i < search->count; i++)
        ra_cleanup_close(&search->endpoints[i].fd);
    ra_text_buffer_free(&search->faults);
}

static void add_fault(struct search *search, const char *text)
{
    ra_text_buffer_addf(&search->faults, "%s%s", search->faults.used_bytes == 0 ? "" : "; ", text);
}

/* --- addresses ---------------------------------------------------------------------------------*/

static void add_endpoint(struct search *search, const struct addrinfo *info)
{
    struct endpoint *endpoint = &search->endpoints[search->count];
    char host[NI_MAXHOST], service[NI_MAXSERV];

    if (search->count == RA_IPMI_PROBE_MOST_ENDPOINTS ||
        getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof(host), service, sizeof(service),
                    NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM) != 0)
        return;
    *endpoint = (struct endpoint){ .resend_ms = RESEND_FIRST_MS };
    (void)snprintf(endpoint->name, sizeof(endpoint->name),
                   info->ai_family == AF_INET6 ? "[%.60s]:%.5s" : "%.60s:%.5s", host, service);
    for (size_t i = 0; i < search->count; i++)
        if (strcmp(search->endpoints[i].name, endpoint->name) == 0)
            return;
    endpoint->fd = socket(info->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (endpoint->fd < 0 || connect(endpoint->fd, info->ai_addr, info->ai_addrlen) != 0) {
        endpoint->failed = errno;
        endpoint->given_up = true;
    }
    search->count++;
}

static void resolve(struct search *search, const char *name, int port)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
    ra_auto_free char *host = NULL;
    struct addrinfo *list = NULL;
    size_t length = strlen(name);
    char service[8];
    int failed;
    RA_LOG_CALL("looking up the address of %s", name);

    if (length > 2 && name[0] == '[' && name[length - 1] == ']')
        host = ra_text_format("%.*s", (int)length - 2, name + 1);
    else
        host = ra_text_copy(name);
    (void)snprintf(service, sizeof(service), "%d", port);
    failed = getaddrinfo(host, service, &hints, &list);
    if (failed != 0) {
        ra_auto_free char *fault =
            ra_text_format("the host name '%s' cannot be resolved (%s)", name,
                           failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));

        add_fault(search, fault);
        search->name_unknown = true;
        return;
    }
    for (const struct addrinfo *info = list; info != NULL; info = info->ai_next)
        add_endpoint(search, info);
    freeaddrinfo(list);
}

/* --- asking ------------------------------------------------------------------------------------*/

/* Send a request; what the network says about earlier ones is noted, the request is sent anyway. */
static void ask(struct endpoint *endpoint, uint8_t command, const uint8_t *data, size_t data_bytes)
{
    unsigned char packet[RA_IPMI_PACKET_MOST_BYTES];
    unsigned sequence = endpoint->sent_count++ % RA_IPMI_PACKET_SEQUENCES;
    size_t length = ra_ipmi_packet_request(packet, RA_IPMI_NET_FN_APP, command, (uint8_t)sequence,
                                           data, data_bytes);

    endpoint->sent_us[sequence] = ra_deadline_now_us();
    endpoint->resend_at = ra_deadline_after_ms(endpoint->resend_ms);
    endpoint->resend_ms *= 2;
    if (endpoint->resend_ms > RESEND_MOST_MS)
        endpoint->resend_ms = RESEND_MOST_MS;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (send(endpoint->fd, packet, length, MSG_NOSIGNAL) >= 0)
            return;
        /* The error may belong to the request before; the second failure is this one's. */
        endpoint->failed = errno;
    }
    endpoint->given_up = endpoint->failed != ECONNREFUSED && endpoint->failed != EAGAIN;
}

static void ask_capabilities(struct endpoint *endpoint, int privilege)
{
    const uint8_t data[] = { CHANNEL_CURRENT | WITH_2_0_DATA, (uint8_t)privilege };

    ask(endpoint, RA_IPMI_GET_CHANNEL_AUTHENTICATION_CAPABILITIES, data, sizeof(data));
}

static void ask_ciphers(struct endpoint *endpoint, unsigned page)
{
    const uint8_t data[] = { CHANNEL_CURRENT, PAYLOAD_IPMI, (uint8_t)(LIST_BY_SUITE | page) };

    ask(endpoint, RA_IPMI_GET_CHANNEL_CIPHER_SUITES, data, sizeof(data));
}

/*
 * Take what has arrived: true for a reply to `command`, in *reply (it points into `packet`).
 * Replies to something else, twice the same and garbage are skipped.
 */
static bool take(struct endpoint *endpoint, uint8_t command, unsigned char *packet,
                 size_t packet_bytes, struct ra_ipmi_reply *reply)
{
    ssize_t length;

    for (;;) {
        length = recv(endpoint->fd, packet, packet_bytes, 0);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0) {
            if (errno != EAGAIN)
                endpoint->failed = errno;
            if (errno != EAGAIN && errno != ECONNREFUSED)
                endpoint->given_up = true;
            return false;
        }
        if (ra_ipmi_packet_parse(packet, (size_t)length, reply) && reply->command == command &&
            reply->net_fn == RA_IPMI_NET_FN_APP + 1 && reply->sequence < endpoint->sent_count)
            return true;
    }
}

/* The capabilities of the endpoint, if its answer is there. */
static bool take_capabilities(struct endpoint *endpoint, struct ra_ipmi_probe *probe)
{
    unsigned char packet[256];
    struct ra_ipmi_reply reply;

    if (!take(endpoint, RA_IPMI_GET_CHANNEL_AUTHENTICATION_CAPABILITIES, packet, sizeof(packet),
              &reply))
        return false;
    if (!ra_ipmi_packet_capabilities(&reply, &probe->capabilities)) {
        /* It answers, so it is a BMC; that it can do both versions is for the session to find. */
        ra_log_note("%s: Get Channel Authentication Capabilities failed with completion code %02Xh",
                    endpoint->name, reply.completion_code);
        probe->capabilities =
            (struct ra_ipmi_capabilities){ .version_1_5 = true, .version_2_0 = true };
    }
    probe->round_trip_us = ra_deadline_now_us() - endpoint->sent_us[reply.sequence];
    return true;
}

/* The earliest moment at which the search has something to do. */
static struct ra_deadline next_event(const struct search *search, struct ra_deadline deadline)
{
    struct ra_deadline next = deadline;

    for (size_t i = 0; i < search->count; i++)
        if (!search->endpoints[i].given_up)
            next = ra_deadline_earlier(next, search->endpoints[i].resend_at);
    return search->refused ? ra_deadline_earlier(next, search->refused_until) : next;
}

/* True when there is nobody left to wait for: all have failed, or were refused some time ago. */
static bool hopeless(struct search *search)
{
    bool none_left = true;

    for (size_t i = 0; i < search->count; i++) {
        if (search->endpoints[i].given_up)
            continue;
        if (search->endpoints[i].failed != ECONNREFUSED)
            return false;
        none_left = false;
    }
    if (none_left)
        return true;
    if (!search->refused) {
        search->refused = true;
        search->refused_until = ra_deadline_after_ms(REFUSED_GRACE_MS);
    }
    return ra_deadline_expired(search->refused_until);
}

/* The first endpoint that answers, NULL when none does in time. */
static struct endpoint *find_first(struct search *search, int privilege,
                                   struct ra_deadline deadline, struct ra_ipmi_probe *probe)
{
    struct pollfd fds[RA_IPMI_PROBE_MOST_ENDPOINTS];

    for (;;) {
        for (size_t i = 0; i < search->count; i++) {
            struct endpoint *endpoint = &search->endpoints[i];

            if (!endpoint->given_up && ra_deadline_expired(endpoint->resend_at))
                ask_capabilities(endpoint, privilege);
            fds[i] =
                (struct pollfd){ .fd = endpoint->given_up ? -1 : endpoint->fd, .events = POLLIN };
        }
        if (hopeless(search) || ra_deadline_expired(deadline))
            return NULL;
        if (poll(fds, search->count, ra_deadline_remaining_int_ms(next_event(search, deadline))) <=
            0)
            continue;
        for (size_t i = 0; i < search->count; i++)
            if (fds[i].revents != 0 && take_capabilities(&search->endpoints[i], probe))
                return &search->endpoints[i];
    }
}

/* One page of the list of cipher suites; the number of its bytes, -1 without an answer in time. */
static int fetch_cipher_page(struct endpoint *endpoint, unsigned page, struct ra_deadline deadline,
                             unsigned char records[CIPHER_PAGE_BYTES])
{
    unsigned char packet[256];
    struct ra_ipmi_reply reply;
    unsigned first = endpoint->sent_count;

    endpoint->resend_ms = RESEND_FIRST_MS;
    endpoint->resend_at = ra_deadline_after_ms(0);
    do {
        struct pollfd pollfd = { .fd = endpoint->fd, .events = POLLIN };

        if (ra_deadline_expired(endpoint->resend_at))
            ask_ciphers(endpoint, page);
        if (poll(&pollfd, 1,
                 ra_deadline_remaining_int_ms(
                     ra_deadline_earlier(deadline, endpoint->resend_at))) <= 0)
            continue;
        if (!take(endpoint, RA_IPMI_GET_CHANNEL_CIPHER_SUITES, packet, sizeof(packet), &reply))
            continue;
        if ((reply.sequence - first) % RA_IPMI_PACKET_SEQUENCES >= endpoint->sent_count - first)
            continue; /* a late answer about the page before */
        if (reply.completion_code != 0 || reply.data_bytes < 1)
            return 0; /* unsupported, or behind the last page */
        size_t count = reply.data_bytes - 1;

        if (count > CIPHER_PAGE_BYTES)
            count = CIPHER_PAGE_BYTES;
        memcpy(records, reply.data + 1, count);
        return (int)count;
    } while (!ra_deadline_expired(deadline) && !endpoint->given_up);
    return -1;
}

/*
 * A list that breaks off in the middle is taken as none: an order made from half of it would
 * choose a weak suite.
 */
static void fetch_ciphers(struct endpoint *endpoint, struct ra_deadline deadline,
                          struct ra_ipmi_probe *probe)
{
    unsigned char records[CIPHER_PAGES_MOST * CIPHER_PAGE_BYTES];
    int64_t page_ms = 4 * probe->round_trip_us / 1000;
    size_t used = 0;
    RA_LOG_CALL("asking %s for its cipher suites", endpoint->name);

    if (page_ms > CIPHER_MOST_MS)
        return; /* so slow that trying the usual suites is quicker */
    if (page_ms < CIPHER_LEAST_MS)
        page_ms = CIPHER_LEAST_MS;
    deadline = ra_deadline_earlier(deadline, ra_deadline_after_ms(CIPHER_MOST_MS));
    for (unsigned page = 0; page < CIPHER_PAGES_MOST; page++) {
        int count = fetch_cipher_page(endpoint, page,
                                      ra_deadline_earlier(deadline, ra_deadline_after_ms(page_ms)),
                                      records + used);

        if (count < 0)
            return;
        used += (size_t)count;
        if (count < CIPHER_PAGE_BYTES)
            break;
    }
    probe->cipher_count = ra_ipmi_cipher_parse(records, used, probe->ciphers);
}

/* --- the sentences -----------------------------------------------------------------------------*/

static int explain(struct search *search, struct ra_deadline began, struct ra_error *err)
{
    enum ra_error_kind kind = RA_ERROR_UNREACHABLE;
    int64_t waited_ms = ra_deadline_now_ms() - began.at_ms;

    for (size_t i = 0; i < search->count; i++) {
        const struct endpoint *endpoint = &search->endpoints[i];
        ra_auto_free char *fault = NULL;

        if (endpoint->failed == ECONNREFUSED) {
            fault = ra_text_format("%s refused the connection: nothing listens on this UDP port; "
                                   "check ipport, and that IPMI over LAN is enabled in the BMC",
                                   endpoint->name);
        } else if (endpoint->failed == EPERM || endpoint->failed == EACCES) {
            fault = ra_text_format("a packet filter on this host forbids packets to %s (%s)",
                                   endpoint->name, strerror(endpoint->failed));
        } else if (endpoint->failed != 0) {
            fault = ra_text_format("there is no way to %s (%s): check ip, and this host's network "
                                   "and routes to the BMC",
                                   endpoint->name, strerror(endpoint->failed));
        } else {
            fault = ra_text_format("no answer from %s within %lld.%lld s, connection timed out: "
                                   "check ip, that the BMC has power, that IPMI over LAN is "
                                   "enabled in it, and firewalls on the way",
                                   endpoint->name, (long long)waited_ms / 1000,
                                   (long long)waited_ms % 1000 / 100);
            kind = RA_ERROR_TIMEOUT;
        }
        add_fault(search, fault);
    }
    if (search->name_unknown)
        ra_text_buffer_add(&search->faults, ": check ip, /etc/hosts and the name server; fencing "
                                            "should not depend on a name server");
    return ra_error_set(err, kind, "%s", search->faults.data);
}

int ra_ipmi_probe(const char *addresses, int port, int privilege, bool want_ciphers,
                  struct ra_deadline deadline, struct ra_ipmi_probe *ret_probe,
                  struct ra_error *err)
{
    RA_CLEANUP(search_end) struct search search = { .count = 0 };
    ra_auto_text_list char **names = ra_text_split(addresses, ", \t");
    struct ra_deadline began = ra_deadline_after_ms(0);
    struct ra_ipmi_probe probe = { .count = 0 };
    struct endpoint *first;
    RA_LOG_CALL("looking for the BMC at %s", addresses);

    if (names[0] == NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "no address of a BMC is given: set ip");
    for (char **name = names; *name != NULL; name++)
        resolve(&search, *name, port);
    first = find_first(&search, privilege, deadline, &probe);
    if (first == NULL)
        return explain(&search, began, err);
    if (want_ciphers && probe.capabilities.version_2_0)
        fetch_ciphers(first, deadline, &probe);
    memcpy(probe.endpoints[probe.count++], first->name, sizeof(first->name));
    for (size_t i = 0; i < search.count; i++)
        if (&search.endpoints[i] != first && !search.endpoints[i].given_up)
            memcpy(probe.endpoints[probe.count++], search.endpoints[i].name, sizeof(first->name));
    *ret_probe = probe;
    return 0;
}
