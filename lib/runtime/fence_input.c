/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/fence_input.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

#define OLD_NAMES_MOST (sizeof(((struct ra_param *)0)->old_names) / sizeof(const char *))
#define LONG_BASE      256 /* getopt's code of row i without a letter is LONG_BASE + i */

static char *strip(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return text;
}

static char *strip_value(char *text)
{
    size_t length;

    text = strip(text);
    length = strlen(text);
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text[length - 1] = '\0';
        text++;
    }
    return text;
}

/* `given_as`: the name by which the row was set before, NULL if it was not. */
static void keep_rival(const struct ra_param *param, const char **given_as, const char *name,
                       void *config)
{
    const char *const *value = (const void *)((const char *)config + param->offset);
    const char **rival = (void *)((char *)config + param->rival_offset);

    if (param->rival_offset != 0 && *given_as != NULL && strcmp(*given_as, name) != 0)
        *rival = *value;
    *given_as = name;
}

/* `given_as` has a place for each row of the table. */
static int take_line(const struct ra_param_table *table, char *line, void *config,
                     const char **given_as, const char **ret_node, struct ra_error *err)
{
    const struct ra_param *param;
    char *equals;
    char *value;
    char *name;

    line = strip(line);
    if (*line == '\0' || *line == '#')
        return 0;
    equals = strchr(line, '=');
    value = equals == NULL ? line + strlen(line) : strip_value(equals + 1);
    if (equals != NULL)
        *equals = '\0';
    name = strip(line);
    param = ra_param_find(table, name);
    if (param != NULL) {
        keep_rival(param, &given_as[param - table->rows], name, config);
        return ra_param_set(param, config, value, err);
    }
    if (strcmp(name, "nodename") == 0)
        *ret_node = value;
    else
        ra_log_warning("ignoring the unknown parameter '%.60s'", name);
    return 0;
}

int ra_fence_input_lines(const struct ra_param_table *table, char *text, void *config,
                         const char **ret_node, struct ra_error *err)
{
    ra_auto_free const char **given_as = calloc(table->count, sizeof(*given_as));
    char *line;

    if (given_as == NULL)
        abort();
    while ((line = strsep(&text, "\n")) != NULL)
        if (take_line(table, line, config, given_as, ret_node, err) != 0)
            return -1;
    return 0;
}

struct options {
    char letters[256];
    struct option *longs;
    char **names; /* the texts that longs point to */
    size_t count;
};

static void add_long(struct options *options, const char *name, const struct ra_param *param,
                     size_t row)
{
    char *text = ra_text_replace(name, "_", "-");

    options->names[options->count] = text;
    options->longs[options->count++] = (struct option){
        .name = text,
        .has_arg = param->type == RA_PARAM_BOOLEAN ? no_argument : required_argument,
        .val = LONG_BASE + (int)row,
    };
}

static void build_options(const struct ra_param_table *table, struct options *options)
{
    size_t most = table->count * (1 + OLD_NAMES_MOST) + 1;
    size_t used = 0;

    options->longs = calloc(most, sizeof(*options->longs));
    options->names = calloc(most, sizeof(*options->names));
    if (options->longs == NULL || options->names == NULL)
        abort();
    options->letters[used++] = ':';
    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];

        add_long(options, param->name, param, i);
        for (size_t k = 0; k < OLD_NAMES_MOST && param->old_names[k] != NULL; k++)
            add_long(options, param->old_names[k], param, i);
        if (param->letter == '\0')
            continue;
        options->letters[used++] = param->letter;
        if (param->type != RA_PARAM_BOOLEAN)
            options->letters[used++] = ':';
    }
}

static void free_options(struct options *options)
{
    free(options->longs);
    ra_text_list_free(options->names);
}

static const struct ra_param *param_of_code(const struct ra_param_table *table, int code)
{
    if (code >= LONG_BASE)
        return &table->rows[code - LONG_BASE];
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].letter == code)
            return &table->rows[i];
    return NULL;
}

/* `copy` is the row's place for the copy of a secret. */
static int take_option(const struct ra_param *param, char *value, void *config, char **copy,
                       struct ra_error *err)
{
    if (param->type == RA_PARAM_BOOLEAN)
        return ra_param_set(param, config, "1", err);
    if ((param->flags & RA_PARAM_SECRET) == 0)
        return ra_param_set(param, config, value, err);
    ra_text_wipe(*copy);
    free(*copy);
    *copy = ra_text_copy(value);
    ra_text_wipe(value);
    return ra_param_set(param, config, *copy, err);
}

int ra_fence_input_options(const struct ra_param_table *table, int argc, char *argv[], void *config,
                           char **secrets, struct ra_error *err)
{
    RA_CLEANUP(free_options) struct options options = { 0 };
    int code;

    build_options(table, &options);
    opterr = 0;
    optind = 1;
    while ((code = getopt_long(argc, argv, options.letters, options.longs, NULL)) != -1) {
        const struct ra_param *param;

        if (code == '?' || code == ':')
            return ra_error_set(err, RA_ERROR_CONFIG, "%s '%s'; --help lists the options",
                                code == '?' ? "unknown option" : "an argument is missing after",
                                argv[optind - 1]);
        param = param_of_code(table, code);
        if (param != NULL &&
            take_option(param, optarg, config, &secrets[param - table->rows], err) != 0)
            return -1;
    }
    if (optind < argc)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "unexpected argument '%s'; --help lists the options", argv[optind]);
    return 0;
}
