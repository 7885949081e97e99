/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/fault.h"

#include <freeipmi/api/ipmi-api.h>
#include <stddef.h>

#include "base/text.h"

const char *ra_ipmi_fault_privilege_name(enum ra_ipmi_privilege privilege)
{
    switch (privilege) {
    case RA_IPMI_CALLBACK:
        return "callback";
    case RA_IPMI_USER:
        return "user";
    case RA_IPMI_OPERATOR:
        return "operator";
    case RA_IPMI_ADMINISTRATOR:
    default:
        return "administrator";
    }
}

static const char *user_of(const struct ra_ipmi_options *options)
{
    return options->user == NULL ? "" : options->user;
}

/* --- opening a session -------------------------------------------------------------------------*/

static enum ra_ipmi_verdict wrong_user(const struct ra_ipmi_fault_scene *scene,
                                       struct ra_error *err)
{
    (void)ra_error_set(err, RA_ERROR_PERMISSION,
                       "the BMC at %s refused the user name '%s': check username, and in the BMC "
                       "that this user exists, is enabled and may use IPMI over LAN",
                       scene->endpoint, user_of(scene->options));
    return RA_IPMI_FINAL;
}

static enum ra_ipmi_verdict wrong_password(const struct ra_ipmi_fault_scene *scene,
                                           struct ra_error *err)
{
    (void)ra_error_set(err, RA_ERROR_PERMISSION,
                       "the BMC at %s refused the password of user '%s': check password or "
                       "password_script; if the password is right, the user may not have privilege "
                       "level %s (privlvl)",
                       scene->endpoint, user_of(scene->options),
                       ra_ipmi_fault_privilege_name(scene->options->privilege));
    return RA_IPMI_FAULTY;
}

static enum ra_ipmi_verdict wrong_k_g(const struct ra_ipmi_fault_scene *scene, struct ra_error *err)
{
    if (scene->options->k_g == NULL)
        (void)ra_error_set(err, RA_ERROR_PERMISSION,
                           "the BMC at %s wants a K_g (two-key authentication) and none is given: "
                           "set hexadecimal_kg, or clear the key in the BMC",
                           scene->endpoint);
    else if (!scene->capabilities->k_g_set)
        (void)ra_error_set(err, RA_ERROR_PERMISSION,
                           "the BMC at %s has no K_g set, but one is given: remove hexadecimal_kg, "
                           "or set the key in the BMC",
                           scene->endpoint);
    else
        (void)ra_error_set(err, RA_ERROR_PERMISSION,
                           "the BMC at %s has another K_g than the one given: check "
                           "hexadecimal_kg",
                           scene->endpoint);
    return RA_IPMI_FINAL;
}

static enum ra_ipmi_verdict no_privilege(const struct ra_ipmi_fault_scene *scene,
                                         struct ra_error *err)
{
    (void)ra_error_set(err, RA_ERROR_PERMISSION,
                       "the BMC at %s does not give user '%s' the privilege level %s: set privlvl "
                       "to what the user has (power control needs operator), or raise it in the "
                       "BMC",
                       scene->endpoint, user_of(scene->options),
                       ra_ipmi_fault_privilege_name(scene->options->privilege));
    return RA_IPMI_PRIVILEGE;
}

static enum ra_ipmi_verdict wrong_suite(const struct ra_ipmi_fault_scene *scene,
                                        struct ra_error *err)
{
    if (scene->options->version_1_5)
        (void)ra_error_set(err, RA_ERROR_CONFIG,
                           "the BMC at %s does not offer the authentication type asked for: set "
                           "auth to another one, or leave it out",
                           scene->endpoint);
    else
        (void)ra_error_set(err, RA_ERROR_CONFIG,
                           "the BMC at %s does not take cipher suite %d: %s%s%s", scene->endpoint,
                           scene->cipher,
                           ra_text_is_empty(scene->ciphers) ? "set cipher to another suite, or "
                                                              "leave it out"
                                                            : "it offers ",
                           scene->ciphers,
                           ra_text_is_empty(scene->ciphers) ? ""
                                                            : "; set cipher to one of them, or "
                                                              "leave it out");
    return RA_IPMI_NEXT_SUITE;
}

