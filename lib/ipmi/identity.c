/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/identity.h"

#include <stdio.h>
#include <string.h>

#include "base/deadline.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"

#define ADVICE                                                                                     \
    "no command is sent; check the addresses in ip, and the records of its names in DNS and "      \
    "/etc/hosts"

/* How long what was seen can refuse what differs. */
enum { RECENT_S = 24 * 60 * 60 };

/* --- the memory --------------------------------------------------------------------------------*/

static char *name_of(const struct ra_ipmi_options *options)
{
    return ra_text_format("ipmi guid %s %d", options->addresses, options->port);
}

/* "SECONDS": when they were last seen to lead to two BMCs. */
static char *name_of_difference(const struct ra_ipmi_options *options)
{
    return ra_text_format("ipmi two %s %d", options->addresses, options->port);
}

static bool is_recent(int64_t seen_s)
{
    int64_t now_s = ra_deadline_now_ms() / 1000;

    return seen_s <= now_s && now_s - seen_s < RECENT_S;
}

static void recall_difference(const struct ra_ipmi_options *options,
                              struct ra_ipmi_recollection *recollection)
{
    ra_auto_free char *name = name_of_difference(options);
    ra_auto_free char *path = ra_file_state_path(name);
    ra_auto_free char *text = NULL;
    int64_t seen_s;

    (void)snprintf(recollection->differed_file, sizeof(recollection->differed_file), "%s", path);
    if (ra_file_state_read(name, &text, NULL) != 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    recollection->differed = ra_number_parse_integer(text, &seen_s) == 0 && is_recent(seen_s);
}

static void keep_difference(const struct ra_ipmi_options *options)
{
    ra_auto_free char *name = name_of_difference(options);
    ra_auto_free char *text = ra_text_format("%lld\n", (long long)ra_deadline_now_ms() / 1000);
    struct ra_error err;

    if (ra_file_state_write(name, text, &err) != 0)
        ra_log_note("that there are two BMCs is not remembered: %s", err.text);
}

static void forget_difference(const struct ra_ipmi_options *options)
{
    ra_auto_free char *name = name_of_difference(options);

    (void)ra_file_state_remove(name, NULL);
}

/* "GUID SECONDS": when it was last seen, by the clock that starts with the node, as the file does.
 */
static void parse_memory(const char *text, struct ra_ipmi_recollection *recollection)
{
    ra_auto_text_list char **words = ra_text_split(text, " \t\n");
    int64_t seen_s;

    if (words[0] == NULL || !ra_ipmi_guid_parse(words[0], &recollection->guid) ||
        words[1] == NULL || ra_number_parse_integer(words[1], &seen_s) != 0)
        return;
    recollection->is_recent = ra_ipmi_guid_is_known(&recollection->guid) && is_recent(seen_s);
}

struct ra_ipmi_recollection ra_ipmi_identity_recall(const struct ra_ipmi_options *options)
{
    ra_auto_free char *name = name_of(options);
    ra_auto_free char *path = ra_file_state_path(name);
    ra_auto_free char *text = NULL;
    struct ra_ipmi_recollection recollection = { .is_recent = false };

    (void)snprintf(recollection.file, sizeof(recollection.file), "%s", path);
    if (ra_file_state_read(name, &text, NULL) == 0)
        parse_memory(text, &recollection);
    recall_difference(options, &recollection);
    return recollection;
}

void ra_ipmi_identity_keep(const struct ra_ipmi_identity *identity,
                           const struct ra_ipmi_options *options)
{
    ra_auto_free char *name = NULL;
    ra_auto_free char *text = NULL;
    char guid[RA_IPMI_GUID_TEXT_BYTES];
    struct ra_error err;

    if (!identity->proven)
        return;
    name = name_of(options);
    ra_ipmi_guid_format(&identity->guid, guid);
    text = ra_text_format("%s %lld\n", guid, (long long)ra_deadline_now_ms() / 1000);
    if (ra_file_state_write(name, text, &err) != 0)
        ra_log_note("the BMC's GUID is not remembered: %s", err.text);
    if (identity->remembered.differed)
        forget_difference(options);
}

/* --- the sentences -----------------------------------------------------------------------------*/

static int two_bmcs(const char *a, const struct ra_ipmi_guid *guid_a, const char *b,
                    const struct ra_ipmi_guid *guid_b, struct ra_error *err)
{
    char text_a[RA_IPMI_GUID_TEXT_BYTES], text_b[RA_IPMI_GUID_TEXT_BYTES];

    ra_ipmi_guid_format(guid_a, text_a);
    ra_ipmi_guid_format(guid_b, text_b);
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "%s and %s lead to two different BMCs, with the GUIDs %s and %s: " ADVICE,
                        a, b, text_a, text_b);
}

