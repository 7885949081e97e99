/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <errno.h>
#include <poll.h>

#include "ipmi/guard.h"

static void destroy(struct ra_ipmi_guard *guard)
{
    ra_ipmi_guard_destroy(guard);
}

static void a_call_is_interrupted_at_the_deadline(void **state)
{
    __attribute__((cleanup(destroy))) struct ra_ipmi_guard guard = { .exists = false };
    int64_t began_ms = ra_deadline_now_ms();
    int64_t took_ms;

    (void)state;
    assert_int_equal(ra_ipmi_guard_create(&guard, NULL), 0);
    ra_ipmi_guard_arm(&guard, ra_deadline_after_ms(100));
    assert_int_equal(poll(NULL, 0, 5000), -1);
    assert_int_equal(errno, EINTR);
    took_ms = ra_deadline_now_ms() - began_ms;
    assert_in_range(took_ms, 99, 1000);
    /* Again and again, for a signal may come while nothing blocks. */
    assert_int_equal(poll(NULL, 0, 5000), -1);
    assert_int_equal(errno, EINTR);
}

static void a_deadline_in_the_past_interrupts_at_once(void **state)
{
    __attribute__((cleanup(destroy))) struct ra_ipmi_guard guard = { .exists = false };

    (void)state;
    assert_int_equal(ra_ipmi_guard_create(&guard, NULL), 0);
    ra_ipmi_guard_arm(&guard, (struct ra_deadline){ .at_ms = 0 });
    assert_int_equal(poll(NULL, 0, 5000), -1);
    ra_ipmi_guard_arm(&guard, (struct ra_deadline){ .at_ms = -5000 });
    assert_int_equal(poll(NULL, 0, 5000), -1);
}

static void nothing_is_interrupted_when_disarmed(void **state)
{
    __attribute__((cleanup(destroy))) struct ra_ipmi_guard guard = { .exists = false };

    (void)state;
    assert_int_equal(ra_ipmi_guard_create(&guard, NULL), 0);
    assert_int_equal(poll(NULL, 0, 30), 0);
    ra_ipmi_guard_arm(&guard, ra_deadline_after_ms(50));
    ra_ipmi_guard_disarm(&guard);
    assert_int_equal(poll(NULL, 0, 120), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_interrupted_at_the_deadline),
        cmocka_unit_test(a_deadline_in_the_past_interrupts_at_once),
        cmocka_unit_test(nothing_is_interrupted_when_disarmed),
    };

    return cmocka_run_group_tests_name("ipmi_guard", tests, NULL, NULL);
}
