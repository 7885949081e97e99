/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/number.h"
#include "base/process.h"
#include "base/text.h"

#define MAP_ENTRIES              ";"
#define PASSWORD_FILE_MOST_BYTES 4096

/* --- plugs and addresses -----------------------------------------------------------------------*/

/* ip can be a map, "node1=192.0.2.1,198.51.100.1;node2=192.0.2.2", or just the addresses. */
static bool ip_is_map(const struct ipmi_config *config)
{
    return config->ip != NULL && strchr(config->ip, '=') != NULL;
}

/* Cut "node1 = 192.0.2.1" in two; the value, or NULL if there is no '=' in it. */
static char *cut_entry(char *entry)
{
    char *equals = strchr(entry, '=');

    if (equals == NULL)
        return NULL;
    *equals = '\0';
    entry[strcspn(entry, " \t")] = '\0';
    return equals + 1 + strspn(equals + 1, " \t");
}

char **target_plugs(const struct ipmi_config *config)
{
    return ra_text_split(config->plug == NULL ? "" : config->plug, config->plug_separator);
}

char **target_known_plugs(const struct ipmi_config *config)
{
    char **entries;

    if (!ip_is_map(config))
        return target_plugs(config);
    entries = ra_text_split(config->ip, MAP_ENTRIES);
    for (char **entry = entries; *entry != NULL; entry++) {
        char *name = *entry + strspn(*entry, " \t");

        (void)cut_entry(name);
        memmove(*entry, name, strlen(name) + 1);
    }
    return entries;
}

static int addresses_from_map(const struct ipmi_config *config, const char *plug,
                              char **ret_addresses, struct ra_error *err)
{
    ra_auto_text_list char **entries = ra_text_split(config->ip, MAP_ENTRIES);

    if (ra_text_is_empty(plug))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "ip gives the BMCs of several plugs, but no plug is named");
    for (char **entry = entries; *entry != NULL; entry++) {
        char *name = *entry + strspn(*entry, " \t");
        const char *addresses = cut_entry(name);

        if (addresses == NULL)
            return ra_error_set(err, RA_ERROR_CONFIG, "ip: '%.60s' is not of the form plug=address",
                                name);
        if (strcmp(name, plug) == 0) {
            *ret_addresses = ra_text_copy(addresses);
            return 0;
        }
    }
    return ra_error_set(err, RA_ERROR_CONFIG, "ip does not name the plug '%.60s'", plug);
}

static int find_addresses(const struct ipmi_config *config, const char *plug, char **ret_addresses,
                          struct ra_error *err)
{
    if (config->port_as_ip && !ra_text_is_empty(plug)) {
        *ret_addresses = ra_text_copy(plug);
        return 0;
    }
    if (ra_text_is_empty(config->ip))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the address of the BMC is missing: set ip, or plug with port_as_ip");
    if (ip_is_map(config))
        return addresses_from_map(config, plug, ret_addresses, err);
    *ret_addresses = ra_text_copy(config->ip);
    return 0;
}

/* --- secrets -----------------------------------------------------------------------------------*/

static void wipe_buffer(struct ra_text_buffer *buffer)
{
    if (buffer->data != NULL)
        explicit_bzero(buffer->data, buffer->size_bytes);
    ra_text_buffer_free(buffer);
}

/* White space at the end is not part of a password; what is left is copied. */
static int take_password(char *text, const char *source, char **ret_password, struct ra_error *err)
{
    size_t length = text == NULL ? 0 : strlen(text);

    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    if (length == 0)
        return ra_error_set(err, RA_ERROR_CONFIG, "%s gives no password", source);
    text[length] = '\0';
    *ret_password = ra_text_copy(text);
    return 0;
}

/* The password is what the script prints. */
static int run_password_script(const struct ipmi_config *config, struct ra_deadline deadline,
                               char **ret_password, struct ra_error *err)
{
    ra_auto_text_list char **words = ra_text_split(config->password_script, " \t");
    RA_CLEANUP(wipe_buffer) struct ra_text_buffer output = { 0 };
    int status;

    if (words[0] == NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "password_script is empty");
    if (ra_process_capture((const char *const *)words, deadline, &status, &output, err) != 0)
        return ra_error_prefix(err, "password_script");
    if (status != 0)
        return ra_error_set(err, RA_ERROR_CONFIG, "password_script %s failed with status %d",
                            words[0], status);
    return take_password(output.data, "password_script", ret_password, err);
}

