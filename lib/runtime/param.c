/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/param.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

static void *field_of(const struct ra_param *param, void *config)
{
    return (char *)config + param->offset;
}

static const void *const_field_of(const struct ra_param *param, const void *config)
{
    return (const char *)config + param->offset;
}

/* The value as a message may show it. */
static const char *shown(const struct ra_param *param, const char *value)
{
    return (param->flags & RA_PARAM_SECRET) != 0 ? "(hidden)" : value;
}

static bool has_range(const struct ra_param *param)
{
    return param->least != 0 || param->most != 0;
}

static int refuse_number(const struct ra_param *param, const char *value, int64_t unit,
                         const char *what, struct ra_error *err)
{
    if (!has_range(param))
        return ra_error_set(err, RA_ERROR_CONFIG, "parameter %s='%s': must be %s", param->name,
                            shown(param, value), what);
    return ra_error_set(err, RA_ERROR_CONFIG, "parameter %s='%s': must be %s from %lld to %lld%s",
                        param->name, shown(param, value), what, (long long)(param->least / unit),
                        (long long)(param->most / unit), unit == 1 ? "" : " seconds");
}

static bool in_range(const struct ra_param *param, int64_t number)
{
    return !has_range(param) || (number >= param->least && number <= param->most);
}

static int set_integer(const struct ra_param *param, void *config, const char *value,
                       struct ra_error *err)
{
    int64_t number;

    if (ra_number_parse_integer(value, &number) != 0 || !in_range(param, number))
        return refuse_number(param, value, 1, "a whole number", err);
    *(int64_t *)field_of(param, config) = number;
    return 0;
}

static int set_duration(const struct ra_param *param, void *config, const char *value,
                        struct ra_error *err)
{
    int64_t ms;

    if (ra_number_parse_duration(value, &ms) != 0 || !in_range(param, ms))
        return refuse_number(param, value, 1000, "a duration such as 20 or 20s,", err);
    *(int64_t *)field_of(param, config) = ms;
    return 0;
}

static int set_select(const struct ra_param *param, void *config, const char *value,
                      struct ra_error *err)
{
    ra_auto_text_buffer struct ra_text_buffer allowed = { 0 };

    for (int i = 0; param->choices[i] != NULL; i++) {
        if (strcmp(param->choices[i], value) == 0) {
            *(int *)field_of(param, config) = i;
            return 0;
        }
        ra_text_buffer_addf(&allowed, "%s%s", i == 0 ? "" : ", ", param->choices[i]);
    }
    return ra_error_set(err, RA_ERROR_CONFIG, "parameter %s='%s': must be one of %s", param->name,
                        shown(param, value), allowed.data);
}

static int set_by_grammar(const struct ra_param *param, void *config, const char *value,
                          struct ra_error *err)
{
    if (param->parse(value, field_of(param, config), err) == 0)
        return 0;
    return ra_error_prefix(err, "parameter %s='%s'", param->name, shown(param, value));
}

int ra_param_set(const struct ra_param *param, void *config, const char *value,
                 struct ra_error *err)
{
    if (param->type == RA_PARAM_STRING) {
        *(const char **)field_of(param, config) = value;
        return 0;
    }
    if (param->type == RA_PARAM_GRAMMAR)
        return set_by_grammar(param, config, value, err);
    if (*value == '\0')
        return 0;
    switch (param->type) {
    case RA_PARAM_BOOLEAN:
        if (ra_number_parse_boolean(value, (bool *)field_of(param, config)) != 0)
            return ra_error_set(err, RA_ERROR_CONFIG,
                                "parameter %s='%s': must be true or false (yes, no, 1, 0, on, off)",
                                param->name, shown(param, value));
        return 0;
    case RA_PARAM_INTEGER:
        return set_integer(param, config, value, err);
    case RA_PARAM_DURATION:
        return set_duration(param, config, value, err);
    case RA_PARAM_SELECT:
        return set_select(param, config, value, err);
    case RA_PARAM_STRING:
    case RA_PARAM_GRAMMAR:
    default:
        return 0;
    }
}

static void set_nothing(const struct ra_param *param, void *config)
{
    switch (param->type) {
    case RA_PARAM_STRING:
        *(const char **)field_of(param, config) = NULL;
        break;
    case RA_PARAM_BOOLEAN:
        *(bool *)field_of(param, config) = false;
        break;
    case RA_PARAM_INTEGER:
    case RA_PARAM_DURATION:
        *(int64_t *)field_of(param, config) = RA_PARAM_UNSET;
        break;
    case RA_PARAM_SELECT:
        *(int *)field_of(param, config) = -1;
        break;
    case RA_PARAM_GRAMMAR: /* the config is zeroed */
    default:
        break;
    }
}

void ra_param_set_defaults(const struct ra_param_table *table, void *config)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];

        set_nothing(param, config);
        if (param->default_text != NULL && ra_param_set(param, config, param->default_text, NULL))
            abort();
    }
}

int ra_param_check_required(const struct ra_param_table *table, const void *config,
                            struct ra_error *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];

        if ((param->flags & RA_PARAM_REQUIRED) == 0 || param->type != RA_PARAM_STRING)
            continue;
        if (ra_text_is_empty(*(const char *const *)const_field_of(param, config)))
            return ra_error_set(err, RA_ERROR_CONFIG, "parameter %s is required but not set (%s)",
                                param->name, param->shortdesc);
    }
    return 0;
}

static bool same_name(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
            return false;
    return *a == *b;
}

const struct ra_param *ra_param_find(const struct ra_param_table *table, const char *name)
{
    const size_t most_old = sizeof(table->rows[0].old_names) / sizeof(table->rows[0].old_names[0]);

    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];

        if (same_name(param->name, name))
            return param;
        for (size_t k = 0; k < most_old && param->old_names[k] != NULL; k++)
            if (same_name(param->old_names[k], name))
                return param;
    }
    return NULL;
}

void ra_param_wipe_secrets(const struct ra_param_table *table, const void *config)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];
        const char *value;

        if ((param->flags & RA_PARAM_SECRET) == 0 || param->type != RA_PARAM_STRING)
            continue;
        value = *(const char *const *)const_field_of(param, config);
        /* A default is a literal of ours, no secret; a given value lives in memory of our own. */
        if (value != NULL && value != param->default_text)
            ra_text_wipe((char *)(uintptr_t)value);
    }
}
