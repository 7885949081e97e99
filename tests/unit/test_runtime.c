/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/text.h"
#include "runtime/agent.h"
#include "runtime/backend.h"
#include "runtime/fence_input.h"
#include "runtime/metadata.h"
#include "runtime/param.h"
#include "runtime/result.h"
#include "runtime/trace.h"

struct config {
    const char *device;
    const char *password;
    bool force;
    int64_t port;
    int64_t wait_ms;
    int method;
};

static const char *const methods[] = { "onoff", "cycle", NULL };

static const struct ra_param rows[] = {
    { .name = "device",
      RA_FIELD_STRING(struct config, device),
      .flags = RA_PARAM_REQUIRED,
      .old_names = { "dev" },
      .letter = 'd',
      .shortdesc = "what <to> \"use\"" },
    { .name = "pass_word",
      RA_FIELD_STRING(struct config, password),
      .flags = RA_PARAM_SECRET,
      .letter = 'p',
      .shortdesc = "secret" },
    { .name = "force",
      RA_FIELD_BOOLEAN(struct config, force),
      .letter = 'f',
      .shortdesc = "force" },
    { .name = "port",
      RA_FIELD_INTEGER(struct config, port),
      .default_text = "623",
      .least = 1,
      .most = 65535,
      .shortdesc = "port" },
    { .name = "power_wait",
      RA_FIELD_DURATION(struct config, wait_ms),
      .least = 0,
      .most = 60000,
      .shortdesc = "wait" },
    { .name = "method",
      RA_FIELD_SELECT(struct config, method),
      .default_text = "onoff",
      .choices = methods,
      .letter = 'm',
      .shortdesc = "method" },
};
static const struct ra_param_table table = RA_PARAMS(rows);

static int set(struct config *config, const char *name, const char *value, struct ra_error *err)
{
    const struct ra_param *param = ra_param_find(&table, name);

    assert_non_null(param);
    return ra_param_set(param, config, value, err);
}

static void defaults_and_not_given(void **state)
{
    struct config config;

    (void)state;
    memset(&config, 0x5a, sizeof(config));
    ra_param_set_defaults(&table, &config);
    assert_null(config.device);
    assert_false(config.force);
    assert_int_equal(config.port, 623);
    assert_true(config.wait_ms == RA_PARAM_UNSET);
    assert_int_equal(config.method, 0);
}

static void values_reach_their_fields(void **state)
{
    struct config config;
    struct ra_error err;

    (void)state;
    ra_param_set_defaults(&table, &config);
    assert_int_equal(set(&config, "dev", "/dev/sda", &err), 0);
    assert_int_equal(set(&config, "power-wait", "2s", &err), 0);
    assert_int_equal(set(&config, "force", "yes", &err), 0);
    assert_int_equal(set(&config, "method", "cycle", &err), 0);
    assert_int_equal(set(&config, "port", "", &err), 0);
    assert_string_equal(config.device, "/dev/sda");
    assert_int_equal(config.wait_ms, 2000);
    assert_true(config.force);
    assert_int_equal(config.method, 1);
    assert_int_equal(config.port, 623);
    assert_null(ra_param_find(&table, "devic"));
    assert_null(ra_param_find(&table, "devices"));
}

