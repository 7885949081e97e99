/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * On real processes: this program copies itself to "qemu-system-test" and runs the copy with
 * arguments as libvirt gives them to QEMU.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "virt/emulator.h"

#define STUBBORN "stubborn"

static char directory[] = "/tmp/test_virt_emulator.XXXXXX";
static char emulator_path[sizeof(directory) + 32];
static char other_path[sizeof(directory) + 32];

static void copy_self(const char *path)
{
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    struct stat status = { 0 };

    assert_true(from >= 0 && to >= 0 && fstat(from, &status) == 0);
    for (off_t left = status.st_size; left > 0;) {
        ssize_t count = sendfile(to, from, NULL, (size_t)left);

        assert_true(count > 0);
        left -= count;
    }
    (void)close(from);
    (void)close(to);
}

/* Start `path` as a guest's process and wait until it says that it is there. */
static pid_t launch_with(const char *path, const char *option, const char *name, const char *more,
                         const char *last)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* survives execve(2) */
        (void)dup2(ready[1], STDOUT_FILENO);
        (void)close(ready[0]);
        (void)execl(path, path, "-S", option, name, more, last, (char *)NULL);
        _exit(127);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return pid;
}

static pid_t launch(const char *path, const char *option, const char *name, const char *last)
{
    return launch_with(path, option, name, "-S", last);
}

static void finish(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static bool finds(const char *name, pid_t pid)
{
    struct ra_virt_emulator found = { .pidfd = -1 };
    struct ra_error err;

    if (ra_virt_emulator_find(name, &found, &err) != 0) {
        assert_int_equal(err.kind, RA_ERROR_NOT_FOUND);
        return false;
    }
    (void)close(found.pidfd);
    return found.pid == pid;
}

static void a_process_is_known_by_its_exact_name(void **state)
{
    pid_t pid = launch(emulator_path, "-name", "guest=a.b,debug-threads=on", "-uuid");

    (void)state;
    assert_true(finds("a.b", pid));
    assert_false(finds("a.", pid));
    assert_false(finds("axb", pid));
    assert_false(finds("a.b,debug-threads=on", pid));
    assert_false(finds("", pid));
    assert_false(finds(".*", pid));
    finish(pid);
    assert_false(finds("a.b", pid));
}

static void a_process_tells_its_uuid(void **state)
{
    static const char uuid[] = "11111111-2222-4333-8444-555555555555";
    pid_t with = launch_with(emulator_path, "-name", "guest=with", "-uuid", uuid);
    pid_t without = launch(emulator_path, "-name", "guest=without", "-S");
    struct ra_virt_emulator found = { .pidfd = -1 };

    (void)state;
    assert_int_equal(ra_virt_emulator_find("with", &found, NULL), 0);
    assert_string_equal(found.uuid, uuid);
    (void)close(found.pidfd);
    assert_int_equal(ra_virt_emulator_find("without", &found, NULL), 0);
    assert_string_equal(found.uuid, "");
    (void)close(found.pidfd);
    finish(with);
    finish(without);
}

static void commas_are_doubled_as_libvirt_doubles_them(void **state)
{
    pid_t pid = launch(emulator_path, "-name", "guest=a,,b,debug-threads=on", "-S");

    (void)state;
    assert_true(finds("a,b", pid));
    assert_false(finds("a", pid));
    finish(pid);
}

static void other_arguments_do_not_count(void **state)
{
    pid_t option = launch(emulator_path, "-append", "guest=web", "-S");
    pid_t value = launch(emulator_path, "-name", "web", "guest=web");

    (void)state;
    assert_false(finds("web", option));
    assert_false(finds("web", value));
    finish(option);
    finish(value);
}

static void the_arguments_without_the_executable_are_no_proof_of_anything(void **state)
{
    pid_t pid = launch(other_path, "-name", "guest=web", "-S");
    struct ra_virt_emulator found = { .pidfd = -1 };
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_virt_emulator_find("web", &found, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_BUSY);
    assert_int_equal(found.pidfd, -1);
    finish(pid);
    assert_false(finds("web", pid));
}

static void a_pid_file_is_only_a_hint(void **state)
{
    char path[sizeof(directory) + 32];
    pid_t pid = launch(emulator_path, "-name", "guest=web", "-S");
    FILE *file;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/other.pid", directory);
    file = fopen(path, "we");
    assert_non_null(file);
    (void)fprintf(file, "%d\n", pid);
    (void)fclose(file);
    assert_false(finds("other", pid));
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/web.pid", directory);
    file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs("1\n", file);
    (void)fclose(file);
    assert_true(finds("web", pid));
    (void)unlink(path);
    finish(pid);
}

static void a_stopped_process_is_told(void **state)
{
    pid_t pid = launch(emulator_path, "-name", "guest=web", "-S");
    struct ra_virt_emulator found;
    struct ra_error err;

    (void)state;
    (void)kill(pid, SIGSTOP);
    (void)waitpid(pid, NULL, WUNTRACED);
    assert_int_equal(ra_virt_emulator_find("web", &found, &err), 0);
    assert_true(found.stopped);
    (void)close(found.pidfd);
    finish(pid);
}

static void killed_means_gone(void **state)
{
    static const char *const lasts[] = { "-S", STUBBORN };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pid_t pid = launch(emulator_path, "-name", "guest=web", lasts[i]);
        struct ra_virt_emulator found;
        struct ra_error err;

        assert_int_equal(ra_virt_emulator_find("web", &found, &err), 0);
        assert_int_equal(ra_virt_emulator_kill(&found, ra_deadline_after_ms(2000), &err), 0);
        assert_true(has_ended(pid));
        (void)close(found.pidfd);
        assert_false(finds("web", pid));
        (void)waitpid(pid, NULL, 0);
    }
}

