/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>
#include <valgrind/valgrind.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/process.h"
#include "base/text.h"

/* --- error
 * --------------------------------------------------------------------------------------*/

static void error_is_one_line_and_bounded(void **state)
{
    struct ra_error err;
    char big[2 * RA_ERROR_TEXT_BYTES];

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(ra_error_set(&err, RA_ERROR_BUSY, "a\nb\t%s", big), -1);
    assert_int_equal(err.kind, RA_ERROR_BUSY);
    assert_int_equal(strlen(err.text), RA_ERROR_TEXT_BYTES - 1);
    assert_null(strchr(err.text, '\n'));
    assert_contains(err.text, "a b xxx");
}

static void error_prefix_keeps_kind_and_adds_context(void **state)
{
    struct ra_error err;

    (void)state;
    (void)ra_error_set(&err, RA_ERROR_TIMEOUT, "no answer");
    assert_int_equal(ra_error_prefix(&err, "guest %s", "www1"), -1);
    assert_string_equal(err.text, "guest www1: no answer");
    assert_int_equal(err.kind, RA_ERROR_TIMEOUT);
    assert_int_equal(ra_error_prefix(NULL, "nobody listens"), -1);
    assert_int_equal(ra_error_set(NULL, RA_ERROR_BUSY, "nobody listens"), -1);
}

/* No errno may be taken for the proof that a guest or a mount does not exist. */
static void no_errno_means_not_found(void **state)
{
    (void)state;
    for (int errnum = 0; errnum < 200; errnum++) {
        assert_int_not_equal(ra_error_kind_of_errno(errnum), RA_ERROR_NOT_FOUND);
        assert_int_not_equal(ra_error_kind_of_errno(errnum), RA_ERROR_MISSING);
    }
    assert_int_equal(ra_error_kind_of_errno(EACCES), RA_ERROR_PERMISSION);
    assert_int_equal(ra_error_kind_of_errno(ECONNREFUSED), RA_ERROR_UNREACHABLE);
    assert_int_equal(ra_error_kind_of_errno(ETIMEDOUT), RA_ERROR_TIMEOUT);
    assert_int_equal(ra_error_kind_of_errno(ENOMEM), RA_ERROR_SYSTEM);
}

/* --- text
 * ---------------------------------------------------------------------------------------*/

static void replace_handles_none_one_many(void **state)
{
    ra_auto_free char *none = ra_text_replace("xen://host/", "%n", "n1");
    ra_auto_free char *many = ra_text_replace("%n and %n", "%n", "%n%n");
    ra_auto_free char *end = ra_text_replace("tcp:%n", "%n", "n1");

    (void)state;
    assert_string_equal(none, "xen://host/");
    assert_string_equal(many, "%n%n and %n%n");
    assert_string_equal(end, "tcp:n1");
}

static void split_leaves_out_empty_words(void **state)
{
    ra_auto_text_list char **words = ra_text_split("  acpi,,agent ", " ,");
    ra_auto_text_list char **none = ra_text_split(" , ", " ,");
    ra_auto_text_list char **single = ra_text_split("a", " ");

    (void)state;
    assert_string_equal(words[0], "acpi");
    assert_string_equal(words[1], "agent");
    assert_null(words[2]);
    assert_null(none[0]);
    assert_string_equal(single[0], "a");
    assert_null(single[1]);
}

static void join_cuts_at_the_end_of_the_buffer(void **state)
{
    char buffer[8] = "#######";

    (void)state;
    ra_text_join(buffer, 6, "abc", ": ", "def");
    assert_string_equal(buffer, "abc: ");
    assert_int_equal(buffer[6], '#');
}

static void buffer_grows(void **state)
{
    ra_auto_text_buffer struct ra_text_buffer buffer = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++)
        ra_text_buffer_addf(&buffer, "%03d,", i);
    assert_int_equal(buffer.used_bytes, 4000);
    assert_int_equal(strlen(buffer.data), 4000);
    assert_memory_equal(buffer.data + 3996, "999,", 5);
}