static int read_password_file(const char *path, char **ret_password, struct ra_error *err)
{
    struct stat status;
    char *text = NULL;
    int result;

    if (stat(path, &status) != 0)
        return ra_error_set_errno(err, errno, "password_file %s", path);
    if ((status.st_mode & 077) != 0)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "password_file %s is readable for others: chmod 600", path);
    if (ra_file_read(path, PASSWORD_FILE_MOST_BYTES, &text, err) != 0)
        return ra_error_prefix(err, "password_file");
    result = take_password(text, "password_file", ret_password, err);
    ra_text_wipe(text);
    free(text);
    return result;
}

static int check_password_sources(const struct ipmi_config *config, struct ra_error *err)
{
    const char *const sources[] = { config->password, config->password_script,
                                    config->password_file };
    int count = 0;

    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
        count += sources[i] != NULL;
    if (count > 1)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "set only one of password, password_script and password_file");
    return 0;
}

static int fetch_password_from_source(const struct ipmi_config *config, struct ra_deadline deadline,
                                      char **ret_password, struct ra_error *err)
{
    if (config->password_script != NULL)
        return run_password_script(config, deadline, ret_password, err);
    if (config->password_file != NULL)
        return read_password_file(config->password_file, ret_password, err);
    *ret_password = ra_text_copy(config->password);
    return 0;
}

static int parse_k_g(const char *text, struct target *target, struct ra_error *err)
{
    unsigned count_bytes;

    if (ra_text_is_empty(text))
        return 0;
    if (ra_number_parse_hex(text, target->k_g, RA_IPMI_K_G_BYTES, &count_bytes) != 0)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "hexadecimal_kg is not an even number of hexadecimal digits for at "
                            "most %d bytes",
                            RA_IPMI_K_G_BYTES);
    target->options.k_g = target->k_g;
    return 0;
}

/* --- the rest ----------------------------------------------------------------------------------*/

static int parse_slave_address(const char *text, struct target *target, struct ra_error *err)
{
    unsigned char byte = 0;
    unsigned count_bytes = 0;
    int64_t number = -1;

    if (ra_text_is_empty(text))
        return 0;
    if (ra_text_starts_with(text, "0x") && ra_number_parse_hex(text, &byte, 1, &count_bytes) == 0 &&
        count_bytes == 1)
        number = byte;
    else if (ra_number_parse_integer(text, &number) != 0)
        number = -1;
    if (number < 1 || number > 255)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "target: '%.20s' is no slave address from 0x01 to 0xff", text);
    target->options.target = (uint8_t)number;
    target->options.bridged = true;
    return 0;
}

static int fill(const struct ra_ipmi_backend *ipmi, const struct ipmi_config *config,
                const char *plug, struct target *target, struct ra_error *err)
{
    static const enum ra_ipmi_auth auths[] = { RA_IPMI_AUTH_MD5, RA_IPMI_AUTH_PASSWORD,
                                               RA_IPMI_AUTH_NONE };
    struct ra_ipmi_options *options = &target->options;

    *options = (struct ra_ipmi_options){
        .port = (int)config->ipport,
        .user = config->username,
        .privilege = (enum ra_ipmi_privilege)(RA_IPMI_CALLBACK + config->privlvl),
        .version_1_5 = !config->lanplus,
        .cipher = config->cipher == RA_PARAM_UNSET ? RA_IPMI_CIPHER_ANY : (int)config->cipher,
        .auth = config->auth < 0 ? RA_IPMI_AUTH_ANY : auths[config->auth],
        .silence_ms = config->login_timeout_ms,
        .retransmission_ms =
            config->retransmission_ms == RA_PARAM_UNSET ? 0 : config->retransmission_ms,
    };
    if (find_addresses(config, plug, &target->addresses, err) != 0 ||
        parse_k_g(config->hexadecimal_kg, target, err) != 0 ||
        parse_slave_address(config->target, target, err) != 0)
        return -1;
    if (ipmi->workaround_parse(config->workaround_flags, &options->workarounds, err) != 0)
        return ra_error_prefix(err, "workaround_flags");
    options->addresses = target->addresses;
    return 0;
}

int target_make(const struct ra_ipmi_backend *ipmi, const struct ipmi_config *config,
                const char *plug, bool fetch_password, struct ra_deadline deadline,
                struct target *ret_target, struct ra_error *err)
{
    struct target *target = ret_target;

    *target = (struct target){ .addresses = NULL };
    if (fill(ipmi, config, plug, target, err) != 0 || check_password_sources(config, err) != 0 ||
        (fetch_password &&
         fetch_password_from_source(config, deadline, &target->password, err) != 0)) {
        target_free(target);
        return -1;
    }
    if (!fetch_password)
        target->password = ra_text_copy(config->password);
    target->options.password = target->password;
    return 0;
}

void target_free(struct target *target)
{
    ra_text_wipe(target->password);
    free(target->password);
    free(target->addresses);
    explicit_bzero(target, sizeof(*target));
}
