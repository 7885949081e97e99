/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Run several commands in turn, `rounds` times, and print for each the median wall time and the
 * mean CPU time in microseconds, and its largest resident set in KiB: "NAME WALL_US CPU_US RSS_KIB
 * EXIT". Turn by turn, so that whatever else the machine does touches all of them alike.
 *
 * Wall time ends when the command does, as Pacemaker sees it. CPU time is that of every process the
 * command made: this program is their subreaper, so one that outlives the command is counted too.
 *
 * usage: spawn ROUNDS NAME CMD [ARG...] [-- NAME CMD [ARG...]]...
 * A word @FILE after NAME is the command's standard input.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MOST 16

struct command {
    char *name;
    const char *input;
    char **argv;
    long *wall_us;
    long cpu_us;
    long rss_kib;
    int status;
};

static long now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static long cpu_us(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000L + usage->ru_utime.tv_usec +
           usage->ru_stime.tv_usec;
}

/* Collect what the command left behind and add its CPU time. */
static void collect_orphans(struct command *command)
{
    struct rusage usage;
    int status;

    while (wait4(-1, &status, 0, &usage) > 0) {
        command->cpu_us += cpu_us(&usage);
        if (usage.ru_maxrss > command->rss_kib)
            command->rss_kib = usage.ru_maxrss;
    }
}

static void run(struct command *command, int round)
{
    posix_spawn_file_actions_t files;
    struct rusage usage;
    long began_us;
    pid_t pid;
    int failed;

    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawn_file_actions_addopen(&files, 0, command->input, O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    began_us = now_us();
    failed = posix_spawnp(&pid, command->argv[0], &files, NULL, command->argv, environ);
    if (failed != 0 || wait4(pid, &command->status, 0, &usage) != pid) {
        (void)fprintf(stderr, "%s: %s\n", command->argv[0], strerror(failed != 0 ? failed : errno));
        exit(1);
    }
    command->wall_us[round] = now_us() - began_us;
    command->cpu_us += cpu_us(&usage);
    if (usage.ru_maxrss > command->rss_kib)
        command->rss_kib = usage.ru_maxrss;
    (void)posix_spawn_file_actions_destroy(&files);
    collect_orphans(command);
}

static int by_size(const void *a, const void *b)
{
    long left = *(const long *)a;
    long right = *(const long *)b;

    return left < right ? -1 : left > right;
}

int main(int argc, char *argv[])
{
    struct command commands[COMMANDS_MOST] = { 0 };
    int rounds = argc > 3 ? (int)strtol(argv[1], NULL, 10) : 0;
    int count = 0;

    for (int i = 2; i < argc && count < COMMANDS_MOST; i++) {
        struct command *command = &commands[count++];

        command->name = argv[i++];
        command->input = i < argc && argv[i][0] == '@' ? argv[i++] + 1 : "/dev/null";
        command->argv = &argv[i];
        command->wall_us = calloc((size_t)(rounds > 0 ? rounds : 1), sizeof(long));
        while (i < argc && strcmp(argv[i], "--") != 0)
            i++;
        if (i < argc)
            argv[i] = NULL;
    }
    if (rounds <= 0 || count == 0) {
        (void)fprintf(stderr, "usage: spawn ROUNDS NAME [@INPUT] CMD [ARG...] [-- NAME ...]...\n");
        return 2;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return 1;
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++)
            run(&commands[i], round);
    for (int i = 0; i < count; i++) {
        qsort(commands[i].wall_us, (size_t)rounds, sizeof(long), by_size);
        (void)printf("%s %ld %ld %ld %d\n", commands[i].name, commands[i].wall_us[rounds / 2],
                     commands[i].cpu_us / rounds, commands[i].rss_kib,
                     WIFEXITED(commands[i].status) ? WEXITSTATUS(commands[i].status) : -1);
    }
    return 0;
}
