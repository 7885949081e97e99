/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "target.h"

#define MAP_ENTRIES ";"
#define BLANKS      " \t"
/* The fencer takes it for no plug: it sends the node's name instead when it has one. */
#define NO_STATIC_PLUG "dynamic"

/* --- the map -----------------------------------------------------------------------------------*/

/* ip can be a map, "node1=192.0.2.1,198.51.100.1;node2=192.0.2.2", or just the addresses. */
static bool ip_is_map(const struct ipmi_config *config)
{
    return config->ip != NULL && strchr(config->ip, '=') != NULL;
}

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, BLANKS);
    length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

/* Cut "node1 = 192.0.2.1" in two; the address, or NULL if there is no '=' in it. */
static char *cut_entry(char *entry, char **ret_name)
{
    char *equals = strchr(entry, '=');

    if (equals != NULL)
        *equals = '\0';
    *ret_name = trim(entry);
    return equals == NULL ? NULL : trim(equals + 1);
}

static void trim_list(char **list)
{
    char **kept = list;

    for (char **text = list; *text != NULL; text++) {
        const char *trimmed = trim(*text);

        memmove(*text, trimmed, strlen(trimmed) + 1);
        if ((*text)[0] != '\0')
            *kept++ = *text;
        else
            free(*text);
    }
    *kept = NULL;
}

/* The entries of the map that are not blank. */
static char **split_map(const struct ipmi_config *config)
{
    char **entries = ra_text_split(config->ip, MAP_ENTRIES);

    trim_list(entries);
    return entries;
}

static bool has(char **plugs, const char *name)
{
    for (; *plugs != NULL; plugs++)
        if (strcasecmp(*plugs, name) == 0)
            return true;
    return false;
}

/* --- which plugs -------------------------------------------------------------------------------*/

static bool names_plugs(const char *plug)
{
    return !ra_text_is_empty(plug) && strcasecmp(plug, NO_STATIC_PLUG) != 0;
}

/* The value of plug, "" if none is named. */
static const char *plug_text(const struct ipmi_config *config)
{
    if (names_plugs(config->plug))
        return config->plug;
    return names_plugs(config->other_plug) ? config->other_plug : "";
}

char **plugs_requested(const struct ipmi_config *config)
{
    char **plugs;

    plugs = ra_text_split(plug_text(config), config->plug_separator);
    trim_list(plugs);
    return plugs;
}

char **plugs_known(const struct ipmi_config *config)
{
    char **entries;

    if (!ip_is_map(config))
        return plugs_requested(config);
    entries = ra_text_split(config->ip, MAP_ENTRIES);
    for (char **entry = entries; *entry != NULL; entry++) {
        char *name;

        (void)cut_entry(*entry, &name);
        memmove(*entry, name, strlen(name) + 1);
    }
    trim_list(entries);
    return entries;
}

char **plugs_claimed(const struct ipmi_config *config)
{
    char **plugs = plugs_requested(config);

    if (plugs[0] != NULL)
        return plugs;
    ra_text_list_free(plugs);
    return plugs_known(config);
}

/* --- the checks --------------------------------------------------------------------------------*/

static bool is_same_address(const char *a, const char *b)
{
    size_t length_a, length_b;

    a += strspn(a, "[");
    b += strspn(b, "[");
    length_a = strcspn(a, "]");
    length_b = strcspn(b, "]");
    return length_a == length_b && strncasecmp(a, b, length_a) == 0;
}

/* The first address that both lists have, NULL if there is none; it points into `ours`. */
static const char *common_address(char **ours, char **theirs)
{
    for (; *ours != NULL; ours++)
        for (char **other = theirs; *other != NULL; other++)
            if (is_same_address(*ours, *other))
                return *ours;
    return NULL;
}

static bool are_all_in(char **ours, char **theirs)
{
    for (; *ours != NULL; ours++) {
        char *one[] = { *ours, NULL };

        if (common_address(one, theirs) == NULL)
            return false;
    }
    return true;
}

/* "n1" and "n1.example.com". */
static bool is_same_host(const char *a, const char *b)
{
    size_t length_a = strlen(a), length_b = strlen(b);
    const char *longer = length_a > length_b ? a : b;
    size_t shorter_length = length_a > length_b ? length_b : length_a;

    return shorter_length > 0 && strncasecmp(a, b, shorter_length) == 0 &&
           longer[shorter_length] == '.';
}

