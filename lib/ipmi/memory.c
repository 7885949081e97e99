/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/memory.h"

#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "ipmi/workaround.h"

enum { WORKAROUNDS_MOST = (RA_IPMI_NOAUTHCODECHECK << 1) - 1 };

/* What the knowledge depends on is in the name: with another user or level it may be another. */
static char *name_of(const struct ra_ipmi_session *session)
{
    const struct ra_ipmi_options *options = &session->options;

    return ra_text_format("ipmi %s %d %s %d %s", options->addresses, options->port,
                          options->user == NULL ? "" : options->user, (int)options->privilege,
                          options->version_1_5 ? "1.5" : "2.0");
}

/* A suite or type that was given is not looked for, so nothing is remembered for it. */
static bool is_wanted(const struct ra_ipmi_options *options)
{
    return options->version_1_5 ? options->auth == RA_IPMI_AUTH_ANY
                                : options->cipher == RA_IPMI_CIPHER_ANY;
}

static bool is_sensible(const struct ra_ipmi_options *options, int64_t suite, int64_t workarounds)
{
    if (workarounds < 0 || workarounds > WORKAROUNDS_MOST)
        return false;
    if (options->version_1_5)
        return suite >= RA_IPMI_AUTH_PASSWORD && suite <= RA_IPMI_AUTH_MD5;
    /* Suite 0 is never found, only given. */
    return suite > 0 && suite <= 17 && ra_ipmi_cipher_is_supported((int)suite);
}

bool ra_ipmi_memory_recall(struct ra_ipmi_session *session)
{
    ra_auto_free char *name = name_of(session);
    ra_auto_free char *text = NULL;
    ra_auto_text_list char **words = NULL;
    int64_t suite, workarounds;

    if (!is_wanted(&session->options) || ra_file_state_read(name, &text, NULL) != 0)
        return false;
    words = ra_text_split(text, " \n");
    if (words[0] == NULL || words[1] == NULL || ra_number_parse_integer(words[0], &suite) != 0 ||
        ra_number_parse_integer(words[1], &workarounds) != 0 ||
        !is_sensible(&session->options, suite, workarounds))
        return false;
    session->suite = (int)suite;
    session->workarounds = session->options.workarounds | (unsigned)workarounds;
    return true;
}

void ra_ipmi_memory_keep(const struct ra_ipmi_session *session)
{
    ra_auto_free char *name = name_of(session);
    ra_auto_free char *text = ra_text_format("%d %u\n", session->suite, session->workarounds);
    ra_auto_free char *before = NULL;
    struct ra_error err;

    if (!is_wanted(&session->options) ||
        !is_sensible(&session->options, session->suite, session->workarounds))
        return;
    if (ra_file_state_read(name, &before, NULL) == 0 && ra_text_equal(before, text))
        return;
    if (ra_file_state_write(name, text, &err) != 0)
        ra_log_note("the login is not remembered: %s", err.text);
}

void ra_ipmi_memory_forget(struct ra_ipmi_session *session)
{
    ra_auto_free char *name = name_of(session);

    (void)ra_file_state_remove(name, NULL);
    session->suite = -1;
    session->workarounds = session->options.workarounds;
}
