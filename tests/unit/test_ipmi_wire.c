/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What passes between FreeIPMI and a BMC, and what of a console goes into its file. */
#include "unit.h"

#include <sys/mman.h>

#include "ipmi/sink.h"
#include "ipmi/wire.h"

/* --- the wire ----------------------------------------------------------------------------------*/

enum { OPEN = 0x10, OPENED = 0x11, RAKP_1 = 0x12, RAKP_2 = 0x13, RAKP_3 = 0x14, IPMI = 0x00 };

/* A packet of IPMI 2.0 with the fields that the wire looks at. */
struct packet {
    unsigned char bytes[32];
};

static struct packet packet(int kind, unsigned char tag, unsigned char status, unsigned char fill)
{
    struct packet made = { .bytes = { 0x06, 0x00, 0xff, 0x07, 0x06, (unsigned char)kind } };

    made.bytes[14] = 16;
    made.bytes[16] = tag;
    made.bytes[17] = status;
    memcpy(made.bytes + 20, "ours", 4);
    memset(made.bytes + 24, fill, 8);
    return made;
}

static struct ra_ipmi_wire_memory memory;

static int forget(void **state)
{
    (void)state;
    memset(&memory, 0, sizeof(memory));
    return 0;
}

static void ask(int kind, unsigned char tag)
{
    struct packet request = packet(kind, tag, 0, 0);

    ra_ipmi_wire_note_request(&memory, request.bytes, sizeof(request.bytes));
}

static bool passes(struct packet reply)
{
    return ra_ipmi_wire_passes(&memory, reply.bytes, sizeof(reply.bytes));
}

static void a_login_passes_step_by_step(void **state)
{
    (void)state;
    ask(OPEN, 1);
    assert_true(passes(packet(OPENED, 1, 0, 'a')));
    ask(RAKP_1, 2);
    assert_true(passes(packet(RAKP_2, 2, 0, 'b')));
    ask(RAKP_3, 3);
    assert_true(passes(packet(RAKP_3 + 1, 3, 0, 'c')));
    ask(IPMI, 0);
    assert_true(passes(packet(IPMI, 0, 0, 'd')));
    assert_true(passes(packet(IPMI, 0, 0, 'e')));
}

static void an_answer_passes_once(void **state)
{
    (void)state;
    ask(OPEN, 1);
    assert_true(passes(packet(OPENED, 1, 0, 'a')));
    assert_false(passes(packet(OPENED, 1, 0, 'a')));
    ask(IPMI, 0);
    assert_true(passes(packet(IPMI, 0, 0, 'd')));
    assert_false(passes(packet(IPMI, 0, 0, 'd')));
}

static void a_second_answer_to_a_login_step_does_not_pass_whatever_it_says(void **state)
{
    (void)state;
    ask(OPEN, 1);
    assert_true(passes(packet(OPENED, 1, 0, 'a')));
    assert_false(passes(packet(OPENED, 1, 0, 'b')));
    /* Asked again, it has an answer again. */
    ask(OPEN, 2);
    assert_true(passes(packet(OPENED, 2, 0, 'b')));
}

static void a_late_answer_of_the_step_before_does_not_pass(void **state)
{
    (void)state;
    ask(OPEN, 1);
    ask(RAKP_1, 2);
    assert_false(passes(packet(OPENED, 1, 0, 'a')));
    assert_false(passes(packet(RAKP_2, 1, 0, 'a')));
    assert_true(passes(packet(RAKP_2, 2, 0, 'b')));
    ask(RAKP_3, 3);
    assert_false(passes(packet(RAKP_2, 2, 0, 'c')));
}

static void an_answer_for_another_console_does_not_pass(void **state)
{
    struct packet foreign = packet(OPENED, 1, 0, 'a');
    struct packet in_session = packet(OPENED, 1, 0, 'a');

    (void)state;
    memcpy(foreign.bytes + 20, "them", 4);
    in_session.bytes[6] = 1;
    ask(OPEN, 1);
    assert_false(passes(foreign));
    assert_false(passes(in_session));
    assert_true(passes(packet(OPENED, 1, 0, 'a')));
}

static void a_refusal_passes_with_any_session(void **state)
{
    struct packet refusal = packet(OPENED, 1, 0x11, 'a');

    (void)state;
    memset(refusal.bytes + 20, 0, 4);
    ask(OPEN, 1);
    assert_true(passes(refusal));
}

/* RAKP message 2 of ipmi_sim, captured on a wire; cipher suite 3. */
static const unsigned char rakp_2_on_wire[] = {
    0x06, 0x00, 0xff, 0x07, 0x06, 0x13, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3c, 0x00,
    0x53, 0x00, 0x00, 0x00, 0x75, 0x00, 0xb5, 0x38, 0x92, 0x19, 0x4b, 0x49, 0x9a, 0x56, 0x30, 0xd7,
    0xa1, 0x6a, 0x9d, 0xf8, 0x3c, 0x78, 0x9d, 0xf4, 0xa1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
    0xa1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x43, 0x48, 0x0f, 0xad, 0x3a, 0xa5, 0x83, 0xda,
    0xcd, 0x2d, 0xc5, 0xeb, 0xb0, 0x73, 0x1b, 0xcf, 0xb1, 0x1c, 0xd7, 0x66,
};

