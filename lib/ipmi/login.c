/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/login.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "ipmi/fault.h"
#include "ipmi/workaround.h"

enum {
    RETRANSMISSION_LEAST_MS = 250,
    RETRANSMISSION_ROUND_TRIPS = 4,
    NEVER_MS = 3600000,
    /* The longest silence while a suite is tried that is one of several. */
    SUITE_LEAST_MS = 1500,
    ONCE_LEAST_MS = 1000,
    /* A BMC that answers but opens no session is given up after so many times silence_ms. */
    OPEN_SILENCES = 2,
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

    if (options->version_1_5)
        return ipmi_ctx_open_outofband(
            ctx, ra_ipmi_client_endpoint(session), options->user, options->password,
            auth_type((enum ra_ipmi_auth)attempt->suite), (uint8_t)options->privilege,
            (unsigned)attempt->silence_ms, (unsigned)attempt->retransmission_ms,
            ra_ipmi_workaround_bits_1_5(session->workarounds), IPMI_FLAGS_DEFAULT);
    /* FreeIPMI reads 20 bytes of a key whatever its length is said to be. */
    return ipmi_ctx_open_outofband_2_0(
        ctx, ra_ipmi_client_endpoint(session), options->user, options->password, options->k_g,
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

/* 0, or -1 with the verdict and the sentence. */
static int try_to_open(struct ra_ipmi_session *session, const struct attempt *attempt,
                       enum ra_ipmi_verdict *ret_verdict, struct ra_error *err)
{
    ipmi_ctx_t ctx = ipmi_ctx_create();
    int failed;
    RA_LOG_CALL("opening an IPMI %s session with %s as '%s', %s %d",
                session->options.version_1_5 ? "1.5" : "2.0", ra_ipmi_client_endpoint(session),
                session->options.user == NULL ? "" : session->options.user,
                session->options.version_1_5 ? "authentication type" : "cipher suite",
                attempt->suite);

    if (ctx == NULL) {
        *ret_verdict = RA_IPMI_FINAL;
        return ra_error_set(err, RA_ERROR_SYSTEM, "out of memory");
    }
    ra_ipmi_guard_arm(&session->guard, attempt->deadline);
    failed = call_open(session, attempt, ctx) != 0 || set_target(session, ctx) != 0;
    ra_ipmi_guard_disarm(&session->guard);
    if (failed) {
        *ret_verdict = explain(session, attempt, ipmi_ctx_errnum(ctx), err);
        ipmi_ctx_destroy(ctx);
        return -1;
    }
    session->ctx = ctx;
    session->suite = attempt->suite;
    session->idle_ms = attempt->silence_ms;
    session->heard_ms = ra_deadline_now_ms();
    return 0;
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

static struct attempt plan(const struct ra_ipmi_session *session, uint8_t suite,
                           bool one_of_several, struct ra_deadline deadline)
{
    struct attempt attempt = { .suite = suite,
                               .deadline = deadline,
                               .silence_ms = session->options.silence_ms,
                               .retransmission_ms = session->options.retransmission_ms };
    int64_t few_round_trips_ms = RETRANSMISSION_ROUND_TRIPS * session->probe.round_trip_us / 1000;

    if (attempt.retransmission_ms == 0)
        attempt.retransmission_ms = few_round_trips_ms > RETRANSMISSION_LEAST_MS
                                        ? few_round_trips_ms
                                        : RETRANSMISSION_LEAST_MS;
    if (one_of_several && attempt.silence_ms > SUITE_LEAST_MS)
        attempt.silence_ms = 2 * attempt.retransmission_ms > SUITE_LEAST_MS
                                 ? 2 * attempt.retransmission_ms
                                 : SUITE_LEAST_MS;
    /* FreeIPMI wants to be able to retransmit at least once. */
    if (attempt.silence_ms <= attempt.retransmission_ms)
        attempt.silence_ms = attempt.retransmission_ms + 1;
    if (session->once) {
        /* Five exchanges, none of them repeated; the caller tries again with a new session. */
        attempt.retransmission_ms = NEVER_MS;
        attempt.silence_ms = 2 * NEVER_MS;
        attempt.deadline = ra_deadline_earlier(
            deadline,
            ra_deadline_after_ms(few_round_trips_ms * 5 > ONCE_LEAST_MS ? few_round_trips_ms * 5
                                                                        : ONCE_LEAST_MS));
    }
    return attempt;
}

static int look_for_bmc(struct ra_ipmi_session *session, struct ra_deadline deadline,
                        struct ra_error *err)
{
    const struct ra_ipmi_options *options = &session->options;

    if (session->probed)
        return 0;
    if (ra_ipmi_probe(options->addresses, options->port, (int)options->privilege,
                      !options->version_1_5,
                      ra_deadline_earlier(deadline, ra_deadline_after_ms(options->silence_ms)),
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

/* What is still to be tried, on the address in use. */
struct trial {
    uint8_t suites[RA_IPMI_CIPHER_LIST_MOST];
    size_t count;
    size_t next;
    struct ra_backoff busy;
    struct ra_deadline deadline;
};

static void forget_suite(struct trial *trial)
{
    memmove(trial->suites + trial->next, trial->suites + trial->next + 1,
            trial->count - trial->next - 1);
    trial->count--;
}

/* Draw the conclusion from a failed attempt. False when this address has refused for good. */
static bool go_on(struct ra_ipmi_session *session, struct trial *trial,
                  enum ra_ipmi_verdict verdict)
{
    switch (verdict) {
    case RA_IPMI_PRIVILEGE:
        return turn_on_opensesspriv(session);
    case RA_IPMI_NEXT_SUITE:
        forget_suite(trial);
        break;
    case RA_IPMI_SILENT:
        session->endpoint = (session->endpoint + 1) % session->probe.count;
        if (session->endpoint == 0)
            trial->next++;
        break;
    case RA_IPMI_BUSY:
        (void)ra_backoff_sleep(&trial->busy, trial->deadline);
        break;
    case RA_IPMI_FINAL:
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
 * -1 with *ret_refused true when the address in use has refused for good.
 */
static int try_suites(struct ra_ipmi_session *session, struct ra_deadline deadline,
                      bool *ret_refused, struct ra_error *err)
{
    struct trial trial = { .deadline = deadline,
                           .busy = { .next_ms = BUSY_PAUSE_MS, .most_ms = BUSY_PAUSE_MOST_MS } };
    enum ra_ipmi_verdict verdict;

    trial.count = candidates(session, trial.suites);
    *ret_refused = true;
    if (trial.count == 0)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the BMC at %s offers no cipher suite that protects a session: allow "
                            "one in the BMC, or set cipher",
                            ra_ipmi_client_endpoint(session));
    for (;;) {
        struct attempt attempt = plan(session, trial.suites[trial.next],
                                      trial.count > 1 || session->probe.count > 1, deadline);

        if (try_to_open(session, &attempt, &verdict, err) == 0)
            return 0;
        if (!go_on(session, &trial, verdict))
            return -1;
        if (ra_deadline_expired(deadline)) {
            *ret_refused = false;
            return -1;
        }
        ra_log_note("%s", err->text);
    }
}

/* The addresses one after the other: one that refuses does not speak for the others. */
static int try_endpoints(struct ra_ipmi_session *session, struct ra_deadline deadline,
                         struct ra_error *err)
{
    struct ra_ipmi_probe *probe = &session->probe;
    bool refused;

    deadline = ra_deadline_earlier(
        deadline, ra_deadline_after_ms(OPEN_SILENCES * session->options.silence_ms));
    err->kind = 0;
    while (try_suites(session, deadline, &refused, err) != 0) {
        if (!refused || probe->count == 1 || ra_deadline_expired(deadline))
            return -1;
        ra_log_note("%s: trying another address", err->text);
        memmove(probe->endpoints[session->endpoint], probe->endpoints[session->endpoint + 1],
                (probe->count - session->endpoint - 1) * sizeof(probe->endpoints[0]));
        probe->count--;
        session->endpoint %= probe->count;
    }
    return 0;
}

int ra_ipmi_login(struct ra_ipmi_session *session, struct ra_deadline deadline,
                  struct ra_error *err)
{
    if (look_for_bmc(session, deadline, err) != 0 || try_endpoints(session, deadline, err) != 0)
        return -1;
    return 0;
}
