/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Live migration, peer to peer: this node's daemon connects to the target's and they do the work
 * (virDomainMigrateToURI3 with VIR_MIGRATE_PEER2PEER). Their work goes on when the client dies,
 * so a migration that is given up is cancelled here, and its end awaited.
 */
#ifndef RA_VIRT_MIGRATION_H
#define RA_VIRT_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "virt/domain.h"

struct ra_virt_migration {
    const char *remote_uri; /* the target's daemon, as this node's daemon reaches it */
    const char *data_uri;   /* where the guest's memory goes; NULL: the target says */
    bool tls;               /* encrypt the guest's memory on its way */
    bool auto_converge;     /* slow a guest down that changes memory faster than it is sent */
    int64_t speed_mib_s;    /* 0: no limit */
    int64_t downtime_ms;    /* the longest pause wanted; 0: the hypervisor's choice */
};

/* How long a cancelled migration may take to end before that is an error of its own. */
#define RA_VIRT_CANCEL_MS 3500

/*
 * Migrate. Blocks until the migration has ended, successfully or not, the deadline at most. When
 * `cancel_fd` (-1: none) becomes readable, or RA_VIRT_CANCEL_MS before the deadline, the migration
 * is cancelled. The result says what libvirt said; where the guest is now, both daemons know.
 *
 * Errors: TIMEOUT (given up and cancelled; the text says how far it came); BUSY (given up, and it
 * could not be cancelled: it may still succeed, so nothing of it may be cleaned up); else libvirt's
 * reason, and it is over.
 */
int ra_virt_migration_run(struct ra_virt_domain *domain, const struct ra_virt_migration *migration,
                          struct ra_deadline deadline, int cancel_fd, struct ra_error *err);

/* What one end says about the guest. */
enum ra_virt_presence {
    RA_VIRT_PRESENCE_UNKNOWN = 0, /* it does not answer, or between two states */
    RA_VIRT_PRESENCE_ABSENT,      /* no such domain, or defined and off */
    RA_VIRT_PRESENCE_ACTIVE,      /* runs, or is paused by somebody */
    RA_VIRT_PRESENCE_FAILED,      /* crashed, or paused on an error: it has run here */
    RA_VIRT_PRESENCE_STRANDED,    /* left paused by a migration that is over */
    RA_VIRT_PRESENCE_INCOMING,    /* waits for the rest of the guest: it has not run here */
    RA_VIRT_PRESENCES,
};

enum ra_virt_presence ra_virt_migration_presence(enum ra_virt_condition condition);

/* What to do when a migration is over. */
enum ra_virt_verdict {
    RA_VIRT_VERDICT_ARRIVED = 1, /* there, and not running here: success, whatever libvirt said */
    RA_VIRT_VERDICT_STAYED,      /* here and not there: failure, nothing to clean up */
    RA_VIRT_VERDICT_CLEAN,       /* here, with a remnant there that never ran: destroy that */
    RA_VIRT_VERDICT_RESUME,      /* left paused here, proven absent there: let it run again */
    RA_VIRT_VERDICT_WAIT,        /* cannot be said yet: ask again */
    RA_VIRT_VERDICT_LOST,        /* neither here nor there: failure */
    RA_VIRT_VERDICT_TWICE,       /* at both ends: failure, the cluster has to stop both */
};

/* Pure. */
enum ra_virt_verdict ra_virt_migration_judge(enum ra_virt_presence here,
                                             enum ra_virt_presence there);

#endif
