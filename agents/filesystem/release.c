/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Proof that a file system which one node alone may mount is active on this node no more. It goes
 * by the devices' numbers (filesystem_devices.c): a path or a link may lead nowhere by now. A
 * loop device that stays bound but that nobody has claimed counts as released: a mount makes its
 * loop device so that it disappears with it, so this one is an administrator's, and what it had
 * cached is written back.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "devices.h"
#include "release.h"
#include "state.h"
#include "subject.h"

#define LOOK_MOST_MS  1000 /* for naming who has the device */
#define PAUSE_MOST_MS 500

/* One look: -1 with the device that is busy or does not tell, 0 if it is none of them. */
static int check(struct subject *subject, struct ra_deadline until, dev_t *ret_busy,
                 struct ra_error *err)
{
    const char *const paths[] = {
        !ra_text_is_empty(subject->config->device) ? subject->config->device : subject->spec.source,
        subject->spec.path != NULL ? subject->spec.path : "",
        subject->state.source != NULL ? subject->state.source : "", NULL
    };
    RA_CLEANUP(devices_free) struct devices devices = { 0 };

    *ret_busy = 0;
    /* Afresh each time: a loop device goes with its mount, and may be another image's then. */
    if (subject_find_devices(subject, &devices, err) != 0)
        return -1;
    if (!devices.is_known)
        return ra_error_set(err, RA_ERROR_SYSTEM,
                            "there is no such device, and its number was not kept");
    for (size_t i = 0; i < devices.count; i++)
        if (subject->mount->device_check_free(devices.items[i].devno, paths, until, err) != 0) {
            *ret_busy = devices.items[i].devno;
            return -1;
        }
    return 0;
}

/* The file behind a loop device, for the reason; NULL if the device is all. */
static char *image_name(const struct subject *subject, dev_t busy)
{
    return subject->spec.class == RA_MOUNT_IMAGE ? subject->mount->loop_path(busy) : NULL;
}

/* Say who has it, as far as that can be seen. */
static int explain(const struct subject *subject, dev_t busy, struct ra_error *err)
{
    ra_auto_text_buffer struct ra_text_buffer users = { 0 };
    ra_auto_free char *name = NULL;
    ra_auto_free char *cause = NULL;
    ra_auto_free char *image = image_name(subject, busy);

    if (busy != 0) {
        name = subject->mount->device_name(busy);
        subject->mount->device_describe_users(busy, subject->context->deadline, &users);
    }
    if (busy == 0 || err->kind != RA_ERROR_BUSY) {
        cause = ra_text_copy(err->text);
        return ra_error_set(err, err->kind,
                            "%s is unmounted here, but whether the file system on it is still "
                            "active cannot be told: %s%s%s",
                            subject->spec.source, cause,
                            users.used_bytes > 0 ? "; it is used by " : "",
                            users.used_bytes > 0 ? users.data : "");
    }
    return ra_error_set(err, RA_ERROR_BUSY,
                        "%s%s%s is unmounted here, but the file system on it is still active%s%s",
                        image != NULL ? image : "/dev/", image != NULL ? " on /dev/" : "", name,
                        users.used_bytes > 0
                            ? ", held outside of this mount or in another mount namespace: "
                            : ": it is mounted in another mount namespace (a container?), or was "
                              "unmounted lazily while in use, or the kernel still writes it back",
                        users.used_bytes > 0 ? users.data : "");
}

int filesystem_check_release(struct subject *subject, struct ra_error *err)
{
    struct ra_deadline until = ra_deadline_reserve_ms(subject->context->deadline, LOOK_MOST_MS);
    dev_t busy;

    if (!subject_is_exclusive(subject) || check(subject, until, &busy, err) == 0)
        return 0;
    return explain(subject, busy, err);
}

int filesystem_prove_release(struct subject *subject, struct ra_error *err)
{
    struct ra_backoff pause = { .next_ms = 10, .most_ms = PAUSE_MOST_MS };
    struct ra_deadline deadline = subject->context->deadline;
    int64_t quarter_ms = ra_deadline_remaining_ms(deadline) / 4;
    struct ra_deadline until =
        ra_deadline_reserve_ms(deadline, quarter_ms < LOOK_MOST_MS ? quarter_ms : LOOK_MOST_MS);
    struct ra_error look = { 0 };
    dev_t busy = 0, asked = 0;

    if (!subject_is_exclusive(subject))
        return 0;
    for (bool answered = false; check(subject, until, &asked, &look) != 0;) {
        /* The last look may be cut short: then what the looks before it were told stands. */
        if (!answered || look.kind != RA_ERROR_TIMEOUT) {
            answered = look.kind != RA_ERROR_TIMEOUT;
            busy = asked;
            *err = look;
        }
        if (!ra_backoff_sleep(&pause, until))
            return explain(subject, busy, err);
    }
    return 0;
}
