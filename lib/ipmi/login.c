/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/login.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "ipmi/fault.h"
#include "ipmi/memory.h"
#include "ipmi/workaround.h"

enum {
    RETRANSMISSION_LEAST_MS = 250,
    RETRANSMISSION_ROUND_TRIPS = 4,
    NEVER_MS = 3600000,
    LOGIN_ROUND_TRIPS = 8, /* five, and some that were lost */
    /* The longest silence while a suite is tried that is one of several. */
    SUITE_LEAST_MS = 1500,
    BEST_SUITE_LEAST_MS = 3000,
    ONCE_LEAST_MS = 1000,
    /* A BMC that answers but opens no session is given up after so many times silence_ms. */
    OPEN_SILENCES = 4,
    BUSY_PAUSE_MS = 100,
    BUSY_PAUSE_MOST_MS = 1000,
};

/* An attempt to open a session: which suite, and how long to bear silence. */
struct attempt {
    int suite;
    int64_t silence_ms;
    int64_t retransmission_ms;
    struct ra_deadline deadline;
};

/* --- one attempt -------------------------------------------------------------------------------*/

static uint8_t auth_type(enum ra_ipmi_auth auth)
{
    static const uint8_t types[] = {
        [RA_IPMI_AUTH_NONE] = IPMI_AUTHENTICATION_TYPE_NONE,
        [RA_IPMI_AUTH_PASSWORD] = IPMI_AUTHENTICATION_TYPE_STRAIGHT_PASSWORD_KEY,
        [RA_IPMI_AUTH_MD2] = IPMI_AUTHENTICATION_TYPE_MD2,
        [RA_IPMI_AUTH_MD5] = IPMI_AUTHENTICATION_TYPE_MD5,
    };

    return types[auth];
}

static int call_open(const struct ra_ipmi_session *session, const struct attempt *attempt,
                     ipmi_ctx_t ctx)
{
    const struct ra_ipmi_options *options = &session->options;
    const char *address = ra_ipmi_wire_address(session->wire);

    if (options->version_1_5)
        return ipmi_ctx_open_outofband(
            ctx, address, options->user, options->password,
            auth_type((enum ra_ipmi_auth)attempt->suite), (uint8_t)options->privilege,
            (unsigned)attempt->silence_ms, (unsigned)attempt->retransmission_ms,
            ra_ipmi_workaround_bits_1_5(session->workarounds), IPMI_FLAGS_DEFAULT);
    /* FreeIPMI reads 20 bytes of a key whatever its length is said to be. */
    return ipmi_ctx_open_outofband_2_0(
        ctx, address, options->user, options->password, options->k_g,
        options->k_g == NULL ? 0 : RA_IPMI_K_G_BYTES, (uint8_t)options->privilege,
        (uint8_t)attempt->suite, (unsigned)attempt->silence_ms,
        (unsigned)attempt->retransmission_ms, ra_ipmi_workaround_bits_2_0(session->workarounds),
        IPMI_FLAGS_DEFAULT);
}

static void list_ciphers(const struct ra_ipmi_probe *probe, char *text, size_t size_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < probe->cipher_count && used + 8 < size_bytes; i++)
        used += (size_t)snprintf(text + used, size_bytes - used, "%s%d", i == 0 ? "" : ", ",
                                 probe->ciphers[i]);
}

static enum ra_ipmi_verdict explain(const struct ra_ipmi_session *session,
                                    const struct attempt *attempt, int errnum, struct ra_error *err)
{
    const struct ra_ipmi_probe *probe = &session->probe;
    char ciphers[80];
    struct ra_ipmi_fault_scene scene = {
        .endpoint = ra_ipmi_client_endpoint(session),
        .options = &session->options,
        .capabilities = &probe->capabilities,
        .cipher = attempt->suite,
        .ciphers = ciphers,
        .cipher_is_listed = probe->cipher_count == 0 ||
                            memchr(probe->ciphers, attempt->suite, probe->cipher_count) != NULL,
    };

    list_ciphers(probe, ciphers, sizeof(ciphers));
    if (!ra_deadline_expired(attempt->deadline))
        return ra_ipmi_fault_of_open(errnum, &scene, err);
    /*
     * The guard has interrupted it, and FreeIPMI ended with whatever it makes of EINTR. What an
     * attempt before has found out says more.
     */
    if (err->kind != 0)
        return RA_IPMI_SILENT;
    return ra_ipmi_fault_of_open(IPMI_ERR_SESSION_TIMEOUT, &scene, err);
}