/* The step before it, so that the memory knows the console's session id and the tag. */
static void ask_for_rakp_2(void)
{
    struct packet open = packet(OPEN, 0x52, 0, 0);

    forget(NULL);
    memcpy(open.bytes + 20, rakp_2_on_wire + 20, 4);
    ra_ipmi_wire_note_request(&memory, open.bytes, sizeof(open.bytes));
    ask(RAKP_1, 0x53);
}

static void the_guid_of_a_login_is_noted(void **state)
{
    (void)state;
    ask_for_rakp_2();
    assert_false(ra_ipmi_guid_is_known(&memory.guid));
    assert_true(ra_ipmi_wire_passes(&memory, rakp_2_on_wire, sizeof(rakp_2_on_wire)));
    assert_memory_equal(memory.guid.bytes, rakp_2_on_wire + 40, sizeof(memory.guid.bytes));
}

static void a_guid_that_is_cut_refused_or_foreign_is_not(void **state)
{
    unsigned char changed[sizeof(rakp_2_on_wire)];
    const struct {
        size_t at;
        unsigned char byte;
    } changes[] = { { 5, RAKP_3 + 1 }, { 6, 1 }, { 16, 0x52 }, { 17, 0x0d }, { 20, 'x' } };

    (void)state;
    for (size_t length = 0; length < 56; length++) {
        ask_for_rakp_2();
        (void)ra_ipmi_wire_passes(&memory, rakp_2_on_wire, length);
        assert_false(ra_ipmi_guid_is_known(&memory.guid));
    }
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        memcpy(changed, rakp_2_on_wire, sizeof(changed));
        changed[changes[i].at] = changes[i].byte;
        ask_for_rakp_2();
        (void)ra_ipmi_wire_passes(&memory, changed, sizeof(changed));
        assert_false(ra_ipmi_guid_is_known(&memory.guid));
    }
    /* One that nobody asked for. */
    forget(NULL);
    ask(IPMI, 0);
    assert_false(ra_ipmi_wire_passes(&memory, rakp_2_on_wire, sizeof(rakp_2_on_wire)));
    assert_false(ra_ipmi_guid_is_known(&memory.guid));
}

static void packets_cut_anywhere_do_no_harm(void **state)
{
    struct packet whole = packet(OPENED, 1, 0, 'a');

    (void)state;
    for (size_t length = 0; length <= sizeof(whole.bytes); length++) {
        ra_ipmi_wire_note_request(&memory, whole.bytes, length);
        (void)ra_ipmi_wire_passes(&memory, whole.bytes, length);
    }
    ra_ipmi_wire_note_request(&memory, NULL, 0);
    assert_false(passes(whole));
}

/* --- the sink ----------------------------------------------------------------------------------*/

static struct ra_ipmi_sink sink;

static int open_sink(void **state)
{
    (void)state;
    sink = (struct ra_ipmi_sink){ .fd = memfd_create("console", MFD_CLOEXEC), .left_bytes = 10 };
    return sink.fd >= 0 ? 0 : -1;
}

static int close_sink(void **state)
{
    (void)state;
    return close(sink.fd);
}

static void assert_file(const char *expected)
{
    char text[128] = "";

    assert_true(pread(sink.fd, text, sizeof(text) - 1, 0) >= 0);
    assert_string_equal(text, expected);
}

static void what_the_node_says_is_kept_without_the_nuls(void **state)
{
    (void)state;
    ra_ipmi_sink_keep(&sink, "\0a\0\0bc", 6);
    assert_true(sink.established && sink.spoke);
    assert_file("abc");
}

static void a_nul_alone_is_no_speech(void **state)
{
    (void)state;
    ra_ipmi_sink_keep(&sink, "", 1);
    assert_true(sink.established);
    assert_false(sink.spoke);
    ra_ipmi_sink_remark(&sink, "no ", "words");
    assert_file("[no words]\n");
}

static void the_file_has_a_limit_and_says_so_once(void **state)
{
    (void)state;
    ra_ipmi_sink_keep(&sink, "0123456", 7);
    ra_ipmi_sink_keep(&sink, "789ABCDEF", 9);
    ra_ipmi_sink_keep(&sink, "more", 4);
    assert_file("0123456789\n[the file is full]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_login_passes_step_by_step, forget),
        cmocka_unit_test_setup(an_answer_passes_once, forget),
        cmocka_unit_test_setup(a_second_answer_to_a_login_step_does_not_pass_whatever_it_says,
                               forget),
        cmocka_unit_test_setup(a_late_answer_of_the_step_before_does_not_pass, forget),
        cmocka_unit_test_setup(an_answer_for_another_console_does_not_pass, forget),
        cmocka_unit_test_setup(a_refusal_passes_with_any_session, forget),
        cmocka_unit_test_setup(the_guid_of_a_login_is_noted, forget),
        cmocka_unit_test_setup(a_guid_that_is_cut_refused_or_foreign_is_not, forget),
        cmocka_unit_test_setup(packets_cut_anywhere_do_no_harm, forget),
        cmocka_unit_test_setup_teardown(what_the_node_says_is_kept_without_the_nuls, open_sink,
                                        close_sink),
        cmocka_unit_test_setup_teardown(a_nul_alone_is_no_speech, open_sink, close_sink),
        cmocka_unit_test_setup_teardown(the_file_has_a_limit_and_says_so_once, open_sink,
                                        close_sink),
    };

    return cmocka_run_group_tests_name("ipmi_wire", tests, NULL, NULL);
}
