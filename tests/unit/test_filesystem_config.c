/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The grammars of Filesystem's parameters. */
#include "unit.h"

#include <signal.h>

#include "filesystem/config.h"

static void assert_signals(const char *value, int first, int second)
{
    struct signal_list list = { .numbers = { SIGTERM } };
    struct ra_error err;

    assert_int_equal(filesystem_parse_signals(value, &list, &err), 0);
    assert_int_equal(list.numbers[0], first);
    assert_int_equal(list.numbers[1], second);
}

static void signals_are_names_or_numbers(void **state)
{
    (void)state;
    assert_signals("TERM", SIGTERM, 0);
    assert_signals("SIGKILL", SIGKILL, 0);
    assert_signals("10", SIGUSR1, 0);
    assert_signals("HUP,9", SIGHUP, SIGKILL);
    assert_signals(" CONT\tUSR2 ", SIGCONT, SIGUSR2);
    assert_signals("", SIGTERM, 0); /* what was there stays */
}

static void what_is_no_signal_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "0", "-9", "999", "NOPE", "TERMS", "TERM WINK", "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct signal_list list = { .numbers = { SIGTERM } };
        struct ra_error err;

        assert_int_equal(filesystem_parse_signals(wrong[i], &list, &err), -1);
        assert_int_equal(err.kind, RA_ERROR_CONFIG);
        assert_int_equal(list.numbers[0], SIGTERM);
        assert_int_equal(list.numbers[1], 0);
    }
}

static void assert_force(const char *value, bool may_signal, bool move)
{
    struct force_unmount force = { .may_signal = !may_signal, .move = !move };
    struct ra_error err;

    assert_int_equal(filesystem_parse_force_unmount(value, &force, &err), 0);
    assert_int_equal(force.may_signal, may_signal);
    assert_int_equal(force.move, move);
}

static void force_unmount_has_a_choice_and_modifiers(void **state)
{
    struct force_unmount force = { .may_signal = true };
    struct ra_error err;

    (void)state;
    assert_force("true", true, false);
    assert_force("safe,move", true, true);
    assert_force("move", true, true);
    assert_force("false,move,nomove", false, false);
    assert_force("no", false, false);
    assert_force("", false, false);
    assert_force("xargs,nops", true, false);
    assert_int_equal(filesystem_parse_force_unmount("maybe", &force, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_true(force.may_signal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_names_or_numbers),
        cmocka_unit_test(what_is_no_signal_changes_nothing),
        cmocka_unit_test(force_unmount_has_a_choice_and_modifiers),
    };

    return cmocka_run_group_tests_name("filesystem config", tests, NULL, NULL);
}
