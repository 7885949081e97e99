/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/asker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/text.h"

enum {
    RESEND_FIRST_MS = 100,
    RESEND_MOST_MS = 800,
    GUID_ROUND_TRIPS = 3,
    GUID_LEAST_MS = 50,
    CIPHER_PAGES_MOST = 8,
    CIPHER_PAGE_BYTES = 16,
    CIPHER_LEAST_MS = 300, /* the longest wait for a page of the list: this or four round trips */
    CIPHER_MOST_MS = 1500,
    CHANNEL_CURRENT = 0x0e,
    WITH_2_0_DATA = 0x80,
    LIST_BY_SUITE = 0x80,
    PAYLOAD_IPMI = 0x00,
};

/* --- questions ---------------------------------------------------------------------------------*/

/* Send a request; what the network says about earlier ones is noted, the request is sent anyway. */
static void ask(struct ra_ipmi_asker *asker, uint8_t command, const uint8_t *data,
                size_t data_bytes)
{
    unsigned char packet[RA_IPMI_PACKET_MOST_BYTES];
    unsigned sequence = asker->sent_count++ % RA_IPMI_PACKET_SEQUENCES;
    size_t length = ra_ipmi_packet_request(packet, RA_IPMI_NET_FN_APP, command, (uint8_t)sequence,
                                           data, data_bytes);

    asker->sent_us[sequence] = ra_deadline_now_us();
    for (int attempt = 0; attempt < 2; attempt++) {
        if (send(asker->fd, packet, length, MSG_NOSIGNAL) >= 0)
            return;
        /* The error may belong to the request before; the second failure is this one's. */
        asker->failed = errno;
    }
    asker->given_up = asker->failed != ECONNREFUSED && asker->failed != EAGAIN;
}

void ra_ipmi_asker_start(struct ra_ipmi_asker *asker)
{
    asker->resend_ms = RESEND_FIRST_MS;
    asker->resend_at = ra_deadline_after_ms(0);
}

bool ra_ipmi_asker_is_due(struct ra_ipmi_asker *asker)
{
    if (asker->given_up || !ra_deadline_expired(asker->resend_at))
        return false;
    asker->resend_at = ra_deadline_after_ms(asker->resend_ms);
    asker->resend_ms *= 2;
    if (asker->resend_ms > RESEND_MOST_MS)
        asker->resend_ms = RESEND_MOST_MS;
    return true;
}

void ra_ipmi_asker_ask_capabilities(struct ra_ipmi_asker *asker, int privilege)
{
    const uint8_t data[] = { CHANNEL_CURRENT | WITH_2_0_DATA, (uint8_t)privilege };

    ask(asker, RA_IPMI_GET_CHANNEL_AUTHENTICATION_CAPABILITIES, data, sizeof(data));
}

static void ask_ciphers(struct ra_ipmi_asker *asker, unsigned page)
{
    const uint8_t data[] = { CHANNEL_CURRENT, PAYLOAD_IPMI, (uint8_t)(LIST_BY_SUITE | page) };

    ask(asker, RA_IPMI_GET_CHANNEL_CIPHER_SUITES, data, sizeof(data));
}

void ra_ipmi_asker_ask_guid(struct ra_ipmi_asker *asker)
{
    ask(asker, RA_IPMI_GET_SYSTEM_GUID, NULL, 0);
}

void ra_ipmi_asker_await_guid(struct ra_ipmi_asker *asker)
{
    int64_t wait_ms = GUID_ROUND_TRIPS * asker->round_trip_us / 1000;

    if (wait_ms < GUID_LEAST_MS)
        wait_ms = GUID_LEAST_MS;
    asker->resend_at = ra_deadline_after_ms(wait_ms);
    asker->ignored_at = ra_deadline_after_ms(2 * wait_ms);
}

bool ra_ipmi_asker_ignores_guid(const struct ra_ipmi_asker *asker)
{
    return asker->found.answered && !asker->found.told_guid &&
           ra_deadline_expired(asker->ignored_at);
}

/*
 * Take what has arrived: true for a reply to one of our requests, in *reply (it points into
 * `packet`). Garbage is skipped.
 */
static bool take(struct ra_ipmi_asker *asker, unsigned char *packet, size_t packet_bytes,
                 struct ra_ipmi_reply *reply)
{
    ssize_t length;

    for (;;) {
        length = recv(asker->fd, packet, packet_bytes, 0);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0) {
            if (errno != EAGAIN)
                asker->failed = errno;
            if (errno != EAGAIN && errno != ECONNREFUSED)
                asker->given_up = true;
            return false;
        }
        if (ra_ipmi_packet_parse(packet, (size_t)length, reply) &&
            reply->net_fn == RA_IPMI_NET_FN_APP + 1 && reply->sequence < asker->sent_count)
            return true;
    }
}

static void take_guid(struct ra_ipmi_endpoint *endpoint, const struct ra_ipmi_reply *reply)
{
    if (endpoint->told_guid)
        return;
    endpoint->told_guid = true;
    if (!ra_ipmi_packet_guid(reply, &endpoint->guid))
        ra_log_note("%s: Get System GUID failed with completion code %02Xh", endpoint->name,
                    reply->completion_code);
    else
        endpoint->told_none = !ra_ipmi_guid_is_known(&endpoint->guid);
}