static int check_entry(const char *name, const char *addresses, struct ra_error *err)
{
    if (addresses == NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "ip: '%.60s' is not of the form plug=address",
                            name);
    if (name[0] == '\0' || addresses[0] == '\0' || strpbrk(name, BLANKS ",") != NULL)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "ip: '%.60s=%.60s' is not of the form plug=address, with the name of "
                            "one node and the addresses of its BMC",
                            name, addresses);
    if (strchr(addresses, '=') != NULL)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "ip: '%.60s=%.60s' holds two plugs: put a semicolon between them", name,
                            addresses);
    return 0;
}

/* How an entry and another one are looked at. */
enum rigour {
    FOR_A_PLUG,  /* what makes the entry's own node doubtful */
    FOR_THE_MAP, /* whatever is wrong */
};

/*
 * That an entry and another one do not contradict each other. For a plug, what is double but no
 * contradiction does no harm, and must not keep a dead node from being fenced: the same entry
 * again, and the same BMC for one host with and without its domain.
 */
static int check_pair(const char *name, char **addresses, char *other, enum rigour rigour,
                      struct ra_error *err)
{
    ra_auto_text_list char **theirs = NULL;
    const char *common;
    char *other_name;
    const char *other_addresses = cut_entry(other, &other_name);
    bool same_name = strcasecmp(name, other_name) == 0;

    if ((rigour == FOR_THE_MAP || same_name) && check_entry(other_name, other_addresses, err) != 0)
        return -1;
    theirs = ra_text_split(other_addresses == NULL ? "" : other_addresses, "=," BLANKS);
    if (same_name) {
        if (rigour == FOR_A_PLUG && are_all_in(addresses, theirs) && are_all_in(theirs, addresses))
            return 0;
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "ip names the plug '%.60s' twice: give it one entry, with commas "
                            "between the addresses if its BMC has several",
                            other_name);
    }
    common = common_address(addresses, theirs);
    if (common != NULL && (rigour == FOR_THE_MAP || !is_same_host(name, other_name)))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "ip gives '%.60s' and '%.60s' the same BMC, %.60s: one of them would "
                            "be called fenced when the other is; correct the address",
                            name, other_name, common);
    return 0;
}

/* An entry by itself, and against others; `entry` is cut in two. */
static int check_against(char *entry, char **others, enum rigour rigour, struct ra_error *err)
{
    ra_auto_text_list char **addresses = NULL;
    char *name;
    const char *text = cut_entry(entry, &name);

    if (check_entry(name, text, err) != 0)
        return -1;
    addresses = ra_text_split(text, "," BLANKS);
    for (; *others != NULL; others++) {
        ra_auto_free char *other = ra_text_copy(*others);

        if (check_pair(name, addresses, other, rigour, err) != 0)
            return -1;
    }
    return 0;
}

static int no_such_plug(const char *plug, struct ra_error *err)
{
    return ra_error_set(err, RA_ERROR_CONFIG, "ip does not name the plug '%.60s'", plug);
}

static int check_port_as_ip(const struct ipmi_config *config, struct ra_error *err)
{
    if (!config->port_as_ip || !ip_is_map(config))
        return 0;
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "ip gives the BMCs of several plugs, and with port_as_ip the plug is the "
                        "address itself: remove one of the two");
}

/* That the map has every plug that is named, before anything is done to the first. */
static int check_named(const struct ipmi_config *config, struct ra_error *err)
{
    ra_auto_text_list char **known = plugs_known(config);
    ra_auto_text_list char **requested = plugs_requested(config);

    for (char **plug = requested; *plug != NULL; plug++)
        if (!has(known, *plug))
            return no_such_plug(*plug, err);
    return 0;
}

int plugs_check(const struct ipmi_config *config, struct ra_error *err)
{
    ra_auto_text_list char **entries = NULL;

    if (!ip_is_map(config))
        return 0;
    if (check_port_as_ip(config, err) != 0)
        return -1;
    entries = split_map(config);
    for (char **entry = entries; *entry != NULL; entry++)
        if (check_against(*entry, entry + 1, FOR_THE_MAP, err) != 0)
            return -1;
    return check_named(config, err);
}

int plugs_check_static(const struct ipmi_config *config, struct ra_error *err)
{
    ra_auto_text_list char **requested = plugs_requested(config);
    ra_auto_text_list char **known = plugs_known(config);

    if (!ip_is_map(config) || requested[0] == NULL || known[0] == NULL || known[1] == NULL)
        return 0;
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "ip has the BMCs of several plugs, and plug is '%.60s' in the parameters: "
                        "the fencer would send that whichever node it wants fenced; remove plug, "
                        "and where a node's plug is not its name, set pcmk_host_map",
                        plug_text(config));
}

