/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gluster/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/option.h"
#include "base/text.h"

static void add_server(struct ra_gluster_source *source, const char *server)
{
    for (size_t i = 0; i < source->server_count; i++)
        if (strcmp(source->servers[i], server) == 0)
            return;
    if (source->server_count == RA_GLUSTER_SERVERS_MOST)
        return;
    source->servers =
        realloc(source->servers, (source->server_count + 2) * sizeof(source->servers[0]));
    if (source->servers == NULL)
        abort();
    source->servers[source->server_count++] = ra_text_copy(server);
    source->servers[source->server_count] = NULL;
}

static void add_servers(struct ra_gluster_source *source, const char *text, const char *separators)
{
    ra_auto_text_list char **servers = ra_text_split(text != NULL ? text : "", separators);

    for (char **server = servers; *server != NULL; server++)
        add_server(source, *server);
}

static void add_source(struct ra_gluster_source *source, size_t *count, char *text)
{
    source->sources = realloc(source->sources, (*count + 2) * sizeof(source->sources[0]));
    if (source->sources == NULL)
        abort();
    source->sources[(*count)++] = text;
    source->sources[*count] = NULL;
}

/* The kernel shows the server that was asked and the volume as it was written. */
static void make_sources(struct ra_gluster_source *source)
{
    const char *slash = source->directory[0] != '\0' ? "/" : "";
    size_t count = 0;

    for (size_t i = 0; i < source->server_count; i++) {
        add_source(source, &count,
                   ra_text_format("%s:/%s%s%s", source->servers[i], source->volume, slash,
                                  source->directory));
        add_source(source, &count,
                   ra_text_format("%s:%s%s%s", source->servers[i], source->volume, slash,
                                  source->directory));
    }
}

static int parse_port(const char *text, int *ret_port, struct ra_error *err)
{
    int64_t port = 0;

    if (text != NULL && (ra_number_parse_integer(text, &port) != 0 || port < 1 || port > 65535))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the option server-port is '%s': allowed is 1 to 65535", text);
    *ret_port = (int)port;
    return 0;
}

int ra_gluster_source_parse(const char *device, const char *options,
                            struct ra_gluster_source *ret_source, struct ra_error *err)
{
    ra_auto_free char *backups = ra_option_value(options, "backup-volfile-servers");
    ra_auto_free char *backup = ra_option_value(options, "backupvolfile-server");
    ra_auto_free char *port = ra_option_value(options, "server-port");
    const char *colon = strrchr(device, ':');
    ra_auto_free char *hosts =
        colon != NULL ? ra_text_format("%.*s", (int)(colon - device), device) : NULL;
    const char *volume = colon != NULL ? colon + 1 + strspn(colon + 1, "/") : "";
    size_t name_length = strcspn(volume, "/");
    struct ra_gluster_source source = { 0 };

    if (ra_text_is_empty(hosts) || name_length == 0)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the parameter 'device' is '%s': a glusterfs volume is written "
                            "SERVER[,SERVER...]:/VOLUME[/DIRECTORY]",
                            device);
    if (parse_port(port, &source.port, err) != 0)
        return -1;
    add_servers(&source, hosts, ",");
    add_servers(&source, backup, ",");
    add_servers(&source, backups, ":");
    if (source.server_count == 0)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the parameter 'device' is '%s': it names no "
                            "server",
                            device);
    source.volume = ra_text_format("%.*s", (int)name_length, volume);
    volume += name_length;
    source.directory = ra_text_copy(volume + strspn(volume, "/"));
    for (size_t end = strlen(source.directory); end > 0 && source.directory[end - 1] == '/'; end--)
        source.directory[end - 1] = '\0';
    source.transport = ra_option_value(options, "transport");
    make_sources(&source);
    *ret_source = source;
    return 0;
}

void ra_gluster_source_free(struct ra_gluster_source *source)
{
    ra_text_list_free(source->servers);
    ra_text_list_free(source->sources);
    free(source->volume);
    free(source->directory);
    free(source->transport);
    *source = (struct ra_gluster_source){ 0 };
}

char *ra_gluster_source_device(const struct ra_gluster_source *source, size_t first)
{
    ra_auto_text_buffer struct ra_text_buffer device = { 0 };

    for (size_t i = 0; i < source->server_count; i++)
        ra_text_buffer_addf(&device, "%s%s", i > 0 ? "," : "",
                            source->servers[(first + i) % source->server_count]);
    ra_text_buffer_addf(&device, ":/%s%s%s", source->volume,
                        source->directory[0] != '\0' ? "/" : "", source->directory);
    return ra_steal_ptr(&device.data);
}

struct ra_gluster_volume ra_gluster_source_volume(const struct ra_gluster_source *source)
{
    return (struct ra_gluster_volume){
        .name = source->volume,
        .servers = (const char *const *)source->servers,
        .server_count = source->server_count,
        .port = source->port,
        .transport = source->transport,
    };
}
