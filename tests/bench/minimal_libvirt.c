/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The least that a libvirt client can do to learn a domain's state: the yardstick for the monitor.
 * Usage: minimal_libvirt URI NAME; exit status 0 if the domain runs.
 */
#include <stdio.h>

#include <libvirt/libvirt.h>

int main(int argc, char *argv[])
{
    virConnectPtr connection;
    virDomainPtr domain;
    int state = VIR_DOMAIN_NOSTATE;
    int rc;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: %s URI NAME\n", argv[0]);
        return 2;
    }
    connection = virConnectOpen(argv[1]);
    if (connection == NULL)
        return 1;
    domain = virDomainLookupByName(connection, argv[2]);
    if (domain == NULL) {
        (void)virConnectClose(connection);
        return 1;
    }
    rc = virDomainGetState(domain, &state, NULL, 0);
    (void)virDomainFree(domain);
    (void)virConnectClose(connection);
    return rc == 0 && state == VIR_DOMAIN_RUNNING ? 0 : 1;
}
