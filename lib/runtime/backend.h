/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Backends are loaded when an action needs them: libvirt alone costs 57 libraries, and meta-data
 * or a monitor of a local file system must not pay for it. A backend is a shared library
 * libra-NAME.so beside libra.so; base/backend.h says how it is built.
 */
#ifndef RA_RUNTIME_BACKEND_H
#define RA_RUNTIME_BACKEND_H

#include "base/backend.h"
#include "base/error.h"
#include "base/export.h"

RA_EXPORT_BEGIN

/*
 * Load backend `name` ("virt") and return its table: cast it to the type of its header. Loading
 * twice is free. Blocks only on the local file system. Call it in a worker, never in the parent:
 * libraries may start threads. NULL with RA_ERROR_MISSING if the library, or one it needs, is
 * not installed, or is from another version of this package.
 */
const void *ra_backend_load(const char *name, struct ra_error *err);

RA_EXPORT_END

#endif
