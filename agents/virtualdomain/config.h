/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of VirtualDomain. */
#ifndef RA_AGENTS_VIRTUALDOMAIN_CONFIG_H
#define RA_AGENTS_VIRTUALDOMAIN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct virtualdomain_config {
    const char *config;
    const char *hypervisor;
    bool force_stop;
    const char *shutdown_mode;
    int migration_transport; /* index into virtualdomain_transports, -1: none */
    const char *migration_user;
    int64_t migration_downtime_ms;
    int64_t migration_speed_mib_s;
    const char *migration_network_suffix;
    const char *migrateuri;
    int64_t migrateport;
    const char *remoteuri;
    bool autoset_cpu;
    bool autoset_host_memory;
    bool autoset_hv_memory;
    bool unset_cpu;
    bool unset_host_memory;
    bool unset_hv_memory;
};

extern const char *const virtualdomain_transports[];

#endif
