/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ocf:native:Filesystem mounts a file system: of a device, of a GlusterFS volume or another
 * server, a bind, a tmpfs. "Running" means that what the device parameter says, and not something
 * else, is the topmost mount on the directory, is not read-only by accident, and, on FUSE or a
 * network, gives a sign of life. "Not running" means that the kernel's mount table has no mount
 * of ours on the directory.
 */
#include <string.h>

#include "base/text.h"
#include "actions.h"
#include "config.h"
#include "subject.h"
#include "runtime/agent.h"
#include "runtime/backend.h"

static const char *const fsck_modes[] = { "auto", "force", "no", NULL };

static const struct ra_param params[] = {
    { .name = "device",
      RA_FIELD_STRING(struct filesystem_config, device),
      .flags = RA_PARAM_REQUIRED,
      .shortdesc = "What to mount",
      .longdesc =
          "The path of a block device; UUID=, LABEL=, PARTUUID= or PARTLABEL= with a value, "
          "or -U, -L, --uuid, --label with a value; SERVER[,SERVER...]:/VOLUME[/DIRECTORY] "
          "for glusterfs; SERVER:/EXPORT for nfs; a directory for a bind; a file for a "
          "loop mount; a name for tmpfs and the like." },
    { .name = "directory",
      RA_FIELD_STRING(struct filesystem_config, directory),
      .flags = RA_PARAM_REQUIRED,
      .shortdesc = "Mount point",
      .longdesc = "The absolute path of the mount point. It is created if it does not exist." },
    { .name = "fstype",
      RA_FIELD_STRING(struct filesystem_config, fstype),
      .default_text = "",
      .shortdesc = "File system type",
      .longdesc = "The type as mount(8) takes it: glusterfs, ext4, xfs, nfs, tmpfs, none for a "
                  "bind. Empty: the type is found out from the device." },
    { .name = "options",
      RA_FIELD_STRING(struct filesystem_config, options),
      .default_text = "",
      .shortdesc = "Mount options",
      .longdesc = "Options as for mount -o, separated by commas. For a bind, the option bind with "
                  "fstype none; bind,ro makes a read-only bind." },
    { .name = "statusfile_prefix",
      RA_FIELD_STRING(struct filesystem_config, statusfile_prefix),
      .default_text = ".Filesystem_status/",
      .shortdesc = "Status file prefix",
      .longdesc = "What the name of the status file starts with, which a monitor of depth 20 "
                  "writes. It is relative to the mount point; the resource's and the node's name "
                  "are added to it." },
    { .name = "run_fsck",
      RA_FIELD_SELECT(struct filesystem_config, run_fsck),
      .default_text = "auto",
      .choices = fsck_modes,
      .shortdesc = "Check before mounting",
      .longdesc = "Whether start runs fsck -p on the device: auto decides by the type (not for "
                  "journaled and network file systems), force always does, no never does." },
    { .name = "fast_stop",
      RA_FIELD_BOOLEAN(struct filesystem_config, fast_stop),
      .default_text = "no",
      .shortdesc = "Give up stopping early",
      .longdesc = "With yes, stop tries for about six seconds to unmount a file system that is in "
                  "use, otherwise for most of the operation's timeout." },
    { .name = "force_clones",
      RA_FIELD_BOOLEAN(struct filesystem_config, force_clones),
      .default_text = "false",
      .shortdesc = "Allow clones of a local file system",
      .longdesc = "Lets a file system that is no cluster file system be cloned. Only for devices "
                  "that each node has of its own, bricks of a GlusterFS volume for example: "
                  "mounting a shared one on two nodes destroys it." },
    { .name = "force_unmount",
      RA_FIELD_GRAMMAR(struct filesystem_config, force_unmount, filesystem_parse_force_unmount),
      .default_text = "true",
      .shortdesc = "Signal users before unmounting",
      .longdesc = "What stop does about processes that use the file system: true and safe signal "
                  "them, found in a way that cannot block, false leaves them alone. With the "
                  "modifier move, as in true,move, the mount is moved away from its directory "
                  "first, so that programs that keep coming back do not find it. The modifiers "
                  "xargs, noxargs, ps and nops are accepted and have no effect." },
    { .name = "term_signals",
      RA_FIELD_GRAMMAR(struct filesystem_config, term_signals, filesystem_parse_signals),
      .default_text = "TERM",
      .shortdesc = "Signals that ask users to end",
      .longdesc = "Names or numbers, separated by spaces, sent to the users during the first half "
                  "of the time." },
    { .name = "kill_signals",
      RA_FIELD_GRAMMAR(struct filesystem_config, kill_signals, filesystem_parse_signals),
      .default_text = "KILL",
      .shortdesc = "Signals that make users end",
      .longdesc = "Names or numbers, separated by spaces, sent during the second half." },
    { .name = "signal_delay",
      RA_FIELD_INTEGER(struct filesystem_config, signal_delay_s),
      .default_text = "1",
      .least = 0,
      .most = 3600,
      .shortdesc = "Seconds between signals",
      .longdesc = "How long stop waits after signalling before it signals again. It tries to "
                  "unmount all the while." },
};

