/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The test guest's witness: tells whether this disk ever had two writers, or forgot a write that it
 * had acknowledged.
 *
 * The disk holds a ring of RING_SLOTS records of one sector each. A boot reads the ring, takes the
 * highest generation seen plus one, and then counts on from the highest counter seen: one record
 * per step, written to slot (counter modulo RING_SLOTS) past the page cache, flushed, and only then
 * printed on the console ("ACK"). The console's file is the evidence of what was acknowledged.
 * Before each write the ring is read again: a record that neither this boot wrote nor lay there
 * when it began comes from another running copy.
 *
 * Datagrams to UDP port 7 let a test ask for "status", "poweroff" or "panic".
 *
 * usage: witness DEVICE INTERVAL_MS
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECTOR_BYTES     512
#define RING_SLOTS       128
#define RING_BYTES       (RING_SLOTS * SECTOR_BYTES)
#define BOOT_ID_BYTES    36
#define COMMAND_PORT     7
#define BUFFER_ALIGNMENT 4096

static const char magic[8] = "NAWITN01";

/* One sector of the ring; integers are little-endian (the guest is x86). guestcheck.py reads it
 * too. */
struct record {
    char magic[8];
    uint64_t generation;
    uint64_t counter;
    char boot_id[BOOT_ID_BYTES];
    uint32_t checksum; /* FNV-1a of all bytes before it */
    char unused[SECTOR_BYTES - 64];
};
_Static_assert(sizeof(struct record) == SECTOR_BYTES, "a record fills a sector");

struct witness {
    int device;
    struct record *ring; /* RING_SLOTS records, aligned for O_DIRECT */
    struct record *own;  /* the record being written, aligned */
    uint64_t start;      /* the highest counter on the disk when this boot began */
    char last_intruder[BOOT_ID_BYTES];
    int failing; /* an I/O error was reported and has not ended yet */
};

static uint32_t checksum(const struct record *record)
{
    const unsigned char *bytes = (const unsigned char *)record;
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < offsetof(struct record, checksum); i++)
        hash = (hash ^ bytes[i]) * 16777619U;
    return hash;
}

static int is_valid(const struct record *record)
{
    return memcmp(record->magic, magic, sizeof(magic)) == 0 && record->checksum == checksum(record);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/*
 * One line per event; the final dot shows that the line is whole. A boot's first line ends what a
 * copy that was killed in mid-line left in the console's file.
 */
static void tell(const char *event, const struct record *record)
{
    printf("%sWITNESS %s generation=%" PRIu64 " counter=%" PRIu64 " boot=%.*s time=%.3f .\n",
           strcmp(event, "BOOT") == 0 ? "\n" : "", event, record->generation, record->counter,
           BOOT_ID_BYTES, record->boot_id, now_s());
}

static void tell_error(struct witness *witness, const char *operation)
{
    if (!witness->failing)
        printf("WITNESS IO ERROR %s: %s time=%.3f .\n", operation, strerror(errno), now_s());
    witness->failing = 1;
}

static int read_ring(struct witness *witness)
{
    ssize_t got = pread(witness->device, witness->ring, RING_BYTES, 0);

    if (got >= 0 && got != RING_BYTES)
        errno = EIO;
    if (got != RING_BYTES) {
        tell_error(witness, "reading");
        return -1;
    }
    return 0;
}

/* Takes the next generation and goes on from the last counter. */
static void begin(struct witness *witness, const char *boot_id)
{
    struct record *own = witness->own;

    memset(own, 0, sizeof(*own));
    memcpy(own->magic, magic, sizeof(magic));
    memcpy(own->boot_id, boot_id, BOOT_ID_BYTES);
    for (int i = 0; i < RING_SLOTS; i++) {
        const struct record *seen = &witness->ring[i];
        if (!is_valid(seen))
            continue;
        if (seen->generation > own->generation)
            own->generation = seen->generation;
        if (seen->counter > own->counter)
            own->counter = seen->counter;
    }
    own->generation++;
    witness->start = own->counter;
    tell("BOOT", own);
}

static void accuse(struct witness *witness, const struct record *seen)
{
    if (memcmp(witness->last_intruder, seen->boot_id, BOOT_ID_BYTES) == 0)
        return;
    memcpy(witness->last_intruder, seen->boot_id, BOOT_ID_BYTES);
    tell("SECOND WRITER", seen);
}

/* Looks for records of another running copy. */
static void look_for_intruders(struct witness *witness)
{
    const struct record *own = witness->own;

    for (int i = 0; i < RING_SLOTS; i++) {
        const struct record *seen = &witness->ring[i];
        if (!is_valid(seen) || memcmp(seen->boot_id, own->boot_id, BOOT_ID_BYTES) == 0)
            continue;
        if (seen->generation >= own->generation || seen->counter > witness->start)
            accuse(witness, seen);
    }
    if (own->counter > witness->start) {
        const struct record *mine = &witness->ring[own->counter % RING_SLOTS];
        if (memcmp(mine, own, sizeof(*own)) != 0)
            accuse(witness, mine);
    }
}

/* Writes the next record; it counts as acknowledged once the flush has returned. */
static void step(struct witness *witness)
{
    struct record *own = witness->own;
    off_t position;

    if (read_ring(witness) < 0)
        return;
    look_for_intruders(witness);
    own->counter++;
    own->checksum = checksum(own);
    position = (off_t)(own->counter % RING_SLOTS) * SECTOR_BYTES;
    if (pwrite(witness->device, own, SECTOR_BYTES, position) != SECTOR_BYTES ||
        fdatasync(witness->device) < 0) {
        tell_error(witness, "writing");
        own->counter--;
        own->checksum = checksum(own);
        return;
    }
    witness->failing = 0;
    tell("ACK", own);
}

static int command_socket(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(COMMAND_PORT) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void panic_now(void)
{
    int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, "c", 1) < 0)
        perror("sysrq-trigger");
}

