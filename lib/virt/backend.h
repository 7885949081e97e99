/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table that libra-virt.so exports: everything that an agent may ask of libvirt. What each
 * function does is said in its module's header.
 */
#ifndef RA_VIRT_BACKEND_H
#define RA_VIRT_BACKEND_H

#include "base/backend.h"
#include "base/export.h"
#include "virt/connection.h"
#include "virt/domain.h"
#include "virt/emulator.h"
#include "virt/error.h"
#include "virt/mark.h"
#include "virt/migration.h"
#include "virt/uri.h"
#include "virt/xml.h"

#define RA_VIRT_CALLS(X)                                                                           \
    X(connection_open)                                                                             \
    X(connection_close)                                                                            \
    X(connection_uri)                                                                              \
    X(domain_find)                                                                                 \
    X(domain_refresh)                                                                              \
    X(domain_facts)                                                                                \
    X(domain_free)                                                                                 \
    X(domain_create)                                                                               \
    X(domain_check_managed_save)                                                                   \
    X(domain_undefine)                                                                             \
    X(domain_shutdown)                                                                             \
    X(domain_knows_mode)                                                                           \
    X(domain_destroy)                                                                              \
    X(domain_abort_job)                                                                            \
    X(domain_resume)                                                                               \
    X(domain_capacity)                                                                             \
    X(domain_xml)                                                                                  \
    X(emulator_covers)                                                                             \
    X(emulator_find)                                                                               \
    X(emulator_kill)                                                                               \
    X(error_find_lock)                                                                             \
    X(mark_find)                                                                                   \
    X(mark_find_status)                                                                            \
    X(mark_read)                                                                                   \
    X(mark_set)                                                                                    \
    X(migration_run)                                                                               \
    X(migration_presence)                                                                          \
    X(migration_judge)                                                                             \
    X(uri_has_driver)                                                                              \
    X(uri_add_suffix)                                                                              \
    X(uri_remote)                                                                                  \
    X(uri_data)                                                                                    \
    X(xml_read)                                                                                    \
    X(xml_parse)                                                                                   \
    X(xml_set_uuid)                                                                                \
    X(xml_set_mark)                                                                                \
    X(xml_shares_disk)                                                                             \
    X(xml_free)

struct ra_virt_backend {
    struct ra_backend_header header;
#define RA_VIRT_MEMBER(call) __typeof__(ra_virt_##call) *call;
    RA_VIRT_CALLS(RA_VIRT_MEMBER)
#undef RA_VIRT_MEMBER
};

RA_EXPORT_BEGIN
extern const struct ra_virt_backend ra_virt_backend;
RA_EXPORT_END

#endif
