/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "ipmi/packet.h"

/* Get Channel Authentication Capabilities as ipmitool 1.8.19 sends it, captured on a wire. */
static const unsigned char request_on_wire[] = {
    0x06, 0x00, 0xff, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x09, 0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, 0x8e, 0x04, 0xb5,
};

/* The answer of ipmi_sim to such a request with the sequence number 1. */
static const unsigned char reply_on_wire[] = {
    0x06, 0x00, 0xff, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x81,
    0x1c, 0x63, 0x20, 0x04, 0x38, 0x00, 0x01, 0x97, 0x05, 0x03, 0x00, 0x00, 0x00, 0x00, 0x04,
};

static void request_is_what_the_standard_says(void **state)
{
    const uint8_t data[] = { 0x8e, 0x04 };
    unsigned char packet[RA_IPMI_PACKET_MOST_BYTES];
    size_t length = ra_ipmi_packet_request(
        packet, RA_IPMI_NET_FN_APP, RA_IPMI_GET_CHANNEL_AUTHENTICATION_CAPABILITIES, 0, data, 2);

    (void)state;
    assert_int_equal(length, sizeof(request_on_wire));
    assert_memory_equal(packet, request_on_wire, length);
}

static void the_largest_request_fits(void **state)
{
    const uint8_t data[RA_IPMI_PACKET_DATA_MOST_BYTES] = { 0 };
    unsigned char packet[RA_IPMI_PACKET_MOST_BYTES];

    (void)state;
    assert_true(ra_ipmi_packet_request(packet, 0x3f, 0xff, RA_IPMI_PACKET_SEQUENCES - 1, data,
                                       sizeof(data)) <= sizeof(packet));
}

static void reply_is_taken_apart(void **state)
{
    struct ra_ipmi_capabilities capabilities;
    struct ra_ipmi_reply reply;

    (void)state;
    assert_true(ra_ipmi_packet_parse(reply_on_wire, sizeof(reply_on_wire), &reply));
    assert_int_equal(reply.net_fn, RA_IPMI_NET_FN_APP + 1);
    assert_int_equal(reply.command, RA_IPMI_GET_CHANNEL_AUTHENTICATION_CAPABILITIES);
    assert_int_equal(reply.sequence, 1);
    assert_int_equal(reply.completion_code, 0);
    assert_int_equal(reply.data_bytes, 8);
    assert_true(ra_ipmi_packet_capabilities(&reply, &capabilities));
    assert_true(capabilities.version_1_5 && capabilities.version_2_0);
    assert_true(capabilities.auth_none && capabilities.auth_md2 && capabilities.auth_md5 &&
                capabilities.auth_password);
    assert_true(capabilities.named_users && capabilities.anonymous_users);
    assert_false(capabilities.k_g_set || capabilities.null_users);
}

static void every_cut_and_every_damaged_bit_is_refused(void **state)
{
    unsigned char damaged[sizeof(reply_on_wire)];
    struct ra_ipmi_reply reply;

    (void)state;
    for (size_t length = 0; length < sizeof(reply_on_wire); length++)
        assert_false(ra_ipmi_packet_parse(reply_on_wire, length, &reply));
    for (size_t i = 0; i < sizeof(reply_on_wire) * 8; i++) {
        memcpy(damaged, reply_on_wire, sizeof(damaged));
        damaged[i / 8] ^= (unsigned char)(1U << (i % 8));
        /* RMCP's reserved byte and sequence number carry nothing. */
        if (i / 8 == 1 || i / 8 == 2)
            continue;
        assert_false(ra_ipmi_packet_parse(damaged, sizeof(damaged), &reply));
    }
}

static void a_reply_of_a_session_is_refused(void **state)
{
    unsigned char packet[sizeof(reply_on_wire)];
    struct ra_ipmi_reply reply;

    (void)state;
    memcpy(packet, reply_on_wire, sizeof(packet));
    packet[9] = 0x42; /* session id */
    assert_false(ra_ipmi_packet_parse(packet, sizeof(packet), &reply));
}

static void the_manufacturer_is_read(void **state)
{
    const unsigned char data[] = { 0x01, 0x97, 0x05, 0x03, 0x7c, 0x2a, 0x00, 0x00 };
    struct ra_ipmi_reply reply = { .data = data, .data_bytes = sizeof(data) };
    struct ra_ipmi_capabilities capabilities;

    (void)state;
    assert_true(ra_ipmi_packet_capabilities(&reply, &capabilities));
    assert_int_equal(capabilities.manufacturer, 10876);
}

