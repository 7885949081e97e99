/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/number.h"
#include "base/option.h"
#include "base/text.h"
#include "config.h"

/* --- force_unmount --- */

/* One word of force_unmount into *force; false if it is unknown. */
static bool take_word(const char *word, struct force_unmount *force, bool *has_choice)
{
    static const char *const without_effect[] = { "xargs", "noxargs", "ps", "nops" };
    bool value;

    if (strcmp(word, "move") == 0 || strcmp(word, "nomove") == 0) {
        force->move = word[0] == 'm';
        return true;
    }
    for (size_t i = 0; i < sizeof(without_effect) / sizeof(without_effect[0]); i++)
        if (strcmp(word, without_effect[i]) == 0)
            return true;
    if (strcmp(word, "safe") == 0)
        value = true;
    else if (ra_number_parse_boolean(word, &value) != 0)
        return false;
    force->may_signal = value;
    *has_choice = true;
    return true;
}

int filesystem_parse_force_unmount(const char *value, void *ret_field, struct ra_error *err)
{
    struct force_unmount force = { .may_signal = false };
    ra_auto_text_list char **words = ra_text_split(value, ", ");
    bool has_choice = false;

    /* Modifiers alone mean "true", an empty text means "false". */
    for (char **word = words; *word != NULL; word++)
        if (!take_word(*word, &force, &has_choice))
            return ra_error_set(err, RA_ERROR_CONFIG,
                                "allowed are true, safe, false, with the modifiers move, nomove, "
                                "xargs, noxargs, ps, nops, separated by commas");
    if (words[0] != NULL && !has_choice)
        force.may_signal = true;
    *(struct force_unmount *)ret_field = force;
    return 0;
}

/* --- signals --- */

/* A signal by name ("TERM", "SIGTERM") or number, 0 if it is none. */
static int signal_number(const char *text)
{
    int64_t number;

    if (ra_number_parse_integer(text, &number) == 0)
        return number > 0 && number <= SIGRTMAX ? (int)number : 0;
    if (ra_text_starts_with(text, "SIG"))
        text += 3;
    for (int i = 1; i < NSIG; i++) {
        const char *name = sigabbrev_np(i);

        if (name != NULL && strcmp(name, text) == 0)
            return i;
    }
    return 0;
}

int filesystem_parse_signals(const char *value, void *ret_field, struct ra_error *err)
{
    ra_auto_text_list char **names = ra_text_split(value, " \t,");
    struct signal_list list = { 0 };
    size_t count = 0;

    for (char **name = names; *name != NULL; name++) {
        int number = signal_number(*name);

        if (number == 0)
            return ra_error_set(err, RA_ERROR_CONFIG,
                                "'%s' is no signal; allowed are names such as TERM and numbers, "
                                "separated by spaces",
                                *name);
        if (count == FILESYSTEM_SIGNALS_MOST)
            return ra_error_set(err, RA_ERROR_CONFIG, "these are more than %d signals",
                                FILESYSTEM_SIGNALS_MOST);
        list.numbers[count++] = number;
    }
    if (count > 0)
        *(struct signal_list *)ret_field = list;
    return 0;
}

/* --- clones --- */

/*
 * May several nodes mount this at a time? Cluster, network and node-local types may. The types
 * that change the device even when mounted read-only may only if the administrator vouches for
 * it; any other may read-only.
 */
static int check_clone(const struct ra_context *context, struct ra_error *err)
{
    const struct filesystem_config *config = context->config;
    const struct ra_fstype *type = ra_fstype_find(config->fstype);

    if (!context->is_clone || type->clone_safe ||
        (type->clone_hostile ? config->force_clones : ra_option_is_set(config->options, "ro")))
        return 0;
    if (type->clone_hostile)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "%s on %s is no cluster file system, and mounting it on two nodes "
                            "destroys it: do not clone this resource (force_clones=true is only "
                            "for devices that each node has of its own)",
                            config->fstype, config->device);
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "%s on %s is not known as a cluster file system: a clone of it may "
                        "only be mounted with options=ro",
                        ra_text_is_empty(config->fstype) ? "the file system" : config->fstype,
                        config->device);
}

int filesystem_check_directory(const char *directory, struct ra_error *err)
{
    if (directory == NULL || directory[0] != '/')
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the parameter 'directory' is '%s': it must be an absolute path",
                            directory != NULL ? directory : "");
    if (directory[strspn(directory, "/")] == '\0')
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the parameter 'directory' is '/': the root file "
                            "system cannot be managed");
    return 0;
}

int filesystem_check_config(const struct ra_context *context, struct ra_error *err)
{
    const struct filesystem_config *config = context->config;

    return filesystem_check_directory(config->directory, err) != 0 || check_clone(context, err) != 0
               ? -1
               : 0;
}