/* True if the list has the host under another name than this: with a domain, or without. */
static bool has_host(char **plugs, const char *name)
{
    for (; *plugs != NULL; plugs++)
        if (is_same_host(*plugs, name))
            return true;
    return false;
}

static bool is_node(const char *plug, const char *node)
{
    return strcasecmp(plug, node) == 0 || is_same_host(plug, node);
}

/*
 * That the request does not name two plugs. Where the plug is the address, one of the two may be
 * the node's own name: that is what the fencer adds for want of a pcmk_host_map.
 */
static int check_rivals(const struct ipmi_config *config, const char *node, struct ra_error *err)
{
    const char *plug = config->plug;
    const char *other = config->other_plug;

    if (!names_plugs(plug) || !names_plugs(other) || strcasecmp(plug, other) == 0 ||
        (!ip_is_map(config) &&
         (!config->port_as_ip || is_node(plug, node) || is_node(other, node))))
        return 0;
    return ra_error_set(err, RA_ERROR_CONFIG,
                        "the request names two plugs, '%.60s' and '%.60s', as plug and as port: "
                        "one stands in the device's parameters and the other is the fencer's; "
                        "remove plug and port from the parameters",
                        plug, other);
}

int plugs_check_node(const struct ipmi_config *config, const char *node, struct ra_error *err)
{
    ra_auto_text_list char **requested = plugs_requested(config);
    ra_auto_text_list char **known = NULL;
    bool exactly;

    if (check_rivals(config, node, err) != 0)
        return -1;
    if (node[0] == '\0' || !ip_is_map(config))
        return 0;
    known = plugs_known(config);
    exactly = has(known, node);
    if (!exactly && !has_host(known, node))
        return 0; /* pcmk_host_map calls it something else, and only the fencer knows what */
    for (char **plug = requested; *plug != NULL; plug++)
        if (exactly ? strcasecmp(*plug, node) != 0 : !is_same_host(*plug, node))
            return ra_error_set(err, RA_ERROR_CONFIG,
                                "the request is about node '%.60s', for which ip has a BMC, but "
                                "plug is '%.60s': remove plug from the device's parameters, for "
                                "the fencer sends it by itself, or correct pcmk_host_map",
                                node, plug_text(config));
    return 0;
}

/* --- addresses ---------------------------------------------------------------------------------*/

/* The plug's entry of the map, taken out of the list; NULL if there is none. */
static char *take_entry(char **entries, const char *plug)
{
    for (; *entries != NULL; entries++) {
        ra_auto_free char *copy = ra_text_copy(*entries);
        char *found = *entries;
        char *name;

        (void)cut_entry(copy, &name);
        if (strcasecmp(name, plug) != 0)
            continue;
        do
            entries[0] = entries[1];
        while (*entries++ != NULL);
        return found;
    }
    return NULL;
}

static int find_in_map(const struct ipmi_config *config, const char *plug, char **ret_addresses,
                       struct ra_error *err)
{
    ra_auto_text_list char **entries = split_map(config);
    ra_auto_free char *entry = NULL;
    ra_auto_free char *copy = NULL;
    char *name;

    if (ra_text_is_empty(plug))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "ip gives the BMCs of several plugs, but no plug is named");
    if (check_named(config, err) != 0)
        return -1;
    entry = take_entry(entries, plug);
    if (entry == NULL)
        return no_such_plug(plug, err);
    copy = ra_text_copy(entry);
    if (check_against(entry, entries, FOR_A_PLUG, err) != 0)
        return -1;
    *ret_addresses = ra_text_copy(cut_entry(copy, &name));
    return 0;
}

int plugs_find_addresses(const struct ipmi_config *config, const char *plug, char **ret_addresses,
                         struct ra_error *err)
{
    if (check_port_as_ip(config, err) != 0)
        return -1;
    if (config->port_as_ip && !ra_text_is_empty(plug)) {
        *ret_addresses = ra_text_copy(plug);
        return 0;
    }
    if (ra_text_is_empty(config->ip))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the address of the BMC is missing: set ip, or plug with port_as_ip");
    if (ip_is_map(config))
        return find_in_map(config, plug, ret_addresses, err);
    *ret_addresses = ra_text_copy(config->ip);
    return 0;
}