static void obey(int fd, const struct record *own)
{
    char text[160];
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    ssize_t got = recvfrom(fd, text, sizeof(text) - 1, 0, (struct sockaddr *)&from, &from_size);

    if (got <= 0)
        return;
    text[got] = '\0';
    if (strncmp(text, "panic", 5) == 0)
        panic_now();
    if (strncmp(text, "poweroff", 8) == 0)
        reboot(RB_POWER_OFF);
    got = snprintf(text, sizeof(text), "generation=%" PRIu64 " counter=%" PRIu64 " boot=%.*s\n",
                   own->generation, own->counter, BOOT_ID_BYTES, own->boot_id);
    (void)sendto(fd, text, (size_t)got, 0, (struct sockaddr *)&from, from_size);
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for_step(int fd, int64_t until_ms, const struct record *own)
{
    struct pollfd events = { .fd = fd, .events = POLLIN };
    int64_t left_ms;

    while ((left_ms = until_ms - monotonic_ms()) > 0) {
        if (poll(&events, 1, (int)left_ms) > 0)
            obey(fd, own);
    }
}

static int read_boot_id(char *ret_boot_id)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret_boot_id, BOOT_ID_BYTES);

    if (fd >= 0)
        close(fd);
    return got == BOOT_ID_BYTES ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct witness witness = { .device = -1 };
    char boot_id[BOOT_ID_BYTES];
    int interval_ms = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;
    int commands;

    if (interval_ms <= 0) {
        fprintf(stderr, "usage: %s DEVICE INTERVAL_MS\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    witness.ring = aligned_alloc(BUFFER_ALIGNMENT, RING_BYTES);
    witness.own = aligned_alloc(BUFFER_ALIGNMENT, BUFFER_ALIGNMENT);
    witness.device = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
    if (witness.ring == NULL || witness.own == NULL || witness.device < 0 ||
        read_boot_id(boot_id) < 0) {
        perror(argv[1]);
        return 1;
    }
    commands = command_socket();
    while (read_ring(&witness) < 0)
        sleep(1);
    witness.failing = 0;
    begin(&witness, boot_id);
    for (int64_t next_ms = monotonic_ms();; next_ms += interval_ms) {
        if (next_ms < monotonic_ms())
            next_ms = monotonic_ms();
        wait_for_step(commands, next_ms, witness.own);
        step(&witness);
    }
}
