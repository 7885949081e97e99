/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The resource's utilization attributes, kept in step with the guest by its monitor.
 *
 * The cluster's configuration is only asked when the guest differs from what was written last, or
 * that is long ago: asking costs more than the rest of the monitor. Nothing here changes the
 * monitor's result: a guest is as well as it is, whatever the cluster's configuration says of it.
 */
#include "config.h"
#include "guest.h"
#include "utilization.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "cluster/backend.h"
#include "runtime/backend.h"

#define WRITE_MS   2000
#define VERIFY_MS  600000 /* the attributes may be edited by hand: written again after so long */
#define ATTRIBUTES 3

/* With slashes, which no resource's own state file has in its name: "VirtualDomain-" and its id. */
static char *state_name(const struct guest *guest)
{
    return ra_text_format("VirtualDomain/utilization/%s", guest->context->instance);
}

/* What is wanted, as the state file has it; new memory. */
static char *describe(const struct ra_cluster_attribute *attributes, size_t count)
{
    struct ra_text_buffer text = { 0 };

    for (size_t i = 0; i < count; i++)
        ra_text_buffer_addf(&text, "%s=%" PRId64 " ", attributes[i].name,
                            attributes[i].wanted ? attributes[i].value : -1);
    return text.data;
}

/* True if exactly this was written, and not too long ago. The first line says when. */
static bool is_recent(const struct guest *guest, const char *wanted)
{
    ra_auto_free char *name = state_name(guest);
    ra_auto_free char *text = NULL;
    char *line_end;
    int64_t written_ms;

    if (ra_file_state_read(name, &text, NULL) != 0)
        return false;
    line_end = strchr(text, '\n');
    if (line_end == NULL)
        return false;
    *line_end = '\0';
    return ra_number_parse_integer(text, &written_ms) == 0 &&
           ra_deadline_now_ms() - written_ms < VERIFY_MS && ra_text_equal(line_end + 1, wanted);
}

static void remember(const struct guest *guest, const char *wanted)
{
    ra_auto_free char *name = state_name(guest);
    ra_auto_free char *text = ra_text_format("%lld\n%s", (long long)ra_deadline_now_ms(), wanted);
    struct ra_error err;

    if (ra_file_state_write(name, text, &err) != 0)
        ra_log_warning("%s", err.text);
}

void virtualdomain_forget_utilization(const struct guest *guest)
{
    ra_auto_free char *name = state_name(guest);

    (void)ra_file_state_remove(name, NULL);
}

static void write_attributes(const struct guest *guest,
                             const struct ra_cluster_attribute *attributes, size_t count,
                             struct ra_deadline deadline)
{
    ra_auto_free char *wanted = describe(attributes, count);
    const struct ra_cluster_backend *cluster;
    struct ra_error err;

    if (is_recent(guest, wanted))
        return;
    cluster = ra_backend_load("cluster", &err);
    if (cluster != NULL &&
        cluster->utilization_set(guest->context->instance, attributes, count,
                                 ra_deadline_earlier(deadline, ra_deadline_after_ms(WRITE_MS)),
                                 &err) == 0)
        remember(guest, wanted);
    else if (err.kind == RA_ERROR_UNREACHABLE)
        /* Called by hand outside a cluster: nothing an administrator should be told. */
        ra_log_note("%s", err.text);
    else
        ra_log_warning("%s", err.text);
}

static void add(struct ra_cluster_attribute *attributes, size_t *count, const char *name, bool set,
                bool unset, int64_t value)
{
    if (set || unset)
        attributes[(*count)++] =
            (struct ra_cluster_attribute){ .name = name, .wanted = set, .value = value };
}

void virtualdomain_update_utilization(const struct guest *guest, struct ra_deadline deadline)
{
    const struct virtualdomain_config *config = guest->config;
    struct ra_cluster_attribute attributes[ATTRIBUTES];
    int64_t memory_mib = 0;
    uint64_t memory_kib;
    unsigned cpus = 0;
    size_t count = 0;
    struct ra_error err;

    if ((config->autoset_cpu || config->autoset_host_memory || config->autoset_hv_memory) &&
        guest->virt->domain_capacity(guest->domain, deadline, &cpus, &memory_kib, &err) == 0)
        memory_mib = (int64_t)(memory_kib / 1024);
    else if (!config->unset_cpu && !config->unset_host_memory && !config->unset_hv_memory)
        return;
    add(attributes, &count, "cpu", config->autoset_cpu && cpus > 0,
        config->unset_cpu && !config->autoset_cpu, cpus);
    add(attributes, &count, "host_memory", config->autoset_host_memory && cpus > 0,
        config->unset_host_memory && !config->autoset_host_memory, memory_mib);
    add(attributes, &count, "hv_memory", config->autoset_hv_memory && cpus > 0,
        config->unset_hv_memory && !config->autoset_hv_memory, memory_mib);
    if (count > 0)
        write_attributes(guest, attributes, count, deadline);
}
