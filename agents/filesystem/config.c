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

static struct force_unmount parse_force_unmount(const char *text, const char **ret_wrong)
{
    struct force_unmount force = { .may_signal = false };
    ra_auto_text_list char **words = ra_text_split(text != NULL ? text : "true", ", ");
    bool has_choice = false;

    *ret_wrong = NULL;
    /* Modifiers alone mean "true", an empty text means "false". */
    for (char **word = words; *word != NULL; word++)
        if (!take_word(*word, &force, &has_choice))
            *ret_wrong = text;
    if (words[0] != NULL && !has_choice)
        force.may_signal = true;
    return force;
}

struct force_unmount filesystem_force_unmount(const struct filesystem_config *config)
{
    const char *wrong;

    return parse_force_unmount(config->force_unmount, &wrong);
}

/* --- signals --- */

void filesystem_signals(const char *list, int otherwise, const struct ra_mount_backend *mount,
                        int ret_signals[FILESYSTEM_SIGNALS_MOST + 1])
{
    ra_auto_text_list char **names = ra_text_split(list != NULL ? list : "", " \t,");
    size_t count = 0;

    for (char **name = names; *name != NULL && count < FILESYSTEM_SIGNALS_MOST; name++) {
        int number = mount->signal_number(*name);

        if (number != 0)
            ret_signals[count++] = number;
    }
    if (count == 0)
        ret_signals[count++] = otherwise;
    ret_signals[count] = 0;
}

static int check_signals(const char *parameter, const char *list,
                         const struct ra_mount_backend *mount, struct ra_error *err)
{
    ra_auto_text_list char **names = ra_text_split(list != NULL ? list : "", " \t,");

    for (char **name = names; *name != NULL; name++)
        if (mount->signal_number(*name) == 0)
            return ra_error_set(err, RA_ERROR_CONFIG,
                                "the parameter '%s' is '%s': '%s' is no signal; allowed are names "
                                "such as TERM and numbers, separated by spaces",
                                parameter, list, *name);
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

int filesystem_check_config(const struct ra_context *context, const struct ra_mount_backend *mount,
                            struct ra_error *err)
{
    const struct filesystem_config *config = context->config;
    const char *wrong;

    if (filesystem_check_directory(config->directory, err) != 0 ||
        check_signals("term_signals", config->term_signals, mount, err) != 0 ||
        check_signals("kill_signals", config->kill_signals, mount, err) != 0 ||
        check_clone(context, err) != 0)
        return -1;
    (void)parse_force_unmount(config->force_unmount, &wrong);
    if (wrong != NULL)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the parameter 'force_unmount' is '%s': allowed are true, safe, false, "
                            "with the modifiers move, nomove, xargs, noxargs, ps, nops, separated "
                            "by commas",
                            wrong);
    return 0;
}
