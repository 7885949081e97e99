/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <freeipmi/api/ipmi-api.h>

#include "ipmi/fault.h"
#include "ipmi/workaround.h"

static const unsigned char some_k_g[RA_IPMI_K_G_BYTES] = { 1 };

static struct ra_ipmi_options options;
static struct ra_ipmi_capabilities capabilities;
static struct ra_ipmi_fault_scene scene;

static int set_scene(void **state)
{
    (void)state;
    options = (struct ra_ipmi_options){ .user = "admin",
                                        .password = "geheim",
                                        .privilege = RA_IPMI_ADMINISTRATOR };
    capabilities = (struct ra_ipmi_capabilities){ .version_2_0 = true };
    scene = (struct ra_ipmi_fault_scene){ .endpoint = "192.0.2.1:623",
                                          .options = &options,
                                          .capabilities = &capabilities,
                                          .cipher = 17,
                                          .ciphers = "3, 8",
                                          .cipher_is_listed = true };
    return 0;
}

static void assert_fault(int errnum, enum ra_ipmi_verdict verdict, enum ra_error_kind kind,
                         const char *part)
{
    struct ra_error err;

    assert_int_equal(ra_ipmi_fault_of_open(errnum, &scene, &err), verdict);
    assert_int_equal(err.kind, kind);
    assert_contains(err.text, part);
    assert_contains(err.text, "192.0.2.1:623");
    assert_null(strstr(err.text, "geheim"));
}

static void each_number_has_its_verdict_and_advice(void **state)
{
    (void)state;
    assert_fault(IPMI_ERR_USERNAME_INVALID, RA_IPMI_FINAL, RA_ERROR_PERMISSION, "check username");
    assert_fault(IPMI_ERR_PASSWORD_INVALID, RA_IPMI_FAULTY, RA_ERROR_PERMISSION, "check password");
    assert_fault(IPMI_ERR_K_G_INVALID, RA_IPMI_FINAL, RA_ERROR_PERMISSION, "set hexadecimal_kg");
    assert_fault(IPMI_ERR_PRIVILEGE_LEVEL_CANNOT_BE_OBTAINED, RA_IPMI_PRIVILEGE,
                 RA_ERROR_PERMISSION, "privlvl");
    assert_fault(IPMI_ERR_CIPHER_SUITE_ID_UNAVAILABLE, RA_IPMI_NEXT_SUITE, RA_ERROR_CONFIG,
                 "it offers 3, 8");
    assert_fault(IPMI_ERR_IPMI_2_0_UNAVAILABLE, RA_IPMI_FINAL, RA_ERROR_CONFIG, "lanplus=0");
    assert_fault(IPMI_ERR_PASSWORD_VERIFICATION_TIMEOUT, RA_IPMI_SILENT, RA_ERROR_PERMISSION,
                 "check password");
    assert_fault(IPMI_ERR_BMC_BUSY, RA_IPMI_BUSY, RA_ERROR_BUSY, "busy");
    assert_fault(IPMI_ERR_SESSION_TIMEOUT, RA_IPMI_SILENT, RA_ERROR_TIMEOUT, "timed out");
    assert_fault(IPMI_ERR_SYSTEM_ERROR, RA_IPMI_SILENT, RA_ERROR_UNREACHABLE, "no way");
    assert_fault(IPMI_ERR_IPMI_ERROR, RA_IPMI_ODD, RA_ERROR_PROTOCOL, "workaround_flags");
}

static void every_number_of_freeipmi_gives_a_sentence(void **state)
{
    struct ra_error err;

    (void)state;
    for (int errnum = 0; errnum <= IPMI_ERR_ERRNUMRANGE; errnum++) {
        (void)ra_ipmi_fault_of_open(errnum, &scene, &err);
        assert_contains(err.text, "192.0.2.1:623");
        err.text[0] = '\0';
        assert_int_equal(
            ra_ipmi_fault_of_command(errnum, -1, "192.0.2.1:623", "reading", &options, &err), -1);
        assert_contains(err.text, "192.0.2.1:623");
    }
}

static void three_faults_of_the_k_g(void **state)
{
    (void)state;
    options.k_g = some_k_g;
    assert_fault(IPMI_ERR_K_G_INVALID, RA_IPMI_FINAL, RA_ERROR_PERMISSION, "remove hexadecimal_kg");
    capabilities.k_g_set = true;
    assert_fault(IPMI_ERR_K_G_INVALID, RA_IPMI_FINAL, RA_ERROR_PERMISSION, "another K_g");
}

static void nonsense_about_a_suite_that_is_not_listed_is_about_the_suite(void **state)
{
    (void)state;
    scene.cipher_is_listed = false;
    assert_fault(IPMI_ERR_IPMI_ERROR, RA_IPMI_NEXT_SUITE, RA_ERROR_CONFIG, "cipher suite 17");
}