/* One sentence: the parameter, the value, what is allowed. */
static void a_wrong_value_is_named_with_what_is_allowed(void **state)
{
    struct config config;
    struct ra_error err;

    (void)state;
    ra_param_set_defaults(&table, &config);
    assert_int_equal(set(&config, "port", "70000", &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_string_equal(err.text, "parameter port='70000': must be a whole number from 1 to 65535");
    assert_int_equal(config.port, 623);
    assert_int_equal(set(&config, "power_wait", "61", &err), -1);
    assert_contains(err.text, "from 0 to 60 seconds");
    assert_int_equal(set(&config, "method", "off", &err), -1);
    assert_contains(err.text, "one of onoff, cycle");
    assert_int_equal(set(&config, "force", "perhaps", &err), -1);
    assert_contains(err.text, "true or false");
    assert_int_equal(ra_param_check_required(&table, &config, &err), -1);
    assert_contains(err.text, "parameter device is required");
    config.device = "";
    assert_int_equal(ra_param_check_required(&table, &config, &err), -1);
    config.device = "x";
    assert_int_equal(ra_param_check_required(&table, &config, &err), 0);
}

struct pair {
    int numbers[2];
};

static int parse_pair(const char *value, void *ret_field, struct ra_error *err)
{
    struct pair pair;

    if (sscanf(value, "%d:%d", &pair.numbers[0], &pair.numbers[1]) != 2)
        return ra_error_set(err, RA_ERROR_CONFIG, "allowed are two numbers, as in 1:2");
    *(struct pair *)ret_field = pair;
    return 0;
}

static void a_grammar_fills_its_field_or_says_what_is_allowed(void **state)
{
    static const struct ra_param grammars[] = {
        { .name = "pair",
          RA_FIELD_GRAMMAR(struct pair, numbers, parse_pair),
          .default_text = "3:4",
          .shortdesc = "pair" },
        { .name = "key",
          RA_FIELD_GRAMMAR(struct pair, numbers, parse_pair),
          .default_text = "3:4",
          .flags = RA_PARAM_SECRET,
          .shortdesc = "key" },
    };
    const struct ra_param_table two = RA_PARAMS(grammars);
    struct pair config = { 0 };
    struct ra_error err;

    (void)state;
    ra_param_set_defaults(&two, &config);
    assert_int_equal(config.numbers[0], 3);
    assert_int_equal(ra_param_set(&grammars[0], &config, "5:6", &err), 0);
    assert_int_equal(config.numbers[0], 5);
    assert_int_equal(config.numbers[1], 6);
    assert_int_equal(ra_param_set(&grammars[0], &config, "x", &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_string_equal(err.text, "parameter pair='x': allowed are two numbers, as in 1:2");
    assert_int_equal(ra_param_set(&grammars[1], &config, "s3cret", &err), -1);
    assert_null(strstr(err.text, "s3cret"));
    assert_int_equal(config.numbers[0], 5);
}

static void secrets_are_wiped(void **state)
{
    char secret[] = "hunter2";
    struct config config = { .password = secret };

    (void)state;
    ra_param_wipe_secrets(&table, &config);
    assert_memory_equal(secret, "\0\0\0\0\0\0\0", 8);
}

/* --- fence input
 * --------------------------------------------------------------------------------*/

static void lines_are_read_as_the_fencer_sends_them(void **state)
{
    char text[] = "# a comment\n\n  nodename = n1\nport=1\ndev=\" a b \"\npower-wait=3\nport=2\n"
                  "unknown_thing=5\npass_word= secret \nforce=1";
    struct config config;
    const char *node = "";
    struct ra_error err;

    (void)state;
    ra_param_set_defaults(&table, &config);
    assert_int_equal(ra_fence_input_lines(&table, text, &config, &node, &err), 0);
    assert_string_equal(node, "n1");
    assert_string_equal(config.device, " a b ");
    assert_int_equal(config.port, 2); /* the last value wins */
    assert_int_equal(config.wait_ms, 3000);
    assert_string_equal(config.password, "secret");
    assert_true(config.force);
}

static void a_wrong_line_fails(void **state)
{
    char text[] = "port=many\n";
    struct config config;
    const char *node = "";
    struct ra_error err;

    (void)state;
    ra_param_set_defaults(&table, &config);
    assert_int_equal(ra_fence_input_lines(&table, text, &config, &node, &err), -1);
    assert_contains(err.text, "port='many'");
}

static char *secrets[sizeof(rows) / sizeof(rows[0])];

static int parse_options(struct config *config, char *argv[], struct ra_error *err)
{
    int argc = 0;

    while (argv[argc] != NULL)
        argc++;
    ra_param_set_defaults(&table, config);
    return ra_fence_input_options(&table, argc, argv, config, secrets, err);
}

static void options_short_long_and_old(void **state)
{
    char secret[] = "hunter2";
    char *argv[] = { (char[]){ "agent" },
                     (char[]){ "-p" },
                     secret,
                     (char[]){ "--dev=/dev/sdb" },
                     (char[]){ "--power-wait" },
                     (char[]){ "4" },
                     (char[]){ "-fm" },
                     (char[]){ "cycle" },
                     (char[]){ "--port=99" },
                     NULL };
    struct config config;
    struct ra_error err;

    (void)state;
    assert_int_equal(parse_options(&config, argv, &err), 0);
    assert_string_equal(config.password, "hunter2");
    assert_memory_equal(secret, "\0\0\0\0\0\0\0", 7); /* not in /proc/PID/cmdline any more */
    assert_string_equal(config.device, "/dev/sdb");
    assert_int_equal(config.wait_ms, 4000);
    assert_true(config.force);
    assert_int_equal(config.method, 1);
    assert_int_equal(config.port, 99);
    assert_ptr_equal(config.password, secrets[1]);
    free(secrets[1]);
    secrets[1] = NULL;
}

static void wrong_options_are_refused(void **state)
{
    char *unknown[] = { (char[]){ "agent" }, (char[]){ "--no-such" }, NULL };
    char *missing[] = { (char[]){ "agent" }, (char[]){ "-d" }, NULL };
    char *extra[] = { (char[]){ "agent" }, (char[]){ "on" }, NULL };
    struct config config;
    struct ra_error err;

    (void)state;
    assert_int_equal(parse_options(&config, unknown, &err), -1);
    assert_contains(err.text, "--no-such");
    assert_int_equal(parse_options(&config, missing, &err), -1);
    assert_contains(err.text, "argument is missing after '-d'");
    assert_int_equal(parse_options(&config, extra, &err), -1);
    assert_contains(err.text, "unexpected argument 'on'");
}

/* --- result
 * -------------------------------------------------------------------------------------*/

static int code_of(enum ra_action_kind action, enum ra_error_kind kind)
{
    struct ra_error err;

    (void)ra_error_set(&err, kind, "reason");
    return ra_result_of_error(action, &err).code;
}

/* Promise 1: whatever leaves the state unknown is never "not running" and never a success. */
static void unknown_is_not_stopped(void **state)
{
    (void)state;
    for (int action = RA_ACTION_PROBE; action <= RA_ACTION_FENCE; action++)
        for (int kind = RA_ERROR_CONFIG; kind <= RA_ERROR_SYSTEM; kind++) {
            int code = code_of((enum ra_action_kind)action, (enum ra_error_kind)kind);

            if (kind != RA_ERROR_NOT_FOUND) {
                assert_int_not_equal(code, RA_NOT_RUNNING);
                assert_int_not_equal(code, RA_SUCCESS);
            }
        }
    assert_int_equal(code_of(RA_ACTION_PROBE, RA_ERROR_NOT_FOUND), RA_NOT_RUNNING);
    assert_int_equal(code_of(RA_ACTION_MONITOR, RA_ERROR_NOT_FOUND), RA_NOT_RUNNING);
    assert_int_equal(code_of(RA_ACTION_STOP, RA_ERROR_NOT_FOUND), RA_SUCCESS);
    assert_int_equal(code_of(RA_ACTION_START, RA_ERROR_NOT_FOUND), RA_ERR_GENERIC);
    assert_int_equal(code_of(RA_ACTION_MIGRATE, RA_ERROR_NOT_FOUND), RA_ERR_GENERIC);
    assert_int_equal(code_of(RA_ACTION_FENCE, RA_ERROR_NOT_FOUND), RA_ERR_GENERIC);
}

static void the_table_names_what_is_wrong_where(void **state)
{
    (void)state;
    assert_int_equal(code_of(RA_ACTION_START, RA_ERROR_CONFIG), RA_ERR_CONFIGURED);
    assert_int_equal(code_of(RA_ACTION_VALIDATE, RA_ERROR_CONFIG), RA_ERR_CONFIGURED);
    /* 6 in a monitor would ban the resource from every node and block its recovery. */
    assert_int_equal(code_of(RA_ACTION_MONITOR, RA_ERROR_CONFIG), RA_ERR_GENERIC);
    assert_int_equal(code_of(RA_ACTION_START, RA_ERROR_MISSING), RA_ERR_INSTALLED);
    assert_int_equal(code_of(RA_ACTION_PROBE, RA_ERROR_MISSING), RA_ERR_INSTALLED);
    assert_int_equal(code_of(RA_ACTION_MONITOR, RA_ERROR_MISSING), RA_ERR_GENERIC);
    assert_int_equal(code_of(RA_ACTION_START, RA_ERROR_PERMISSION), RA_ERR_PERM);
    assert_int_equal(code_of(RA_ACTION_STOP, RA_ERROR_TIMEOUT), RA_ERR_GENERIC);
}

static void a_success_has_no_reason_and_a_failure_has_one(void **state)
{
    struct ra_error err;
    struct ra_result result;

    (void)state;
    (void)ra_error_set(&err, RA_ERROR_NOT_FOUND, "gone");
    result = ra_result_of_error(RA_ACTION_STOP, &err);
    assert_string_equal(result.reason, "");
    result = ra_result_of_error(RA_ACTION_MONITOR, &err);
    assert_string_equal(result.reason, "gone");
}

/* --- backend
 * ------------------------------------------------------------------------------------*/

static void a_missing_backend_is_missing_not_stopped(void **state)
{
    struct ra_error err;

    (void)state;
    assert_null(ra_backend_load("no-such-backend", &err));
    assert_int_equal(err.kind, RA_ERROR_MISSING);
    assert_contains(err.text, "libra-no-such-backend.so");
}

/* --- metadata
 * -----------------------------------------------------------------------------------*/

static struct ra_result nothing(const struct ra_context *context)
{
    (void)context;
    return ra_result_success();
}

static const struct ra_action actions[] = {
    { .name = "start", .run = nothing, .kind = RA_ACTION_START, .timeout_s = 60 },
    { .name = "monitor",
      .run = nothing,
      .kind = RA_ACTION_MONITOR,
      .timeout_s = 40,
      .interval_s = 20,
      .depth = 10 },
    { .name = "status", .run = nothing, .kind = RA_ACTION_MONITOR, .flags = RA_ACTION_HIDDEN },
};

static char *metadata_of_test_agent(void)
{
    static const struct ra_agent agent = { .name = "Test",
                                           .shortdesc = "a & b",
                                           .longdesc = "long",
                                           .config_bytes = sizeof(struct config),
                                           .params = RA_PARAMS(rows),
                                           .actions = actions,
                                           .action_count = 3 };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    ra_metadata_print_ocf(&agent, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void metadata_escapes_and_hides(void **state)
{
    ra_auto_free char *text = metadata_of_test_agent();

    (void)state;
    assert_contains(text, "a &amp; b");
    assert_contains(text, "what &lt;to&gt; &quot;use&quot;");
    assert_contains(text, "<parameter name=\"device\" unique=\"0\" required=\"1\">");
    assert_contains(text, "<content type=\"integer\" default=\"623\" />");
    assert_contains(text, "<action name=\"monitor\" timeout=\"40s\" interval=\"20s\" depth=\"10\"");
    assert_null(strstr(text, "\"status\""));
}

/* --- trace
 * --------------------------------------------------------------------------------------*/

static void the_trace_goes_where_the_stock_agents_put_it(void **state)
{
    const struct ra_trace_config config = { .trace_file = "" };
    char directory[] = "/tmp/ra-trace-XXXXXX";
    ra_auto_free char *file = NULL;
    struct ra_error err;
    struct stat status;

    (void)state;
    assert_non_null(mkdtemp(directory));
    file = ra_text_format("%s/deep/er/trace", directory);
    (void)setenv("OCF_TRACE_FILE", file, 1);
    assert_int_equal(ra_trace_open_ocf(&config, "Test", "r1", "start", &err), 0);
    assert_int_equal(stat(file, &status), -1); /* not asked to trace */
    (void)setenv("OCF_TRACE_RA", "1", 1);
    assert_int_equal(ra_trace_open_ocf(&config, "Test", "r1", "start", &err), 0);
    ra_trace_line("hello %d", 7);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(status.st_size > 8);
    (void)unlink(file);
    /* Somebody else's symbolic link in the way is not followed. */
    assert_int_equal(symlink("/dev/null", file), 0);
    assert_int_equal(ra_trace_open_ocf(&config, "Test", "r1", "start", &err), -1);
    assert_contains(err.text, file);
    (void)unlink(file);
    file[strlen(directory) + strlen("/deep/er")] = '\0';
    (void)rmdir(file);
    file[strlen(directory) + strlen("/deep")] = '\0';
    (void)rmdir(file);
    assert_int_equal(rmdir(directory), 0);
    (void)unsetenv("OCF_TRACE_FILE");
    (void)unsetenv("OCF_TRACE_RA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_not_given),
        cmocka_unit_test(values_reach_their_fields),
        cmocka_unit_test(a_wrong_value_is_named_with_what_is_allowed),
        cmocka_unit_test(a_grammar_fills_its_field_or_says_what_is_allowed),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(lines_are_read_as_the_fencer_sends_them),
        cmocka_unit_test(a_wrong_line_fails),
        cmocka_unit_test(options_short_long_and_old),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(unknown_is_not_stopped),
        cmocka_unit_test(the_table_names_what_is_wrong_where),
        cmocka_unit_test(a_success_has_no_reason_and_a_failure_has_one),
        cmocka_unit_test(a_missing_backend_is_missing_not_stopped),
        cmocka_unit_test(metadata_escapes_and_hides),
        cmocka_unit_test(the_trace_goes_where_the_stock_agents_put_it),
    };

    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
