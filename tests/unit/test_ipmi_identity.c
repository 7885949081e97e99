/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GUIDs, and what follows from them for several addresses of one BMC. */
#include "unit.h"

#include "base/deadline.h"
#include "base/file.h"
#include "ipmi/identity.h"

/* --- GUIDs -------------------------------------------------------------------------------------*/

static const struct ra_ipmi_guid unknown = { { 0 } };
static const struct ra_ipmi_guid ours = { { 1, 2, 3, 4 } };
static const struct ra_ipmi_guid turned = { { [12] = 4, [13] = 3, [14] = 2, [15] = 1 } };
static const struct ra_ipmi_guid theirs = { { 1, 2, 3, 5 } };

static void what_is_not_known_is_neither_equal_nor_different(void **state)
{
    struct ra_ipmi_guid ones;

    (void)state;
    memset(&ones, 0xff, sizeof(ones));
    assert_false(ra_ipmi_guid_is_known(&unknown));
    assert_false(ra_ipmi_guid_is_known(&ones));
    assert_true(ra_ipmi_guid_is_known(&ours));
    assert_false(ra_ipmi_guid_equal(&unknown, &unknown));
    assert_false(ra_ipmi_guid_equal(&ones, &ones));
    assert_false(ra_ipmi_guid_differ(&unknown, &ones));
    assert_false(ra_ipmi_guid_differ(&unknown, &ours));
    assert_false(ra_ipmi_guid_differ_in_any_order(&ours, &unknown));
}

static void known_guids_are_compared(void **state)
{
    (void)state;
    assert_true(ra_ipmi_guid_equal(&ours, &ours));
    assert_false(ra_ipmi_guid_equal(&ours, &theirs));
    assert_true(ra_ipmi_guid_differ(&ours, &theirs));
    assert_true(ra_ipmi_guid_differ(&ours, &turned));
    assert_false(ra_ipmi_guid_differ_in_any_order(&ours, &turned));
    assert_true(ra_ipmi_guid_differ_in_any_order(&theirs, &turned));
}

static void the_orders_of_the_bytes(void **state)
{
    static const struct ra_ipmi_guid guid = { { 0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb1, 0xc0, 0xc1, 1,
                                                2, 3, 4, 5, 6, 7, 8 } };
    static const struct ra_ipmi_guid swapped = { { 0xa3, 0xa2, 0xa1, 0xa0, 0xb1, 0xb0, 0xc1, 0xc0,
                                                   1, 2, 3, 4, 5, 6, 7, 8 } };
    static const struct ra_ipmi_guid both = { { 8, 7, 6, 5, 4, 3, 2, 1, 0xc0, 0xc1, 0xb0, 0xb1,
                                                0xa0, 0xa1, 0xa2, 0xa3 } };

    (void)state;
    assert_true(ra_ipmi_guid_differ(&guid, &swapped));
    assert_false(ra_ipmi_guid_differ_in_any_order(&guid, &swapped));
    assert_false(ra_ipmi_guid_differ_in_any_order(&guid, &both));
    assert_false(ra_ipmi_guid_differ_in_any_order(&both, &guid));
    assert_false(ra_ipmi_guid_differ_in_any_order(&swapped, &both));
    assert_true(ra_ipmi_guid_differ_in_any_order(&guid, &ours));
}

static void an_example_is_not_known(void **state)
{
    struct ra_ipmi_guid up, down;

    (void)state;
    for (unsigned i = 0; i < RA_IPMI_GUID_BYTES; i++)
        up.bytes[i] = down.bytes[RA_IPMI_GUID_BYTES - 1 - i] = (unsigned char)(i + 1);
    assert_false(ra_ipmi_guid_is_known(&up));
    assert_false(ra_ipmi_guid_is_known(&down));
    up.bytes[15] = down.bytes[0] = 0x11;
    assert_false(ra_ipmi_guid_is_known(&up));
    assert_false(ra_ipmi_guid_is_known(&down));
    up.bytes[15] = down.bytes[0] = 0x12;
    assert_true(ra_ipmi_guid_is_known(&up));
    assert_true(ra_ipmi_guid_is_known(&down));
}