/*
 * Check the parameters; from level 10 on, as in crm_resource --validate, also whether this node
 * has what they name.
 */
static int check(struct subject *subject, const struct ra_context *context, struct ra_error *err)
{
    if (subject_open(subject, context, err) != 0 || filesystem_check_config(context, err) != 0)
        return -1;
    if (subject->spec_error.kind != 0) {
        *err = subject->spec_error;
        return -1;
    }
    return context->check_level < 10 ? 0
                                     : subject->mount->spec_resolve(&subject->spec, subject->table,
                                                                    context->deadline, err);
}

static struct ra_result validate(const struct ra_context *context)
{
    struct subject subject;
    struct ra_error err;
    int result = check(&subject, context, &err);

    subject_close(&subject);
    return result == 0 ? ra_result_success() : ra_result_of_error(context->kind, &err);
}

static const struct ra_action actions[] = {
    { .name = "start", .run = filesystem_start, .kind = RA_ACTION_START, .timeout_s = 60 },
    { .name = "stop",
      .run = filesystem_stop,
      .kind = RA_ACTION_STOP,
      .timeout_s = 60,
      .flags = RA_ACTION_LENIENT },
    { .name = "monitor",
      .run = filesystem_monitor,
      .kind = RA_ACTION_MONITOR,
      .timeout_s = 40,
      .interval_s = 20,
      .depth = 0,
      .flags = RA_ACTION_LENIENT },
    { .name = "status",
      .run = filesystem_monitor,
      .kind = RA_ACTION_MONITOR,
      .timeout_s = 40,
      .flags = RA_ACTION_LENIENT | RA_ACTION_HIDDEN },
    { .name = "validate-all", .run = validate, .kind = RA_ACTION_VALIDATE, .timeout_s = 5 },
};

static const struct ra_agent agent = {
    .name = "Filesystem",
    .shortdesc = "Mounts a file system, local or of a network",
    .longdesc = "Mounts and unmounts a file system: of a block device, of a GlusterFS volume or an "
                "NFS server, a bind, a tmpfs, or whatever mount(8) can.\n\n"
                "A monitor of depth 0 looks into the kernel's mount table: is this file system, "
                "and no other, the topmost mount on the directory, and has the kernel not made it "
                "read-only after an error? A FUSE or network file system is asked for a sign of "
                "life besides. With OCF_CHECK_LEVEL=10 the monitor reads the device past the "
                "cache, or writes to the GlusterFS volume, syncs and reads back. With "
                "OCF_CHECK_LEVEL=20 it also writes a status file, syncs it and reads it back; the "
                "file must be writable by root.",
    .config_bytes = sizeof(struct filesystem_config),
    .params = RA_PARAMS(params),
    .actions = actions,
    .action_count = sizeof(actions) / sizeof(actions[0]),
};

int main(int argc, char *argv[])
{
    return ra_agent_main(&agent, argc, argv);
}