static int set_target(const struct ra_ipmi_session *session, ipmi_ctx_t ctx)
{
    uint8_t address = session->options.target;

    return session->options.bridged ? ipmi_ctx_set_target(ctx, NULL, &address) : 0;
}

static int is_stranger(enum ra_ipmi_verdict *ret_verdict)
{
    *ret_verdict = RA_IPMI_STRANGER;
    return -1;
}

/*
 * True for a BMC that shows no GUID and will not while a session is opened (IPMI 1.5): it has said
 * that it has none, or it is compared with a memory, and has answered and not shown any.
 */
static bool is_asked_in_vain(const struct ra_ipmi_session *session,
                             const struct ra_ipmi_endpoint *endpoint)
{
    return session->options.version_1_5 &&
           (endpoint->told_guid || (session->identity.from[0] == '\0' && endpoint->answered));
}

/*
 * When the address in use is not the one that the BMC was known by: ask whose it is, before
 * anything else is sent there. In IPMI 1.5 nothing else tells it, so that silence is silence.
 */
static int check_before(struct ra_ipmi_session *session, struct ra_deadline deadline,
                        enum ra_ipmi_verdict *ret_verdict, struct ra_error *err)
{
    struct ra_ipmi_endpoint *endpoint = &session->probe.endpoints[session->endpoint];
    const struct ra_ipmi_guid unknown = { { 0 } };

    if (!session->probe.several || !ra_ipmi_guid_is_known(&session->identity.guid) ||
        ra_text_equal(session->identity.from, endpoint->name))
        return 0;
    if (session->identity.is_mute)
        return 0; /* it was asked, and what it showed was nothing */
    ra_ipmi_probe_guid(endpoint, session->probe.round_trip_us, deadline);
    if (ra_ipmi_guid_is_known(&endpoint->guid) || is_asked_in_vain(session, endpoint)) {
        if (ra_ipmi_identity_check(&session->identity, endpoint, &unknown, err) == 0)
            return 0;
        return is_stranger(ret_verdict);
    }
    if (!session->options.version_1_5)
        return 0;
    *ret_verdict = RA_IPMI_SILENT;
    return ra_error_set(err, RA_ERROR_TIMEOUT,
                        "no answer from %s when it was asked for its GUID, connection timed out",
                        endpoint->name);
}

static int check_after(struct ra_ipmi_session *session, enum ra_ipmi_verdict *ret_verdict,
                       struct ra_error *err)
{
    struct ra_ipmi_guid authenticated = ra_ipmi_wire_guid(session->wire);

    if (ra_ipmi_identity_check(&session->identity, &session->probe.endpoints[session->endpoint],
                               &authenticated, err) == 0)
        return 0;
    ra_ipmi_session_close(session);
    return is_stranger(ret_verdict);
}

/* 0, or -1 with the verdict and the sentence. */
static int try_to_open(struct ra_ipmi_session *session, const struct attempt *attempt,
                       enum ra_ipmi_verdict *ret_verdict, struct ra_error *err)
{
    int failed;
    RA_LOG_CALL("opening an IPMI %s session with %s as '%s', %s %d",
                session->options.version_1_5 ? "1.5" : "2.0", ra_ipmi_client_endpoint(session),
                session->options.user == NULL ? "" : session->options.user,
                session->options.version_1_5 ? "authentication type" : "cipher suite",
                attempt->suite);

