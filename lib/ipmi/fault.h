/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What went wrong, in words: FreeIPMI's error numbers (ipmi-api.h) and the completion codes of
 * the standard (IPMI 2.0, table 5-2, and 28.3) become an error kind, a sentence that names what is
 * wrong, and an advice. Pure functions.
 */
#ifndef RA_IPMI_FAULT_H
#define RA_IPMI_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ipmi/packet.h"
#include "ipmi/session.h"

/* What an attempt to open a session was made with. */
struct ra_ipmi_fault_scene {
    const char *endpoint;
    const struct ra_ipmi_options *options;
    const struct ra_ipmi_capabilities *capabilities;
    int cipher;            /* IPMI 2.0: the suite of this attempt */
    const char *ciphers;   /* the suites that the BMC lists, as text; "" if it gave no list */
    bool cipher_is_listed; /* or there is no list */
};

/* How to go on after a failed attempt. */
enum ra_ipmi_verdict {
    RA_IPMI_FINAL,      /* the same again would fail again */
    RA_IPMI_NEXT_SUITE, /* another cipher suite or authentication type may do */
    RA_IPMI_FAULTY,     /* FINAL, unless the manufacturer is known for BMCs that fail like this */
    RA_IPMI_ODD,        /* the same, and else NEXT_SUITE */
    RA_IPMI_PRIVILEGE,  /* FINAL, unless the workaround opensesspriv was not in use */
    RA_IPMI_SILENT,     /* no answer: worth another try while there is time */
    RA_IPMI_BUSY,       /* worth another try a little later */
    RA_IPMI_STRANGER,   /* it is not the BMC that it should be: no address is worth a try */
};

/* Write the sentence for FreeIPMI's `errnum` while a session was opened. */
enum ra_ipmi_verdict ra_ipmi_fault_of_open(int errnum, const struct ra_ipmi_fault_scene *scene,
                                           struct ra_error *err);

/*
 * Write the sentence for a failed command on an open session ("reading the power state");
 * `completion_code` is -1 if there was no reply. Returns -1.
 */
int ra_ipmi_fault_of_command(int errnum, int completion_code, const char *endpoint,
                             const char *command, const struct ra_ipmi_options *options,
                             struct ra_error *err);

/* "administrator" and so on, as privlvl has them. */
const char *ra_ipmi_fault_privilege_name(enum ra_ipmi_privilege privilege);

#endif
