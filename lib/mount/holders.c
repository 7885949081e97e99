/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/number.h"
#include "base/path.h"
#include "base/proc.h"

#define ANCESTORS_MOST  64
#define DESCRIBED_MOST  3
#define TEXT_MOST_BYTES (1 << 20)

/* The mount, or a copy of it, as one mount namespace knows it. */
struct copy {
    struct copy *next;
    int id;
    char target[];
};

struct view {
    struct view *next;
    ino_t namespace;
    struct copy *copies;
};

struct search {
    const struct ra_mount_entry *entry;
    pid_t daemon;
    pid_t ancestors[ANCESTORS_MOST];
    size_t ancestor_count;
    bool by_path; /* asking for a mount number may ask the server, so paths must do */
    bool with_mappings;
    struct view *views;
    struct ra_mount_holders found;
};

/* --- namespaces --- */

static struct copy *copy_of(const struct ra_mount_entry *entry, struct copy *next)
{
    size_t bytes = strlen(entry->target) + 1;
    struct copy *copy = malloc(sizeof(*copy) + bytes);

    if (copy == NULL)
        abort();
    copy->next = next;
    copy->id = entry->id;
    memcpy(copy->target, entry->target, bytes);
    return copy;
}

static ino_t namespace_of(int process_fd)
{
    struct stat status;

    return fstatat(process_fd, "ns/mnt", &status, 0) == 0 ? status.st_ino : 0;
}

static void view_fill(struct view *view, const struct ra_mount_entry *ours, pid_t pid)
{
    ra_auto_free char *path = ra_text_format("/proc/%d/mountinfo", (int)pid);
    ra_auto_mount_table struct ra_mount_table *table = NULL;

    if (ra_mount_table_read(path, &table, NULL) != 0)
        return;
    for (size_t i = 0; i < ra_mount_table_count(table); i++) {
        const struct ra_mount_entry *entry = ra_mount_table_at(table, i);

        if (entry->devno == ours->devno && strcmp(entry->root, ours->root) == 0)
            view->copies = copy_of(entry, view->copies);
    }
}

static struct view *add_view(struct search *search, ino_t namespace)
{
    struct view *view = calloc(1, sizeof(*view));

    if (view == NULL)
        abort();
    view->namespace = namespace;
    view->next = search->views;
    search->views = view;
    return view;
}

static const struct view *view_of(struct search *search, int process_fd, pid_t pid)
{
    ino_t namespace = namespace_of(process_fd);
    struct view *view = search->views;

    while (view != NULL && view->namespace != namespace)
        view = view->next;
    if (view == NULL && namespace != 0) {
        view = add_view(search, namespace);
        view_fill(view, search->entry, pid);
    }
    return view;
}

static void add_our_view(struct search *search)
{
    ra_auto_close int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct view *view = add_view(search, self >= 0 ? namespace_of(self) : 0);

    view->copies = copy_of(search->entry, NULL);
}

static void search_free(struct search *search)
{
    while (search->views != NULL) {
        struct view *view = search->views;

        search->views = view->next;
        while (view->copies != NULL) {
            struct copy *copy = view->copies;

            view->copies = copy->next;
            free(copy);
        }
        free(view);
    }
}

/* --- one process --- */

static bool is_mount_id(const struct view *view, int64_t id)
{
    for (const struct copy *copy = view->copies; copy != NULL; copy = copy->next)
        if (copy->id == id)
            return true;
    return false;
}

static bool is_inside(const struct view *view, const char *path)
{
    for (const struct copy *copy = view->copies; copy != NULL; copy = copy->next)
        if (ra_path_is_within(path, copy->target))
            return true;
    return false;
}

/* Does the link of the process (cwd, exe...) lead to a file on the mount? */
static bool link_leads_there(const struct search *search, const struct view *view, int process_fd,
                             const char *link)
{
    struct statx attributes;
    char path[4096];
    ssize_t length = readlinkat(process_fd, link, path, sizeof(path) - 1);

    if (length <= 0)
        return false;
    path[length] = '\0';
    if (search->by_path)
        return is_inside(view, path);
    return statx(process_fd, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID,
                 &attributes) == 0 &&
           (attributes.stx_mask & STATX_MNT_ID) != 0 &&
           is_mount_id(view, (int64_t)attributes.stx_mnt_id);
}

static bool has_file(const struct view *view, int process_fd, char *how, size_t how_bytes)
{
    ra_auto_closedir DIR *fds = ra_proc_opendir(process_fd, "fdinfo");
    int fd;

    while (fds != NULL && (fd = ra_proc_next_fd(fds)) >= 0) {
        char name[32];

        (void)snprintf(name, sizeof(name), "fdinfo/%d", fd);
        if (is_mount_id(view, ra_proc_number(process_fd, name, "mnt_id"))) {
            (void)snprintf(how, how_bytes, "file %d", fd);
            return true;
        }
    }
    return false;
}

/* A line of maps is "from-to rights offset device inode path"; see proc_pid_maps(5). */
static bool maps_line_leads_there(const struct search *search, const struct view *view,
                                  int process_fd, char *line)
{
    const char *path = strchr(line, '/');
    char link[80];

    if (path == NULL || !is_inside(view, path))
        return false;
    (void)snprintf(link, sizeof(link), "map_files/%.*s", (int)strcspn(line, " "), line);
    return link_leads_there(search, view, process_fd, link);
}

