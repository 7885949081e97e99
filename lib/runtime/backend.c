/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/backend.h"

#include <dlfcn.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

const void *ra_backend_load(const char *name, struct ra_error *err)
{
    ra_auto_free char *path = ra_text_format("%s/libra-%s.so", RA_PKGLIBDIR, name);
    ra_auto_free char *symbol = ra_text_format("ra_%s_backend", name);
    const struct ra_backend_header *table;
    void *library;
    RA_LOG_CALL("loading %s", path);

    /*
     * Lazy for the sake of what the backend depends on: binding every function of libvirt's 57
     * libraries at once costs more than a millisecond. The backend itself is linked with -z now.
     */
    library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL) {
        (void)ra_error_set(err, RA_ERROR_MISSING, "cannot load the library for this action: %s",
                           dlerror());
        return NULL;
    }
    table = dlsym(library, symbol);
    if (table == NULL || !ra_text_equal(table->version, PACKAGE_VERSION)) {
        (void)ra_error_set(err, RA_ERROR_MISSING,
                           "%s is not of version " PACKAGE_VERSION
                           " as this agent is: install both from one package",
                           path);
        return NULL;
    }
    return table;
}