/* `shown` may be unknown. The file is named because to remove it is the quickest remedy. */
static int not_the_one_before(const struct ra_ipmi_endpoint *endpoint,
                              const struct ra_ipmi_guid *shown,
                              const struct ra_ipmi_recollection *before, const char *others,
                              struct ra_error *err)
{
    char text_shown[RA_IPMI_GUID_TEXT_BYTES] = "none", text_before[RA_IPMI_GUID_TEXT_BYTES];

    if (ra_ipmi_guid_is_known(shown))
        ra_ipmi_guid_format(shown, text_shown);
    ra_ipmi_guid_format(&before->guid, text_before);
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "%s leads to a BMC with the GUID %s; it was %s when every address in ip "
                        "showed the same, and now not every one does: " ADVICE
                        "; if the BMC was replaced or updated, mend its other address or remove %s "
                        "(%.200s)",
                        endpoint->name, text_shown, text_before, before->file, others);
}

static int two_answers(const struct ra_ipmi_endpoint *endpoint,
                       const struct ra_ipmi_guid *authenticated, struct ra_error *err)
{
    char outside[RA_IPMI_GUID_TEXT_BYTES], inside[RA_IPMI_GUID_TEXT_BYTES];

    ra_ipmi_guid_format(&endpoint->guid, outside);
    ra_ipmi_guid_format(authenticated, inside);
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "%s leads to two different BMCs: it showed the GUID %s and then, when the "
                        "session was opened, %s: " ADVICE,
                        endpoint->name, outside, inside);
}

/* The address is the same, and who is there is not. */
static int another_one_now(const struct ra_ipmi_identity *identity,
                           const struct ra_ipmi_guid *found, struct ra_error *err)
{
    char before[RA_IPMI_GUID_TEXT_BYTES], now[RA_IPMI_GUID_TEXT_BYTES];

    ra_ipmi_guid_format(&identity->guid, before);
    ra_ipmi_guid_format(found, now);
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "%s leads to two different BMCs: it showed the GUID %s before, and when "
                        "another session was opened, %s: " ADVICE,
                        identity->from, before, now);
}

static int one_shows_none(const char *without, const char *with, const struct ra_ipmi_guid *guid,
                          struct ra_error *err)
{
    char text[RA_IPMI_GUID_TEXT_BYTES];

    ra_ipmi_guid_format(guid, text);
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "%s leads to a BMC without a GUID, and %s to one with the GUID %s: they "
                        "are not proven to be the same; " ADVICE,
                        without, with, text);
}

/* --- judging -----------------------------------------------------------------------------------*/

/*
 * A machine that says that it has no GUID is not the one that shows one. While it is remembered
 * that all have shown that one, the one that shows it still is proven.
 */
static int check_none(const struct ra_ipmi_identity *identity, const struct ra_ipmi_endpoint *none,
                      const struct ra_ipmi_endpoint *other, struct ra_error *err)
{
    if (!none->told_none || !ra_ipmi_guid_is_known(&other->guid) ||
        (identity->remembered.is_recent &&
         ra_ipmi_guid_equal(&identity->remembered.guid, &other->guid)))
        return 0;
    return one_shows_none(none->name, other->name, &other->guid, err);
}

static int check_pairs(const struct ra_ipmi_identity *identity, const struct ra_ipmi_probe *probe,
                       struct ra_error *err)
{
    for (size_t i = 0; i < probe->count; i++)
        for (size_t j = i + 1; j < probe->count; j++) {
            const struct ra_ipmi_endpoint *a = &probe->endpoints[i];
            const struct ra_ipmi_endpoint *b = &probe->endpoints[j];

            if (ra_ipmi_guid_differ(&a->guid, &b->guid))
                return two_bmcs(a->name, &a->guid, b->name, &b->guid, err);
            if (check_none(identity, a, b, err) != 0 || check_none(identity, b, a, err) != 0)
                return -1;
        }
    return 0;
}

/* True if every configured address has answered and is still there. */
static bool all_there(const struct ra_ipmi_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++)
        if (!probe->endpoints[i].answered || probe->endpoints[i].lost)
            return false;
    return probe->silent[0] == '\0';
}