    *ret_verdict = RA_IPMI_FINAL;
    if (check_before(session, attempt->deadline, ret_verdict, err) != 0)
        return -1;
    if (ra_ipmi_wire_open(ra_ipmi_client_endpoint(session), &session->wire, err) != 0)
        return -1;
    session->ctx = ipmi_ctx_create();
    if (session->ctx == NULL) {
        ra_ipmi_client_drop(session);
        return ra_error_set(err, RA_ERROR_SYSTEM, "out of memory");
    }
    ra_ipmi_guard_arm(&session->guard, attempt->deadline);
    failed =
        call_open(session, attempt, session->ctx) != 0 || set_target(session, session->ctx) != 0;
    ra_ipmi_guard_disarm(&session->guard);
    if (failed) {
        *ret_verdict = explain(session, attempt, ipmi_ctx_errnum(session->ctx), err);
        ra_ipmi_client_drop(session);
        return -1;
    }
    session->suite = attempt->suite;
    session->idle_ms = attempt->silence_ms;
    session->heard_ms = ra_deadline_now_ms();
    return check_after(session, ret_verdict, err);
}

/* --- all attempts ------------------------------------------------------------------------------*/

static size_t auth_candidates(const struct ra_ipmi_session *session, uint8_t *ret_types)
{
    const struct ra_ipmi_capabilities *has = &session->probe.capabilities;
    size_t count = 0;

    if (session->options.auth != RA_IPMI_AUTH_ANY) {
        ret_types[count++] = (uint8_t)session->options.auth;
        return count;
    }
    if (has->auth_md5)
        ret_types[count++] = RA_IPMI_AUTH_MD5;
    if (has->auth_md2)
        ret_types[count++] = RA_IPMI_AUTH_MD2;
    if (has->auth_password)
        ret_types[count++] = RA_IPMI_AUTH_PASSWORD;
    if (count == 0)
        ret_types[count++] =
            ra_text_is_empty(session->options.password) ? RA_IPMI_AUTH_NONE : RA_IPMI_AUTH_MD5;
    return count;
}

static size_t candidates(const struct ra_ipmi_session *session, uint8_t *ret_suites)
{
    if (session->suite >= 0) {
        ret_suites[0] = (uint8_t)session->suite;
        return 1;
    }
    if (session->options.version_1_5)
        return auth_candidates(session, ret_suites);
    return ra_ipmi_cipher_candidates(session->options.cipher, session->probe.ciphers,
                                     session->probe.cipher_count, ret_suites);
}

/* What is still to be tried, on the address in use. */
struct trial {
    uint8_t suites[RA_IPMI_CIPHER_LIST_MOST];
    size_t count;
    size_t next;
    size_t silences;
    struct ra_backoff busy;
    struct ra_deadline deadline;
};

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* How long silence is borne: less where there is something else to try. */
static int64_t patience_ms(const struct ra_ipmi_session *session, const struct trial *trial,
                           int64_t retransmission_ms)
{
    bool one_address = session->probe.count == 1;
    int64_t patience;

    if (trial->count == 1 && one_address)
        return session->options.silence_ms;
    patience = at_least(2 * retransmission_ms,
                        trial->next == 0 && one_address ? BEST_SUITE_LEAST_MS : SUITE_LEAST_MS);
    return patience < session->options.silence_ms ? patience : session->options.silence_ms;
}

static struct attempt plan(const struct ra_ipmi_session *session, const struct trial *trial)
{
    int64_t few_round_trips_ms = RETRANSMISSION_ROUND_TRIPS * session->probe.round_trip_us / 1000;
    struct attempt attempt = { .suite = trial->suites[trial->next],
                               .deadline = trial->deadline,
                               .retransmission_ms = session->options.retransmission_ms };

    if (attempt.retransmission_ms == 0)
        attempt.retransmission_ms = at_least(few_round_trips_ms, RETRANSMISSION_LEAST_MS);
    /* FreeIPMI wants to be able to retransmit at least once. */
    attempt.silence_ms = at_least(patience_ms(session, trial, attempt.retransmission_ms),
                                  attempt.retransmission_ms + 1);
    if (session->once) {
        /* Five exchanges, none of them repeated; the caller tries again with a new session. */
        attempt.retransmission_ms = NEVER_MS;
        attempt.silence_ms = 2 * NEVER_MS;
        attempt.deadline = ra_deadline_earlier(
            trial->deadline, ra_deadline_after_ms(at_least(few_round_trips_ms * 5, ONCE_LEAST_MS)));
    }
    return attempt;
}

