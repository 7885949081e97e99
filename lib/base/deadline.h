/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Deadlines: points in time on CLOCK_MONOTONIC (clock_gettime(2)), which no clock adjustment
 * moves. A function that can block takes a deadline, never a number of remaining seconds, so
 * that a chain of calls cannot add up to more than its caller has.
 */
#ifndef RA_BASE_DEADLINE_H
#define RA_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/export.h"

RA_EXPORT_BEGIN

struct ra_deadline {
    int64_t at_ms; /* milliseconds of CLOCK_MONOTONIC */
};

/* The present moment, in milliseconds and microseconds of CLOCK_MONOTONIC. */
int64_t ra_deadline_now_ms(void);
int64_t ra_deadline_now_us(void);

/* The moment `ms` from now. */
struct ra_deadline ra_deadline_after_ms(int64_t ms);

/* Whichever comes first. */
struct ra_deadline ra_deadline_earlier(struct ra_deadline a, struct ra_deadline b);

/* `ms` before the deadline: what a step may use that leaves `ms` for the steps behind it. */
struct ra_deadline ra_deadline_reserve_ms(struct ra_deadline deadline, int64_t ms);

/* Milliseconds left, 0 when it has passed; the _int form is capped to INT_MAX, for poll(2). */
int64_t ra_deadline_remaining_ms(struct ra_deadline deadline);
int ra_deadline_remaining_int_ms(struct ra_deadline deadline);

bool ra_deadline_expired(struct ra_deadline deadline);

/*
 * Blocks for `ms` or until the deadline, whichever comes first; the one way to sleep. Returns
 * true if the deadline had not passed on return, so that a polling loop reads
 * `do { look } while (ra_deadline_sleep_ms(deadline, pause));`
 */
bool ra_deadline_sleep_ms(struct ra_deadline deadline, int64_t ms);

/* A pause that grows from first_ms to most_ms by half its size at each step. */
struct ra_backoff {
    int64_t next_ms;
    int64_t most_ms;
};

/* Blocks for the next pause of the backoff, as ra_deadline_sleep_ms does. */
bool ra_backoff_sleep(struct ra_backoff *backoff, struct ra_deadline deadline);

RA_EXPORT_END

#endif
