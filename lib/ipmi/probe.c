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
#include "base/number.h"
#include "base/text.h"

enum {
    /* A host may refuse the port beside a BMC on the same wire that answers. */
    REFUSED_GRACE_MS = 500,
    /* How long the other addresses are waited for once one has answered. */
    GRACE_MS = 400,
    GRACE_LEAST_MS = 150, /* when the patience is used up: for a question and its repetition */
    GRACE_BEFORE_REFUSAL_MS = 2000,
};

struct search {
    const struct ra_ipmi_probe_request *request;
    struct ra_ipmi_asker askers[RA_IPMI_PROBE_MOST_ENDPOINTS];
    size_t count;
    size_t order[RA_IPMI_PROBE_MOST_ENDPOINTS]; /* of those that have answered */
    size_t answers;
    bool several;
    struct ra_text_buffer faults; /* of names that gave no address */
    bool name_unknown;
    struct ra_deadline refused_until; /* armed by the first refusal */
    bool refused;
    struct ra_deadline grace_until; /* armed by the first answer, as are those below */
    struct ra_deadline doubt_until;
    int64_t answered_ms;
};

static void search_end(struct search *search)
{
    for (size_t i = 0; i < search->count; i++)
        ra_cleanup_close(&search->askers[i].fd);
    ra_text_buffer_free(&search->faults);
}

static void add_fault(struct search *search, const char *text)
{
    ra_text_buffer_addf(&search->faults, "%s%s", search->faults.used_bytes == 0 ? "" : "; ", text);
}

/* --- addresses ---------------------------------------------------------------------------------*/