static void ipmi_1_5_speaks_of_its_own_parameters(void **state)
{
    (void)state;
    options.version_1_5 = true;
    assert_fault(IPMI_ERR_AUTHENTICATION_TYPE_UNAVAILABLE, RA_IPMI_NEXT_SUITE, RA_ERROR_CONFIG,
                 "set auth");
    assert_fault(IPMI_ERR_SESSION_TIMEOUT, RA_IPMI_SILENT, RA_ERROR_TIMEOUT, "lanplus=1");
}

static void completion_codes_have_their_kinds(void **state)
{
    static const struct {
        int code;
        enum ra_error_kind kind;
        const char *part;
    } rows[] = {
        { 0xc0, RA_ERROR_BUSY, "busy" },
        { 0xc1, RA_ERROR_PROTOCOL, "does not have this command" },
        { 0xc3, RA_ERROR_TIMEOUT, "timed out" },
        { 0xd3, RA_ERROR_UNREACHABLE, "check target" },
        { 0xd4, RA_ERROR_PERMISSION, "operator" },
        { 0xd5, RA_ERROR_BUSY, "present state" },
        { 0xd6, RA_ERROR_PERMISSION, "disabled" },
        { 0xff, RA_ERROR_PROTOCOL, "event log" },
        { 0x81, RA_ERROR_PROTOCOL, "completion code 81h" },
    };
    struct ra_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ra_ipmi_fault_of_command(IPMI_ERR_BAD_COMPLETION_CODE, rows[i].code,
                                                  "192.0.2.1:623", "switching the power off",
                                                  &options, &err),
                         -1);
        assert_int_equal(err.kind, rows[i].kind);
        assert_contains(err.text, rows[i].part);
        assert_contains(err.text, "switching the power off failed");
    }
}

/* --- workarounds -------------------------------------------------------------------------------*/

static void names_become_flags_and_bits(void **state)
{
    unsigned flags = 0;

    (void)state;
    assert_int_equal(ra_ipmi_workaround_parse("opensesspriv, authcap\tIDZERO", &flags, NULL), 0);
    assert_int_equal(flags, RA_IPMI_OPENSESSPRIV | RA_IPMI_AUTHCAP | RA_IPMI_IDZERO);
    /* The numbers that ipmipower's manual page documents for -W by bit. */
    assert_int_equal(ra_ipmi_workaround_bits_2_0(flags), 0x11);
    assert_int_equal(ra_ipmi_workaround_bits_1_5(flags), 0x03);
}

static void manufacturers_have_their_workarounds(void **state)
{
    (void)state;
    assert_int_equal(ra_ipmi_workaround_of_manufacturer(10876), RA_IPMI_SUPERMICRO20);
    assert_int_equal(ra_ipmi_workaround_of_manufacturer(343), RA_IPMI_INTEL20);
    assert_int_equal(ra_ipmi_workaround_of_manufacturer(42), RA_IPMI_SUN20);
    assert_int_equal(ra_ipmi_workaround_of_manufacturer(0), 0);
    assert_int_equal(ra_ipmi_workaround_of_manufacturer(674), 0);
}

static void no_names_are_no_flags(void **state)
{
    unsigned flags = 1;

    (void)state;
    assert_int_equal(ra_ipmi_workaround_parse(NULL, &flags, NULL), 0);
    assert_int_equal(flags, 0);
    flags = 1;
    assert_int_equal(ra_ipmi_workaround_parse(" , ", &flags, NULL), 0);
    assert_int_equal(flags, 0);
}

static void an_unknown_name_is_refused_with_the_known_ones(void **state)
{
    struct ra_error err;
    unsigned flags = 7;

    (void)state;
    assert_int_equal(ra_ipmi_workaround_parse("authcap,intel", &flags, &err), -1);
    assert_int_equal(flags, 7);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_contains(err.text, "'intel'");
    assert_contains(err.text, "intel20");
    assert_contains(err.text, "noauthcodecheck");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_number_has_its_verdict_and_advice, set_scene),
        cmocka_unit_test_setup(every_number_of_freeipmi_gives_a_sentence, set_scene),
        cmocka_unit_test_setup(three_faults_of_the_k_g, set_scene),
        cmocka_unit_test_setup(nonsense_about_a_suite_that_is_not_listed_is_about_the_suite,
                               set_scene),
        cmocka_unit_test_setup(ipmi_1_5_speaks_of_its_own_parameters, set_scene),
        cmocka_unit_test_setup(completion_codes_have_their_kinds, set_scene),
        cmocka_unit_test(names_become_flags_and_bits),
        cmocka_unit_test(manufacturers_have_their_workarounds),
        cmocka_unit_test(no_names_are_no_flags),
        cmocka_unit_test(an_unknown_name_is_refused_with_the_known_ones),
    };

    return cmocka_run_group_tests_name("ipmi_fault", tests, NULL, NULL);
}
