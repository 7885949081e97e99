/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A backend is a shared library libra-NAME.so that exports one symbol, `ra_NAME_backend`: a table
 * of its functions, made from the list in lib/NAME/backend.h and loaded by the runtime when an
 * action needs it (runtime/backend.h). This is what every such table starts with.
 */
#ifndef RA_BASE_BACKEND_H
#define RA_BASE_BACKEND_H

struct ra_backend_header {
    const char *version; /* PACKAGE_VERSION of its build; another version is refused */
};

#endif
