/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The parameter table: one row a parameter, and the row is the only place where its name, type,
 * default, range and description stand. From it come the reading of the environment, of standard
 * input and of the command line, the range check and its message, the metadata in both dialects,
 * the help text and the manual page.
 *
 * Nothing here blocks. Errors are RA_ERROR_CONFIG with a sentence that names the parameter, the
 * value (never a secret one) and what is allowed.
 */
#ifndef RA_RUNTIME_PARAM_H
#define RA_RUNTIME_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/export.h"

RA_EXPORT_BEGIN

enum ra_param_type {
    RA_PARAM_STRING,   /* const char *: NULL if not given and without a default */
    RA_PARAM_BOOLEAN,  /* bool */
    RA_PARAM_INTEGER,  /* int64_t: RA_PARAM_UNSET if not given and without a default */
    RA_PARAM_DURATION, /* int64_t milliseconds, written in Pacemaker's notation, seconds bare */
    RA_PARAM_SELECT,   /* int: index into choices, -1 if not given and without a default */
    RA_PARAM_GRAMMAR,  /* whatever `parse` makes of it: zeroed if not given and without a default */
};

#define RA_PARAM_UNSET INT64_MIN

enum ra_param_flag {
    RA_PARAM_REQUIRED = 1 << 0,
    RA_PARAM_UNIQUE = 1 << 1, /* unique among the resources of this agent */
    RA_PARAM_SECRET = 1 << 2, /* never printed, wiped from memory after the action */
};

struct ra_param {
    const char *name; /* with '_'; '-' is taken as the same in fence agents */
    enum ra_param_type type;
    size_t offset;              /* of the field in the agent's config struct: RA_FIELD_*() */
    const char *default_text;   /* parsed like a given value; NULL: none */
    int64_t least, most;        /* integer: value, duration: ms; both 0: no limits */
    const char *const *choices; /* select: NULL-terminated */
    /*
     * Grammar: check the whole value and write it into the field, or leave the field as it was and
     * say in *err (CONFIG) what is wrong and what is allowed; the parameter's name and value are
     * put in front of that. An empty value is handed over as well: the grammar knows whether it
     * means something. Must neither block nor look at this node, and the field owns no memory.
     */
    int (*parse)(const char *value, void *ret_field, struct ra_error *err);
    unsigned flags;
    const char *shortdesc; /* a few words */
    const char *longdesc;  /* sentences; blank lines separate paragraphs */

    /* Fence agents only. */
    const char *old_names[3]; /* older spellings, accepted and published as deprecated */
    char letter;              /* short option, 0 for none; a boolean's takes no argument */
    /*
     * Of a string, 0 for none: the offset of another `const char *` field, for what the request has
     * under another of the row's names. The fencer sends its own word by one name and what stands
     * in the device's parameters by another, in no order.
     */
    size_t rival_offset;
};

/* Type and offset of a field together, checked by the compiler against the field's C type. */
#define RA_FIELD_(config, field, c_type, param_type)                                               \
    .type = (param_type),                                                                          \
    .offset = offsetof(config, field) +                                                            \
              0 * sizeof(char[_Generic(((config *)0)->field, c_type : 1, default                   \
                                       : -1)])
#define RA_FIELD_STRING(config, field)   RA_FIELD_(config, field, const char *, RA_PARAM_STRING)
#define RA_FIELD_BOOLEAN(config, field)  RA_FIELD_(config, field, bool, RA_PARAM_BOOLEAN)
#define RA_FIELD_INTEGER(config, field)  RA_FIELD_(config, field, int64_t, RA_PARAM_INTEGER)
#define RA_FIELD_DURATION(config, field) RA_FIELD_(config, field, int64_t, RA_PARAM_DURATION)
#define RA_FIELD_SELECT(config, field)   RA_FIELD_(config, field, int, RA_PARAM_SELECT)

/* A grammar's field may be of any type: the function must be made for it. */
#define RA_FIELD_GRAMMAR(config, field, function)                                                  \
    .type = RA_PARAM_GRAMMAR, .offset = offsetof(config, field), .parse = (function)

/* A table with its length; tables are static arrays, so: RA_PARAMS(rows). */
struct ra_param_table {
    const struct ra_param *rows;
    size_t count;
};
#define RA_PARAMS(rows_)                                                                           \
    {                                                                                              \
        .rows = (rows_), .count = sizeof(rows_) / sizeof((rows_)[0])                               \
    }

/*
 * Set every field to its default, or to its type's "not given". `config` is the agent's zeroed
 * struct. A default that does not parse is a programming error and ends the process (abort).
 */
void ra_param_set_defaults(const struct ra_param_table *table, void *config);

/*
 * Parse `value` into the row's field. A string points to `value` itself, which must stay valid as
 * long as the config. An empty value of any other type but a grammar means "not
 * given": the default stays.
 */
int ra_param_set(const struct ra_param *param, void *config, const char *value,
                 struct ra_error *err);

/* Check that every required parameter has a value that is not empty. */
int ra_param_check_required(const struct ra_param_table *table, const void *config,
                            struct ra_error *err);

/* The row with this name or old name, '-' and '_' taken as the same; NULL if there is none. */
const struct ra_param *ra_param_find(const struct ra_param_table *table, const char *name);

/* Overwrite the secrets that the config points to. */
void ra_param_wipe_secrets(const struct ra_param_table *table, const void *config);

RA_EXPORT_END

#endif