static void a_process_that_cannot_be_held_is_not_absent(void **state)
{
    pid_t pid = launch(emulator_path, "-name", "guest=web", "-S");
    struct ra_virt_emulator found;
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_virt_emulator_find("web", &found, &err), -1);
    assert_int_not_equal(err.kind, RA_ERROR_NOT_FOUND);
    assert_contains(err.text, "pidfd_open");
    finish(pid);
}

static void no_proc_is_no_proof(void **state)
{
    struct ra_virt_emulator found;
    struct ra_error err;

    (void)state;
    ra_virt_emulator_set_directories("/nowhere", directory);
    assert_int_equal(ra_virt_emulator_find("web", &found, &err), -1);
    assert_int_not_equal(err.kind, RA_ERROR_NOT_FOUND);
    ra_virt_emulator_set_directories("/proc", directory);
}

static void only_local_qemu_uris_are_covered(void **state)
{
    (void)state;
    assert_true(ra_virt_emulator_covers("qemu:///system"));
    assert_true(ra_virt_emulator_covers("qemu+unix:///system"));
    assert_false(ra_virt_emulator_covers("qemu+tls://n2/system"));
    assert_false(ra_virt_emulator_covers("xen:///system"));
    assert_false(ra_virt_emulator_covers(NULL));
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(emulator_path, sizeof(emulator_path), "%s/qemu-system-test", directory);
    (void)snprintf(other_path, sizeof(other_path), "%s/not-qemu", directory);
    copy_self(emulator_path);
    copy_self(other_path);
    ra_virt_emulator_set_directories("/proc", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(emulator_path);
    (void)unlink(other_path);
    return rmdir(directory);
}

/* As the emulator: say that we are there, and wait to be ended. */
static int be_a_guest(const char *last)
{
    if (strcmp(last, STUBBORN) == 0)
        (void)signal(SIGTERM, SIG_IGN);
    if (write(STDOUT_FILENO, "r", 1) != 1)
        return 1;
    for (;;)
        (void)pause();
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_proc_is_no_proof),
        cmocka_unit_test(only_local_qemu_uris_are_covered),
        cmocka_unit_test(other_arguments_do_not_count),
        cmocka_unit_test(the_arguments_without_the_executable_are_no_proof_of_anything),
        cmocka_unit_test(a_process_is_known_by_its_exact_name),
        cmocka_unit_test(a_process_tells_its_uuid),
        cmocka_unit_test(commas_are_doubled_as_libvirt_doubles_them),
        cmocka_unit_test(a_pid_file_is_only_a_hint),
        cmocka_unit_test(a_stopped_process_is_told),
        cmocka_unit_test(killed_means_gone),
    };
    const struct CMUnitTest without_pidfd[] = {
        cmocka_unit_test(no_proc_is_no_proof),
        cmocka_unit_test(only_local_qemu_uris_are_covered),
        cmocka_unit_test(other_arguments_do_not_count),
        cmocka_unit_test(the_arguments_without_the_executable_are_no_proof_of_anything),
        cmocka_unit_test(a_process_that_cannot_be_held_is_not_absent),
    };
    const char *preload = getenv("LD_PRELOAD");

    if (argc == 6 && strcmp(argv[1], "-S") == 0)
        return be_a_guest(argv[5]);
    /* Valgrind (3.19) knows no pidfd_open: what is left is that this is no proof of absence. */
    if (preload != NULL && strstr(preload, "vgpreload") != NULL)
        return cmocka_run_group_tests_name("virt_emulator", without_pidfd, set_up, tear_down);
    return cmocka_run_group_tests_name("virt_emulator", tests, set_up, tear_down);
}
