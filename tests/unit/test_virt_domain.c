/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Domains, on libvirt's test driver (test:///default): it lives in the client and needs no daemon,
 * and each connection starts with one running domain of the name "test".
 */
#include "unit.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "virt/connection.h"
#include "virt/domain.h"
#include "virt/error.h"

#define TEST_UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

static struct ra_deadline soon(void)
{
    return ra_deadline_after_ms(20000);
}

static int connect_to_test(void **state)
{
    struct ra_virt_connection *connection = NULL;
    struct ra_error err;

    if (ra_virt_connection_open("test:///default", soon(), &connection, &err) != 0)
        fail_msg("%s", err.text);
    *state = connection;
    return 0;
}

static int disconnect(void **state)
{
    ra_virt_connection_close(*state);
    return 0;
}

static void conditions_follow_state_and_reason(void **state)
{
    static const struct {
        int state;
        int reason;
        enum ra_virt_condition condition;
    } expected[] = {
        { VIR_DOMAIN_NOSTATE, 0, RA_VIRT_RUNNING },
        { VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, RA_VIRT_RUNNING },
        { VIR_DOMAIN_BLOCKED, 0, RA_VIRT_RUNNING },
        { VIR_DOMAIN_SHUTDOWN, 0, RA_VIRT_RUNNING },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, RA_VIRT_PAUSED },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, RA_VIRT_FAILED },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, RA_VIRT_FAILED },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, RA_VIRT_FAILED },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG, RA_VIRT_FAILED },
        { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED, RA_VIRT_OFF },
        { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, RA_VIRT_OFF },
        { VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED, RA_VIRT_FAILED },
        { VIR_DOMAIN_PMSUSPENDED, 0, RA_VIRT_FAILED },
        { 4711, 0, RA_VIRT_FAILED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const char *text = NULL;

        assert_int_equal(ra_virt_domain_condition(expected[i].state, expected[i].reason, &text),
                         expected[i].condition);
        assert_non_null(text);
    }
}

static void found_by_uuid_and_by_name(void **state)
{
    struct ra_virt_domain *domain = NULL;
    struct ra_error err;

    assert_int_equal(ra_virt_domain_find(*state, TEST_UUID, NULL, soon(), &domain, &err), 0);
    assert_string_equal(ra_virt_domain_facts(domain)->name, "test");
    ra_virt_domain_free(domain);
    assert_int_equal(ra_virt_domain_find(*state, "00000000-0000-4000-8000-000000000000", "test",
                                         soon(), &domain, &err),
                     0);
    assert_string_equal(ra_virt_domain_facts(domain)->uuid, TEST_UUID);
    assert_int_equal(ra_virt_domain_facts(domain)->condition, RA_VIRT_RUNNING);
    ra_virt_domain_free(domain);
}

static void absence_is_not_found(void **state)
{
    struct ra_virt_domain *domain = NULL;
    struct ra_error err;

    assert_int_equal(ra_virt_domain_find(*state, "00000000-0000-4000-8000-000000000000", "nobody",
                                         soon(), &domain, &err),
                     -1);
    assert_int_equal(err.kind, RA_ERROR_NOT_FOUND);
    assert_contains(err.text, "nobody");
    assert_null(domain);
}

static const char transient_xml[] = "<domain type='test'><name>fresh</name><uuid>"
                                    "11111111-2222-4333-8444-555555555555</uuid><memory>1024"
                                    "</memory><os><type>hvm</type></os></domain>";

