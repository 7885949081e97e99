/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/log.h"
#include "runtime/supervisor.h"

/* Shared with the workers, which are processes of their own. */
static volatile pid_t *grandchild;

static struct ra_result run_job(ra_action_function *run, int64_t kill_ms, bool cancellable)
{
    struct ra_context context = { .action = "start",
                                  .kind = RA_ACTION_START,
                                  .deadline = ra_deadline_after_ms(kill_ms * 8 / 9) };
    struct ra_supervisor_job job = { .run = run,
                                     .context = &context,
                                     .kill_at = ra_deadline_after_ms(kill_ms),
                                     .cancellable = cancellable,
                                     .quiet = true };

    return ra_supervisor_run(&job);
}

static struct ra_result answers(const struct ra_context *context)
{
    ra_log_warning("careful");
    return ra_result_failure(RA_ERR_PERM, "%s is not allowed", context->action);
}

static void a_result_comes_back_whole(void **state)
{
    struct ra_result result = run_job(answers, 10000, false);

    (void)state;
    assert_int_equal(result.code, RA_ERR_PERM);
    assert_string_equal(result.reason, "start is not allowed");
}

static struct ra_result hangs(const struct ra_context *context)
{
    RA_LOG_CALL("connecting to %s", "qemu:///system");

    (void)context;
    {
        RA_LOG_CALL("looking up the host");
    }
    *grandchild = fork();
    if (*grandchild == 0) {
        (void)setpgid(0, 0); /* out of the process group, still in the session */
        (void)signal(SIGTERM, SIG_IGN);
        for (;;)
            (void)pause();
    }
    (void)signal(SIGTERM, SIG_IGN);
    for (;;)
        (void)pause();
    return ra_result_success();
}

static void a_hanging_action_is_killed_with_its_session_and_named(void **state)
{
    int64_t began_ms = ra_deadline_now_ms();
    struct ra_result result = run_job(hangs, 400, false);
    int64_t took_ms = ra_deadline_now_ms() - began_ms;

    (void)state;
    assert_int_equal(result.code, RA_ERR_GENERIC);
    assert_contains(result.reason,
                    "start timed out after 0.4 s while connecting to qemu:///system");
    assert_true(took_ms >= 400 && took_ms < 5000);
    assert_true(has_ended(*grandchild));
}

static struct ra_result crashes(const struct ra_context *context)
{
    RA_LOG_CALL("reading the configuration");

    (void)context;
    (void)kill(getpid(), SIGKILL);
    return ra_result_success();
}

static void a_crash_is_a_failure_with_its_place(void **state)
{
    struct ra_result result = run_job(crashes, 10000, false);

    (void)state;
    assert_int_equal(result.code, RA_ERR_GENERIC);
    assert_contains(result.reason, "crashed (signal 9");
    assert_contains(result.reason, "while reading the configuration");
}

static struct ra_result leaves(const struct ra_context *context)
{
    (void)context;
    _exit(0); /* exit status 0, but nobody said that it worked */
}

static void ending_without_a_result_is_a_failure(void **state)
{
    struct ra_result result = run_job(leaves, 10000, false);

    (void)state;
    assert_int_equal(result.code, RA_ERR_GENERIC);
    assert_contains(result.reason, "ended without a result");
}

static struct ra_result waits_to_be_cancelled(const struct ra_context *context)
{
    struct pollfd wake = { .fd = ra_action_cancel_fd(), .events = POLLIN };

    (void)context;
    if (ra_action_cancelled())
        return ra_result_failure(RA_ERR_GENERIC, "was asked too early");
    while (!ra_action_cancelled())
        (void)poll(&wake, 1, 60000); /* the signal itself may interrupt it */
    if (poll(&wake, 1, 1000) != 1)
        return ra_result_failure(RA_ERR_GENERIC, "the descriptor does not tell");
    return ra_result_failure(RA_ERR_GENERIC, "aborted the job");
}

static void a_cancellable_action_is_asked_before_it_is_killed(void **state)
{
    struct ra_result result = run_job(waits_to_be_cancelled, 900, true);

    (void)state;
    assert_string_equal(result.reason, "aborted the job");
}

/* The cluster, or a person at a terminal, ends the action from outside. */
static void interrupt_from_outside(ra_action_function *run, bool cancellable, char *ret_reason)
{
    int ends[2];
    pid_t supervisor;

    assert_int_equal(pipe(ends), 0);
    supervisor = fork();
    assert_true(supervisor >= 0);
    if (supervisor == 0) {
        struct ra_result result = run_job(run, 60000, cancellable);

        _exit(write(ends[1], result.reason, sizeof(result.reason)) > 0 ? 0 : 1);
    }
    (void)usleep(200000);
    assert_int_equal(kill(supervisor, SIGTERM), 0);
    assert_int_equal(read(ends[0], ret_reason, RA_ERROR_TEXT_BYTES), RA_ERROR_TEXT_BYTES);
    assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void an_interrupted_action_ends_with_its_reason(void **state)
{
    char reason[RA_ERROR_TEXT_BYTES];

    (void)state;
    interrupt_from_outside(waits_to_be_cancelled, true, reason);
    assert_string_equal(reason, "aborted the job");
    interrupt_from_outside(hangs, false, reason);
    assert_contains(reason, "was interrupted by signal 15");
    assert_contains(reason, "while connecting to qemu:///system");
}

static int share_memory(void **state)
{
    (void)state;
    grandchild =
        mmap(NULL, sizeof(*grandchild), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return grandchild == MAP_FAILED ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_comes_back_whole),
        cmocka_unit_test(a_hanging_action_is_killed_with_its_session_and_named),
        cmocka_unit_test(a_crash_is_a_failure_with_its_place),
        cmocka_unit_test(ending_without_a_result_is_a_failure),
        cmocka_unit_test(a_cancellable_action_is_asked_before_it_is_killed),
        cmocka_unit_test(an_interrupted_action_ends_with_its_reason),
    };

    return cmocka_run_group_tests_name("supervisor", tests, share_memory, NULL);
}