static void wipe_overwrites(void **state)
{
    char secret[] = "secret";
    const char zeros[sizeof(secret)] = { 0 };

    (void)state;
    ra_text_wipe(secret);
    assert_memory_equal(secret, zeros, sizeof(secret));
    ra_text_wipe(NULL);
}

/* --- number
 * -------------------------------------------------------------------------------------*/

static void integers_are_parsed_whole_or_refused(void **state)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "1x", "x1", "--1", "+", "-", "0x10", "1.5", "9223372036854775808"
    };
    int64_t value = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ra_number_parse_integer(bad[i], &value), -1);
    assert_int_equal(value, 77); /* written on success only */
    assert_int_equal(ra_number_parse_integer("-12", &value), 0);
    assert_int_equal(value, -12);
    assert_int_equal(ra_number_parse_integer("9223372036854775807", &value), 0);
    assert_true(value == INT64_MAX);
    assert_int_equal(ra_number_parse_integer("010", &value), 0);
    assert_int_equal(value, 10);
}

static void booleans_take_the_words_of_ocf_and_pacemaker(void **state)
{
    static const char *const yes[] = { "1", "true", "TRUE", "yes", "on", "On", "ja", "y" };
    static const char *const no[] = { "0", "false", "No", "off", "n" };
    bool value;

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        value = false;
        assert_int_equal(ra_number_parse_boolean(yes[i], &value), 0);
        assert_true(value);
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        value = true;
        assert_int_equal(ra_number_parse_boolean(no[i], &value), 0);
        assert_false(value);
    }
    assert_int_equal(ra_number_parse_boolean("maybe", &value), -1);
    assert_int_equal(ra_number_parse_boolean("", &value), -1);
    assert_int_equal(ra_number_parse_boolean("truex", &value), -1);
}

static void durations_follow_pacemakers_units(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = { { "20", 20000 },   { "20s", 20000 }, { "20sec", 20000 }, { "1500ms", 1500 },
                 { "1us", 1 },      { "1000us", 1 },  { "2m", 120000 },   { "2min", 120000 },
                 { "1h", 3600000 }, { "0", 0 } };
    static const char *const bad[] = {
        "", "s", "-1", "+1", "1 s", "1d", "1.5s", "99999999999999999"
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(ra_number_parse_duration(good[i].text, &ms), 0);
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ra_number_parse_duration(bad[i], &ms), -1);
}

static void hex_is_bounded(void **state)
{
    unsigned char bytes[4];
    unsigned count;

    (void)state;
    assert_int_equal(ra_number_parse_hex("0x00fFa1", bytes, 4, &count), 0);
    assert_int_equal(count, 3);
    assert_memory_equal(bytes, "\x00\xff\xa1", 3);
    assert_int_equal(ra_number_parse_hex("abc", bytes, 4, &count), -1);
    assert_int_equal(ra_number_parse_hex("0102030405", bytes, 4, &count), -1);
    assert_int_equal(ra_number_parse_hex("zz", bytes, 4, &count), -1);
    assert_int_equal(ra_number_parse_hex("", bytes, 4, &count), -1);
}

/* --- deadline
 * -----------------------------------------------------------------------------------*/

static void deadlines_count_down_and_stop_at_zero(void **state)
{
    struct ra_deadline past = ra_deadline_after_ms(-5);
    struct ra_deadline later = ra_deadline_after_ms(60000);

    (void)state;
    assert_true(ra_deadline_expired(past));
    assert_int_equal(ra_deadline_remaining_ms(past), 0);
    assert_false(ra_deadline_expired(later));
    assert_true(ra_deadline_earlier(past, later).at_ms == past.at_ms);
    assert_true(ra_deadline_reserve_ms(later, 100).at_ms == later.at_ms - 100);
    assert_int_equal(ra_deadline_remaining_int_ms((struct ra_deadline){ INT64_MAX }), INT32_MAX);
}

static void sleeping_ends_at_the_deadline(void **state)
{
    int64_t began_ms = ra_deadline_now_ms();
    struct ra_deadline soon = ra_deadline_after_ms(20);

    (void)state;
    assert_false(ra_deadline_sleep_ms(soon, 60000));
    assert_true(ra_deadline_now_ms() - began_ms >= 19);
    assert_true(ra_deadline_sleep_ms(ra_deadline_after_ms(60000), 1));
}

