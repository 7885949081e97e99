/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mounting, asking and finding users with real mounts, in a mount namespace of this process's own.
 * Needs root.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/option.h"
#include "mount/child.h"
#include "mount/daemon.h"
#include "mount/holders.h"
#include "mount/mounting.h"
#include "mount/device.h"
#include "mount/loop.h"
#include "mount/release.h"
#include "mount/table.h"

static char place[] = "/tmp/test-mount-XXXXXX";
static char directory[64];

static int set_up(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mkdtemp(place) == NULL || mount("room", place, "tmpfs", 0, NULL) != 0) {
        perror("this test needs root");
        return -1;
    }
    (void)snprintf(directory, sizeof(directory), "%s/x", place);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)umount2(place, MNT_DETACH);
    return rmdir(place);
}

static const struct ra_mount_entry *visible(struct ra_mount_table **table)
{
    const struct ra_mount_entry *entry;

    ra_mount_table_free(*table);
    *table = NULL;
    assert_int_equal(ra_mount_table_read(NULL, table, NULL), 0);
    entry = ra_mount_table_visible(*table, directory);
    return strcmp(entry->target, directory) == 0 ? entry : NULL;
}

static void mount_tmpfs(void)
{
    const struct ra_mount_request request = {
        .source = "scratch", .target = directory, .fstype = "tmpfs", .options = "size=1m,noexec"
    };
    struct ra_error err = { 0 };

    if (ra_mount_make_directory(directory, ra_deadline_after_ms(5000), &err) != 0 ||
        ra_mount_mount(&request, NULL, ra_deadline_after_ms(5000), &err) != 0)
        fail_msg("%s", err.text);
}

static void unmount_tmpfs(void)
{
    struct ra_error err = { 0 };

    if (ra_mount_unmount(directory, false, NULL, ra_deadline_after_ms(5000), &err) != 0)
        fail_msg("%s", err.text);
}

static void mounting_asking_unmounting(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    struct ra_error err = { 0 };

    (void)state;
    assert_null(visible(&table));
    mount_tmpfs();
    assert_string_equal(visible(&table)->source, "scratch");
    assert_true(ra_option_is_set(visible(&table)->vfs_options, "noexec"));
    assert_int_equal(ra_mount_probe(directory, ra_deadline_after_ms(5000), &err), 0);
    unmount_tmpfs();
    assert_null(visible(&table));
    assert_int_equal(ra_mount_unmount(directory, false, NULL, ra_deadline_after_ms(5000), &err),
                     -1);
    assert_int_equal(err.kind, RA_ERROR_NOT_FOUND);
}

