/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The wire between FreeIPMI and a BMC: a thread that passes packets on and keeps back those that
 * FreeIPMI cannot bear. An answer that the network delivers twice, or that comes late and belongs
 * to the step before, ends FreeIPMI's opening of a session with an error (its RAKP message 2 again,
 * where RAKP message 4 is awaited: IPMI 2.0, 13.15). Networks and busy BMCs do both.
 */
#ifndef RA_IPMI_WIRE_H
#define RA_IPMI_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ipmi/guid.h"

struct ra_ipmi_wire;

/*
 * Lay a wire to the BMC at `endpoint` ("192.0.2.1:623", "[2001:db8::1]:623"). Errors: SYSTEM,
 * UNREACHABLE (no route, no loopback interface). Does not block.
 */
int ra_ipmi_wire_open(const char *endpoint, struct ra_ipmi_wire **ret_wire, struct ra_error *err);

/* Where FreeIPMI finds the BMC through the wire: "127.0.0.1:40123". */
const char *ra_ipmi_wire_address(const struct ra_ipmi_wire *wire);

/*
 * The GUID of the managed system from the BMC's RAKP message 2 (13.21); unknown if none has passed.
 * Once FreeIPMI has opened the session it is authenticated: the message's key exchange code covers
 * it. IPMI 1.5 has no such message.
 */
struct ra_ipmi_guid ra_ipmi_wire_guid(struct ra_ipmi_wire *wire);

/* NULL is allowed. */
void ra_ipmi_wire_close(struct ra_ipmi_wire *wire);

/*
 * The judgement by itself, for tests. A wire's memory starts zeroed; every request is shown to it,
 * and it says of every reply whether it may be passed on.
 */
#define RA_IPMI_WIRE_RECENT 32
struct ra_ipmi_wire_memory {
    uint64_t recent[RA_IPMI_WIRE_RECENT]; /* digests of the replies before */
    unsigned next;
    int request_kind;
    int request_tag;             /* of a message that opens a session, else -1 */
    bool answered;               /* that message has had its answer */
    unsigned char console_id[4]; /* the session id that FreeIPMI chose for its side */
    struct ra_ipmi_guid guid;    /* of the last RAKP message 2 that was passed on */
};
void ra_ipmi_wire_note_request(struct ra_ipmi_wire_memory *memory, const unsigned char *request,
                               size_t request_bytes);
bool ra_ipmi_wire_passes(struct ra_ipmi_wire_memory *memory, const unsigned char *reply,
                         size_t reply_bytes);

#endif
