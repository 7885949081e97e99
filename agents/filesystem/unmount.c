/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Taking one mount away. The ladder: unmount; if it is in use, ask its users to end (TERM) and try
 * on for half of the time; then kill them; if the file system itself is what hangs, have the
 * kernel give up its requests (MNT_FORCE), which lets stuck users die. Never a lazy unmount: it
 * reports success while writers go on. Only the mount table ends the ladder; but the kernel takes a
 * mount out of it first and writes back then, so that each umount2 must have come to its end, too.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/text.h"
#include "children.h"
#include "config.h"
#include "subject.h"
#include "unmount.h"

#define FAST_STOP_MS 6000 /* for each mount with fast_stop=yes */
/* A FUSE or network mount whose umount2 takes longer than this hangs; another may be writing back.
 */
#define HANG_MS        3000
#define DAEMON_MS      5000 /* a glusterfs client ends within this once it has lost its mount */
#define FIRST_PAUSE_MS 20
#define MOST_PAUSE_MS  1000

struct ladder {
    struct subject *subject;
    int id;
    char *target;
    const struct ra_mount_entry *entry; /* in the current table */
    bool can_force;                     /* MNT_FORCE would hit this mount alone */
    struct ra_deadline term_until;
    struct ra_deadline deadline;
    struct force_unmount policy;
    struct ra_mount_daemon daemon;
    bool must_end_daemon;
    struct ra_text_buffer users; /* who kept it busy when we last looked */
    unsigned kill_rounds;
};

static const struct ra_mount_entry *find_id(const struct subject *subject, int id)
{
    for (size_t i = 0; i < subject->mount->table_count(subject->table); i++)
        if (subject->mount->table_at(subject->table, i)->id == id)
            return subject->mount->table_at(subject->table, i);
    return NULL;
}

/* Several mounts of one superblock (binds, NFS exports of one server) share what force breaks. */
static bool is_only_mount(const struct subject *subject, const struct ra_mount_entry *entry)
{
    for (size_t i = 0; i < subject->mount->table_count(subject->table); i++) {
        const struct ra_mount_entry *other = subject->mount->table_at(subject->table, i);

        if (other != entry && other->devno == entry->devno)
            return false;
    }
    return true;
}

/*
 * Look again: 1 if the mount is gone, 0 if it is there and on top of its directory, so that
 * umount2 by path takes this one and no other; -1 otherwise.
 */
static int look_again(struct ladder *ladder, struct ra_error *err)
{
    struct subject *subject = ladder->subject;

    ladder->entry = NULL;
    if (subject_refresh(subject, err) != 0)
        return -1;
    ladder->entry = find_id(subject, ladder->id);
    if (ladder->entry == NULL)
        return 1;
    if (subject->mount->table_visible(subject->table, ladder->entry->target) == ladder->entry)
        return 0;
    return ra_error_set(err, RA_ERROR_BUSY, "%s on %s is hidden below another mount",
                        ladder->entry->source, ladder->entry->target);
}

static bool is_remote(const struct ladder *ladder)
{
    return ra_fstype_is_remote(ra_fstype_find(ladder->entry->fstype));
}

/* One umount2: 1 gone, 0 still there (busy, or it hung and was left behind), -1 cannot be. */
static int try_once(struct ladder *ladder, bool force, struct ra_error *err)
{
    struct subject *subject = ladder->subject;
    struct ra_deadline slice =
        is_remote(ladder) ? ra_deadline_earlier(ladder->deadline, ra_deadline_after_ms(HANG_MS))
                          : ladder->deadline;
    const struct ra_mount_child_watch watch = subject_watch(subject, CHILD_UNMOUNTS);
    int found = look_again(ladder, err);
    int failed;

    if (found != 0)
        return found;
    failed = subject->mount->unmount(ladder->entry->target, force, &watch, slice, err);
    if (failed != 0 && err->kind == RA_ERROR_TIMEOUT && ladder->can_force && !force) {
        ra_log_warning("%s; its requests are given up", err->text);
        failed = subject->mount->unmount(ladder->entry->target, true, &watch, slice, err);
    }
    if (failed != 0 && err->kind != RA_ERROR_BUSY && err->kind != RA_ERROR_TIMEOUT &&
        err->kind != RA_ERROR_NOT_FOUND)
        return -1;
    return look_again(ladder, err);
}

static void signal_all(struct ladder *ladder, const struct ra_mount_holders *holders,
                       const int *signals)
{
    for (; *signals != 0; signals++)
        for (size_t i = 0; i < holders->count; i++)
            if (ladder->subject->mount->holders_signal(&holders->items[i], *signals))
                ra_log_warning("sent SIG%s to %s[%d], which uses %s (%s)", sigabbrev_np(*signals),
                               holders->items[i].name, (int)holders->items[i].pid, ladder->target,
                               holders->items[i].how);
}

/* Find the users, write them down for the reason, and signal them if that is allowed. */
static int signal_users(struct ladder *ladder, struct ra_error *err)
{
    const struct filesystem_config *config = ladder->subject->config;
    const struct ra_mount_backend *mount = ladder->subject->mount;
    ra_auto_text_buffer struct ra_text_buffer users = { 0 };
    struct ra_mount_holders holders = { 0 };
    bool kill = ra_deadline_expired(ladder->term_until);

    if (mount->holders_find(ladder->entry, ladder->daemon.pid, ladder->deadline, &holders, err) !=
        0)
        return -1;
    mount->holders_describe(&holders, &users);
    mount->holders_describe_kernel(ladder->entry, &users);
    if (ladder->policy.may_signal)
        signal_all(ladder, &holders,
                   kill ? config->kill_signals.numbers : config->term_signals.numbers);
    ladder->kill_rounds += kill ? 1 : 0;
    mount->holders_free(&holders);
    ra_text_buffer_free(&ladder->users);
    ladder->users = users;
    users = (struct ra_text_buffer){ 0 };
    return 0;
}

