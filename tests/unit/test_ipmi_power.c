/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The logic of power.c, plugs.c and target.c against a chassis made of variables, for what a BMC
 * does too rarely to wait for.
 */
#include "unit.h"

#include "../../fence/ipmi/plugs.h"
#include "../../fence/ipmi/power.h"
#include "../../fence/ipmi/target.h"
#include "base/text.h"

/* --- a chassis ---------------------------------------------------------------------------------*/

static struct {
    bool on;
    int controls; /* commands so far */
    int reads;
    int control_fails[8]; /* the kind of error of each command, 0: success */
    int read_fails[8];
    int changes_at; /* which command has an effect, from 1; 0: none */
    bool refused_command_works;
} chassis;

static int fake_read(struct ra_ipmi_session *session, struct ra_deadline deadline,
                     struct ra_ipmi_chassis *ret_chassis, struct ra_error *err)
{
    int kind = chassis.reads < 8 ? chassis.read_fails[chassis.reads] : 0;

    (void)session;
    (void)deadline;
    chassis.reads++;
    if (kind != 0)
        return ra_error_set(err, (enum ra_error_kind)kind, "no look");
    *ret_chassis = (struct ra_ipmi_chassis){ .power_is_on = chassis.on, .power_fault = true };
    return 0;
}

static int fake_control(struct ra_ipmi_session *session, enum ra_ipmi_control control,
                        struct ra_deadline deadline, struct ra_error *err)
{
    int kind = chassis.controls < 8 ? chassis.control_fails[chassis.controls] : 0;

    (void)session;
    (void)deadline;
    chassis.controls++;
    if (chassis.controls == chassis.changes_at && (kind == 0 || chassis.refused_command_works))
        chassis.on = control == RA_IPMI_POWER_UP;
    return kind == 0 ? 0 : ra_error_set(err, (enum ra_error_kind)kind, "no command");
}

static void fake_describe(const struct ra_ipmi_chassis *seen, char *text, size_t size_bytes)
{
    (void)snprintf(text, size_bytes, "%s", seen->power_fault ? "a fault" : "");
}

static const struct ra_ipmi_backend backend = { .chassis_read = fake_read,
                                                .chassis_control = fake_control,
                                                .chassis_describe = fake_describe };

static struct power power;

static int reset(void **state)
{
    (void)state;
    memset(&chassis, 0, sizeof(chassis));
    chassis.on = true;
    chassis.changes_at = 1;
    power = (struct power){ .ipmi = &backend,
                            .name = "bmc",
                            .deadline = ra_deadline_after_ms(10000),
                            .timeout_ms = 300,
                            .longest_pause_ms = 40,
                            .on_attempts = 1 };
    return 0;
}

static void off_reads_commands_and_reads(void **state)
{
    bool changed;

    (void)state;
    assert_int_equal(power_off(&power, &changed, NULL), 0);
    assert_true(changed);
    assert_int_equal(chassis.controls, 1);
    assert_int_equal(chassis.reads, 2);
}

static void off_when_off_commands_nothing(void **state)
{
    bool changed;

    (void)state;
    chassis.on = false;
    assert_int_equal(power_off(&power, &changed, NULL), 0);
    assert_false(changed);
    assert_int_equal(chassis.controls, 0);
}

static void an_unknown_state_is_never_off(void **state)
{
    struct ra_error err;
    bool changed;

    (void)state;
    chassis.read_fails[0] = RA_ERROR_UNREACHABLE;
    assert_int_equal(power_off(&power, &changed, &err), -1);
    assert_int_equal(chassis.controls, 0);
}

static void a_busy_bmc_is_asked_again(void **state)
{
    bool changed;

    (void)state;
    chassis.control_fails[0] = RA_ERROR_BUSY;
    chassis.control_fails[1] = RA_ERROR_TIMEOUT;
    chassis.changes_at = 3;
    assert_int_equal(power_off(&power, &changed, NULL), 0);
    assert_int_equal(chassis.controls, 3);
}

static void looks_may_fail_for_a_while(void **state)
{
    bool changed;

    (void)state;
    chassis.read_fails[1] = RA_ERROR_TIMEOUT;
    chassis.read_fails[2] = RA_ERROR_UNREACHABLE;
    assert_int_equal(power_off(&power, &changed, NULL), 0);
    assert_int_equal(chassis.controls, 1);
}

