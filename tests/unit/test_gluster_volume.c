/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What becomes of a volume whose servers do not do their part. The servers are children of this
 * program on ports of their own; a real volume is tested with the agent.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "gluster/server.h"
#include "gluster/volume.h"

enum behaviour { SILENT, CLOSING, ANSWERING };

struct server {
    pid_t pid;
    int port;
};

static int listen_anywhere(int *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/*
 * SILENT: as a glusterd that SIGSTOP holds, where the kernel accepts and nobody reads. CLOSING: as
 * one that wants TLS. ANSWERING: the start of any RPC reply.
 */
static struct server serve(enum behaviour behaviour)
{
    struct server server;
    int listener = listen_anywhere(&server.port);

    assert_int_equal(listen(listener, 5), 0);
    server.pid = fork();
    if (server.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            char request[256];
            int fd = accept(listener, NULL, NULL);

            if (behaviour == SILENT || fd < 0)
                continue;
            if (read(fd, request, sizeof(request)) > 0 && behaviour == ANSWERING)
                (void)!write(fd, "\200\0\0\4some", 8);
            (void)close(fd);
        }
    }
    (void)close(listener);
    return server;
}

static void end(const struct server *server)
{
    (void)kill(server->pid, SIGKILL);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
}

static int closed_port(void)
{
    int port;
    int fd = listen_anywhere(&port);

    (void)close(fd);
    return port;
}

static void a_server_that_answers_is_alive(void **state)
{
    static const enum behaviour behaviours[] = { ANSWERING, CLOSING };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct server server = serve(behaviours[i]);
        struct ra_error err = { 0 };

        if (ra_gluster_server_ping("127.0.0.1", server.port, ra_deadline_after_ms(5000), &err) != 0)
            fail_msg("%s", err.text);
        end(&server);
    }
}

static void a_silent_server_hangs(void **state)
{
    struct server server = serve(SILENT);
    int64_t began_ms = ra_deadline_now_ms();
    struct ra_error err = { 0 };

    (void)state;
    assert_int_equal(
        ra_gluster_server_ping("127.0.0.1", server.port, ra_deadline_after_ms(200), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_TIMEOUT);
    assert_contains(err.text, "does not answer");
    assert_in_range(ra_deadline_now_ms() - began_ms, 199, 2000);
    end(&server);
}

static void a_closed_port_refuses(void **state)
{
    struct ra_error err = { 0 };

    (void)state;
    assert_int_equal(
        ra_gluster_server_ping("127.0.0.1", closed_port(), ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_UNREACHABLE);
    assert_contains(err.text, "refused");
    assert_int_equal(
        ra_gluster_server_ping("256.0.0.1.invalid", 1, ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_UNREACHABLE);
}

static void each_server_has_its_reason(void **state)
{
    static const char *const servers[] = { "127.0.0.1", "127.0.0.2", NULL };
    const struct ra_gluster_volume volume = {
        .name = "vol", .servers = servers, .server_count = 2, .port = closed_port()
    };
    struct ra_error err = { 0 };
    size_t server = 7;

    (void)state;
    assert_int_equal(ra_gluster_volume_attach(&volume, ra_deadline_after_ms(5000), &server, &err),
                     -1);
    assert_int_equal(err.kind, RA_ERROR_UNREACHABLE);
    assert_contains(err.text, "127.0.0.1: Connection refused");
    assert_contains(err.text, "127.0.0.2: Connection refused");
    assert_contains(err.text, "vol");
    assert_int_equal(server, 7);
}

static void the_deadline_holds_and_leaves_no_process(void **state)
{
    static const char *const servers[] = { "127.0.0.1", NULL };
    struct server silent = serve(SILENT);
    const struct ra_gluster_volume volume = {
        .name = "vol", .servers = servers, .server_count = 1, .port = silent.port
    };
    const struct ra_gluster_check check = { .path = "/a/b", .content = "c" };
    int64_t began_ms = ra_deadline_now_ms();
    struct ra_error err = { 0 };

    (void)state;
    assert_int_equal(ra_gluster_volume_check(&volume, &check, ra_deadline_after_ms(500), &err), -1);
    assert_in_range(ra_deadline_now_ms() - began_ms, 200, 3000);
    assert_contains(err.text, "vol");
    end(&silent);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* After the first sign of life gfapi itself waits for a server that says nothing of use. */
static void gfapi_is_cut_short(void **state)
{
    static const char *const servers[] = { "127.0.0.1", NULL };
    struct server server = serve(ANSWERING);
    const struct ra_gluster_volume volume = {
        .name = "vol", .servers = servers, .server_count = 1, .port = server.port
    };
    int64_t began_ms = ra_deadline_now_ms();
    struct ra_error err = { 0 };
    size_t found;

    (void)state;
    assert_int_equal(ra_gluster_volume_attach(&volume, ra_deadline_after_ms(1000), &found, &err),
                     -1);
    assert_in_range(ra_deadline_now_ms() - began_ms, 0, 4000);
    assert_contains(err.text, "vol");
    end(&server);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_answers_is_alive),
        cmocka_unit_test(a_silent_server_hangs),
        cmocka_unit_test(a_closed_port_refuses),
        cmocka_unit_test(each_server_has_its_reason),
        cmocka_unit_test(the_deadline_holds_and_leaves_no_process),
        cmocka_unit_test(gfapi_is_cut_short),
    };

    return cmocka_run_group_tests_name("gluster volume", tests, NULL, NULL);
}
