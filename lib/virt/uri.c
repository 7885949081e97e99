/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/uri.h"

#include <ctype.h>
#include <string.h>

#include <libxml/uri.h>

#include "base/cleanup.h"
#include "base/text.h"

static void cleanup_uri(xmlURIPtr *uri)
{
    if (*uri != NULL)
        xmlFreeURI(*uri);
}

bool ra_virt_uri_has_driver(const char *uri, const char *driver)
{
    size_t length = strlen(driver);

    return uri != NULL && strncmp(uri, driver, length) == 0 &&
           (uri[length] == ':' || uri[length] == '+');
}

char *ra_virt_uri_add_suffix(const char *host, const char *suffix)
{
    size_t first = strcspn(host, ".");

    return ra_text_format("%.*s%s%s", (int)first, host, suffix == NULL ? "" : suffix, host + first);
}

/* Letters, digits and what host and user names have beside them. */
static bool is_plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL)
            return false;
    }
    return *text != '\0';
}

int ra_virt_uri_remote(const char *local, const char *transport, const char *user, const char *host,
                       char **ret_uri, struct ra_error *err)
{
    RA_CLEANUP(cleanup_uri) xmlURIPtr parsed = xmlParseURI(local);
    bool has_user = !ra_text_is_empty(user);
    bool has_transport = !ra_text_is_empty(transport);

    if (parsed == NULL || parsed->scheme == NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "'%s' is not a libvirt connection URI", local);
    if (!is_plain(host))
        return ra_error_set(err, RA_ERROR_CONFIG, "'%s' cannot be the host of a URI: set remoteuri",
                            host);
    if (has_user && !is_plain(user))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "migration_user '%s' cannot stand in a URI: allowed are letters, "
                            "digits, '.', '_' and '-'",
                            user);
    *ret_uri = ra_text_format("%.*s%s%s://%s%s%s%s", (int)strcspn(parsed->scheme, "+"),
                              parsed->scheme, has_transport ? "+" : "",
                              has_transport ? transport : "", has_user ? user : "",
                              has_user ? "@" : "", host, parsed->path == NULL ? "/" : parsed->path);
    return 0;
}

char *ra_virt_uri_data(const char *local, const char *host, int64_t port)
{
    const char *scheme = ra_virt_uri_has_driver(local, "qemu") ? "tcp://" : "";

    if (port > 0)
        return ra_text_format("%s%s:%lld", scheme, host, (long long)port);
    return ra_text_format("%s%s", scheme, host);
}