static int look_for_bmc(struct ra_ipmi_session *session, bool want_ciphers,
                        struct ra_deadline deadline, struct ra_error *err)
{
    if (session->probed)
        return 0;
    if (ra_ipmi_identity_probe(&session->identity, &session->options, want_ciphers, deadline,
                               &session->probe, err) != 0)
        return -1;
    session->endpoint = 0;
    session->probed = true;
    return 0;
}

/* The workaround that many BMCs need, where it is known to help. True if it was not on yet. */
static bool turn_on_opensesspriv(struct ra_ipmi_session *session)
{
    if (session->options.version_1_5 || (session->workarounds & RA_IPMI_OPENSESSPRIV) != 0)
        return false;
    ra_log_note("%s does not give the privilege level: trying again with the "
                "workaround opensesspriv",
                ra_ipmi_client_endpoint(session));
    session->workarounds |= RA_IPMI_OPENSESSPRIV;
    return true;
}

static void forget_suite(struct trial *trial)
{
    memmove(trial->suites + trial->next, trial->suites + trial->next + 1,
            trial->count - trial->next - 1);
    trial->count--;
}

/* The workarounds of BMCs that are known for such faults. True if they were not on yet. */
static bool turn_on_manufacturers(struct ra_ipmi_session *session)
{
    uint32_t manufacturer = session->probe.capabilities.manufacturer;
    unsigned flags = ra_ipmi_workaround_of_manufacturer(manufacturer);

    if (session->options.version_1_5 || (flags & ~session->workarounds) == 0)
        return false;
    ra_log_note("%s is of manufacturer %u: trying again with the workaround for its BMCs",
                ra_ipmi_client_endpoint(session), manufacturer);
    session->workarounds |= flags;
    return true;
}

/* Draw the conclusion from a failed attempt. False when this address has refused for good. */
static bool go_on(struct ra_ipmi_session *session, struct trial *trial,
                  enum ra_ipmi_verdict verdict)
{
    switch (verdict) {
    case RA_IPMI_PRIVILEGE:
        return turn_on_opensesspriv(session);
    case RA_IPMI_FAULTY:
        return turn_on_manufacturers(session);
    case RA_IPMI_ODD:
        if (turn_on_manufacturers(session))
            return true;
        session->workarounds &= session->options.workarounds | RA_IPMI_OPENSESSPRIV;
        forget_suite(trial);
        break;
    case RA_IPMI_NEXT_SUITE:
        forget_suite(trial);
        break;
    case RA_IPMI_SILENT:
        session->endpoint = (session->endpoint + 1) % session->probe.count;
        /* The best suite again and again, for it is the network that is at fault more often. */
        if (session->endpoint == 0)
            trial->next = ++trial->silences % 2 != 0 ? 0 : trial->silences / 2;
        break;
    case RA_IPMI_BUSY:
        (void)ra_backoff_sleep(&trial->busy, trial->deadline);
        break;
    case RA_IPMI_FINAL:
    case RA_IPMI_STRANGER:
    default:
        return false;
    }
    if (trial->count == 0)
        return false;
    trial->next %= trial->count;
    return true;
}

/*
 * Try the suites in order, those that met with silence again and again, until the deadline. 0, or
 * -1 with the verdict: FINAL when the address in use has refused for good, STRANGER, or SILENT when
 * the time is over.
 */
static int try_suites(struct ra_ipmi_session *session, struct ra_deadline deadline,
                      enum ra_ipmi_verdict *ret_verdict, struct ra_error *err)
{
    struct trial trial = { .deadline = deadline,
                           .busy = { .next_ms = BUSY_PAUSE_MS, .most_ms = BUSY_PAUSE_MOST_MS } };
    enum ra_ipmi_verdict verdict;

