/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/deadline.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

int64_t ra_deadline_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock on Linux */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t ra_deadline_now_ms(void)
{
    return ra_deadline_now_us() / 1000;
}

struct ra_deadline ra_deadline_after_ms(int64_t ms)
{
    return (struct ra_deadline){ .at_ms = ra_deadline_now_ms() + ms };
}

struct ra_deadline ra_deadline_earlier(struct ra_deadline a, struct ra_deadline b)
{
    return a.at_ms < b.at_ms ? a : b;
}

struct ra_deadline ra_deadline_reserve_ms(struct ra_deadline deadline, int64_t ms)
{
    return (struct ra_deadline){ .at_ms = deadline.at_ms - ms };
}

int64_t ra_deadline_remaining_ms(struct ra_deadline deadline)
{
    int64_t remaining = deadline.at_ms - ra_deadline_now_ms();

    return remaining > 0 ? remaining : 0;
}

int ra_deadline_remaining_int_ms(struct ra_deadline deadline)
{
    int64_t remaining = ra_deadline_remaining_ms(deadline);

    return remaining > INT_MAX ? INT_MAX : (int)remaining;
}

bool ra_deadline_expired(struct ra_deadline deadline)
{
    return ra_deadline_remaining_ms(deadline) == 0;
}

bool ra_deadline_sleep_ms(struct ra_deadline deadline, int64_t ms)
{
    struct ra_deadline until = ra_deadline_earlier(deadline, ra_deadline_after_ms(ms));
    struct timespec at = { .tv_sec = (time_t)(until.at_ms / 1000),
                           .tv_nsec = (long)(until.at_ms % 1000) * 1000000L };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
    return !ra_deadline_expired(deadline);
}

bool ra_backoff_sleep(struct ra_backoff *backoff, struct ra_deadline deadline)
{
    int64_t pause_ms = backoff->next_ms;

    backoff->next_ms += (backoff->next_ms + 1) / 2;
    if (backoff->next_ms > backoff->most_ms)
        backoff->next_ms = backoff->most_ms;
    return ra_deadline_sleep_ms(deadline, pause_ms);
}