/* Try again and again, with growing pauses, until `until`. 1 gone, 0 not, -1 cannot be. */
static int try_until(struct ladder *ladder, struct ra_deadline until, struct ra_error *err)
{
    struct ra_backoff pause = { .next_ms = FIRST_PAUSE_MS, .most_ms = MOST_PAUSE_MS };
    int result;

    do {
        /* Users that even KILL does not end wait for the file system itself. */
        result = try_once(ladder, ladder->can_force && ladder->kill_rounds > 1, err);
        if (result != 0)
            return result;
    } while (ra_backoff_sleep(&pause, until));
    return 0;
}

static int give_up(const struct ladder *ladder, struct ra_error *err)
{
    const char *users = ladder->users.data;

    if (ra_text_is_empty(users))
        return ra_error_set(err, RA_ERROR_BUSY,
                            "%s cannot be unmounted: it is in use, but by no process that can be "
                            "seen and by no loop device, swap file or NFS export; the kernel or "
                            "another mount namespace holds it",
                            ladder->target);
    return ra_error_set(
        err, RA_ERROR_BUSY, "%s cannot be unmounted: it is in use by %s%s", ladder->target, users,
        ladder->policy.may_signal ? "" : "; force_unmount=false forbids to signal them");
}

static int climb(struct ladder *ladder, struct ra_error *err)
{
    int64_t delay_ms = ladder->subject->config->signal_delay_s * 1000;
    int result = try_once(ladder, false, err);

    while (result == 0 && !ra_deadline_expired(ladder->deadline)) {
        struct ra_deadline until = ra_deadline_earlier(
            ladder->deadline, ra_deadline_after_ms(delay_ms > 0 ? delay_ms : MOST_PAUSE_MS / 10));

        if (signal_users(ladder, err) != 0)
            return -1;
        result = try_until(ladder, until, err);
    }
    if (result < 0)
        return -1;
    return result == 1 ? 0 : give_up(ladder, err);
}

static void set_up(struct ladder *ladder, struct subject *subject,
                   const struct ra_mount_entry *entry)
{
    const struct filesystem_config *config = subject->config;
    const struct ra_fstype *type = ra_fstype_find(entry->fstype);
    /* Leave time to see a FUSE daemon off and to say why it did not work. */
    struct ra_deadline whole = ra_deadline_reserve_ms(subject->context->deadline, 1000);

    *ladder = (struct ladder){ .subject = subject, .id = entry->id, .entry = entry };
    ladder->target = ra_text_copy(entry->target);
    ladder->deadline =
        config->fast_stop ? ra_deadline_earlier(whole, ra_deadline_after_ms(FAST_STOP_MS)) : whole;
    ladder->term_until = ra_deadline_after_ms(ra_deadline_remaining_ms(ladder->deadline) / 2);
    ladder->policy = config->force_unmount;
    ladder->daemon = (struct ra_mount_daemon){ .pidfd = -1 };
    if (is_only_mount(subject, entry)) {
        ladder->can_force = ra_fstype_is_remote(type);
        ladder->daemon = subject->mount->daemon_find(entry);
        ladder->must_end_daemon = type->owns_daemon;
    }
}

static int unmount_one(struct subject *subject, int id, struct ra_error *err)
{
    const struct ra_mount_entry *entry = find_id(subject, id);
    struct ladder ladder;
    int result;

    if (entry == NULL)
        return 0;
    set_up(&ladder, subject, entry);
    result = climb(&ladder, err);
    if (result == 0 && ladder.daemon.pid != 0 && ladder.must_end_daemon)
        result = subject->mount->daemon_end(
            &ladder.daemon,
            ra_deadline_earlier(
                ra_deadline_after_ms(DAEMON_MS),
                ra_deadline_after_ms(ra_deadline_remaining_ms(subject->context->deadline) / 2)),
            subject->context->deadline, err);
    if (result == 0)
        result = subject_await_children(subject, false, subject->context->deadline, err);
    ra_cleanup_close(&ladder.daemon.pidfd);
    ra_text_buffer_free(&ladder.users);
    free(ladder.target);
    return result;
}

/* A mount inside `id`'s mount that has none inside itself; 0 if there is none. */
static int innermost(const struct subject *subject, int id)
{
    const struct ra_mount_backend *mount = subject->mount;
    const struct ra_mount_entry *whole = find_id(subject, id);
    const struct ra_mount_entry *found = NULL;

    for (size_t i = 0; whole != NULL && i < mount->table_count(subject->table); i++) {
        const struct ra_mount_entry *entry = mount->table_at(subject->table, i);

        if (mount->table_is_above(subject->table, entry, whole) &&
            (found == NULL || mount->table_is_above(subject->table, entry, found)))
            found = entry;
    }
    return found != NULL ? found->id : 0;
}

int filesystem_unmount(struct subject *subject, int mount_id, struct ra_error *err)
{
    int inner;

    while ((inner = innermost(subject, mount_id)) != 0) {
        ra_log_note("unmounting %s first", find_id(subject, inner)->target);
        if (unmount_one(subject, inner, err) != 0)
            return -1;
    }
    return unmount_one(subject, mount_id, err);
}