static void mounting_says_why_not(void **state)
{
    struct ra_mount_request request = { .source = "x", .target = directory, .fstype = "nosuchfs" };
    struct ra_error err = { 0 };

    (void)state;
    assert_int_equal(ra_mount_mount(&request, NULL, ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_MISSING);
    assert_contains(err.text, "nosuchfs");
    request.fstype = "tmpfs";
    request.options = "nosuchoption=1";
    assert_int_equal(ra_mount_mount(&request, NULL, ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_SYSTEM);
    assert_contains(err.text, directory);
}

/* A FUSE mount whose daemon is this process, which answers nothing until it closes the device. */
static int mount_fuse(void)
{
    char options[128];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    (void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    assert_int_equal(mount("unit", directory, "fuse.unit", 0, options), 0);
    return fd;
}

static void a_silent_and_a_dead_fuse_daemon(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    struct ra_mount_daemon daemon;
    int64_t began_ms = ra_deadline_now_ms();
    struct ra_error err = { 0 };
    int fd = mount_fuse();

    (void)state;
    assert_true(ra_mount_is_fuse(visible(&table)));
    assert_int_equal(ra_mount_probe(directory, ra_deadline_after_ms(300), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_TIMEOUT);
    assert_in_range(ra_deadline_now_ms() - began_ms, 299, 2000);
    daemon = ra_mount_daemon_find(visible(&table));
    assert_int_equal(daemon.pid, getpid());
    ra_cleanup_close(&daemon.pidfd);
    (void)close(fd);
    assert_int_equal(ra_mount_probe(directory, ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_UNREACHABLE);
    assert_contains(err.text, "not connected");
    daemon = ra_mount_daemon_find(visible(&table));
    assert_int_equal(daemon.pid, 0);
    unmount_tmpfs();
}

static void canonical_paths(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    struct ra_error err = { 0 };
    char link[128], below[160], expected[160];
    char *path = NULL;
    int fd;

    (void)state;
    (void)visible(&table);
    (void)snprintf(link, sizeof(link), "%s/link", place);
    (void)snprintf(below, sizeof(below), "%s/./not/there/", link);
    (void)snprintf(expected, sizeof(expected), "%s/not/there", directory);
    assert_int_equal(symlink(directory, link), 0);
    assert_int_equal(ra_mount_canonicalise(table, below, ra_deadline_after_ms(5000), &path, &err),
                     0);
    assert_string_equal(path, expected);
    free(path);
    /* A mount point is never touched: a silent daemon is mounted on this one. */
    fd = mount_fuse();
    (void)visible(&table);
    assert_int_equal(
        ra_mount_canonicalise(table, directory, ra_deadline_after_ms(500), &path, &err), 0);
    assert_string_equal(path, directory);
    free(path);
    assert_int_equal(ra_mount_canonicalise(table, "x", ra_deadline_after_ms(500), &path, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    (void)close(fd);
    unmount_tmpfs();
    (void)unlink(link);
}

/* A child that uses the mount: 'c' working directory, 'f' open file. Ends with this process. */
static pid_t start_user(char how)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        char file[128];

        (void)snprintf(file, sizeof(file), "%s/file", directory);
        if (how == 'c' ? chdir(directory) != 0 : open(file, O_CREAT | O_RDWR, 0600) < 0)
            _exit(1);
        (void)!write(ready[1], "x", 1);
        (void)sleep(60);
        _exit(0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return pid;
}

static void end_user(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void users_are_found(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    ra_auto_mount_holders struct ra_mount_holders holders = { 0 };
    ra_auto_text_buffer struct ra_text_buffer words = { 0 };
    struct ra_error err = { 0 };
    pid_t first, second;

    (void)state;
    mount_tmpfs();
    first = start_user('c');
    second = start_user('f');
    assert_int_equal(ra_mount_unmount(directory, false, NULL, ra_deadline_after_ms(5000), &err),
                     -1);
    assert_int_equal(err.kind, RA_ERROR_BUSY);
    assert_int_equal(
        ra_mount_holders_find(visible(&table), 0, ra_deadline_after_ms(5000), &holders, &err), 0);
    assert_int_equal(holders.count, 2);
    ra_mount_holders_describe(&holders, &words);
    assert_contains(words.data, "working directory");
    for (size_t i = 0; i < holders.count; i++) {
        assert_true(holders.items[i].pid == first || holders.items[i].pid == second);
        assert_false(holders.items[i].is_protected);
    }
    end_user(first);
    end_user(second);
    /* Their numbers are free now: nobody gets a signal in their place. */
    assert_false(ra_mount_holders_signal(&holders.items[0], SIGKILL));
    unmount_tmpfs();
}

static void a_process_with_another_start_time_is_another_process(void **state)
{
    struct ra_mount_holder holder = { .pid = getpid(), .start_ticks = 1 };

    (void)state;
    /* Signal 0 would reach ourselves. */
    assert_false(ra_mount_holders_signal(&holder, 0));
}

static void we_and_those_above_us_are_protected(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    ra_auto_mount_holders struct ra_mount_holders holders = { 0 };
    struct ra_error err = { 0 };
    char file[128];
    int fd;

    (void)state;
    mount_tmpfs();
    (void)snprintf(file, sizeof(file), "%s/file", directory);
    fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(
        ra_mount_holders_find(visible(&table), 0, ra_deadline_after_ms(5000), &holders, &err), 0);
    assert_int_equal(holders.count, 1);
    assert_int_equal(holders.items[0].pid, getpid());
    assert_true(holders.items[0].is_protected);
    assert_false(ra_mount_holders_signal(&holders.items[0], SIGKILL));
    (void)close(fd);
    unmount_tmpfs();
}

static int fail_with_seven(void *argument)
{
    (void)printf("%s", (const char *)argument);
    (void)fflush(stdout);
    return 7;
}

static int sleep_for_ever(void *argument)
{
    (void)argument;
    (void)sleep(600);
    return 0;
}

static int die(void *argument)
{
    (void)argument;
    (void)raise(SIGKILL);
    return 0;
}

static void children_report_or_are_left(void **state)
{
    ra_auto_text_buffer struct ra_text_buffer output = { 0 };
    struct ra_error err = { 0 };
    char text[] = "words";
    int status = 0;

    (void)state;
    assert_int_equal(ra_mount_child_run(fail_with_seven, text, NULL, ra_deadline_after_ms(5000),
                                        &output, &status, &err),
                     0);
    assert_int_equal(status, 7);
    assert_string_equal(output.data, "words");
    assert_int_equal(ra_mount_child_run(sleep_for_ever, NULL, NULL, ra_deadline_after_ms(50), NULL,
                                        &status, &err),
                     1);
    assert_int_equal(
        ra_mount_child_run(die, NULL, NULL, ra_deadline_after_ms(5000), NULL, &status, &err), -1);
    assert_contains(err.text, "signal 9");
    assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* --- children that are watched --- */

struct notes {
    int began;
    int ended;
    bool refuse;
    struct ra_mount_child_id id;
    int *shared; /* with the child */
};

static int note_began(void *argument, const struct ra_mount_child_id *id, struct ra_error *err)
{
    struct notes *notes = argument;

    /* Long enough for a child that does not wait to do its work. */
    assert_int_equal(*notes->shared, 0);
    notes->began++;
    notes->id = *id;
    return notes->refuse ? ra_error_set(err, RA_ERROR_SYSTEM, "refused") : 0;
}

static void note_ended(void *argument, const struct ra_mount_child_id *id)
{
    struct notes *notes = argument;

    assert_int_equal(id->pid, notes->id.pid);
    notes->ended++;
}

static int do_work(void *argument)
{
    *(int *)argument = 1;
    return 0;
}

/* Leaves a daemon that writes its number down, then hangs. */
static int leave_daemon(void *argument)
{
    if (fork() == 0) {
        (void)setsid();
        if (fork() == 0) {
            *(volatile int *)argument = getpid();
            (void)sleep(600);
        }
        _exit(0);
    }
    (void)sleep(600);
    return 0;
}

/* Leaves a process of its group behind and dies. */
static int leave_group(void *argument)
{
    pid_t pid = fork();

    if (pid == 0) {
        /* As a program that was executed, without what tells of the child's end. */
        (void)close(3);
        (void)sleep(600);
        _exit(0);
    }
    *(int *)argument = pid;
    (void)raise(SIGKILL);
    return 0;
}

static struct notes new_notes(void)
{
    int *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(shared != MAP_FAILED);
    return (struct notes){ .shared = shared };
}

static int run_watched(ra_mount_child_function *function, struct notes *notes, int64_t ms)
{
    const struct ra_mount_child_watch watch = { .began = note_began,
                                                .ended = note_ended,
                                                .argument = notes };
    struct ra_error err = { 0 };
    int status = 0;

    return ra_mount_child_run(function, notes->shared, &watch, ra_deadline_after_ms(ms), NULL,
                              &status, &err);
}

static void a_child_begins_when_it_is_written_down(void **state)
{
    struct notes notes = new_notes();

    (void)state;
    assert_int_equal(run_watched(do_work, &notes, 5000), 0);
    assert_int_equal(*notes.shared, 1);
    assert_int_equal(notes.began, 1);
    assert_int_equal(notes.ended, 1);
    assert_int_equal(ra_mount_child_running(&notes.id), 0);
}

static void a_child_that_cannot_be_written_down_does_nothing(void **state)
{
    struct notes notes = new_notes();

    (void)state;
    notes.refuse = true;
    assert_int_equal(run_watched(do_work, &notes, 5000), -1);
    assert_int_equal(*notes.shared, 0);
    assert_int_equal(notes.ended, 1);
}

static void a_child_is_known_by_more_than_its_number(void **state)
{
    struct ra_mount_child_id id = { 0 };
    struct notes notes = new_notes();
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        (void)setpgid(0, 0);
        *notes.shared = 1;
        (void)sleep(600);
        _exit(0);
    }
    while (*(volatile int *)notes.shared == 0)
        (void)usleep(1000);
    id = (struct ra_mount_child_id){ .pid = pid, .session = getsid(0), .start_ticks = 1 };
    /* A later process of the same number is another one, and is let alone. */
    assert_int_equal(ra_mount_child_running(&id), 0);
    ra_mount_child_kill(&id);
    assert_int_equal(kill(pid, 0), 0);
    assert_int_equal(ra_mount_child_wait(&id, ra_deadline_after_ms(50)), 0);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void a_zombie_runs_no_more(void **state)
{
    struct notes notes = new_notes();
    siginfo_t info;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    notes.id = (struct ra_mount_child_id){ .pid = pid, .session = getsid(0) };
    assert_int_equal(ra_mount_child_running(&notes.id), 0);
    (void)waitpid(pid, NULL, 0);
}

static void what_a_child_leaves_in_its_group_is_killed_with_it(void **state)
{
    struct notes notes = new_notes();

    (void)state;
    assert_int_equal(run_watched(leave_group, &notes, 5000), -1);
    assert_true(has_ended(*notes.shared));
    assert_int_equal(notes.ended, 1);
    assert_int_equal(ra_mount_child_running(&notes.id), 0);
}

/* A session of its own with a process besides the leader; the leader ends if it is told to. */
static pid_t make_session(bool leader_ends, volatile int *member)
{
    pid_t leader = fork();

    if (leader == 0) {
        (void)setsid();
        if (fork() == 0) {
            *member = getpid();
            (void)sleep(600);
            _exit(0);
        }
        while (!leader_ends || *member == 0)
            (void)usleep(1000);
        _exit(0);
    }
    while (*member == 0)
        (void)usleep(1000);
    if (leader_ends)
        (void)waitpid(leader, NULL, 0);
    return leader;
}

static void a_session_that_has_the_number_now_is_let_alone(void **state)
{
    struct notes notes = new_notes();
    pid_t pid = make_session(false, notes.shared);
    /* As of an earlier process of the number: it began before everything that runs there now. */
    const struct ra_mount_child_id id = { .pid = pid, .session = pid, .start_ticks = 1 };

    (void)state;
    assert_int_equal(ra_mount_child_running(&id), 0);
    ra_mount_child_kill(&id);
    assert_int_equal(ra_mount_child_wait(&id, ra_deadline_after_ms(50)), 0);
    assert_false(has_ended(*notes.shared));
    (void)kill(-pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void a_group_without_its_leader_counts_but_is_not_killed(void **state)
{
    struct notes notes = new_notes();
    pid_t pid = make_session(true, notes.shared);
    const struct ra_mount_child_id id = { .pid = pid, .session = pid, .start_ticks = 1 };

    (void)state;
    assert_int_equal(ra_mount_child_running(&id), *notes.shared);
    ra_mount_child_kill(&id);
    assert_int_equal(ra_mount_child_wait(&id, ra_deadline_after_ms(100)), *notes.shared);
    assert_false(has_ended(*notes.shared));
    (void)kill(*notes.shared, SIGKILL);
    assert_int_equal(ra_mount_child_wait(&id, ra_deadline_after_ms(5000)), 0);
}

static void a_daemon_of_a_child_that_hangs_is_killed_with_it(void **state)
{
    struct notes notes = new_notes();

    (void)state;
    assert_int_equal(run_watched(leave_daemon, &notes, 500), 1);
    assert_true(*notes.shared > 0);
    assert_true(has_ended(*notes.shared));
    assert_int_equal(notes.ended, 1);
}

static void a_device_that_the_kernel_does_not_have_is_free(void **state)
{
    struct ra_error err = { 0 };

    (void)state;
    /* Major 259 is for partitions beyond the sixteenth; nobody has a million of them. */
    assert_int_equal(
        ra_mount_device_check_free(makedev(259, 1048575), NULL, ra_deadline_after_ms(5000), &err),
        0);
}

static void a_file_that_is_bound_nowhere_has_no_loop_devices(void **state)
{
    const struct ra_mount_image image = { .path = "/tmp/no-such.img" };
    ra_auto_free dev_t *devices = NULL;
    struct ra_error err = { 0 };
    size_t count = 1;

    (void)state;
    assert_int_equal(
        ra_mount_image_find_loops(&image, ra_deadline_after_ms(5000), &devices, &count, &err), 0);
    assert_int_equal(count, 0);
}

static void a_driver_that_refuses_shows_that_nobody_has_the_device(void **state)
{
    static const int shows[] = { ENXIO, ENODEV, EMEDIUMTYPE, ENOMEDIUM, ENODATA, EAGAIN, EIO };
    static const int hides[] = { 0, EBUSY, EPERM, EACCES, EROFS, ENOENT, EMFILE, ENFILE, ENOMEM };

    (void)state;
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++)
        assert_true(ra_mount_open_proves_free(shows[i]));
    for (size_t i = 0; i < sizeof(hides) / sizeof(hides[0]); i++)
        assert_false(ra_mount_open_proves_free(hides[i]));
}

static void a_number_has_an_identity_as_long_as_the_device_is_there(void **state)
{
    const dev_t nobodys = makedev(259, 1048575);

    (void)state;
    assert_null(ra_mount_device_identity(nobodys));
    assert_int_equal(ra_mount_device_compare(nobodys, NULL), RA_MOUNT_OTHER);
    assert_int_equal(ra_mount_device_compare(nobodys, "diskseq:1"), RA_MOUNT_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mounting_asking_unmounting),
        cmocka_unit_test(mounting_says_why_not),
        cmocka_unit_test(a_silent_and_a_dead_fuse_daemon),
        cmocka_unit_test(canonical_paths),
        cmocka_unit_test(users_are_found),
        cmocka_unit_test(a_process_with_another_start_time_is_another_process),
        cmocka_unit_test(we_and_those_above_us_are_protected),
        cmocka_unit_test(children_report_or_are_left),
        cmocka_unit_test(a_child_begins_when_it_is_written_down),
        cmocka_unit_test(a_child_that_cannot_be_written_down_does_nothing),
        cmocka_unit_test(a_child_is_known_by_more_than_its_number),
        cmocka_unit_test(a_zombie_runs_no_more),
        cmocka_unit_test(what_a_child_leaves_in_its_group_is_killed_with_it),
        cmocka_unit_test(a_session_that_has_the_number_now_is_let_alone),
        cmocka_unit_test(a_group_without_its_leader_counts_but_is_not_killed),
        cmocka_unit_test(a_daemon_of_a_child_that_hangs_is_killed_with_it),
        cmocka_unit_test(a_device_that_the_kernel_does_not_have_is_free),
        cmocka_unit_test(a_file_that_is_bound_nowhere_has_no_loop_devices),
        cmocka_unit_test(a_driver_that_refuses_shows_that_nobody_has_the_device),
        cmocka_unit_test(a_number_has_an_identity_as_long_as_the_device_is_there),
    };

    return cmocka_run_group_tests_name("mount live", tests, set_up, tear_down);
}