static void a_refusal_ends_it_unless_the_state_says_otherwise(void **state)
{
    struct ra_error err;
    bool changed;

    (void)state;
    chassis.control_fails[0] = RA_ERROR_PERMISSION;
    assert_int_equal(power_off(&power, &changed, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_PERMISSION);
    assert_int_equal(chassis.reads, 2);

    (void)reset(state);
    chassis.control_fails[0] = RA_ERROR_PROTOCOL;
    chassis.refused_command_works = true;
    assert_int_equal(power_off(&power, &changed, &err), 0);
}

static void a_command_without_effect_times_out_with_what_is_known(void **state)
{
    int64_t began_ms = ra_deadline_now_ms();
    struct ra_error err;
    bool changed;

    (void)state;
    chassis.changes_at = 0;
    assert_int_equal(power_off(&power, &changed, &err), -1);
    assert_in_range(ra_deadline_now_ms() - began_ms, 300, 2000);
    assert_int_equal(err.kind, RA_ERROR_TIMEOUT);
    assert_contains(err.text, "still on");
    assert_contains(err.text, "a fault");
    assert_contains(err.text, "power_timeout");
}

static void the_last_error_is_the_reason(void **state)
{
    struct ra_error err;
    bool changed;

    (void)state;
    for (int i = 1; i < 8; i++)
        chassis.read_fails[i] = RA_ERROR_TIMEOUT;
    power.longest_pause_ms = 100;
    assert_int_equal(power_off(&power, &changed, &err), -1);
    assert_contains(err.text, "power off not proven");
    assert_contains(err.text, "no look");
}

static void on_is_tried_as_often_as_asked(void **state)
{
    bool changed;

    (void)state;
    chassis.on = false;
    chassis.changes_at = 2;
    power.on_attempts = 2;
    assert_int_equal(power_on(&power, &changed, NULL), 0);
    assert_true(changed);
    assert_int_equal(chassis.controls, 2);
}

static void the_whole_deadline_counts(void **state)
{
    struct ra_error err;
    bool changed;

    (void)state;
    chassis.changes_at = 0;
    power.timeout_ms = 60000;
    power.deadline = ra_deadline_after_ms(200);
    assert_int_equal(power_off(&power, &changed, &err), -1);
}

/* --- targets -----------------------------------------------------------------------------------*/

static int fake_workaround_parse(const char *names, unsigned *ret_flags, struct ra_error *err)
{
    (void)names;
    (void)err;
    *ret_flags = 0;
    return 0;
}

static const struct ra_ipmi_backend parser = { .workaround_parse = fake_workaround_parse };

static struct ipmi_config config_of(const char *ip)
{
    return (struct ipmi_config){ .ip = ip,
                                 .ipport = 623,
                                 .plug_separator = ",",
                                 .cipher = RA_PARAM_UNSET,
                                 .auth = -1,
                                 .privlvl = 3,
                                 .lanplus = true,
                                 .retransmission_ms = RA_PARAM_UNSET };
}

static void assert_addresses(const struct ipmi_config *config, const char *plug,
                             const char *addresses)
{
    struct target target;

    assert_int_equal(
        target_make(&parser, config, plug, true, ra_deadline_after_ms(1000), &target, NULL), 0);
    assert_string_equal(target.options.addresses, addresses);
    assert_int_equal(target.options.privilege, RA_IPMI_ADMINISTRATOR);
    assert_int_equal(target.options.cipher, RA_IPMI_CIPHER_ANY);
    target_free(&target);
}

static void assert_no_target(const struct ipmi_config *config, const char *plug, const char *part)
{
    struct ra_error err;
    struct target target;

    assert_int_equal(
        target_make(&parser, config, plug, true, ra_deadline_after_ms(1000), &target, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_contains(err.text, part);
}

static void assert_wrong_map(const struct ipmi_config *config, const char *part)
{
    struct ra_error err;

    assert_int_equal(plugs_check(config, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_contains(err.text, part);
}

static void addresses_of_one_bmc(void **state)
{
    struct ipmi_config config = config_of("192.0.2.1,198.51.100.1");

    (void)state;
    assert_addresses(&config, "", "192.0.2.1,198.51.100.1");
    assert_addresses(&config, "whatever", "192.0.2.1,198.51.100.1");
}

static void a_map_knows_its_plugs_and_no_others(void **state)
{
    struct ipmi_config config = config_of(" n1=192.0.2.1,198.51.100.1 ;n2 = [2001:db8::2];n10=x");
    char **plugs = plugs_known(&config);

    (void)state;
    assert_string_equal(plugs[0], "n1");
    assert_string_equal(plugs[1], "n2");
    assert_string_equal(plugs[2], "n10");
    assert_null(plugs[3]);
    ra_text_list_free(plugs);
    assert_addresses(&config, "n2", "[2001:db8::2]");
    assert_addresses(&config, "n10", "x");
    assert_no_target(&config, "n", "'n'");
    assert_no_target(&config, "n3", "'n3'");
    assert_no_target(&config, "", "no plug");
    assert_no_target(&config, NULL, "no plug");
}

static void a_broken_map_is_refused(void **state)
{
    static const struct {
        const char *ip, *part;
    } rows[] = {
        { "n1=192.0.2.1;192.0.2.2", "'192.0.2.2' is not of the form plug=address" },
        { "n1=192.0.2.1;=192.0.2.2", "'=192.0.2.2'" },
        { "n1=192.0.2.1;n2=", "'n2='" },
        { "n1=192.0.2.1;n 2=192.0.2.2", "'n 2=192.0.2.2'" },
        { "n1=192.0.2.1;n2,n3=192.0.2.2", "'n2,n3=192.0.2.2'" },
        { "n1=192.0.2.1,n2=192.0.2.2", "put a semicolon between" },
        { "n1=192.0.2.1 n2=192.0.2.2", "put a semicolon between" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ipmi_config config = config_of(rows[i].ip);

        assert_wrong_map(&config, rows[i].part);
    }
}

static void a_wrong_entry_is_its_own_plugs_business(void **state)
{
    struct ipmi_config config = config_of("n1=192.0.2.1;n2=;192.0.2.3;n4=192.0.2.4,n5=192.0.2.5;"
                                          "n6=192.0.2.6;n7=192.0.2.6;n8=192.0.2.8;n8.a=192.0.2.8");

    (void)state;
    assert_addresses(&config, "n1", "192.0.2.1");
    assert_addresses(&config, "n8", "192.0.2.8");
    assert_addresses(&config, "n8.a", "192.0.2.8");
    assert_no_target(&config, "n2", "'n2='");
    assert_no_target(&config, "n4", "put a semicolon between");
    assert_no_target(&config, "n5", "'n5'");
    assert_no_target(&config, "n6", "the same BMC");
    assert_no_target(&config, "n7", "the same BMC");
}

static void a_plug_has_one_entry_and_a_bmc_of_its_own(void **state)
{
    static const struct {
        const char *ip, *part;
    } rows[] = {
        { "n1=192.0.2.1;n2=192.0.2.2;n1=192.0.2.3", "'n1' twice" },
        { "n1=192.0.2.1;N1=192.0.2.3", "'N1' twice" },
        { "n1=192.0.2.1;n2=192.0.2.1", "'n1' and 'n2' the same BMC, 192.0.2.1" },
        { "n1=192.0.2.1,198.51.100.1;n2=192.0.2.2 198.51.100.1", "the same BMC, 198.51.100.1" },
        { "n1=bmc-1;n2=BMC-1", "the same BMC" },
        { "n1=[2001:db8::1];n2=2001:DB8::1", "the same BMC" },
    };
    struct ipmi_config twice = config_of("n1=192.0.2.1,192.0.2.2; n1 =192.0.2.2,192.0.2.1");
    struct ipmi_config twice_in_one = config_of("n1=192.0.2.1,192.0.2.1;n2=192.0.2.10");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ipmi_config config = config_of(rows[i].ip);

        assert_no_target(&config, "n1", rows[i].part);
        assert_wrong_map(&config, rows[i].part);
    }
    assert_addresses(&twice, "n1", "192.0.2.1,192.0.2.2");
    assert_wrong_map(&twice, "'n1' twice");
    assert_addresses(&twice_in_one, "n1", "192.0.2.1,192.0.2.1");
}

static void names_are_compared_without_case(void **state)
{
    struct ipmi_config config = config_of("Node1=192.0.2.1;node2=192.0.2.2");

    (void)state;
    assert_addresses(&config, "nODE1", "192.0.2.1");
    config.plug = "NODE1";
    assert_int_equal(plugs_check(&config, NULL), 0);
    assert_int_equal(plugs_check_node(&config, "node1", NULL), 0);
    assert_int_equal(plugs_check_node(&config, "NODE2", NULL), -1);
}

static void assert_list(char **list, const char *a, const char *b)
{
    const char *const expected[] = { a, b, NULL };
    size_t i = 0;

    for (; expected[i] != NULL; i++)
        assert_string_equal(list[i], expected[i]);
    assert_null(list[i]);
    ra_text_list_free(list);
}

static void a_static_plug_is_all_that_is_claimed(void **state)
{
    struct ipmi_config config = config_of("n1=192.0.2.1;n2=192.0.2.2");

    (void)state;
    assert_list(plugs_claimed(&config), "n1", "n2");
    config.plug = " n2 ";
    assert_list(plugs_claimed(&config), "n2", NULL);
    assert_list(plugs_known(&config), "n1", "n2");
    /* Pacemaker's word for "none is set". */
    config.plug = "dynamic";
    assert_list(plugs_requested(&config), NULL, NULL);
    assert_list(plugs_claimed(&config), "n1", "n2");
    config.plug = " n1, n2 ,,";
    assert_list(plugs_requested(&config), "n1", "n2");
    config.plug = "n1,n3";
    assert_no_target(&config, "n1", "does not name the plug 'n3'");
}

static void what_is_asked_for_one_node_is_not_done_to_another(void **state)
{
    struct ipmi_config config = config_of("n1=192.0.2.1;n2=192.0.2.2;n3=192.0.2.3");
    struct ra_error err;

    (void)state;
    config.plug = "n1";
    assert_int_equal(plugs_check_node(&config, "n1", NULL), 0);
    assert_int_equal(plugs_check_node(&config, "", NULL), 0);
    /* pcmk_host_map gave the plug: the node has a name that the map does not know. */
    assert_int_equal(plugs_check_node(&config, "node1", NULL), 0);
    assert_int_equal(plugs_check_node(&config, "n2", &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_contains(err.text, "node 'n2'");
    assert_contains(err.text, "plug is 'n1'");
    assert_contains(err.text, "remove plug");
    config.plug = "n1,n2";
    assert_int_equal(plugs_check_node(&config, "n2", NULL), -1);
    assert_int_equal(plugs_check_node(&config, "n3", NULL), -1);
    assert_int_equal(plugs_check_node(&config, "node1", NULL), 0);
    config.ip = "192.0.2.1";
    assert_int_equal(plugs_check_node(&config, "n3", NULL), 0);
}

static void port_as_ip_takes_the_plug(void **state)
{
    struct ipmi_config config = config_of(NULL);

    (void)state;
    config.port_as_ip = true;
    assert_addresses(&config, "192.0.2.7", "192.0.2.7");
    assert_no_target(&config, "", "set ip");
    config.ip = "192.0.2.1";
    assert_addresses(&config, "192.0.2.7", "192.0.2.7");
    config.ip = "n1=192.0.2.1";
    assert_no_target(&config, "192.0.2.7", "port_as_ip");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(off_reads_commands_and_reads, reset),
        cmocka_unit_test_setup(off_when_off_commands_nothing, reset),
        cmocka_unit_test_setup(an_unknown_state_is_never_off, reset),
        cmocka_unit_test_setup(a_busy_bmc_is_asked_again, reset),
        cmocka_unit_test_setup(looks_may_fail_for_a_while, reset),
        cmocka_unit_test_setup(a_refusal_ends_it_unless_the_state_says_otherwise, reset),
        cmocka_unit_test_setup(a_command_without_effect_times_out_with_what_is_known, reset),
        cmocka_unit_test_setup(the_last_error_is_the_reason, reset),
        cmocka_unit_test_setup(on_is_tried_as_often_as_asked, reset),
        cmocka_unit_test_setup(the_whole_deadline_counts, reset),
        cmocka_unit_test(addresses_of_one_bmc),
        cmocka_unit_test(a_map_knows_its_plugs_and_no_others),
        cmocka_unit_test(a_broken_map_is_refused),
        cmocka_unit_test(a_wrong_entry_is_its_own_plugs_business),
        cmocka_unit_test(a_plug_has_one_entry_and_a_bmc_of_its_own),
        cmocka_unit_test(names_are_compared_without_case),
        cmocka_unit_test(a_static_plug_is_all_that_is_claimed),
        cmocka_unit_test(what_is_asked_for_one_node_is_not_done_to_another),
        cmocka_unit_test(port_as_ip_takes_the_plug),
    };

    return cmocka_run_group_tests_name("ipmi_power", tests, NULL, NULL);
}
