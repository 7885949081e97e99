/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The actions of Filesystem that have files of their own. */
#ifndef RA_AGENTS_FILESYSTEM_ACTIONS_H
#define RA_AGENTS_FILESYSTEM_ACTIONS_H

#include "runtime/action.h"
#include "runtime/result.h"

struct ra_result filesystem_monitor(const struct ra_context *context);
struct ra_result filesystem_start(const struct ra_context *context);
struct ra_result filesystem_stop(const struct ra_context *context);

#endif
