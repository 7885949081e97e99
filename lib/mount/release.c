/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/release.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "mount/child.h"
#include "mount/device.h"

#define FLUSH_FAILED 255 /* no errno */

struct claim {
    dev_t devno;
    const char *const *paths;
};

/* In a child: open(2) and the flush sleep as long as the device does not answer. */
static int claim_in_child(void *argument)
{
    const struct claim *claim = argument;
    ra_auto_close int fd = ra_mount_device_open(claim->devno, claim->paths, O_RDONLY | O_EXCL);

    if (fd < 0)
        return errno;
    return ioctl(fd, BLKFLSBUF, 0) == 0 ? 0 : FLUSH_FAILED;
}

/*
 * The kernel refuses a device that is claimed before it calls the driver's open. What only a driver
 * answers, then, comes from a device that nobody has claimed: it has no medium, or is the secondary
 * of a replication, or is not connected.
 */
bool ra_mount_open_proves_free(int errnum)
{
    static const int answers[] = { ENXIO, ENODEV, EMEDIUMTYPE, ENOMEDIUM, ENODATA, EAGAIN, EIO };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (answers[i] == errnum)
            return true;
    return false;
}

int ra_mount_device_check_free(dev_t devno, const char *const *paths, struct ra_deadline deadline,
                               struct ra_error *err)
{
    struct claim claim = { .devno = devno, .paths = paths };
    ra_auto_free char *name = ra_mount_device_name(devno);
    int result, status = 0;
    RA_LOG_CALL("asking whether the device %s is free", name);

    if (ra_mount_device_is_gone(devno))
        return 0;
    result = ra_mount_child_run(claim_in_child, &claim, NULL, deadline, NULL, &status, err);
    if (result == 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT, "the device %s does not answer", name);
    if (result != 0)
        return result;
    if (status == FLUSH_FAILED)
        ra_log_note("cannot flush the buffers of %s", name);
    if (status == 0 || status == FLUSH_FAILED)
        return 0;
    if (ra_mount_open_proves_free(status)) {
        ra_log_note("the device %s cannot be used (%s), and nobody has claimed it", name,
                    strerror(status));
        return 0;
    }
    if (status == EBUSY)
        return ra_error_set(err, RA_ERROR_BUSY, "the device %s is in use", name);
    return ra_error_set(err, RA_ERROR_SYSTEM, "cannot open the device %s: %s", name,
                        strerror(status));
}
