/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The device parameter of a GlusterFS mount. */
#include "unit.h"

#include "base/cleanup.h"
#include "gluster/source.h"

static void a_device_is_taken_apart(void **state)
{
    RA_CLEANUP(ra_gluster_source_free) struct ra_gluster_source source = { 0 };
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_gluster_source_parse("a,b:/vol/some/dir/", NULL, &source, &err), 0);
    assert_string_equal(source.volume, "vol");
    assert_string_equal(source.directory, "some/dir");
    assert_int_equal(source.server_count, 2);
    assert_string_equal(source.servers[1], "b");
    assert_int_equal(source.port, 0);
    assert_null(source.transport);
}

static void backups_are_servers_once(void **state)
{
    RA_CLEANUP(ra_gluster_source_free) struct ra_gluster_source source = { 0 };
    ra_auto_free char *device = NULL;
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_gluster_source_parse("a:vol",
                                             "rw,backup-volfile-servers=b:a:c,server-port=24100,"
                                             "context=\"x,transport=rdma\",transport=tcp",
                                             &source, &err),
                     0);
    assert_int_equal(source.server_count, 3);
    assert_string_equal(source.servers[2], "c");
    assert_int_equal(source.port, 24100);
    assert_string_equal(source.transport, "tcp");
    device = ra_gluster_source_device(&source, 1);
    assert_string_equal(device, "b,c,a:/vol");
}

static void the_last_option_of_a_name_counts(void **state)
{
    RA_CLEANUP(ra_gluster_source_free) struct ra_gluster_source source = { 0 };
    struct ra_error err;

    (void)state;
    assert_int_equal(
        ra_gluster_source_parse("a:/vol", "server-port=1,server-port=2", &source, &err), 0);
    assert_int_equal(source.port, 2);
}

static void nonsense_is_refused(void **state)
{
    static const char *const wrong[] = { "", "vol", ":/vol", "a:", "a:/", ",:/vol" };
    struct ra_gluster_source source = { 0 };
    struct ra_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ra_gluster_source_parse(wrong[i], NULL, &source, &err), -1);
        assert_int_equal(err.kind, RA_ERROR_CONFIG);
        assert_null(source.volume);
    }
    assert_int_equal(ra_gluster_source_parse("a:/vol", "server-port=70000", &source, &err), -1);
    assert_non_null(strstr(err.text, "70000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_taken_apart),
        cmocka_unit_test(backups_are_servers_once),
        cmocka_unit_test(the_last_option_of_a_name_counts),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests_name("gluster source", tests, NULL, NULL);
}
