/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "ipmi/cipher.h"

static void records_are_read(void **state)
{
    /* Suites 3 and 17 as the standard codes them, one of a manufacturer, and 4, which nobody has.
     */
    const unsigned char records[] = { 0xc0, 0x03, 0x01, 0x41, 0x81, 0xc1, 0x80, 0x57,
                                      0x01, 0x00, 0x01, 0x41, 0x81, 0xc0, 0x04, 0x01,
                                      0x41, 0x82, 0xc0, 0x11, 0x03, 0x44, 0x81 };
    uint8_t suites[RA_IPMI_CIPHER_LIST_MOST];

    (void)state;
    assert_int_equal(ra_ipmi_cipher_parse(records, sizeof(records), suites), 2);
    assert_int_equal(suites[0], 3);
    assert_int_equal(suites[1], 17);
}

static void records_cut_anywhere_are_read_as_far_as_they_go(void **state)
{
    const unsigned char records[] = { 0xc0, 0x03, 0x01, 0x41, 0x81, 0xc0, 0x11, 0x03, 0x44, 0x81 };
    uint8_t suites[RA_IPMI_CIPHER_LIST_MOST];

    (void)state;
    for (size_t length = 0; length <= sizeof(records); length++)
        assert_int_equal(ra_ipmi_cipher_parse(records, length, suites),
                         (size_t)(length >= 2) + (size_t)(length >= 7));
}

static void repeated_records_count_once(void **state)
{
    unsigned char records[128];
    uint8_t suites[RA_IPMI_CIPHER_LIST_MOST];

    (void)state;
    for (size_t i = 0; i < sizeof(records); i += 2) {
        records[i] = 0xc0;
        records[i + 1] = (unsigned char)(i / 2 % 20);
    }
    /* 0-3, 6-8, 11, 12, 15-17 */
    assert_int_equal(ra_ipmi_cipher_parse(records, sizeof(records), suites), 12);
}

static void assert_candidates(int given, const uint8_t *listed, size_t listed_count,
                              const uint8_t *expected, size_t expected_count)
{
    uint8_t suites[RA_IPMI_CIPHER_LIST_MOST];

    assert_int_equal(ra_ipmi_cipher_candidates(given, listed, listed_count, suites),
                     expected_count);
    assert_memory_equal(suites, expected, expected_count);
}

static void the_strongest_of_the_list_comes_first(void **state)
{
    const uint8_t listed[] = { 0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17 };
    const uint8_t expected[] = { 17, 3, 8, 12, 16, 2, 7, 11, 15, 1, 6 };

    (void)state;
    assert_candidates(RA_IPMI_CIPHER_ANY, listed, sizeof(listed), expected, sizeof(expected));
}

static void suite_0_is_never_chosen(void **state)
{
    const uint8_t listed[] = { 0 };

    (void)state;
    assert_candidates(RA_IPMI_CIPHER_ANY, listed, sizeof(listed), (const uint8_t *)"", 0);
}

static void without_a_list_the_usual_ones_are_tried(void **state)
{
    const uint8_t expected[] = { 17, 3, 8 };

    (void)state;
    assert_candidates(RA_IPMI_CIPHER_ANY, NULL, 0, expected, sizeof(expected));
}

static void a_given_suite_is_the_only_one(void **state)
{
    const uint8_t listed[] = { 3, 17 };
    const uint8_t given[] = { 0 };

    (void)state;
    assert_candidates(0, listed, sizeof(listed), given, 1);
}

static void supported_suites(void **state)
{
    const int supported[] = { 0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17 };
    size_t count = 0;

    (void)state;
    for (int suite = -1; suite < 256; suite++)
        count += ra_ipmi_cipher_is_supported(suite);
    assert_int_equal(count, sizeof(supported) / sizeof(supported[0]));
    for (size_t i = 0; i < count; i++)
        assert_true(ra_ipmi_cipher_is_supported(supported[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read),
        cmocka_unit_test(records_cut_anywhere_are_read_as_far_as_they_go),
        cmocka_unit_test(repeated_records_count_once),
        cmocka_unit_test(the_strongest_of_the_list_comes_first),
        cmocka_unit_test(suite_0_is_never_chosen),
        cmocka_unit_test(without_a_list_the_usual_ones_are_tried),
        cmocka_unit_test(a_given_suite_is_the_only_one),
        cmocka_unit_test(supported_suites),
    };

    return cmocka_run_group_tests_name("ipmi_cipher", tests, NULL, NULL);
}