static bool has_mapping(const struct search *search, const struct view *view, int process_fd)
{
    ra_auto_free char *text = malloc(TEXT_MOST_BYTES);
    char *rest = NULL;

    if (text == NULL)
        abort();
    if (ra_proc_read(process_fd, "maps", text, TEXT_MOST_BYTES) == 0)
        return false;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (maps_line_leads_there(search, view, process_fd, line))
            return true;
    return false;
}

static bool uses(const struct search *search, const struct view *view, int process_fd, char *how,
                 size_t how_bytes)
{
    static const struct {
        const char *link;
        const char *how;
    } links[] = { { "cwd", "working directory" },
                  { "root", "root directory" },
                  { "exe", "program" } };

    if (search->with_mappings) {
        ra_text_join(how, how_bytes, "mapping", "", "");
        return has_mapping(search, view, process_fd);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (link_leads_there(search, view, process_fd, links[i].link)) {
            ra_text_join(how, how_bytes, links[i].how, "", "");
            return true;
        }
    return has_file(view, process_fd, how, how_bytes);
}

/* --- all processes --- */

static bool is_protected(const struct search *search, pid_t pid, const char *name)
{
    static const char *const names[] = { "corosync", "pacemakerd" };

    if (pid == 1 || pid == search->daemon || ra_text_starts_with(name, "pacemaker-"))
        return true;
    for (size_t i = 0; i < search->ancestor_count; i++)
        if (search->ancestors[i] == pid)
            return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void find_ancestors(struct search *search)
{
    pid_t pid = getpid();

    while (pid > 0 && search->ancestor_count < ANCESTORS_MOST) {
        char path[32];
        ra_auto_close int fd = -1;
        struct ra_proc_status status;

        search->ancestors[search->ancestor_count++] = pid;
        (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        pid = fd >= 0 && ra_proc_status(fd, &status) ? status.parent : 0;
    }
}

static void take_if_user(struct search *search, pid_t pid, int process_fd)
{
    const struct view *view = view_of(search, process_fd, pid);
    struct ra_mount_holder holder = { .pid = pid };
    struct ra_proc_status status;
    struct ra_mount_holders *found = &search->found;

    if (view == NULL || view->copies == NULL ||
        !uses(search, view, process_fd, holder.how, sizeof(holder.how)) ||
        !ra_proc_status(process_fd, &status))
        return;
    holder.start_ticks = status.start_ticks;
    ra_text_join(holder.name, sizeof(holder.name), status.name, "", "");
    holder.is_protected = is_protected(search, pid, status.name);
    found->items = realloc(found->items, (found->count + 1) * sizeof(found->items[0]));
    if (found->items == NULL)
        abort();
    found->items[found->count++] = holder;
}

static int walk(struct search *search, struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_closedir DIR *proc = opendir("/proc");
    int process_fd = -1;
    pid_t pid;

    if (proc == NULL)
        return ra_error_set_errno(err, errno, "cannot open /proc");
    while ((pid = ra_proc_next(proc, &process_fd)) != 0) {
        ra_auto_close int fd = process_fd;

        if (ra_deadline_expired(deadline))
            return ra_error_set(err, RA_ERROR_TIMEOUT, "there was no time to find the users of %s",
                                search->entry->target);
        take_if_user(search, pid, fd);
    }
    return 0;
}

int ra_mount_holders_find(const struct ra_mount_entry *entry, pid_t daemon,
                          struct ra_deadline deadline, struct ra_mount_holders *ret_holders,
                          struct ra_error *err)
{
    struct search search = { .entry = entry,
                             .daemon = daemon,
                             .by_path = ra_fstype_find(entry->fstype)->asks_elsewhere };
    int result;
    RA_LOG_CALL("looking for the users of %s", entry->target);

    find_ancestors(&search);
    add_our_view(&search);
    result = walk(&search, deadline, err);
    if (result == 0 && search.found.count == 0) {
        search.with_mappings = true;
        result = walk(&search, deadline, err);
    }
    search_free(&search);
    if (result == 0)
        *ret_holders = search.found;
    else
        ra_mount_holders_free(&search.found);
    return result;
}

void ra_mount_holders_free(struct ra_mount_holders *holders)
{
    free(holders->items);
    *holders = (struct ra_mount_holders){ 0 };
}

bool ra_mount_holders_signal(const struct ra_mount_holder *holder, int signal_number)
{
    ra_auto_close int process_fd = -1;
    struct ra_proc_status status;
    char path[32];

    if (holder->is_protected)
        return false;
    /*
     * The directory stands for this one process, also when the number goes to another: look
     * whether it is the one that was found, and signal just that (pidfd_send_signal(2)).
     */
    (void)snprintf(path, sizeof(path), "/proc/%d", (int)holder->pid);
    process_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return process_fd >= 0 && ra_proc_status(process_fd, &status) &&
           status.start_ticks == holder->start_ticks &&
           syscall(SYS_pidfd_send_signal, process_fd, signal_number, NULL, 0) == 0;
}
