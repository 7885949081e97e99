/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether several addresses lead to one BMC. A stale DNS record or a wrong second address leads to
 * another node's BMC, and "off" from there is no proof of anything. So the addresses must show the
 * same GUID (guid.h) as far as they show one, and a session must be with the machine of that GUID.
 *
 * A GUID that is not known proves nothing, neither for nor against: many BMCs have none. But a BMC
 * that says so at one address does not show a GUID at another.
 *
 * What all addresses together have shown is kept in a state file (base/file.h), with the time. With
 * it one address is proof enough while the others are silent, and a stranger is known for one. When
 * all of them show something new, the board was replaced, and that is kept. That they led to two
 * BMCs is kept as well: one of those may die with its node, and the other must not be taken for it
 * then. What was not seen for a day refuses nothing any more, for a memory must not keep a dead
 * node from being fenced for ever.
 */
#ifndef RA_IPMI_IDENTITY_H
#define RA_IPMI_IDENTITY_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/error.h"
#include "ipmi/guid.h"
#include "ipmi/probe.h"
#include "ipmi/session.h"

#define RA_IPMI_MEMORY_FILE_BYTES 256

/* What is remembered for some addresses. */
struct ra_ipmi_recollection {
    struct ra_ipmi_guid guid; /* unknown: nothing is */
    bool is_recent;           /* it was seen within a day: what differs can be refused */
    char file[RA_IPMI_MEMORY_FILE_BYTES];
    bool differed; /* within a day they were seen to lead to two BMCs, and not to one since */
    char differed_file[RA_IPMI_MEMORY_FILE_BYTES];
};

/* Of the BMC that a session object is for; starts zeroed: nothing is known. */
struct ra_ipmi_identity {
    struct ra_ipmi_guid guid;
    char from[RA_IPMI_ENDPOINT_BYTES]; /* the address that has shown it; "": it is remembered */
    bool proven;                       /* every address has answered and shown it */
    bool is_mute;                      /* every address has answered, and none shows a GUID */
    bool differs;                      /* the addresses have shown two BMCs */
    char mute_from[RA_IPMI_ENDPOINT_BYTES]; /* a session was opened there that showed none */
    struct ra_ipmi_recollection remembered;
};

struct ra_ipmi_recollection ra_ipmi_identity_recall(const struct ra_ipmi_options *options);

/*
 * Remember it, and that it was seen now, if it is proven; that the addresses led to two is
 * forgotten then. A failure is no error.
 */
void ra_ipmi_identity_keep(const struct ra_ipmi_identity *identity,
                           const struct ra_ipmi_options *options);

/*
 * Judge what the addresses have shown, before a session is opened. CONFIG, with both addresses
 * named, when two differ or one of them says that it has none, when one differs from *identity, or
 * from what is remembered (in *identity, and recent) while another one is silent; when one is
 * silent, and it is remembered that they led to two.
 */
int ra_ipmi_identity_judge(struct ra_ipmi_identity *identity, const struct ra_ipmi_probe *probe,
                           struct ra_error *err);

/*
 * Ask the addresses of the options who is there, and judge it by what is remembered. Blocks for
 * silence_ms at most, and until the deadline. Errors: those of ra_ipmi_probe() and of judging.
 */
int ra_ipmi_identity_probe(struct ra_ipmi_identity *identity, const struct ra_ipmi_options *options,
                           bool want_ciphers, struct ra_deadline deadline,
                           struct ra_ipmi_probe *ret_probe, struct ra_error *err);

/*
 * Judge a session that has just been opened with the endpoint; `authenticated` is the GUID that
 * came while it was opened. CONFIG when it is another machine's, and when it is not known to be the
 * one that another address has shown, or that is remembered while an address is missing. Every
 * session of an action must be with the machine of the first, at a single address too: it can have
 * passed to another BMC in between.
 */
int ra_ipmi_identity_check(struct ra_ipmi_identity *identity,
                           const struct ra_ipmi_endpoint *endpoint,
                           const struct ra_ipmi_guid *authenticated, struct ra_error *err);

/*
 * Warn of a BMC that is not what is remembered; `of_addresses`: also of addresses that are dead, or
 * that are not proven to lead to one BMC.
 */
void ra_ipmi_identity_warn(const struct ra_ipmi_identity *identity,
                           const struct ra_ipmi_probe *probe, bool of_addresses);

#endif
