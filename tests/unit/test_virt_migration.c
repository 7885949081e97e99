/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "virt/migration.h"

enum { UNKNOWN, ABSENT, ACTIVE, FAILED, STRANDED, INCOMING };

static enum ra_virt_verdict judge(int here, int there)
{
    return ra_virt_migration_judge((enum ra_virt_presence)here, (enum ra_virt_presence)there);
}

static void what_each_pair_means(void **state)
{
    (void)state;
    assert_int_equal(judge(ABSENT, ACTIVE), RA_VIRT_VERDICT_ARRIVED);
    assert_int_equal(judge(ACTIVE, ABSENT), RA_VIRT_VERDICT_STAYED);
    assert_int_equal(judge(ACTIVE, INCOMING), RA_VIRT_VERDICT_CLEAN);
    assert_int_equal(judge(ABSENT, ABSENT), RA_VIRT_VERDICT_LOST);
    assert_int_equal(judge(ACTIVE, ACTIVE), RA_VIRT_VERDICT_TWICE);
    assert_int_equal(judge(STRANDED, ABSENT), RA_VIRT_VERDICT_RESUME);
    assert_int_equal(judge(STRANDED, ACTIVE), RA_VIRT_VERDICT_ARRIVED);
    assert_int_equal(judge(ABSENT, INCOMING), RA_VIRT_VERDICT_WAIT);
}

/* The promises that every row and column has to keep, whatever the table says. */
static void no_verdict_is_dangerous(void **state)
{
    (void)state;
    for (int here = 0; here < RA_VIRT_PRESENCES; here++) {
        for (int there = 0; there < RA_VIRT_PRESENCES; there++) {
            enum ra_virt_verdict verdict = judge(here, there);

            assert_in_range(verdict, RA_VIRT_VERDICT_ARRIVED, RA_VIRT_VERDICT_TWICE);
            /* Nothing is decided on the word of one end. */
            if (here == UNKNOWN || there == UNKNOWN)
                assert_int_equal(verdict, RA_VIRT_VERDICT_WAIT);
            /* A success leaves nothing running here. */
            if (verdict == RA_VIRT_VERDICT_ARRIVED)
                assert_true(here == ABSENT || here == STRANDED);
            /* Only what has never run is destroyed, and only while the guest is here. */
            if (verdict == RA_VIRT_VERDICT_CLEAN) {
                assert_true(there == INCOMING || there == STRANDED);
                assert_true(here == ACTIVE || here == FAILED || here == STRANDED);
            }
            /* It is resumed here only if it is proven not to be there. */
            if (verdict == RA_VIRT_VERDICT_RESUME)
                assert_int_equal(there, ABSENT);
        }
    }
}

static void presence_follows_the_condition(void **state)
{
    (void)state;
    assert_int_equal(ra_virt_migration_presence(RA_VIRT_RUNNING), RA_VIRT_PRESENCE_ACTIVE);
    assert_int_equal(ra_virt_migration_presence(RA_VIRT_PAUSED), RA_VIRT_PRESENCE_ACTIVE);
    assert_int_equal(ra_virt_migration_presence(RA_VIRT_OFF), RA_VIRT_PRESENCE_ABSENT);
    assert_int_equal(ra_virt_migration_presence(RA_VIRT_INCOMING), RA_VIRT_PRESENCE_INCOMING);
    assert_int_equal(ra_virt_migration_presence(RA_VIRT_STRANDED), RA_VIRT_PRESENCE_STRANDED);
    assert_int_equal(ra_virt_migration_presence(RA_VIRT_FAILED), RA_VIRT_PRESENCE_FAILED);
    assert_int_equal(ra_virt_migration_presence(RA_VIRT_CHANGING), RA_VIRT_PRESENCE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_each_pair_means),
        cmocka_unit_test(no_verdict_is_dangerous),
        cmocka_unit_test(presence_follows_the_condition),
    };

    return cmocka_run_group_tests_name("virt_migration", tests, NULL, NULL);
}