static void what_is_written_is_read(void **state)
{
    static const char *const wrong[] = { "",
                                         "0102030400000000000000000000000",
                                         "010203040000000000000000000000000",
                                         "0x020304000000000000000000000000",
                                         "0102030400000000000000000000000g",
                                         "01020304000000000000000000000000 1",
                                         " 01020304000000000000000000000000" };
    char text[RA_IPMI_GUID_TEXT_BYTES];
    struct ra_ipmi_guid guid = theirs;

    (void)state;
    ra_ipmi_guid_format(&ours, text);
    assert_string_equal(text, "01020304000000000000000000000000");
    assert_true(ra_ipmi_guid_parse(text, &guid));
    assert_memory_equal(&guid, &ours, sizeof(guid));
    assert_true(ra_ipmi_guid_parse("01020304000000000000000000000000\n", &guid));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(ra_ipmi_guid_parse(wrong[i], &guid));
}

/* --- before a session --------------------------------------------------------------------------*/

/* Two addresses, A and B, that have answered and shown a GUID, or not. */
static struct ra_ipmi_probe probe_of(struct ra_ipmi_guid a, struct ra_ipmi_guid b)
{
    return (struct ra_ipmi_probe){
        .several = true,
        .count = 2,
        .endpoints = { { .name = "A:623", .answered = true, .told_guid = true, .guid = a },
                       { .name = "B:623", .answered = true, .told_guid = true, .guid = b } },
    };
}

static struct ra_ipmi_probe b_is_silent(struct ra_ipmi_guid a)
{
    struct ra_ipmi_probe probe = probe_of(a, unknown);

    probe.endpoints[1].answered = probe.endpoints[1].told_guid = false;
    (void)snprintf(probe.silent, sizeof(probe.silent), "no answer from B:623");
    return probe;
}

static struct ra_ipmi_recollection recent(struct ra_ipmi_guid guid)
{
    return (struct ra_ipmi_recollection){ .guid = guid,
                                          .is_recent = ra_ipmi_guid_is_known(&guid),
                                          .file = "/run/memory" };
}

static void assert_accepted(struct ra_ipmi_probe probe, struct ra_ipmi_guid remembered,
                            struct ra_ipmi_guid expected, bool proven)
{
    struct ra_ipmi_identity identity = { .remembered = recent(remembered) };

    assert_int_equal(ra_ipmi_identity_judge(&identity, &probe, NULL), 0);
    assert_memory_equal(&identity.guid, &expected, sizeof(expected));
    assert_int_equal(identity.proven, proven);
}