static void a_life(void **state)
{
    struct ra_virt_domain *domain = NULL;
    struct ra_error err = { 0 };
    char *xml = NULL;

    if (ra_virt_domain_create(*state, transient_xml, soon(), &domain, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(ra_virt_domain_facts(domain)->condition, RA_VIRT_RUNNING);
    assert_int_equal(ra_virt_domain_xml(domain, soon(), &xml, &err), 0);
    assert_contains(xml, "<name>fresh</name>");
    free(xml);
    assert_int_equal(ra_virt_domain_destroy(domain, false, soon(), &err), 0);
    assert_int_equal(ra_virt_domain_refresh(domain, soon(), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_NOT_FOUND);
    assert_int_equal(ra_virt_domain_destroy(domain, false, soon(), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_NOT_FOUND);
    ra_virt_domain_free(domain);
}

static void a_bad_start_is_no_proof_of_absence(void **state)
{
    struct ra_virt_domain *domain = NULL;
    struct ra_error err;

    assert_int_equal(ra_virt_domain_create(*state, "<domain/>", soon(), &domain, &err), -1);
    assert_int_not_equal(err.kind, RA_ERROR_NOT_FOUND);
    assert_null(domain);
}

static void shutdown_takes_known_modes_only(void **state)
{
    struct ra_virt_domain *domain = NULL;
    struct ra_error err;

    assert_true(ra_virt_domain_knows_mode("acpi") && ra_virt_domain_knows_mode("paravirt"));
    assert_false(ra_virt_domain_knows_mode("ACPI") || ra_virt_domain_knows_mode(""));
    assert_int_equal(ra_virt_domain_find(*state, NULL, "test", soon(), &domain, &err), 0);
    assert_int_equal(ra_virt_domain_shutdown(domain, "loudly", soon(), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_int_equal(ra_virt_domain_shutdown(domain, NULL, soon(), &err), 0);
    assert_int_equal(ra_virt_domain_refresh(domain, soon(), &err), 0);
    assert_int_equal(ra_virt_domain_facts(domain)->condition, RA_VIRT_OFF);
    assert_int_equal(ra_virt_domain_undefine(domain, soon(), &err), 0);
    assert_int_equal(ra_virt_domain_refresh(domain, soon(), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_NOT_FOUND);
    ra_virt_domain_free(domain);
}

static void nobody_listening_is_unreachable(void **state)
{
    struct ra_virt_connection *connection = NULL;
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_virt_connection_open("qemu+unix:///system?socket=/nowhere/socket", soon(),
                                             &connection, &err),
                     -1);
    assert_int_equal(err.kind, RA_ERROR_UNREACHABLE);
    assert_contains(err.text, "/nowhere/socket");
    assert_int_equal(
        ra_virt_connection_open("qemu+tls://host.invalid/system", soon(), &connection, &err), -1);
    assert_int_not_equal(err.kind, RA_ERROR_NOT_FOUND);
    assert_null(connection);
}

static void kinds_of_errors(void **state)
{
    (void)state;
    assert_int_equal(ra_virt_error_kind(VIR_ERR_NO_CONNECT, VIR_FROM_NONE), RA_ERROR_UNREACHABLE);
    assert_int_equal(ra_virt_error_kind(VIR_ERR_RESOURCE_BUSY, VIR_FROM_LOCKING), RA_ERROR_BUSY);
    /* Another domain has the name: waiting does not help. */
    assert_int_equal(ra_virt_error_kind(VIR_ERR_DOM_EXIST, VIR_FROM_QEMU), RA_ERROR_SYSTEM);
    assert_int_equal(ra_virt_error_kind(VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC), RA_ERROR_UNREACHABLE);
    assert_int_equal(ra_virt_error_kind(VIR_ERR_SYSTEM_ERROR, VIR_FROM_QEMU), RA_ERROR_SYSTEM);
    assert_int_equal(ra_virt_error_kind(VIR_ERR_AUTH_FAILED, VIR_FROM_RPC), RA_ERROR_PERMISSION);
    assert_int_equal(ra_virt_error_kind(VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU),
                     RA_ERROR_TIMEOUT);
    for (int code = 0; code < 200; code++)
        assert_int_not_equal(ra_virt_error_kind(code, VIR_FROM_QEMU), RA_ERROR_NOT_FOUND);
}

/* As QEMU 7.2, virtlockd and sanlock's driver of libvirt 9.0 say it. */
static void a_lock_that_is_held_is_told_from_other_refusals(void **state)
{
    static const struct {
        const char *message;
        const char *lock;
    } cases[] = {
        { "internal error: qemu unexpectedly closed the monitor: 2026-11-22T17:37:54.979640Z "
          "qemu-system-x86_64: -device {\"driver\":\"virtio-blk-pci\"}: Failed to get shared "
          "\"write\" lock\nIs another process using the image [/a b.img]?",
          "Failed to get shared \"write\" lock\nIs another process using the image [/a b.img]?" },
        { "qemu-system-x86_64: -blockdev {}: Failed to get \"consistent read\" lock",
          "Failed to get \"consistent read\" lock" },
        { "qemu: -blockdev {}: Failed to lock byte 100", "Failed to lock byte 100" },
        { "internal error: Failed to acquire lock: File exists",
          "Failed to acquire lock: File exists" },
        { "resource busy: Lockspace resource '/a.img' is locked",
          "Lockspace resource '/a.img' is locked" },
        { "qemu: -blockdev {}: Failed to lock byte 100: Resource temporarily unavailable",
          "Failed to lock byte 100: Resource temporarily unavailable" },
        { "qemu: -device {}: Failed to get \"write\" lock: Resource temporarily unavailable\n"
          "Is another process using the image [/a: No.img]?",
          "Failed to get \"write\" lock: Resource temporarily unavailable\n"
          "Is another process using the image [/a: No.img]?" },
        { "qemu: -device {}: Failed to get \"write\" lock\n"
          "Is another process using the image [/a: No.img]?",
          "Failed to get \"write\" lock\nIs another process using the image [/a: No.img]?" },
        { "guest g: libvirt cannot start the domain: Failed to get \"write\" lock Is another "
          "process "
          "using the image [/a: No.img]?",
          "Failed to get \"write\" lock Is another process using the image [/a: No.img]?" },
        /* Locking itself fails, as QEMU 7.2 says it when fcntl(2) gives ENOLCK. */
        { "qemu: -device virtio-blk-pci,drive=x: Failed to lock byte 100: No locks available",
          NULL },
        { "qemu: -device virtio-blk-pci,drive=x: Failed to get \"write\" lock: No locks available\n"
          "Is another process using the image [/a.img]?",
          NULL },
        { "qemu: -blockdev {}: Could not open '/a.img': Input/output error", NULL },
        { "qemu: -netdev tap: Failed to get \"vhost\" descriptor", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = ra_virt_error_find_lock(cases[i].message);

        if (cases[i].lock == NULL)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].lock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_follow_state_and_reason),
        cmocka_unit_test(kinds_of_errors),
        cmocka_unit_test(nobody_listening_is_unreachable),
        cmocka_unit_test_setup_teardown(found_by_uuid_and_by_name, connect_to_test, disconnect),
        cmocka_unit_test_setup_teardown(absence_is_not_found, connect_to_test, disconnect),
        cmocka_unit_test_setup_teardown(a_life, connect_to_test, disconnect),
        cmocka_unit_test_setup_teardown(a_bad_start_is_no_proof_of_absence, connect_to_test,
                                        disconnect),
        cmocka_unit_test_setup_teardown(shutdown_takes_known_modes_only, connect_to_test,
                                        disconnect),
        cmocka_unit_test(a_lock_that_is_held_is_told_from_other_refusals),
    };

    return cmocka_run_group_tests_name("virt_domain", tests, NULL, NULL);
}
