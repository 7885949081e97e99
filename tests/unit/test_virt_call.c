/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <poll.h>

#include "base/deadline.h"
#include "virt/call.h"

/* A call that waits for a byte, as libvirt's client waits for its daemon. */
struct probe {
    struct ra_virt_call call;
    int wait_fd; /* -1: do not wait */
    int rc;
    int released_fd; /* its release writes a byte here */
    int answer;
};

static int run_probe(struct ra_virt_call *call, struct ra_error *err)
{
    struct probe *probe = (struct probe *)call;
    char byte;

    if (probe->wait_fd >= 0 && read(probe->wait_fd, &byte, 1) != 1)
        return ra_error_set(err, RA_ERROR_SYSTEM, "read");
    probe->answer = 42;
    return probe->rc == 0 ? 0 : ra_error_set(err, RA_ERROR_BUSY, "as asked");
}

static void release_probe(struct ra_virt_call *call)
{
    assert_int_equal(write(((struct probe *)call)->released_fd, "r", 1), 1);
}

struct pipes {
    int go[2];
    int released[2];
};

static void open_pipes(struct pipes *pipes)
{
    assert_int_equal(pipe(pipes->go), 0);
    assert_int_equal(pipe(pipes->released), 0);
}

static void close_pipes(const struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        (void)close(pipes->go[i]);
        (void)close(pipes->released[i]);
    }
}

static bool is_released(const struct pipes *pipes, int wait_ms)
{
    struct pollfd fd = { .fd = pipes->released[0], .events = POLLIN };

    return poll(&fd, 1, wait_ms) > 0;
}

static struct probe *make(const struct pipes *pipes, bool waits, int rc)
{
    struct probe *probe = ra_virt_call_new(sizeof(*probe), run_probe, release_probe);

    probe->wait_fd = waits ? pipes->go[0] : -1;
    probe->released_fd = pipes->released[1];
    probe->rc = rc;
    return probe;
}

static void results_come_back(void **state)
{
    struct pipes pipes;
    struct probe *probe;
    struct ra_error err;

    (void)state;
    open_pipes(&pipes);
    for (int rc = 0; rc >= -1; rc--) {
        probe = make(&pipes, false, rc);
        assert_int_equal(
            ra_virt_call_run(&probe->call, ra_deadline_after_ms(5000), &err, "probing"), rc);
        assert_int_equal(probe->answer, 42);
        if (rc != 0)
            assert_string_equal(err.text, "as asked");
        assert_false(is_released(&pipes, 0));
        ra_virt_call_drop(&probe->call);
        assert_true(is_released(&pipes, 0));
        assert_int_equal(read(pipes.released[0], &err, 1), 1);
    }
    close_pipes(&pipes);
}

static void a_call_that_hangs_is_abandoned_and_cleans_up_after_itself(void **state)
{
    struct pipes pipes;
    struct probe *probe;
    struct ra_error err;
    int64_t began_ms = ra_deadline_now_ms();

    (void)state;
    open_pipes(&pipes);
    probe = make(&pipes, true, 0);
    assert_int_equal(
        ra_virt_call_run(&probe->call, ra_deadline_after_ms(50), &err, "probing %s", "x"), -1);
    assert_int_equal(err.kind, RA_ERROR_TIMEOUT);
    assert_string_equal(err.text, "timed out while probing x");
    assert_in_range(ra_deadline_now_ms() - began_ms, 50, 2000);
    ra_virt_call_drop(&probe->call);
    assert_false(is_released(&pipes, 0));
    assert_int_equal(write(pipes.go[1], "g", 1), 1);
    assert_true(is_released(&pipes, 5000));
    close_pipes(&pipes);
}

static void a_wait_ends_when_it_is_cancelled(void **state)
{
    struct pipes pipes;
    struct pipes cancel;
    struct probe *probe;
    struct ra_error err;

    (void)state;
    open_pipes(&pipes);
    open_pipes(&cancel);
    probe = make(&pipes, true, 0);
    assert_int_equal(ra_virt_call_start(&probe->call, &err), 0);
    assert_int_equal(write(cancel.go[1], "c", 1), 1);
    assert_false(ra_virt_call_wait(&probe->call, ra_deadline_after_ms(60000), cancel.go[0]));
    assert_int_equal(write(pipes.go[1], "g", 1), 1);
    assert_true(ra_virt_call_wait(&probe->call, ra_deadline_after_ms(5000), -1));
    assert_int_equal(ra_virt_call_result(&probe->call, &err), 0);
    ra_virt_call_drop(&probe->call);
    close_pipes(&pipes);
    close_pipes(&cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back),
        cmocka_unit_test(a_call_that_hangs_is_abandoned_and_cleans_up_after_itself),
        cmocka_unit_test(a_wait_ends_when_it_is_cancelled),
    };

    return cmocka_run_group_tests_name("virt_call", tests, NULL, NULL);
}
