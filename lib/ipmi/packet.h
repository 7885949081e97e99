/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * IPMI messages over UDP that need no session: enough to find out, before any session, whether a
 * BMC answers at an address and what it offers. FreeIPMI's own sockets are not connected, so they
 * never learn that a port is closed, and they try one address only.
 *
 * Follows IPMI 2.0 (rev. 1.1): 13.1.3 RMCP header, 13.6 IPMI v1.5 LAN session header, 13.8 LAN
 * message formats. Pure functions: nothing blocks or allocates.
 */
#ifndef RA_IPMI_PACKET_H
#define RA_IPMI_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipmi/guid.h"

#define RA_IPMI_PACKET_MOST_BYTES      64
#define RA_IPMI_PACKET_SEQUENCES       64 /* the requester's sequence number has six bits */
#define RA_IPMI_PACKET_DATA_MOST_BYTES 16

enum {
    RA_IPMI_NET_FN_APP = 0x06,
    RA_IPMI_GET_SYSTEM_GUID = 0x37,
    RA_IPMI_GET_CHANNEL_AUTHENTICATION_CAPABILITIES = 0x38,
    RA_IPMI_GET_CHANNEL_CIPHER_SUITES = 0x54,
};

/*
 * Write a request to `packet`, which has RA_IPMI_PACKET_MOST_BYTES, and return its length.
 * `sequence` is below RA_IPMI_PACKET_SEQUENCES; at most RA_IPMI_PACKET_DATA_MOST_BYTES of data.
 */
size_t ra_ipmi_packet_request(unsigned char *packet, uint8_t net_fn, uint8_t command,
                              uint8_t sequence, const uint8_t *data, size_t data_bytes);

struct ra_ipmi_reply {
    uint8_t net_fn; /* of the response: the request's plus one */
    uint8_t command;
    uint8_t sequence;
    uint8_t completion_code;
    const unsigned char *data; /* after the completion code; points into the packet */
    size_t data_bytes;
};

/* False for anything that is not a well-formed reply outside of a session. */
bool ra_ipmi_packet_parse(const unsigned char *packet, size_t packet_bytes,
                          struct ra_ipmi_reply *ret_reply);

/* What Get Channel Authentication Capabilities says (table 22-15). */
struct ra_ipmi_capabilities {
    bool version_1_5;
    bool version_2_0;
    bool auth_none, auth_md2, auth_md5, auth_password;
    bool k_g_set;          /* the BMC has a K_g: sessions must use it */
    bool named_users;      /* users with a name are enabled */
    bool null_users;       /* users without a name, with a password */
    bool anonymous_users;  /* neither name nor password */
    uint32_t manufacturer; /* IANA enterprise number, 0 if it is not said */
};

bool ra_ipmi_packet_capabilities(const struct ra_ipmi_reply *reply,
                                 struct ra_ipmi_capabilities *ret_capabilities);

/*
 * What Get System GUID says (22.14; it may be asked outside of a session). False for a refusal and
 * for an answer that is too short.
 */
bool ra_ipmi_packet_guid(const struct ra_ipmi_reply *reply, struct ra_ipmi_guid *ret_guid);

#endif