/*
 * While an address is missing, and all together led to two BMCs when they were last seen: which of
 * the two is the node's own nobody knows, but for one that was proven.
 */
static int check_difference(const struct ra_ipmi_recollection *remembered,
                            const struct ra_ipmi_probe *probe, const struct ra_ipmi_endpoint *shown,
                            struct ra_error *err)
{
    if (!remembered->differed || all_there(probe) ||
        (shown != NULL && remembered->is_recent &&
         ra_ipmi_guid_equal(&remembered->guid, &shown->guid)))
        return 0;
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "%s answers, and not every address in ip does; when they did, they led to "
                        "two different BMCs: " ADVICE "; if that is mended, remove %s (%.200s)",
                        probe->endpoints[0].name, remembered->differed_file, probe->silent);
}

/* The first that has shown a GUID, NULL if none has. */
static const struct ra_ipmi_endpoint *first_known(const struct ra_ipmi_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++)
        if (ra_ipmi_guid_is_known(&probe->endpoints[i].guid))
            return &probe->endpoints[i];
    return NULL;
}

/* True if no configured address is missing, and each has shown a GUID. */
static bool all_known(const struct ra_ipmi_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++)
        if (!ra_ipmi_guid_is_known(&probe->endpoints[i].guid))
            return false;
    return all_there(probe);
}

/*
 * None has shown a GUID. A session must then be with the machine that is remembered, as far as it
 * shows which: while an address is missing, one that shows nothing may be the stranger that a wrong
 * address leads to. When all are there and none shows anything, it is more likely that the BMC no
 * longer tells (a firmware update), and no address could ever prove otherwise: to refuse would be
 * to fence the node never again. It is then as good as a BMC that has never shown one.
 */
static void expect_what_is_remembered(struct ra_ipmi_identity *identity,
                                      const struct ra_ipmi_probe *probe)
{
    if (identity->from[0] != '\0' || !identity->remembered.is_recent)
        return;
    identity->guid = identity->remembered.guid;
    identity->is_mute = all_there(probe);
}

int ra_ipmi_identity_judge(struct ra_ipmi_identity *identity, const struct ra_ipmi_probe *probe,
                           struct ra_error *err)
{
    const struct ra_ipmi_recollection *remembered = &identity->remembered;
    const struct ra_ipmi_endpoint *shown = first_known(probe);

    identity->is_mute = false;
    if (!probe->several)
        return 0;
    identity->differs = check_pairs(identity, probe, err) != 0;
    if (identity->differs)
        return -1;
    if (check_difference(remembered, probe, shown, err) != 0)
        return -1;
    if (shown == NULL) {
        expect_what_is_remembered(identity, probe);
        return 0;
    }
    if (identity->from[0] != '\0' &&
        ra_ipmi_guid_differ_in_any_order(&identity->guid, &shown->guid))
        return two_bmcs(identity->from, &identity->guid, shown->name, &shown->guid, err);
    if (remembered->is_recent && ra_ipmi_guid_differ(&remembered->guid, &shown->guid) &&
        !all_known(probe))
        return not_the_one_before(
            shown, &shown->guid, remembered,
            probe->silent[0] == '\0' ? "one of them shows none" : probe->silent, err);
    identity->guid = shown->guid;
    (void)snprintf(identity->from, sizeof(identity->from), "%s", shown->name);
    identity->proven = all_known(probe);
    return 0;
}

int ra_ipmi_identity_probe(struct ra_ipmi_identity *identity, const struct ra_ipmi_options *options,
                           bool want_ciphers, struct ra_deadline deadline,
                           struct ra_ipmi_probe *ret_probe, struct ra_error *err)
{
    struct ra_ipmi_probe_request request = {
        .addresses = options->addresses,
        .port = options->port,
        .privilege = (int)options->privilege,
        .want_ciphers = want_ciphers && !options->version_1_5,
        .every_address = options->patience_ms != NULL,
        .patience_ms = options->patience_ms == NULL ? 0 : *options->patience_ms,
    };

