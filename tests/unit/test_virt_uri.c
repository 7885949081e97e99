/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "virt/uri.h"

static void assert_remote(const char *local, const char *transport, const char *user,
                          const char *expected)
{
    struct ra_error err = { 0 };
    char *uri = NULL;

    if (ra_virt_uri_remote(local, transport, user, "n2.example.org", &uri, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(uri, expected);
    free(uri);
}

static void the_remote_uri_has_the_same_driver_and_path(void **state)
{
    (void)state;
    assert_remote("qemu:///system", "tls", NULL, "qemu+tls://n2.example.org/system");
    assert_remote("qemu:///system", NULL, NULL, "qemu://n2.example.org/system");
    assert_remote("qemu:///system", "", "", "qemu://n2.example.org/system");
    assert_remote("xen:///system", "ssh", "root", "xen+ssh://root@n2.example.org/system");
    assert_remote("qemu+unix:///system?socket=/run/x", "tls", "a_b.c-d",
                  "qemu+tls://a_b.c-d@n2.example.org/system");
}

static void what_cannot_stand_in_a_uri_is_refused(void **state)
{
    static const char *const bad[] = { "", "a b", "a@b", "a/b", "a:b", "n%41" };
    struct ra_error err;
    char *uri = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ra_virt_uri_remote("qemu:///system", "tls", NULL, bad[i], &uri, &err), -1);
        assert_int_equal(err.kind, RA_ERROR_CONFIG);
        if (bad[i][0] == '\0')
            continue; /* no user at all is no error */
        assert_int_equal(ra_virt_uri_remote("qemu:///system", "tls", bad[i], "n2", &uri, &err), -1);
        assert_contains(err.text, "migration_user");
    }
    assert_int_equal(ra_virt_uri_remote("system", "tls", NULL, "n2", &uri, &err), -1);
    assert_null(uri);
}

static void assert_suffix(const char *host, const char *suffix, const char *expected)
{
    char *result = ra_virt_uri_add_suffix(host, suffix);

    assert_string_equal(result, expected);
    free(result);
}

static void the_suffix_goes_before_the_first_dot(void **state)
{
    (void)state;
    assert_suffix("n2.example.org", "-mig", "n2-mig.example.org");
    assert_suffix("n2", "-mig", "n2-mig");
    assert_suffix("n2.example.org", "", "n2.example.org");
    assert_suffix("n2.example.org", NULL, "n2.example.org");
}

static void assert_data(const char *local, int64_t port, const char *expected)
{
    char *result = ra_virt_uri_data(local, "n2", port);

    assert_string_equal(result, expected);
    free(result);
}

static void the_data_uri_has_the_form_of_its_driver(void **state)
{
    (void)state;
    assert_data("qemu:///system", 49152, "tcp://n2:49152");
    assert_data("qemu:///system", 0, "tcp://n2");
    assert_data("xen:///system", 0, "n2");
    assert_data("xen:///system", 49152, "n2:49152");
}

static void a_driver_is_a_whole_word(void **state)
{
    (void)state;
    assert_true(ra_virt_uri_has_driver("qemu:///system", "qemu"));
    assert_true(ra_virt_uri_has_driver("qemu+tls://n2/system", "qemu"));
    assert_false(ra_virt_uri_has_driver("qemux:///system", "qemu"));
    assert_false(ra_virt_uri_has_driver("xen:///system", "qemu"));
    assert_false(ra_virt_uri_has_driver("", "qemu"));
    assert_false(ra_virt_uri_has_driver(NULL, "qemu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_remote_uri_has_the_same_driver_and_path),
        cmocka_unit_test(what_cannot_stand_in_a_uri_is_refused),
        cmocka_unit_test(the_suffix_goes_before_the_first_dot),
        cmocka_unit_test(the_data_uri_has_the_form_of_its_driver),
        cmocka_unit_test(a_driver_is_a_whole_word),
    };

    return cmocka_run_group_tests_name("virt_uri", tests, NULL, NULL);
}