static enum ra_ipmi_verdict no_2_0(const struct ra_ipmi_fault_scene *scene, struct ra_error *err)
{
    (void)ra_error_set(err, RA_ERROR_CONFIG,
                       "the BMC at %s does not speak IPMI 2.0: set lanplus=0 for IPMI 1.5",
                       scene->endpoint);
    return RA_IPMI_FINAL;
}

static enum ra_ipmi_verdict busy(const struct ra_ipmi_fault_scene *scene, struct ra_error *err)
{
    (void)ra_error_set(err, RA_ERROR_BUSY,
                       "the BMC at %s is busy and opens no session: all its sessions may be in "
                       "use, or it is starting or updating its firmware",
                       scene->endpoint);
    return RA_IPMI_BUSY;
}

static enum ra_ipmi_verdict no_login_answer(const struct ra_ipmi_fault_scene *scene,
                                            struct ra_error *err)
{
    (void)ra_error_set(err, RA_ERROR_PERMISSION,
                       "the BMC at %s did not answer the login of user '%s', which is how many "
                       "refuse a wrong password: check password and username",
                       scene->endpoint, user_of(scene->options));
    return RA_IPMI_SILENT;
}

static enum ra_ipmi_verdict silent(const struct ra_ipmi_fault_scene *scene, struct ra_error *err)
{
    if (scene->options->version_1_5)
        (void)ra_error_set(err, RA_ERROR_TIMEOUT,
                           "the BMC at %s answers, but opening an IPMI 1.5 session timed out: the "
                           "network may lose packets, or the BMC needs IPMI 2.0 (lanplus=1)",
                           scene->endpoint);
    else
        (void)ra_error_set(err, RA_ERROR_TIMEOUT,
                           "the BMC at %s answers, but opening a session with cipher suite %d "
                           "timed out: the network may lose packets, or the BMC needs another "
                           "cipher suite or one of workaround_flags",
                           scene->endpoint, scene->cipher);
    return RA_IPMI_SILENT;
}

static enum ra_ipmi_verdict strange(int errnum, const struct ra_ipmi_fault_scene *scene,
                                    struct ra_error *err)
{
    if (!scene->cipher_is_listed)
        return wrong_suite(scene, err);
    (void)ra_error_set(err, RA_ERROR_PROTOCOL,
                       "the BMC at %s gave an answer that is not in order while a session was "
                       "opened (%s): it may need another cipher suite or one of workaround_flags",
                       scene->endpoint, ipmi_ctx_strerror(errnum));
    return RA_IPMI_ODD;
}

enum ra_ipmi_verdict ra_ipmi_fault_of_open(int errnum, const struct ra_ipmi_fault_scene *scene,
                                           struct ra_error *err)
{
    switch (errnum) {
    case IPMI_ERR_USERNAME_INVALID:
        return wrong_user(scene, err);
    case IPMI_ERR_PASSWORD_INVALID:
        return wrong_password(scene, err);
    case IPMI_ERR_K_G_INVALID:
        return wrong_k_g(scene, err);
    case IPMI_ERR_PRIVILEGE_LEVEL_INSUFFICIENT:
    case IPMI_ERR_PRIVILEGE_LEVEL_CANNOT_BE_OBTAINED:
        return no_privilege(scene, err);
    case IPMI_ERR_AUTHENTICATION_TYPE_UNAVAILABLE:
    case IPMI_ERR_CIPHER_SUITE_ID_UNAVAILABLE:
        return wrong_suite(scene, err);
    case IPMI_ERR_IPMI_2_0_UNAVAILABLE:
        return no_2_0(scene, err);
    case IPMI_ERR_PASSWORD_VERIFICATION_TIMEOUT:
        return no_login_answer(scene, err);
    case IPMI_ERR_BMC_BUSY:
    case IPMI_ERR_DRIVER_BUSY:
        return busy(scene, err);
    case IPMI_ERR_CONNECTION_TIMEOUT:
    case IPMI_ERR_SESSION_TIMEOUT:
    case IPMI_ERR_MESSAGE_TIMEOUT:
        return silent(scene, err);
    case IPMI_ERR_SYSTEM_ERROR:
        (void)ra_error_set(err, RA_ERROR_UNREACHABLE,
                           "there is no way to the BMC at %s any more: check this host's network",
                           scene->endpoint);
        return RA_IPMI_SILENT;
    default:
        return strange(errnum, scene, err);
    }
}

