/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ipmi/client.h"
#include "ipmi/console.h"
#include "ipmi/fault.h"
#include "ipmi/login.h"

enum {
    CLOSE_MS = 250, /* how long the answer to a polite goodbye is waited for */
    /* How long the answer to a command is waited for that cannot be repeated. */
    ONCE_LEAST_MS = 2000,
    ONCE_ROUND_TRIPS = 8,
};

/* --- making and freeing ------------------------------------------------------------------------*/

static int check_options(const struct ra_ipmi_options *options, struct ra_error *err)
{
    size_t password_bytes = options->password == NULL ? 0 : strlen(options->password);
    size_t most_bytes =
        options->version_1_5 ? RA_IPMI_PASSWORD_1_5_MOST_BYTES : RA_IPMI_PASSWORD_MOST_BYTES;

    if (options->user != NULL && strlen(options->user) > RA_IPMI_USER_MOST_BYTES)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the user name '%s' is longer than the %d bytes that IPMI allows",
                            options->user, RA_IPMI_USER_MOST_BYTES);
    if (password_bytes > most_bytes)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the password has %zu bytes, IPMI %s allows %zu: set a shorter one in "
                            "the BMC%s",
                            password_bytes, options->version_1_5 ? "1.5" : "2.0", most_bytes,
                            options->version_1_5 ? ", or use IPMI 2.0 (lanplus=1)" : "");
    if (options->cipher != RA_IPMI_CIPHER_ANY && !ra_ipmi_cipher_is_supported(options->cipher))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "cipher suite %d is not supported: there are 0-3, 6-8, 11, 12 and "
                            "15-17",
                            options->cipher);
    return 0;
}

int ra_ipmi_session_create(const struct ra_ipmi_options *options,
                           struct ra_ipmi_session **ret_session, struct ra_error *err)
{
    struct ra_ipmi_session *session;

    if (check_options(options, err) != 0)
        return -1;
    session = calloc(1, sizeof(*session));
    if (session == NULL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "out of memory");
    session->options = *options;
    session->workarounds = options->workarounds;
    session->suite = -1;
    if (options->k_g != NULL) {
        memcpy(session->k_g, options->k_g, sizeof(session->k_g));
        session->options.k_g = session->k_g;
    }
    if (ra_ipmi_guard_create(&session->guard, err) != 0) {
        ra_ipmi_session_destroy(session);
        return -1;
    }
    *ret_session = session;
    return 0;
}

void ra_ipmi_session_close(struct ra_ipmi_session *session)
{
    if (session->ctx == NULL)
        return;
    RA_LOG_CALL("closing the session with %s", ra_ipmi_client_endpoint(session));
    ra_ipmi_guard_arm(&session->guard, ra_deadline_after_ms(CLOSE_MS));
    (void)ipmi_ctx_close(session->ctx); /* without an answer the BMC ends it by itself */
    ra_ipmi_guard_disarm(&session->guard);
    ra_ipmi_client_drop(session);
}

void ra_ipmi_client_drop(struct ra_ipmi_session *session)
{
    ipmi_ctx_destroy(session->ctx);
    session->ctx = NULL;
    ra_ipmi_wire_close(session->wire);
    session->wire = NULL;
}

void ra_ipmi_session_destroy(struct ra_ipmi_session *session)
{
    if (session == NULL)
        return;
    ra_ipmi_console_end(session);
    ra_ipmi_session_close(session);
    ra_ipmi_guard_destroy(&session->guard);
    explicit_bzero(session, sizeof(*session));
    free(session);
}

void ra_ipmi_client_send_once(struct ra_ipmi_session *session, bool once)
{
    if (session->once != once)
        ra_ipmi_session_close(session);
    session->once = once;
}

const char *ra_ipmi_client_endpoint(const struct ra_ipmi_session *session)
{
    return session->probe.endpoints[session->endpoint].name;
}

int ra_ipmi_session_open(struct ra_ipmi_session *session, struct ra_deadline deadline,
                         struct ra_error *err)
{
    struct ra_error local;

    if (session->ctx != NULL && ra_deadline_now_ms() - session->heard_ms >= session->idle_ms)
        ra_ipmi_session_close(session); /* FreeIPMI would call it timed out */
    if (session->ctx != NULL)
        return 0;
    if (err == NULL)
        err = &local;
    return ra_ipmi_login(session, deadline, err);
}

/* --- commands ----------------------------------------------------------------------------------*/

/* The completion code in a reply, -1 if none has come. */
static int completion_code(fiid_obj_t reply)
{
    uint64_t value;

    if (fiid_obj_get(reply, "comp_code", &value) <= 0)
        return -1;
    return (int)value;
}

static int run_once(struct ra_ipmi_session *session, const char *what, ra_ipmi_client_send *send,
                    const void *argument, fiid_obj_t reply, struct ra_deadline deadline,
                    struct ra_error *err)
{
    int errnum, code;
    int failed;
    RA_LOG_CALL("%s at %s", what, ra_ipmi_client_endpoint(session));

    if (session->once) {
        int64_t patience_ms = ONCE_ROUND_TRIPS * session->probe.round_trip_us / 1000;

        deadline = ra_deadline_earlier(
            deadline,
            ra_deadline_after_ms(patience_ms > ONCE_LEAST_MS ? patience_ms : ONCE_LEAST_MS));
    }
    (void)fiid_obj_clear(reply);
    ra_ipmi_guard_arm(&session->guard, deadline);
    failed = send(session->ctx, argument, reply);
    ra_ipmi_guard_disarm(&session->guard);
    if (failed >= 0) {
        session->heard_ms = ra_deadline_now_ms();
        return 0;
    }
    errnum =
        ra_deadline_expired(deadline) ? IPMI_ERR_SESSION_TIMEOUT : ipmi_ctx_errnum(session->ctx);
    code = completion_code(reply);
    if (code > 0)
        session->heard_ms = ra_deadline_now_ms();
    return ra_ipmi_fault_of_command(errnum, code, ra_ipmi_client_endpoint(session), what,
                                    &session->options, err);
}

/* True for what a new session, maybe over another address, may cure. */
static bool session_is_broken(const struct ra_error *err)
{
    return err->kind == RA_ERROR_TIMEOUT || err->kind == RA_ERROR_UNREACHABLE;
}

int ra_ipmi_client_run(struct ra_ipmi_session *session, const char *what, ra_ipmi_client_send *send,
                       const void *argument, fiid_obj_t reply, struct ra_deadline deadline,
                       struct ra_error *err)
{
    struct ra_error local;

    if (err == NULL)
        err = &local;
    for (;;) {
        if (ra_ipmi_session_open(session, deadline, err) != 0)
            return -1;
        if (run_once(session, what, send, argument, reply, deadline, err) == 0)
            return 0;
        if (!session_is_broken(err))
            return -1;
        ra_ipmi_session_close(session);
        session->endpoint = (session->endpoint + 1) % session->probe.count;
        if (session->once || ra_deadline_expired(deadline))
            return -1;
        ra_log_note("%s: opening another session", err->text);
    }
}
