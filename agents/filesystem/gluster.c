/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The questions that gfapi answers about a GlusterFS volume. The library is loaded by the first
 * question.
 */
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "gluster.h"
#include "gluster/backend.h"
#include "runtime/backend.h"

int filesystem_gluster_attach(const struct ra_gluster_source *source, struct ra_deadline deadline,
                              size_t *ret_server, struct ra_error *err)
{
    const struct ra_gluster_backend *gluster = ra_backend_load("gluster", err);
    const struct ra_gluster_volume volume = ra_gluster_source_volume(source);

    return gluster != NULL ? gluster->volume_attach(&volume, deadline, ret_server, err) : -1;
}

int filesystem_gluster_check(const struct ra_gluster_source *source, const char *path,
                             bool read_only, struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_gluster_backend *gluster = ra_backend_load("gluster", err);
    const struct ra_gluster_volume volume = ra_gluster_source_volume(source);
    ra_auto_free char *full_path =
        ra_text_format("%s%s/%s", source->directory[0] != '\0' ? "/" : "", source->directory, path);
    ra_auto_free char *content = ra_text_format("%s %lld\n", path, (long long)time(NULL));
    const struct ra_gluster_check check = { .path = full_path,
                                            .content = content,
                                            .read_only = read_only };

    return gluster != NULL ? gluster->volume_check(&volume, &check, deadline, err) : -1;
}
