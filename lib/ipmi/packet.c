/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/packet.h"

#include <string.h>

enum {
    RMCP_VERSION = 0x06,
    RMCP_NO_ACKNOWLEDGE = 0xff,
    RMCP_CLASS_IPMI = 0x07,
    AUTHENTICATION_NONE = 0x00,
    ADDRESS_BMC = 0x20,
    ADDRESS_CONSOLE = 0x81,
    LEAST_MESSAGE_BYTES = 8, /* addresses, checksums, sequence, command and completion code */
};

/* Where things are in a packet without authentication code. */
enum {
    AT_VERSION = 0,
    AT_CLASS = 3,
    AT_AUTHENTICATION = 4,
    AT_SESSION = 5, /* sequence number and session id, four bytes each */
    AT_LENGTH = 13,
    AT_MESSAGE = 14,
};

static uint8_t sum(const unsigned char *bytes, size_t count)
{
    unsigned total = 0;

    for (size_t i = 0; i < count; i++)
        total += bytes[i];
    return (uint8_t)(total & 0xff);
}

static uint8_t checksum(const unsigned char *bytes, size_t count)
{
    return (uint8_t)((0x100 - sum(bytes, count)) & 0xff);
}

size_t ra_ipmi_packet_request(unsigned char *packet, uint8_t net_fn, uint8_t command,
                              uint8_t sequence, const uint8_t *data, size_t data_bytes)
{
    unsigned char *message = packet + AT_MESSAGE;
    size_t length = 6 + data_bytes;

    memset(packet, 0, RA_IPMI_PACKET_MOST_BYTES);
    packet[AT_VERSION] = RMCP_VERSION;
    packet[2] = RMCP_NO_ACKNOWLEDGE;
    packet[AT_CLASS] = RMCP_CLASS_IPMI;
    packet[AT_AUTHENTICATION] = AUTHENTICATION_NONE;
    message[0] = ADDRESS_BMC;
    message[1] = (uint8_t)(net_fn << 2);
    message[2] = checksum(message, 2);
    message[3] = ADDRESS_CONSOLE;
    message[4] = (uint8_t)(sequence << 2);
    message[5] = command;
    if (data_bytes > 0)
        memcpy(message + 6, data, data_bytes);
    message[length] = checksum(message + 3, length - 3);
    packet[AT_LENGTH] = (uint8_t)(length + 1);
    return AT_MESSAGE + length + 1;
}

bool ra_ipmi_packet_parse(const unsigned char *packet, size_t packet_bytes,
                          struct ra_ipmi_reply *ret_reply)
{
    static const unsigned char no_session[8];
    const unsigned char *message = packet + AT_MESSAGE;
    size_t length;

    if (packet_bytes < AT_MESSAGE + LEAST_MESSAGE_BYTES || packet[AT_VERSION] != RMCP_VERSION ||
        packet[AT_CLASS] != RMCP_CLASS_IPMI || packet[AT_AUTHENTICATION] != AUTHENTICATION_NONE ||
        memcmp(packet + AT_SESSION, no_session, sizeof(no_session)) != 0)
        return false;
    length = packet[AT_LENGTH];
    /* One more byte may follow: the pad of the legacy Ethernet controllers of 13.6. */
    if (length < LEAST_MESSAGE_BYTES || length > packet_bytes - AT_MESSAGE)
        return false;
    if (message[0] != ADDRESS_CONSOLE || sum(message, 3) != 0 || sum(message + 3, length - 3) != 0)
        return false;
    *ret_reply = (struct ra_ipmi_reply){ .net_fn = message[1] >> 2,
                                         .command = message[5],
                                         .sequence = message[4] >> 2,
                                         .completion_code = message[6],
                                         .data = message + 7,
                                         .data_bytes = length - LEAST_MESSAGE_BYTES };
    return true;
}

bool ra_ipmi_packet_capabilities(const struct ra_ipmi_reply *reply,
                                 struct ra_ipmi_capabilities *ret_capabilities)
{
    struct ra_ipmi_capabilities found = { .version_1_5 = true };
    uint8_t types, status, extended;

    if (reply->completion_code != 0 || reply->data_bytes < 3)
        return false;
    types = reply->data[1];
    status = reply->data[2];
    extended = reply->data_bytes > 3 ? reply->data[3] : 0;
    if ((types & 0x80) != 0) {
        found.version_1_5 = (extended & 0x01) != 0;
        found.version_2_0 = (extended & 0x02) != 0;
    }
    found.auth_none = (types & 0x01) != 0;
    found.auth_md2 = (types & 0x02) != 0;
    found.auth_md5 = (types & 0x04) != 0;
    found.auth_password = (types & 0x10) != 0;
    found.k_g_set = (status & 0x20) != 0;
    found.named_users = (status & 0x04) != 0;
    found.null_users = (status & 0x02) != 0;
    found.anonymous_users = (status & 0x01) != 0;
    if (reply->data_bytes >= 7)
        found.manufacturer = (uint32_t)reply->data[4] | (uint32_t)reply->data[5] << 8 |
                             (uint32_t)reply->data[6] << 16;
    *ret_capabilities = found;
    return true;
}

bool ra_ipmi_packet_guid(const struct ra_ipmi_reply *reply, struct ra_ipmi_guid *ret_guid)
{
    if (reply->completion_code != 0 || reply->data_bytes < sizeof(ret_guid->bytes))
        return false;
    memcpy(ret_guid->bytes, reply->data, sizeof(ret_guid->bytes));
    return true;
}