/* True if this is the first answer. */
static bool take_capabilities(struct ra_ipmi_asker *asker, const struct ra_ipmi_reply *reply)
{
    if (asker->found.answered)
        return false;
    if (!ra_ipmi_packet_capabilities(reply, &asker->capabilities)) {
        /* It answers, so it is a BMC; that it can do both versions is for the session to find. */
        ra_log_note("%s: Get Channel Authentication Capabilities failed with completion code %02Xh",
                    asker->found.name, reply->completion_code);
        asker->capabilities =
            (struct ra_ipmi_capabilities){ .version_1_5 = true, .version_2_0 = true };
    }
    asker->round_trip_us = ra_deadline_now_us() - asker->sent_us[reply->sequence];
    asker->found.answered = true;
    return true;
}

bool ra_ipmi_asker_take(struct ra_ipmi_asker *asker)
{
    unsigned char packet[256];
    struct ra_ipmi_reply reply;
    bool came = false;

    while (take(asker, packet, sizeof(packet), &reply)) {
        if (reply.command == RA_IPMI_GET_CHANNEL_AUTHENTICATION_CAPABILITIES)
            came = take_capabilities(asker, &reply) || came;
        else if (reply.command == RA_IPMI_GET_SYSTEM_GUID)
            take_guid(&asker->found, &reply);
    }
    return came;
}

/* --- cipher suites -----------------------------------------------------------------------------*/

/* One page of the list of cipher suites; the number of its bytes, -1 without an answer in time. */
static int fetch_cipher_page(struct ra_ipmi_asker *asker, unsigned page,
                             struct ra_deadline deadline, unsigned char records[CIPHER_PAGE_BYTES])
{
    unsigned char packet[256];
    struct ra_ipmi_reply reply;
    unsigned first = asker->sent_count;

    ra_ipmi_asker_start(asker);
    do {
        struct pollfd pollfd = { .fd = asker->fd, .events = POLLIN };

        if (ra_ipmi_asker_is_due(asker))
            ask_ciphers(asker, page);
        if (poll(&pollfd, 1,
                 ra_deadline_remaining_int_ms(ra_deadline_earlier(deadline, asker->resend_at))) <=
            0)
            continue;
        if (!take(asker, packet, sizeof(packet), &reply) ||
            reply.command != RA_IPMI_GET_CHANNEL_CIPHER_SUITES)
            continue;
        if ((reply.sequence - first) % RA_IPMI_PACKET_SEQUENCES >= asker->sent_count - first)
            continue; /* a late answer about the page before */
        if (reply.completion_code != 0 || reply.data_bytes < 1)
            return 0; /* unsupported, or behind the last page */
        size_t count = reply.data_bytes - 1;

        if (count > CIPHER_PAGE_BYTES)
            count = CIPHER_PAGE_BYTES;
        memcpy(records, reply.data + 1, count);
        return (int)count;
    } while (!ra_deadline_expired(deadline) && !asker->given_up);
    return -1;
}

/*
 * A list that breaks off in the middle is taken as none: an order made from half of it would
 * choose a weak suite.
 */
size_t ra_ipmi_asker_fetch_ciphers(struct ra_ipmi_asker *asker, struct ra_deadline deadline,
                                   uint8_t ret_ciphers[RA_IPMI_CIPHER_LIST_MOST])
{
    unsigned char records[CIPHER_PAGES_MOST * CIPHER_PAGE_BYTES];
    int64_t page_ms = 4 * asker->round_trip_us / 1000;
    size_t used = 0;
    RA_LOG_CALL("asking %s for its cipher suites", asker->found.name);

    if (page_ms > CIPHER_MOST_MS)
        return 0; /* so slow that trying the usual suites is quicker */
    if (page_ms < CIPHER_LEAST_MS)
        page_ms = CIPHER_LEAST_MS;
    deadline = ra_deadline_earlier(deadline, ra_deadline_after_ms(CIPHER_MOST_MS));
    for (unsigned page = 0; page < CIPHER_PAGES_MOST; page++) {
        int count = fetch_cipher_page(asker, page,
                                      ra_deadline_earlier(deadline, ra_deadline_after_ms(page_ms)),
                                      records + used);

        if (count < 0)
            return 0;
        used += (size_t)count;
        if (count < CIPHER_PAGE_BYTES)
            break;
    }
    return ra_ipmi_cipher_parse(records, used, ret_ciphers);
}

/* --- the sentences -----------------------------------------------------------------------------*/

char *ra_ipmi_asker_explain(const struct ra_ipmi_asker *asker, int64_t waited_ms)
{
    if (asker->failed == ECONNREFUSED)
        return ra_text_format("%s refused the connection: nothing listens on this UDP port; "
                              "check ipport, and that IPMI over LAN is enabled in the BMC",
                              asker->found.name);
    if (asker->failed == EPERM || asker->failed == EACCES)
        return ra_text_format("a packet filter on this host forbids packets to %s (%s)",
                              asker->found.name, strerror(asker->failed));
    if (asker->failed != 0)
        return ra_text_format("there is no way to %s (%s): check ip, and this host's network and "
                              "routes to the BMC",
                              asker->found.name, strerror(asker->failed));
    return ra_text_format("no answer from %s within %lld.%lld s, connection timed out: check ip, "
                          "that the BMC has power, that IPMI over LAN is enabled in it, and "
                          "firewalls on the way",
                          asker->found.name, (long long)waited_ms / 1000,
                          (long long)waited_ms % 1000 / 100);
}