static void add_asker(struct search *search, const struct addrinfo *info)
{
    struct ra_ipmi_asker *asker = &search->askers[search->count];
    char host[NI_MAXHOST], service[NI_MAXSERV], name[RA_IPMI_ENDPOINT_BYTES];

    if (getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof(host), service, sizeof(service),
                    NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM) != 0)
        return;
    (void)snprintf(name, sizeof(name), info->ai_family == AF_INET6 ? "[%.60s]:%.5s" : "%.60s:%.5s",
                   host, service);
    for (size_t i = 0; i < search->count; i++)
        if (strcmp(search->askers[i].found.name, name) == 0)
            return;
    if (search->count == RA_IPMI_PROBE_MOST_ENDPOINTS) {
        ra_auto_free char *fault =
            ra_text_format("%s is not asked: it is one address too many", name);

        add_fault(search, fault);
        return;
    }
    *asker = (struct ra_ipmi_asker){ .fd = -1 };
    (void)snprintf(asker->found.name, sizeof(asker->found.name), "%s", name);
    ra_ipmi_asker_start(asker);
    asker->fd = socket(info->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (asker->fd < 0 || connect(asker->fd, info->ai_addr, info->ai_addrlen) != 0) {
        asker->failed = errno;
        asker->given_up = true;
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
        add_asker(search, info);
    freeaddrinfo(list);
}

/* --- asking ------------------------------------------------------------------------------------*/

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void take(struct search *search, struct ra_ipmi_asker *asker)
{
    const struct ra_ipmi_probe_request *request = search->request;
    int64_t grace_ms = GRACE_MS;

    if (!ra_ipmi_asker_take(asker))
        return;
    if (search->several)
        ra_ipmi_asker_await_guid(asker);
    search->order[search->answers++] = (size_t)(asker - search->askers);
    if (search->answers > 1)
        return;
    if (request->every_address)
        grace_ms = at_least(request->patience_ms, GRACE_LEAST_MS);
    grace_ms = at_least(grace_ms, asker->round_trip_us / 1000);
    search->answered_ms = ra_deadline_now_ms();
    search->grace_until = ra_deadline_after_ms(grace_ms);
    search->doubt_until = ra_deadline_after_ms(at_least(grace_ms, GRACE_BEFORE_REFUSAL_MS));
}

/* True if what has been shown so far would be refused unless the others show the same. */
static bool is_doubtful(const struct search *search)
{
    if (!search->request->insist)
        return false;
    for (size_t i = 0; i < search->count; i++)
        if (ra_ipmi_guid_equal(&search->askers[i].found.guid, &search->request->remembered))
            return false;
    return true;
}

/* When the others are no longer waited for. */
static struct ra_deadline patience_end(const struct search *search)
{
    return is_doubtful(search) ? search->doubt_until : search->grace_until;
}

/* The earliest moment at which the search has something to do. */
static struct ra_deadline next_event(const struct search *search, struct ra_deadline deadline)
{
    struct ra_deadline next = deadline;

    for (size_t i = 0; i < search->count; i++) {
        const struct ra_ipmi_asker *asker = &search->askers[i];

        if (asker->given_up)
            continue;
        next = ra_deadline_earlier(next, asker->resend_at);
        if (asker->found.answered && !asker->found.told_guid &&
            !ra_deadline_expired(asker->ignored_at))
            next = ra_deadline_earlier(next, asker->ignored_at);
    }
    if (search->answers > 0)
        next = ra_deadline_earlier(next, patience_end(search));
    else if (search->refused)
        next = ra_deadline_earlier(next, search->refused_until);
    return next;
}

/* True when there is nobody left to wait for: all have failed, or were refused some time ago. */
static bool hopeless(struct search *search)
{
    bool none_left = true;

    for (size_t i = 0; i < search->count; i++) {
        if (search->askers[i].given_up)
            continue;
        if (search->askers[i].failed != ECONNREFUSED)
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

/* True when no more has to be heard of an endpoint before a session may be opened with another. */
static bool is_done(const struct search *search, const struct ra_ipmi_asker *asker)
{
    bool doubtful = is_doubtful(search);

    if (asker->given_up)
        return true;
    if (!asker->found.answered)
        return asker->failed == ECONNREFUSED && !search->request->every_address && !doubtful;
    return asker->found.told_guid || (!doubtful && ra_ipmi_asker_ignores_guid(asker));
}

/* True when the search has found what it is for. */
static bool is_over(const struct search *search)
{
    bool all_done = true;

    if (search->answers == 0)
        return false;
    if (!search->several || ra_deadline_expired(patience_end(search)))
        return true;
    for (size_t i = 0; i < search->count; i++) {
        const struct ra_ipmi_asker *asker = &search->askers[i];

        if (!search->request->every_address && asker->found.answered &&
            ra_ipmi_guid_equal(&asker->found.guid, &search->request->remembered))
            return true;
        all_done = all_done && is_done(search, asker);
    }
    return all_done;
}

static void ask_round(struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        struct ra_ipmi_asker *asker = &search->askers[i];

        if (!ra_ipmi_asker_is_due(asker))
            continue;
        if (!asker->found.answered)
            ra_ipmi_asker_ask_capabilities(asker, search->request->privilege);
        if (search->several && !asker->found.told_guid)
            ra_ipmi_asker_ask_guid(asker);
    }
}

/* Ask all until it is known who is there. False when nobody is, in time. */
static bool look(struct search *search, struct ra_deadline deadline)
{
    struct pollfd fds[RA_IPMI_PROBE_MOST_ENDPOINTS];

    while (!is_over(search)) {
        ask_round(search);
        if (search->answers == 0 && hopeless(search))
            return false;
        if (ra_deadline_expired(deadline))
            break;
        for (size_t i = 0; i < search->count; i++)
            fds[i] = (struct pollfd){ .fd = search->askers[i].given_up ? -1 : search->askers[i].fd,
                                      .events = POLLIN };
        if (poll(fds, search->count, ra_deadline_remaining_int_ms(next_event(search, deadline))) <=
            0)
            continue;
        for (size_t i = 0; i < search->count; i++)
            if (fds[i].revents != 0)
                take(search, &search->askers[i]);
    }
    return search->answers > 0;
}

/* --- the sentences -----------------------------------------------------------------------------*/

/*
 * The faults of all that have not answered, and of those that have but were lost since: what those
 * have shown counts, and still they are missing. True if one was silent.
 */
static bool add_faults(struct search *search, struct ra_deadline began)
{
    int64_t waited_ms = ra_deadline_now_ms() - began.at_ms;
    bool any_silent = false;

    for (size_t i = 0; i < search->count; i++) {
        struct ra_ipmi_asker *asker = &search->askers[i];
        ra_auto_free char *fault = NULL;

        asker->found.lost = asker->found.answered && asker->given_up;
        if (asker->found.answered && !asker->found.lost)
            continue;
        fault = ra_ipmi_asker_explain(asker, waited_ms);
        add_fault(search, fault);
        any_silent = any_silent || asker->failed == 0;
    }
    if (search->name_unknown)
        ra_text_buffer_add(&search->faults, ": check ip, /etc/hosts and the name server; fencing "
                                            "should not depend on a name server");
    return any_silent;
}

/* --- what was found ----------------------------------------------------------------------------*/

/*
 * Which of two that have answered is the better to open a session with: one that is proven, one
 * that can be told from others, one that did not fall silent at the second question, and else the
 * quicker. One that was lost is the last.
 */
static int rank(const struct search *search, const struct ra_ipmi_asker *asker)
{
    if (asker->found.lost)
        return 4;
    if (ra_ipmi_guid_equal(&asker->found.guid, &search->request->remembered))
        return 0;
    if (ra_ipmi_guid_is_known(&asker->found.guid))
        return 1;
    return asker->found.told_guid ? 2 : 3;
}

static struct ra_ipmi_asker *choose_first(struct search *search)
{
    struct ra_ipmi_asker *first = &search->askers[search->order[0]];

    for (size_t i = 1; i < search->answers; i++) {
        struct ra_ipmi_asker *other = &search->askers[search->order[i]];

        if (rank(search, other) < rank(search, first))
            first = other;
    }
    return first;
}

static void collect(const struct search *search, const struct ra_ipmi_asker *first,
                    struct ra_ipmi_probe *probe)
{
    probe->several = search->several;
    probe->capabilities = first->capabilities;
    probe->round_trip_us = first->round_trip_us;
    probe->endpoints[probe->count++] = first->found;
    for (size_t i = 0; i < search->count; i++)
        if (&search->askers[i] != first && !search->askers[i].given_up)
            probe->endpoints[probe->count++] = search->askers[i].found;
    for (size_t i = 0; i < search->count; i++)
        if (&search->askers[i] != first && search->askers[i].found.lost)
            probe->endpoints[probe->count++] = search->askers[i].found;
    if (search->faults.data != NULL)
        (void)snprintf(probe->silent, sizeof(probe->silent), "%s", search->faults.data);
}

int ra_ipmi_probe(const struct ra_ipmi_probe_request *request, struct ra_deadline deadline,
                  struct ra_ipmi_probe *ret_probe, struct ra_error *err)
{
    RA_CLEANUP(search_end) struct search search = { .request = request };
    ra_auto_text_list char **names = ra_text_split(request->addresses, ", \t");
    struct ra_deadline began = ra_deadline_after_ms(0);
    struct ra_ipmi_probe probe = { .count = 0 };
    struct ra_ipmi_asker *first;
    bool any_silent;
    RA_LOG_CALL("looking for the BMC at %s", request->addresses);

    if (names[0] == NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "no address of a BMC is given: set ip");
    for (char **name = names; *name != NULL; name++)
        resolve(&search, *name, request->port);
    search.several =
        search.count > 1 || names[1] != NULL || ra_ipmi_guid_is_known(&request->remembered);
    if (!look(&search, deadline)) {
        any_silent = add_faults(&search, began);
        return ra_error_set(err, any_silent ? RA_ERROR_TIMEOUT : RA_ERROR_UNREACHABLE, "%s",
                            search.faults.data);
    }
    (void)add_faults(&search, began);
    probe.waited_ms = ra_deadline_now_ms() - search.answered_ms;
    first = choose_first(&search);
    if (request->want_ciphers && first->capabilities.version_2_0)
        probe.cipher_count = ra_ipmi_asker_fetch_ciphers(first, deadline, probe.ciphers);
    collect(&search, first, &probe);
    *ret_probe = probe;
    return 0;
}

void ra_ipmi_probe_guid(struct ra_ipmi_endpoint *endpoint, int64_t round_trip_us,
                        struct ra_deadline deadline)
{
    RA_CLEANUP(search_end) struct search search = { .count = 0 };
    struct ra_ipmi_asker *asker = &search.askers[0];
    ra_auto_free char *host = ra_text_copy(endpoint->name);
    char *colon = strrchr(host, ':');
    int64_t port;
    RA_LOG_CALL("asking %s for the GUID of its machine", endpoint->name);

    if (endpoint->told_guid || colon == NULL || ra_number_parse_integer(colon + 1, &port) != 0)
        return;
    *colon = '\0';
    resolve(&search, host, (int)port);
    deadline = ra_deadline_earlier(
        deadline,
        ra_deadline_after_ms(round_trip_us / 1000 > GRACE_MS ? round_trip_us / 1000 : GRACE_MS));
    while (search.count > 0 && !asker->given_up && !asker->found.told_guid &&
           !ra_deadline_expired(deadline)) {
        struct pollfd pollfd = { .fd = asker->fd, .events = POLLIN };

        if (ra_ipmi_asker_is_due(asker))
            ra_ipmi_asker_ask_guid(asker);
        if (poll(&pollfd, 1, ra_deadline_remaining_int_ms(next_event(&search, deadline))) > 0)
            (void)ra_ipmi_asker_take(asker);
    }
    endpoint->told_guid = asker->found.told_guid;
    endpoint->guid = asker->found.guid;
}