/* --- commands ----------------------------------------------------------------------------------*/

static const struct {
    int code;
    enum ra_error_kind kind;
    const char *text;
} completion_codes[] = {
    { 0xc0, RA_ERROR_BUSY, "it is busy (completion code C0h): trying again later may help" },
    { 0xc1, RA_ERROR_PROTOCOL,
      "it does not have this command (C1h): update its firmware, or use "
      "another fencing device" },
    { 0xc3, RA_ERROR_TIMEOUT, "it timed out inside (C3h): it may need a reset" },
    { 0xc4, RA_ERROR_BUSY, "it is out of space (C4h): it may need a reset" },
    { 0xcc, RA_ERROR_PROTOCOL, "it does not support this kind of power control (CCh)" },
    { 0xd1, RA_ERROR_BUSY, "its firmware is being updated (D1h)" },
    { 0xd2, RA_ERROR_BUSY, "it is starting (D2h)" },
    { 0xd3, RA_ERROR_UNREACHABLE, "the controller behind it does not answer (D3h): check target" },
    { 0xd4, RA_ERROR_PERMISSION,
      "the privilege is not enough (D4h): power control needs operator; "
      "raise privlvl, and the user's privilege in the BMC" },
    { 0xd5, RA_ERROR_BUSY, "it cannot do this in the present state of the chassis (D5h)" },
    { 0xd6, RA_ERROR_PERMISSION,
      "the function is disabled in it (D6h): look for firmware "
      "firewall or lock-down settings" },
    { 0xff, RA_ERROR_PROTOCOL, "it gives no reason (FFh): look into its event log" },
};

static int refused(int code, const char *endpoint, const char *command, struct ra_error *err)
{
    for (size_t i = 0; i < sizeof(completion_codes) / sizeof(completion_codes[0]); i++)
        if (completion_codes[i].code == code)
            return ra_error_set(err, completion_codes[i].kind, "%s failed, says the BMC at %s: %s",
                                command, endpoint, completion_codes[i].text);
    return ra_error_set(err, RA_ERROR_PROTOCOL,
                        "%s failed, says the BMC at %s: completion code %02Xh", command, endpoint,
                        (unsigned)code);
}

int ra_ipmi_fault_of_command(int errnum, int completion_code, const char *endpoint,
                             const char *command, const struct ra_ipmi_options *options,
                             struct ra_error *err)
{
    if (completion_code > 0)
        return refused(completion_code, endpoint, command, err);
    switch (errnum) {
    case IPMI_ERR_SESSION_TIMEOUT:
    case IPMI_ERR_CONNECTION_TIMEOUT:
    case IPMI_ERR_MESSAGE_TIMEOUT:
    case IPMI_ERR_DRIVER_TIMEOUT:
        return ra_error_set(err, RA_ERROR_TIMEOUT,
                            "%s timed out: the BMC at %s fell silent in the middle of a session",
                            command, endpoint);
    case IPMI_ERR_PRIVILEGE_LEVEL_INSUFFICIENT:
    case IPMI_ERR_PRIVILEGE_LEVEL_CANNOT_BE_OBTAINED:
        return ra_error_set(err, RA_ERROR_PERMISSION,
                            "%s needs more than privilege level %s, says the BMC at %s: raise "
                            "privlvl, and the user's privilege in the BMC",
                            command, ra_ipmi_fault_privilege_name(options->privilege), endpoint);
    case IPMI_ERR_SYSTEM_ERROR:
        return ra_error_set(err, RA_ERROR_UNREACHABLE,
                            "%s failed: there is no way to the BMC at %s any more", command,
                            endpoint);
    default:
        return ra_error_set(err, RA_ERROR_PROTOCOL, "%s failed, the BMC at %s: %s", command,
                            endpoint, ipmi_ctx_strerror(errnum));
    }
}