static void assert_refused(struct ra_ipmi_probe probe, struct ra_ipmi_guid remembered,
                           const char *part)
{
    struct ra_ipmi_identity identity = { .remembered = recent(remembered) };
    struct ra_error err;

    assert_int_equal(ra_ipmi_identity_judge(&identity, &probe, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_contains(err.text, "A:623");
    assert_contains(err.text, "B:623");
    assert_contains(err.text, part);
    assert_false(identity.proven);
}

static void addresses_that_agree_prove_each_other(void **state)
{
    (void)state;
    assert_accepted(probe_of(ours, ours), unknown, ours, true);
    assert_accepted(probe_of(ours, ours), ours, ours, true);
    /* The board was replaced. */
    assert_accepted(probe_of(ours, ours), theirs, ours, true);
}

static void addresses_that_differ_are_refused(void **state)
{
    struct ra_ipmi_probe three = probe_of(unknown, ours);

    (void)state;
    assert_refused(probe_of(ours, theirs), unknown, "two different BMCs");
    assert_refused(probe_of(ours, theirs), ours, "two different BMCs");
    assert_refused(probe_of(ours, turned), unknown, "two different BMCs");
    three.endpoints[three.count++] = (struct ra_ipmi_endpoint){ .name = "A:623", .guid = theirs };
    assert_refused(three, unknown, "two different BMCs");
}

static void one_address_is_accepted_and_proves_nothing(void **state)
{
    (void)state;
    assert_accepted(b_is_silent(ours), unknown, ours, false);
    assert_accepted(b_is_silent(ours), ours, ours, false);
    assert_accepted(probe_of(ours, unknown), unknown, ours, false);
    assert_accepted(probe_of(unknown, ours), ours, ours, false);
}

static void an_address_that_was_lost_counts_and_is_missing(void **state)
{
    struct ra_ipmi_probe same = probe_of(ours, ours), different = probe_of(ours, theirs);
    struct ra_ipmi_probe none = probe_of(theirs, unknown);

    (void)state;
    same.endpoints[1].lost = different.endpoints[1].lost = none.endpoints[1].lost = true;
    (void)snprintf(none.silent, sizeof(none.silent), "there is no way to B:623");
    assert_accepted(same, unknown, ours, false);
    assert_refused(different, unknown, "two different BMCs");
    assert_refused(none, ours, "no way to");
}

static void one_address_with_another_guid_than_before_is_refused(void **state)
{
    (void)state;
    assert_refused(b_is_silent(theirs), ours, "04000000");
    assert_refused(b_is_silent(theirs), ours, "05000000");
    /* B does not prove the new one either. */
    struct ra_ipmi_identity identity = { .remembered = recent(ours) };
    struct ra_ipmi_probe probe = probe_of(theirs, unknown);

    assert_int_equal(ra_ipmi_identity_judge(&identity, &probe, NULL), -1);
    /* What is old refuses nothing. */
    identity.remembered.is_recent = false;
    assert_int_equal(ra_ipmi_identity_judge(&identity, &probe, NULL), 0);
}

/* Whether a session that shows nothing, with A that has shown nothing, is accepted. */
static void assert_mute(struct ra_ipmi_probe probe, bool is_recent, bool accepted)
{
    struct ra_ipmi_identity identity = { .remembered = recent(ours) };
    struct ra_error err;

    identity.remembered.is_recent = is_recent;
    assert_int_equal(ra_ipmi_identity_judge(&identity, &probe, NULL), 0);
    assert_int_equal(ra_ipmi_identity_check(&identity, &probe.endpoints[0], &unknown, &err),
                     accepted ? 0 : -1);
    if (!accepted)
        assert_contains(err.text, "/run/memory");
    /* What a session shows is compared in any case, unless the memory is old. */
    assert_int_equal(ra_ipmi_identity_check(&identity, &probe.endpoints[0], &theirs, NULL),
                     is_recent ? -1 : 0);
}

static void what_is_remembered_stands_in_for_silence(void **state)
{
    struct ra_ipmi_probe ignored = probe_of(unknown, unknown), lost = ignored;

    (void)state;
    ignored.endpoints[0].told_guid = ignored.endpoints[1].told_guid = false;
    lost.endpoints[1].lost = true;
    assert_accepted(b_is_silent(unknown), ours, ours, false);
    assert_accepted(probe_of(unknown, unknown), unknown, unknown, false);
    assert_mute(b_is_silent(unknown), true, false);
    assert_mute(lost, true, false);
    assert_mute(b_is_silent(unknown), false, true);
    /* All are there and show none: then they have none. */
    assert_mute(probe_of(unknown, unknown), true, true);
    assert_mute(ignored, true, true);
}

static void a_single_address_is_not_judged(void **state)
{
    struct ra_ipmi_probe probe = probe_of(theirs, unknown);

    (void)state;
    probe.several = false;
    probe.count = 1;
    assert_accepted(probe, ours, unknown, false);
}

static void a_second_search_must_find_the_same(void **state)
{
    struct ra_ipmi_identity identity = { .proven = false };
    struct ra_ipmi_probe first = probe_of(ours, ours), second = probe_of(theirs, theirs);

    (void)state;
    assert_int_equal(ra_ipmi_identity_judge(&identity, &first, NULL), 0);
    assert_int_equal(ra_ipmi_identity_judge(&identity, &first, NULL), 0);
    assert_int_equal(ra_ipmi_identity_judge(&identity, &second, NULL), -1);
}

/* --- with a session ----------------------------------------------------------------------------*/

static const struct ra_ipmi_endpoint a = { .name = "A:623" }, b = { .name = "B:623" };

static void assert_session(struct ra_ipmi_identity identity, struct ra_ipmi_endpoint endpoint,
                           struct ra_ipmi_guid told, struct ra_ipmi_guid authenticated,
                           const char *refusal)
{
    struct ra_error err;
    int result;

    endpoint.guid = told;
    result = ra_ipmi_identity_check(&identity, &endpoint, &authenticated, &err);
    assert_int_equal(result, refusal == NULL ? 0 : -1);
    if (refusal != NULL) {
        assert_int_equal(err.kind, RA_ERROR_CONFIG);
        assert_contains(err.text, refusal);
        assert_contains(err.text, endpoint.name);
    }
}

static void a_session_is_with_the_machine_that_was_shown(void **state)
{
    const struct ra_ipmi_identity from_a = { .guid = ours, .from = "A:623" };

    (void)state;
    assert_session(from_a, a, ours, ours, NULL);
    assert_session(from_a, a, ours, turned, NULL);
    assert_session(from_a, a, ours, unknown, NULL); /* IPMI 1.5 */
    assert_session(from_a, a, ours, theirs, "then, when the session was opened");
    assert_session(from_a, a, unknown, theirs, "before, and when another session was opened");
    assert_session(from_a, a, unknown, unknown, NULL);
}

static void a_session_moves_to_the_same_machine_only(void **state)
{
    const struct ra_ipmi_identity from_a = { .guid = ours, .from = "A:623" };

    (void)state;
    assert_session(from_a, b, ours, ours, NULL);
    assert_session(from_a, b, unknown, ours, NULL);
    assert_session(from_a, b, unknown, turned, NULL);
    assert_session(from_a, b, ours, unknown, NULL);
    assert_session(from_a, b, unknown, theirs, "two different BMCs");
    assert_session(from_a, b, theirs, unknown, "two different BMCs");
    assert_session(from_a, b, unknown, unknown, "not proven to be the same");
}

static void a_session_is_with_the_machine_that_is_remembered(void **state)
{
    const struct ra_ipmi_identity from_memory = { .guid = ours, .remembered = recent(ours) };

    (void)state;
    assert_session(from_memory, a, unknown, ours, NULL);
    assert_session(from_memory, a, unknown, unknown, "/run/memory");
    assert_session(from_memory, a, unknown, theirs, "04000000");
}

static void the_first_session_tells_whose_the_next_must_be(void **state)
{
    struct ra_ipmi_identity identity = { .proven = false };

    (void)state;
    assert_int_equal(ra_ipmi_identity_check(&identity, &b, &ours, NULL), 0);
    assert_int_equal(ra_ipmi_identity_check(&identity, &a, &ours, NULL), 0);
    assert_int_equal(ra_ipmi_identity_check(&identity, &a, &theirs, NULL), -1);
    assert_int_equal(ra_ipmi_identity_check(&identity, &a, &unknown, NULL), -1);
}

static void a_session_that_shows_nothing_is_with_an_unknown_machine(void **state)
{
    struct ra_ipmi_identity identity = { .proven = false };
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_ipmi_identity_check(&identity, &a, &unknown, NULL), 0);
    assert_int_equal(ra_ipmi_identity_check(&identity, &b, &unknown, NULL), 0);
    assert_int_equal(ra_ipmi_identity_check(&identity, &b, &ours, &err), -1);
    assert_contains(err.text, "A:623 leads to a BMC without a GUID, and B:623");
    /* It may have been starting. */
    assert_int_equal(ra_ipmi_identity_check(&identity, &a, &ours, NULL), 0);
}

/* --- the memory --------------------------------------------------------------------------------*/

static void assert_remembered(const struct ra_ipmi_options *options, struct ra_ipmi_guid guid,
                              bool is_recent)
{
    struct ra_ipmi_recollection recollection = ra_ipmi_identity_recall(options);

    assert_memory_equal(&recollection.guid, &guid, sizeof(guid));
    assert_int_equal(recollection.is_recent, is_recent);
    assert_contains(recollection.file, "/ipmi%20guid%20A%2CB%20");
}

static void only_what_is_proven_is_remembered(void **state)
{
    const struct ra_ipmi_options options = { .addresses = "A,B", .port = 623 };
    const struct ra_ipmi_options others = { .addresses = "A,B", .port = 624 };
    struct ra_ipmi_identity identity = { .guid = ours, .from = "A:623" };
    char directory[] = "/tmp/test_ipmi_identity.XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(directory));
    ra_file_state_set_directory(directory);
    ra_ipmi_identity_keep(&identity, &options);
    assert_remembered(&options, unknown, false);
    identity.proven = true;
    ra_ipmi_identity_keep(&identity, &options);
    assert_remembered(&options, ours, true);
    assert_remembered(&others, unknown, false);
    identity.guid = theirs;
    ra_ipmi_identity_keep(&identity, &options);
    assert_remembered(&options, theirs, true);
    assert_int_equal(ra_file_state_remove("ipmi guid A,B 623", NULL), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void what_is_old_is_known_for_old(void **state)
{
    const struct ra_ipmi_options options = { .addresses = "A,B", .port = 623 };
    const int64_t now_s = ra_deadline_now_ms() / 1000;
    const struct {
        int64_t seen_s;
        bool is_recent;
    } cases[] = {
        { now_s, true },         { now_s - 86390, true },    { now_s - 86400, false },
        { now_s + 1000, false }, { now_s - 1000000, false },
    };
    char directory[] = "/tmp/test_ipmi_identity.XXXXXX";
    char text[80];

    (void)state;
    assert_non_null(mkdtemp(directory));
    ra_file_state_set_directory(directory);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(text, sizeof(text), "01020304000000000000000000000000 %lld\n",
                       (long long)cases[i].seen_s);
        assert_int_equal(ra_file_state_write("ipmi guid A,B 623", text, NULL), 0);
        assert_remembered(&options, ours, cases[i].is_recent);
    }
    assert_int_equal(
        ra_file_state_write("ipmi guid A,B 623", "01020304000000000000000000000000", NULL), 0);
    assert_remembered(&options, ours, false);
    assert_int_equal(ra_file_state_remove("ipmi guid A,B 623", NULL), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_neither_equal_nor_different),
        cmocka_unit_test(known_guids_are_compared),
        cmocka_unit_test(the_orders_of_the_bytes),
        cmocka_unit_test(an_example_is_not_known),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(addresses_that_agree_prove_each_other),
        cmocka_unit_test(addresses_that_differ_are_refused),
        cmocka_unit_test(one_address_is_accepted_and_proves_nothing),
        cmocka_unit_test(an_address_that_was_lost_counts_and_is_missing),
        cmocka_unit_test(one_address_with_another_guid_than_before_is_refused),
        cmocka_unit_test(what_is_remembered_stands_in_for_silence),
        cmocka_unit_test(a_single_address_is_not_judged),
        cmocka_unit_test(a_second_search_must_find_the_same),
        cmocka_unit_test(a_session_is_with_the_machine_that_was_shown),
        cmocka_unit_test(a_session_moves_to_the_same_machine_only),
        cmocka_unit_test(a_session_is_with_the_machine_that_is_remembered),
        cmocka_unit_test(the_first_session_tells_whose_the_next_must_be),
        cmocka_unit_test(a_session_that_shows_nothing_is_with_an_unknown_machine),
        cmocka_unit_test(only_what_is_proven_is_remembered),
        cmocka_unit_test(what_is_old_is_known_for_old),
    };

    return cmocka_run_group_tests_name("ipmi_identity", tests, NULL, NULL);
}
