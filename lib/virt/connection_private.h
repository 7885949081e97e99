/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the modules of this backend know of each other's handles. */
#ifndef RA_VIRT_CONNECTION_PRIVATE_H
#define RA_VIRT_CONNECTION_PRIVATE_H

#include <libvirt/libvirt.h>

#include "virt/connection.h"
#include "virt/domain.h"

struct ra_virt_connection {
    virConnectPtr handle;
    char *uri;
};

struct ra_virt_domain {
    virDomainPtr handle; /* holds a reference to its connection */
    struct ra_virt_domain_facts facts;
};

#endif
