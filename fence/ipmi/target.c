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
#include "plugs.h"

#define PASSWORD_FILE_MOST_BYTES 4096

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
    if (plugs_find_addresses(config, plug, &target->addresses, err) != 0 ||
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