    identity->remembered = ra_ipmi_identity_recall(options);
    request.remembered = identity->remembered.guid;
    request.insist = identity->remembered.is_recent || identity->remembered.differed;
    if (ra_ipmi_probe(&request,
                      ra_deadline_earlier(deadline, ra_deadline_after_ms(options->silence_ms)),
                      ret_probe, err) != 0)
        return -1;
    if (options->patience_ms != NULL)
        *options->patience_ms -= ret_probe->waited_ms;
    if (ra_ipmi_identity_judge(identity, ret_probe, err) == 0)
        return 0;
    if (identity->differs)
        keep_difference(options);
    return -1;
}

/* A session with a machine that shows no GUID at all. */
static int check_unknown(struct ra_ipmi_identity *identity, const struct ra_ipmi_endpoint *endpoint,
                         struct ra_error *err)
{
    if (!ra_ipmi_guid_is_known(&identity->guid) || identity->is_mute ||
        ra_text_equal(identity->from, endpoint->name)) {
        if (identity->mute_from[0] == '\0' && !ra_text_equal(identity->from, endpoint->name))
            (void)snprintf(identity->mute_from, sizeof(identity->mute_from), "%s", endpoint->name);
        return 0;
    }
    if (identity->from[0] == '\0')
        return not_the_one_before(endpoint, &endpoint->guid, &identity->remembered,
                                  "not all have answered", err);
    return one_shows_none(endpoint->name, identity->from, &identity->guid, err);
}

int ra_ipmi_identity_check(struct ra_ipmi_identity *identity,
                           const struct ra_ipmi_endpoint *endpoint,
                           const struct ra_ipmi_guid *authenticated, struct ra_error *err)
{
    const struct ra_ipmi_guid *found =
        ra_ipmi_guid_is_known(authenticated) ? authenticated : &endpoint->guid;

    if (ra_ipmi_guid_differ_in_any_order(&endpoint->guid, authenticated))
        return two_answers(endpoint, authenticated, err);
    if (!ra_ipmi_guid_is_known(found))
        return check_unknown(identity, endpoint, err);
    if (identity->mute_from[0] != '\0' && !ra_text_equal(identity->mute_from, endpoint->name))
        return one_shows_none(identity->mute_from, endpoint->name, found, err);
    if (!ra_ipmi_guid_is_known(&identity->guid)) {
        identity->guid = *found;
        (void)snprintf(identity->from, sizeof(identity->from), "%s", endpoint->name);
        return 0;
    }
    if (!ra_ipmi_guid_differ_in_any_order(&identity->guid, found))
        return 0;
    if (identity->from[0] == '\0')
        return not_the_one_before(endpoint, found, &identity->remembered,
                                  identity->is_mute ? "they show none outside of a session"
                                                    : "not all have answered",
                                  err);
    if (ra_text_equal(identity->from, endpoint->name))
        return another_one_now(identity, found, err);
    return two_bmcs(identity->from, &identity->guid, endpoint->name, found, err);
}

/* --- warnings ----------------------------------------------------------------------------------*/

/* True if there was something to warn of. */
static bool warn_of_change(const struct ra_ipmi_identity *identity)
{
    const struct ra_ipmi_recollection *before = &identity->remembered;
    char text[RA_IPMI_GUID_TEXT_BYTES];

    ra_ipmi_guid_format(&before->guid, text);
    if (identity->is_mute) {
        ra_log_warning("the BMC shows no GUID at any address in ip, and had %s before: it cannot "
                       "be proven that it is the same; if it was updated or replaced, remove %s",
                       text, before->file);
        return true;
    }
    if (!ra_ipmi_guid_differ_in_any_order(&before->guid, &identity->guid))
        return false;
    ra_log_warning("the BMC at %s is another one than the addresses in ip led to more than a day "
                   "ago, with the GUID %s: check them, and remove %s if the BMC was replaced",
                   identity->from, text, before->file);
    return true;
}

void ra_ipmi_identity_warn(const struct ra_ipmi_identity *identity,
                           const struct ra_ipmi_probe *probe, bool of_addresses)
{
    if (!probe->several || identity->proven || warn_of_change(identity) || !of_addresses)
        return;
    if (probe->silent[0] != '\0') {
        ra_log_warning("the BMC answers at %s, but not at every address in ip: %s",
                       probe->endpoints[0].name, probe->silent);
        return;
    }
    for (size_t i = 0; i < probe->count; i++)
        if (!ra_ipmi_guid_is_known(&probe->endpoints[i].guid)) {
            ra_log_warning("it cannot be proven that the addresses in ip lead to one BMC: %s shows "
                           "no GUID",
                           probe->endpoints[i].name);
            return;
        }
}