static void capabilities_of_an_ipmi_1_5_bmc(void **state)
{
    const unsigned char data[] = { 0x01, 0x14, 0x04 };
    struct ra_ipmi_reply reply = { .data = data, .data_bytes = sizeof(data) };
    struct ra_ipmi_capabilities capabilities;

    (void)state;
    assert_true(ra_ipmi_packet_capabilities(&reply, &capabilities));
    assert_true(capabilities.version_1_5);
    assert_false(capabilities.version_2_0);
    assert_true(capabilities.auth_md5 && capabilities.auth_password);
    assert_false(capabilities.auth_none || capabilities.auth_md2);
}

/* Get System GUID has no data; the answer of ipmi_sim, captured on a wire. */
static const unsigned char guid_on_wire[] = {
    0x06, 0x00, 0xff, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x18, 0x81, 0x1c, 0x63, 0x20, 0x04, 0x37, 0x00, 0xa1, 0x23, 0x45, 0x67, 0x89,
    0xab, 0xcd, 0xef, 0xa1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xe5,
};

static void a_guid_is_asked_for_and_read(void **state)
{
    const unsigned char question[] = { 0x20, 0x18, 0xc8, 0x81, 0x04, 0x37, 0x44 };
    unsigned char packet[RA_IPMI_PACKET_MOST_BYTES];
    size_t length =
        ra_ipmi_packet_request(packet, RA_IPMI_NET_FN_APP, RA_IPMI_GET_SYSTEM_GUID, 1, NULL, 0);
    struct ra_ipmi_reply reply;
    struct ra_ipmi_guid guid;

    (void)state;
    assert_int_equal(length, 14 + sizeof(question));
    assert_int_equal(packet[13], sizeof(question));
    assert_memory_equal(packet + 14, question, sizeof(question));
    assert_true(ra_ipmi_packet_parse(guid_on_wire, sizeof(guid_on_wire), &reply));
    assert_int_equal(reply.command, RA_IPMI_GET_SYSTEM_GUID);
    assert_true(ra_ipmi_packet_guid(&reply, &guid));
    assert_memory_equal(guid.bytes, guid_on_wire + 21, sizeof(guid.bytes));
}

static void a_guid_needs_a_success_and_its_whole_length(void **state)
{
    struct ra_ipmi_reply reply = { .data = guid_on_wire + 21, .data_bytes = RA_IPMI_GUID_BYTES };
    struct ra_ipmi_guid guid = { { 7 } };

    (void)state;
    reply.completion_code = 0xc1;
    assert_false(ra_ipmi_packet_guid(&reply, &guid));
    reply.completion_code = 0;
    reply.data_bytes--;
    assert_false(ra_ipmi_packet_guid(&reply, &guid));
    assert_int_equal(guid.bytes[0], 7);
}

static void capabilities_need_a_success(void **state)
{
    const unsigned char data[] = { 0x01, 0x97, 0x25, 0x02 };
    struct ra_ipmi_reply reply = { .data = data, .data_bytes = sizeof(data) };
    struct ra_ipmi_capabilities capabilities;

    (void)state;
    assert_true(ra_ipmi_packet_capabilities(&reply, &capabilities));
    assert_true(capabilities.k_g_set);
    reply.completion_code = 0xc1;
    assert_false(ra_ipmi_packet_capabilities(&reply, &capabilities));
    reply.completion_code = 0;
    reply.data_bytes = 2;
    assert_false(ra_ipmi_packet_capabilities(&reply, &capabilities));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_what_the_standard_says),
        cmocka_unit_test(the_largest_request_fits),
        cmocka_unit_test(reply_is_taken_apart),
        cmocka_unit_test(every_cut_and_every_damaged_bit_is_refused),
        cmocka_unit_test(a_reply_of_a_session_is_refused),
        cmocka_unit_test(the_manufacturer_is_read),
        cmocka_unit_test(capabilities_of_an_ipmi_1_5_bmc),
        cmocka_unit_test(capabilities_need_a_success),
        cmocka_unit_test(a_guid_is_asked_for_and_read),
        cmocka_unit_test(a_guid_needs_a_success_and_its_whole_length),
    };

    return cmocka_run_group_tests_name("ipmi_packet", tests, NULL, NULL);
}