    trial.count = candidates(session, trial.suites);
    *ret_verdict = RA_IPMI_FINAL;
    if (trial.count == 0)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the BMC at %s offers no cipher suite that protects a session: allow "
                            "one in the BMC, or set cipher",
                            ra_ipmi_client_endpoint(session));
    for (;;) {
        struct attempt attempt = plan(session, &trial);

        if (try_to_open(session, &attempt, &verdict, err) == 0)
            return 0;
        if (!go_on(session, &trial, verdict)) {
            *ret_verdict = verdict == RA_IPMI_STRANGER ? RA_IPMI_STRANGER : RA_IPMI_FINAL;
            return -1;
        }
        if (ra_deadline_expired(deadline)) {
            *ret_verdict = RA_IPMI_SILENT;
            return -1;
        }
        ra_log_note("%s", err->text);
        /* What there is a remedy for explains nothing any more if the time runs out. */
        if (verdict != RA_IPMI_SILENT && verdict != RA_IPMI_BUSY)
            err->kind = 0;
    }
}

/* The addresses one after the other: one that refuses does not speak for the others. */
static int try_endpoints(struct ra_ipmi_session *session, struct ra_deadline deadline,
                         enum ra_ipmi_verdict *ret_verdict, struct ra_error *err)
{
    struct ra_ipmi_probe *probe = &session->probe;

    deadline = ra_deadline_earlier(
        deadline, ra_deadline_after_ms(OPEN_SILENCES * session->options.silence_ms));
    err->kind = 0;
    while (try_suites(session, deadline, ret_verdict, err) != 0) {
        if (*ret_verdict != RA_IPMI_FINAL || probe->count == 1 || ra_deadline_expired(deadline))
            return -1;
        ra_log_note("%s: trying another address", err->text);
        memmove(&probe->endpoints[session->endpoint], &probe->endpoints[session->endpoint + 1],
                (probe->count - session->endpoint - 1) * sizeof(probe->endpoints[0]));
        probe->count--;
        session->endpoint %= probe->count;
    }
    return 0;
}

/* 0, or -1: the memory was wrong, or it is not to blame (*ret_wrong). */
static int try_memory(struct ra_ipmi_session *session, struct ra_deadline deadline, bool *ret_wrong,
                      struct ra_error *err)
{
    enum ra_ipmi_verdict verdict;
    int64_t longest_ms;

    *ret_wrong = false;
    if (look_for_bmc(session, false, deadline, err) != 0)
        return -1;
    longest_ms = at_least(session->options.silence_ms,
                          LOGIN_ROUND_TRIPS * session->probe.round_trip_us / 1000);
    if (try_endpoints(session, ra_deadline_earlier(deadline, ra_deadline_after_ms(longest_ms)),
                      &verdict, err) == 0)
        return 0;
    /* A refused user is refused whatever the suite, and every try may count against him. */
    *ret_wrong = err->kind != RA_ERROR_PERMISSION && verdict != RA_IPMI_STRANGER;
    return -1;
}

/* Everything, with what is remembered first. */
static int log_in(struct ra_ipmi_session *session, struct ra_deadline deadline,
                  struct ra_error *err)
{
    enum ra_ipmi_verdict verdict;
    bool wrong;

    if (!session->probed && ra_ipmi_memory_recall(session)) {
        if (try_memory(session, deadline, &wrong, err) == 0)
            return 0;
        if (!wrong)
            return -1;
        ra_log_note("%s: finding out again what this BMC needs", err->text);
        ra_ipmi_memory_forget(session);
        session->probed = false;
    }
    if (look_for_bmc(session, true, deadline, err) != 0)
        return -1;
    return try_endpoints(session, deadline, &verdict, err);
}

int ra_ipmi_login(struct ra_ipmi_session *session, struct ra_deadline deadline,
                  struct ra_error *err)
{
    bool is_first = !session->probed;

    if (log_in(session, deadline, err) != 0)
        return -1;
    ra_ipmi_memory_keep(session);
    ra_ipmi_identity_keep(&session->identity, &session->options);
    if (is_first)
        ra_ipmi_identity_warn(&session->identity, &session->probe,
                              session->options.patience_ms != NULL);
    return 0;
}
