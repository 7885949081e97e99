/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What anybody on the network can send to fence_ipmi before a session protects it: replies outside
 * of sessions, lists of cipher suites, GUIDs, and packets on the wire.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ipmi/cipher.h"
#include "ipmi/packet.h"
#include "ipmi/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_reply(const uint8_t *data, size_t size)
{
    struct ra_ipmi_capabilities capabilities;
    struct ra_ipmi_reply reply;
    struct ra_ipmi_guid guid;

    if (!ra_ipmi_packet_parse(data, size, &reply))
        return;
    assert(reply.data >= data && reply.data + reply.data_bytes < data + size);
    assert(reply.sequence < RA_IPMI_PACKET_SEQUENCES);
    (void)ra_ipmi_packet_capabilities(&reply, &capabilities);
    if (ra_ipmi_packet_guid(&reply, &guid))
        assert(memcmp(guid.bytes, reply.data, sizeof(guid.bytes)) == 0);
}

static void try_ciphers(const uint8_t *data, size_t size)
{
    uint8_t suites[RA_IPMI_CIPHER_LIST_MOST];
    uint8_t candidates[RA_IPMI_CIPHER_LIST_MOST];
    size_t count = ra_ipmi_cipher_parse(data, size, suites);

    assert(count <= RA_IPMI_CIPHER_LIST_MOST);
    count = ra_ipmi_cipher_candidates(RA_IPMI_CIPHER_ANY, suites, count, candidates);
    assert(count <= RA_IPMI_CIPHER_LIST_MOST);
    for (size_t i = 0; i < count; i++)
        assert(candidates[i] != 0 && ra_ipmi_cipher_is_supported(candidates[i]));
}

/* What is read as a GUID is written the same way; so is a state file that somebody damaged. */
static void try_guid(const uint8_t *data, size_t size)
{
    char input[80] = "", text[RA_IPMI_GUID_TEXT_BYTES];
    struct ra_ipmi_guid guid, again;

    memcpy(input, data, size < sizeof(input) ? size : sizeof(input) - 1);
    if (!ra_ipmi_guid_parse(input, &guid))
        return;
    ra_ipmi_guid_format(&guid, text);
    assert(ra_ipmi_guid_parse(text, &again) && memcmp(&guid, &again, sizeof(guid)) == 0);
}

/* The first byte cuts the rest in a request and a reply. */
static void try_wire(const uint8_t *data, size_t size)
{
    struct ra_ipmi_wire_memory memory = { .next = 0 };
    size_t cut;

    if (size == 0)
        return;
    cut = data[0] < size ? data[0] : size - 1;
    ra_ipmi_wire_note_request(&memory, data + 1, cut);
    assert(!ra_ipmi_guid_is_known(&memory.guid));
    if (ra_ipmi_wire_passes(&memory, data + 1 + cut, size - 1 - cut))
        assert(!ra_ipmi_wire_passes(&memory, data + 1 + cut, size - 1 - cut));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_reply(data, size);
    try_ciphers(data, size);
    try_guid(data, size);
    try_wire(data, size);
    return 0;
}