static void backoff_grows_to_its_limit(void **state)
{
    struct ra_backoff backoff = { .next_ms = 1, .most_ms = 3 };

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(ra_backoff_sleep(&backoff, ra_deadline_after_ms(60000)));
    assert_int_equal(backoff.next_ms, 3);
}

/* --- file
 * ---------------------------------------------------------------------------------------*/

static char directory[] = "/tmp/ra-test-XXXXXX";
static char *state_path;

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    state_path = ra_text_format("%s/state", directory);
    ra_file_state_set_directory(state_path);
    return 0;
}

static int remove_directory(void **state)
{
    const char *const argv[] = { "rm", "-rf", directory, NULL };
    int status;

    (void)state;
    free(state_path);
    return ra_process_run(argv, ra_deadline_after_ms(10000), &status, NULL, NULL);
}

static void state_files_come_back_and_are_ours_alone(void **state)
{
    ra_auto_free char *text = NULL;
    ra_auto_free char *path = ra_text_format("%s/VirtualDomain-a%%2Fb", state_path);
    struct ra_error err;
    struct stat status;

    (void)state;
    assert_int_equal(ra_file_state_write("VirtualDomain-a/b", "one\n", &err), 0);
    assert_int_equal(ra_file_state_write("VirtualDomain-a/b", "two\n", &err), 0);
    assert_int_equal(ra_file_state_read("VirtualDomain-a/b", &text, &err), 0);
    assert_string_equal(text, "two\n");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(state_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(ra_file_state_remove("VirtualDomain-a/b", &err), 0);
    assert_int_equal(ra_file_state_remove("VirtualDomain-a/b", &err), 0);
}

static void a_missing_state_is_told_from_an_unreadable_one(void **state)
{
    ra_auto_free char *link_path = ra_text_format("%s/linked", state_path);
    char *text = NULL;
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_file_state_read("none", &text, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_NOT_FOUND);
    assert_int_equal(symlink("/etc/passwd", link_path), 0);
    assert_int_equal(ra_file_state_read("linked", &text, &err), -1);
    assert_int_not_equal(err.kind, RA_ERROR_NOT_FOUND);
    assert_null(text);
}

static void a_state_directory_open_to_others_is_refused(void **state)
{
    struct ra_error err;

    (void)state;
    assert_int_equal(chmod(state_path, 0777), 0);
    assert_int_equal(ra_file_state_write("x", "y", &err), -1);
    assert_int_equal(err.kind, RA_ERROR_PERMISSION);
    assert_contains(err.text, state_path);
    assert_int_equal(chmod(state_path, 0700), 0);
}

static void reading_refuses_what_is_not_a_small_text_file(void **state)
{
    char *text = NULL;
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_file_read(directory, 10, &text, &err), -1);
    assert_int_equal(ra_file_read("/dev/zero", 10, &text, &err), -1);
    assert_int_equal(ra_file_read("/proc/self/cmdline", 4096, &text, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_PROTOCOL);
    assert_int_equal(ra_file_read("/proc/self/status", 10, &text, &err), -1);
    assert_contains(err.text, "larger than 10 bytes");
    assert_null(text);
}

/* --- process
 * ------------------------------------------------------------------------------------*/

static void a_program_gives_its_status_and_output(void **state)
{
    const char *const argv[] = { "sh", "-c", "echo out; echo err >&2; exit 3", NULL };
    ra_auto_text_buffer struct ra_text_buffer output = { 0 };
    struct ra_error err;
    int status;

    (void)state;
    assert_int_equal(ra_process_run(argv, ra_deadline_after_ms(10000), &status, &output, &err), 0);
    assert_int_equal(status, 3);
    assert_string_equal(output.data, "out\nerr\n");
    ra_text_buffer_free(&output);
    assert_int_equal(ra_process_capture(argv, ra_deadline_after_ms(10000), &status, &output, &err),
                     0);
    assert_string_equal(output.data, "out\n");
}

static void a_program_that_hangs_is_killed_with_its_children(void **state)
{
    const char *const argv[] = { "sh", "-c", "sleep 1000 & echo $!; wait", NULL };
    ra_auto_text_buffer struct ra_text_buffer output = { 0 };
    struct ra_error err;
    int64_t child;
    int status;

    (void)state;
    assert_int_equal(ra_process_run(argv, ra_deadline_after_ms(300), &status, &output, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_TIMEOUT);
    assert_non_null(output.data);
    output.data[strcspn(output.data, "\n")] = '\0';
    assert_int_equal(ra_number_parse_integer(output.data, &child), 0);
    assert_true(has_ended((pid_t)child));
}

/* A daemon left behind keeps the pipe open; the program itself has ended. */
static void a_daemon_left_behind_is_not_waited_for(void **state)
{
    const char *const argv[] = { "sh", "-c", "setsid sleep 2 & exit 0", NULL };
    struct ra_error err;
    int64_t began_ms = ra_deadline_now_ms();
    int status;

    (void)state;
    assert_int_equal(ra_process_run(argv, ra_deadline_after_ms(60000), &status, NULL, &err), 0);
    assert_true(ra_deadline_now_ms() - began_ms < 1900);
}

static void a_missing_program_is_named(void **state)
{
    const char *const argv[] = { "/no/such/program", NULL };
    struct ra_error err;
    int status;

    (void)state;
    if (RUNNING_ON_VALGRIND)
        skip(); /* it makes a fork of posix_spawn's vfork, which then cannot report the failure */
    assert_int_equal(ra_process_run(argv, ra_deadline_after_ms(1000), &status, NULL, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_MISSING);
    assert_contains(err.text, "/no/such/program");
}

/* --- log
 * ----------------------------------------------------------------------------------------*/

static char seen[256];

static void record(enum ra_log_event event, const char *text, int64_t duration_us)
{
    size_t used = strlen(seen);

    (void)snprintf(seen + used, sizeof(seen) - used, "%d:%s%s;", (int)event, text,
                   duration_us >= 1000 ? " (took time)" : "");
}

static void marked_calls_begin_and_end_in_order(void **state)
{
    (void)state;
    ra_log_set_sink(record);
    {
        RA_LOG_CALL("opening %s", "a");
        {
            RA_LOG_CALL("asking\nb");
            (void)usleep(2000);
        }
    }
    ra_log_set_sink(NULL);
    assert_string_equal(seen, "0:opening a;0:asking b;1:asking b (took time);"
                              "1:opening a (took time);");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_is_one_line_and_bounded),
        cmocka_unit_test(error_prefix_keeps_kind_and_adds_context),
        cmocka_unit_test(no_errno_means_not_found),
        cmocka_unit_test(replace_handles_none_one_many),
        cmocka_unit_test(split_leaves_out_empty_words),
        cmocka_unit_test(join_cuts_at_the_end_of_the_buffer),
        cmocka_unit_test(buffer_grows),
        cmocka_unit_test(wipe_overwrites),
        cmocka_unit_test(integers_are_parsed_whole_or_refused),
        cmocka_unit_test(booleans_take_the_words_of_ocf_and_pacemaker),
        cmocka_unit_test(durations_follow_pacemakers_units),
        cmocka_unit_test(hex_is_bounded),
        cmocka_unit_test(deadlines_count_down_and_stop_at_zero),
        cmocka_unit_test(sleeping_ends_at_the_deadline),
        cmocka_unit_test(backoff_grows_to_its_limit),
        cmocka_unit_test(state_files_come_back_and_are_ours_alone),
        cmocka_unit_test(a_missing_state_is_told_from_an_unreadable_one),
        cmocka_unit_test(a_state_directory_open_to_others_is_refused),
        cmocka_unit_test(reading_refuses_what_is_not_a_small_text_file),
        cmocka_unit_test(a_program_gives_its_status_and_output),
        cmocka_unit_test(a_program_that_hangs_is_killed_with_its_children),
        cmocka_unit_test(a_daemon_left_behind_is_not_waited_for),
        cmocka_unit_test(a_missing_program_is_named),
        cmocka_unit_test(marked_calls_begin_and_end_in_order),
    };

    return cmocka_run_group_tests_name("base", tests, make_directory, remove_directory);
}
