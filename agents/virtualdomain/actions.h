/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The actions of VirtualDomain that have files of their own, and what validate-all checks with
 * them. */
#ifndef RA_AGENTS_VIRTUALDOMAIN_ACTIONS_H
#define RA_AGENTS_VIRTUALDOMAIN_ACTIONS_H

#include "base/error.h"
#include "guest.h"
#include "runtime/action.h"
#include "runtime/result.h"

struct ra_result virtualdomain_start(const struct ra_context *context);
struct ra_result virtualdomain_stop(const struct ra_context *context);
struct ra_result virtualdomain_migrate_to(const struct ra_context *context);
struct ra_result virtualdomain_migrate_from(const struct ra_context *context);

/* Check shutdown_mode; NULL-terminated list of modes that the caller frees as a text list. */
int virtualdomain_shutdown_modes(const struct guest *guest, char ***ret_modes,
                                 struct ra_error *err);

/* Check the parameters of a migration to `node` and derive its URIs; the caller frees both. */
int virtualdomain_migration_uris(const struct guest *guest, const char *node, char **ret_remote,
                                 char **ret_data, struct ra_error *err);

#endif
