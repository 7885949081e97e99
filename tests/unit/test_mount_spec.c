/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "mount/spec.h"
#include "mount/table.h"

static struct ra_mount_spec make(const char *device, const char *fstype, const char *options)
{
    struct ra_mount_spec spec = { 0 };
    struct ra_error err = { 0 };

    if (ra_mount_spec_make(device, fstype, options, &spec, &err) != 0)
        fail_msg("%s", err.text);
    return spec;
}

static void check(const char *device, const char *fstype, const char *options,
                  enum ra_mount_class class, const char *source)
{
    ra_auto_mount_spec struct ra_mount_spec spec = make(device, fstype, options);

    if (spec.class != class)
        fail_msg("'%s' %s %s is of class %d, not %d", device, fstype, options, (int)spec.class,
                 (int)class);
    assert_string_equal(spec.source, source);
}

static void devices_are_understood(void **state)
{
    (void)state;
    check("/dev/nothing", "ext4", "", RA_MOUNT_BLOCK, "/dev/nothing");
    check("/dev/null", "ext4", "", RA_MOUNT_NAMED, "/dev/null");
    check("-U 12-34", "ext4", "", RA_MOUNT_BLOCK, "UUID=12-34");
    check("-U12-34", "ext4", "", RA_MOUNT_BLOCK, "UUID=12-34");
    check("--uuid=12-34", "", "", RA_MOUNT_BLOCK, "UUID=12-34");
    check("--uuid  12-34", NULL, NULL, RA_MOUNT_BLOCK, "UUID=12-34");
    check("-L disk one", "xfs", "", RA_MOUNT_BLOCK, "LABEL=disk one");
    check("--label=one", "xfs", "", RA_MOUNT_BLOCK, "LABEL=one");
    check("LABEL=one", "xfs", "", RA_MOUNT_BLOCK, "LABEL=one");
    check("PARTUUID=1-2", "xfs", "", RA_MOUNT_BLOCK, "PARTUUID=1-2");
    check("/etc", "none", "bind", RA_MOUNT_BIND, "/etc");
    check("/etc", "none", "ro,rbind", RA_MOUNT_BIND, "/etc");
    check("/etc", "bind", "", RA_MOUNT_BIND, "/etc");
    check("/etc/passwd", "", "", RA_MOUNT_IMAGE, "/etc/passwd");
    check("/nothing.img", "ext4", "noatime,loop", RA_MOUNT_IMAGE, "/nothing.img");
    check("srv:/export", "nfs", "vers=4", RA_MOUNT_NAMED, "srv:/export");
    check("/dev/fake", "nfs4", "", RA_MOUNT_NAMED, "/dev/fake");
    check("srv:/vol", "glusterfs", "", RA_MOUNT_NAMED, "srv:/vol");
    check("user@host:", "fuse.sshfs", "", RA_MOUNT_NAMED, "user@host:");
    check("tmpfs", "tmpfs", "", RA_MOUNT_NAMED, "tmpfs");
    check("pool/set", "", "", RA_MOUNT_NAMED, "pool/set");
}

static void a_device_option_without_a_value_is_refused(void **state)
{
    static const char *const devices[] = { "", "-U", "-L ", "--uuid", "--label=", "UUID=" };

    (void)state;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        struct ra_mount_spec spec = { 0 };
        struct ra_error err = { 0 };

        assert_int_equal(ra_mount_spec_make(devices[i], "ext4", "", &spec, &err), -1);
        assert_int_equal(err.kind, RA_ERROR_CONFIG);
        assert_contains(err.text, "device");
    }
}

static enum ra_mount_match match(const struct ra_mount_spec *spec, const char *line)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;

    assert_int_equal(ra_mount_table_parse(line, &table, NULL), 0);
    return ra_mount_spec_match(spec, ra_mount_table_at(table, 0));
}

static void a_disk_is_known_by_its_number(void **state)
{
    ra_auto_mount_spec struct ra_mount_spec spec = make("/dev/disk1", "ext4", "");

    (void)state;
    spec.resolved = true;
    spec.devno = makedev(8, 17);
    assert_int_equal(match(&spec, "9 1 8:17 / /x rw - ext4 /dev/any rw\n"), RA_MOUNT_OURS);
    assert_int_equal(match(&spec, "9 1 8:18 / /x rw - ext4 /dev/disk1 rw\n"), RA_MOUNT_FOREIGN);
    assert_int_equal(match(&spec, "9 1 8:17 /sub /x rw - ext4 /dev/disk1 rw\n"), RA_MOUNT_FOREIGN);
    assert_int_equal(match(&spec, "9 1 0:17 / /x rw - tmpfs /dev/disk1x rw\n"), RA_MOUNT_FOREIGN);
}

static void a_disk_that_is_gone_is_known_by_its_name_or_not_at_all(void **state)
{
    ra_auto_mount_spec struct ra_mount_spec spec = make("/dev/disk1", "ext4", "");

    (void)state;
    assert_int_equal(match(&spec, "9 1 8:17 / /x rw - ext4 /dev/disk1 rw\n"), RA_MOUNT_OURS);
    assert_int_equal(match(&spec, "9 1 8:17 / /x rw - ext4 /dev/disk11 rw\n"), RA_MOUNT_UNCERTAIN);
    assert_int_equal(match(&spec, "9 1 0:30 / /x rw - btrfs /dev/disk2 rw\n"), RA_MOUNT_UNCERTAIN);
    assert_int_equal(match(&spec, "9 1 0:30 / /x rw - tmpfs none rw\n"), RA_MOUNT_FOREIGN);
}

static void memory_recognises_what_it_saw(void **state)
{
    const struct ra_mount_memory memory = {
        .devno = makedev(0, 44), .root = "/r", .fstype = "zfs", .source = "pool"
    };
    ra_auto_mount_spec struct ra_mount_spec spec = make("other", "", "");

    (void)state;
    spec.memory = &memory;
    assert_int_equal(match(&spec, "9 1 0:44 /r /x rw - zfs pool rw\n"), RA_MOUNT_OURS);
    assert_int_equal(match(&spec, "9 1 0:45 /r /x rw - zfs pool rw\n"), RA_MOUNT_FOREIGN);
    assert_int_equal(match(&spec, "9 1 0:44 / /x rw - zfs pool rw\n"), RA_MOUNT_FOREIGN);
    assert_int_equal(match(&spec, "9 1 0:44 /r /x rw - zfs pool2 rw\n"), RA_MOUNT_FOREIGN);
    assert_int_equal(match(&spec, "9 1 0:44 /r /x rw - zfs2 pool rw\n"), RA_MOUNT_FOREIGN);
}

static void subvolumes_are_told_apart(void **state)
{
    static const char line[] = "9 1 8:17 /a/b /x rw - btrfs /dev/sdb rw,subvolid=256,subvol=/a/b\n";
    static const struct {
        const char *options;
        enum ra_mount_match expected;
    } cases[] = {
        { "subvol=a/b", RA_MOUNT_OURS },    { "subvol=/a/b/", RA_MOUNT_OURS },
        { "subvol=a", RA_MOUNT_FOREIGN },   { "subvol=a/bc", RA_MOUNT_FOREIGN },
        { "subvolid=256", RA_MOUNT_OURS },  { "subvolid=25", RA_MOUNT_FOREIGN },
        { "compress=zstd", RA_MOUNT_OURS },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ra_auto_mount_spec struct ra_mount_spec spec =
            make("/dev/disk1", "btrfs", cases[i].options);

        spec.resolved = true;
        spec.devno = makedev(8, 17);
        if (match(&spec, line) != cases[i].expected)
            fail_msg("options %s", cases[i].options);
    }
}

static void a_bind_is_known_by_file_system_and_directory(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    ra_auto_mount_spec struct ra_mount_spec spec = make("/usr/bin/.", "none", "bind");
    struct ra_error err;

    (void)state;
    assert_int_equal(match(&spec, "9 1 8:5 /part/bin /x rw - ext4 /dev/sda5 rw\n"),
                     RA_MOUNT_UNCERTAIN);
    assert_int_equal(ra_mount_table_parse("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                          "2 1 8:5 /part /usr rw - ext4 /dev/sda5 rw\n",
                                          &table, &err),
                     0);
    assert_int_equal(ra_mount_spec_resolve(&spec, table, ra_deadline_after_ms(5000), &err), 0);
    assert_int_equal(match(&spec, "9 1 8:5 /part/bin /x rw - ext4 /dev/sda5 rw\n"), RA_MOUNT_OURS);
    assert_int_equal(match(&spec, "9 1 8:5 /part/bin2 /x rw - ext4 /dev/sda5 rw\n"),
                     RA_MOUNT_FOREIGN);
    assert_int_equal(match(&spec, "9 1 8:6 /part/bin /x rw - ext4 /dev/sda5 rw\n"),
                     RA_MOUNT_FOREIGN);
}

static void names_are_compared_whole(void **state)
{
    char alias[] = "backup:/vol";
    char *aliases[] = { alias, NULL };
    ra_auto_mount_spec struct ra_mount_spec gluster = make("srv:/vol", "glusterfs", "");
    ra_auto_mount_spec struct ra_mount_spec nfs = make("srv:/export/", "nfs", "");

    (void)state;
    gluster.aliases = aliases;
    assert_int_equal(match(&gluster, "9 1 0:9 / /x rw - fuse.glusterfs srv:/vol rw\n"),
                     RA_MOUNT_OURS);
    assert_int_equal(match(&gluster, "9 1 0:9 / /x rw - fuse.glusterfs backup:/vol rw\n"),
                     RA_MOUNT_OURS);
    assert_int_equal(match(&gluster, "9 1 0:9 / /x rw - fuse.glusterfs srv:/vol2 rw\n"),
                     RA_MOUNT_FOREIGN);
    assert_int_equal(match(&gluster, "9 1 0:9 / /x rw - fuse.sshfs srv:/vol rw\n"),
                     RA_MOUNT_FOREIGN);
    assert_int_equal(match(&nfs, "9 1 0:9 / /x rw - nfs4 srv:/export rw\n"), RA_MOUNT_OURS);
    assert_int_equal(match(&nfs, "9 1 0:9 / /x rw - nfs4 srv:/export/a rw\n"), RA_MOUNT_FOREIGN);
}

static void missing_things_are_missing(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    ra_auto_mount_spec struct ra_mount_spec disk = make("/dev/nothing", "ext4", "");
    ra_auto_mount_spec struct ra_mount_spec bind = make("/nothing", "none", "bind");
    ra_auto_mount_spec struct ra_mount_spec tag = make("UUID=no-such-uuid", "ext4", "");
    struct ra_error err = { 0 };

    (void)state;
    assert_int_equal(ra_mount_table_read(NULL, &table, &err), 0);
    assert_int_equal(ra_mount_spec_resolve(&disk, table, ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_MISSING);
    assert_contains(err.text, "/dev/nothing");
    assert_int_equal(ra_mount_spec_resolve(&bind, table, ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_MISSING);
    assert_int_equal(ra_mount_spec_resolve(&tag, table, ra_deadline_after_ms(5000), &err), -1);
    assert_int_equal(err.kind, RA_ERROR_MISSING);
    assert_contains(err.text, "no-such-uuid");
    assert_false(disk.resolved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_understood),
        cmocka_unit_test(a_device_option_without_a_value_is_refused),
        cmocka_unit_test(a_disk_is_known_by_its_number),
        cmocka_unit_test(a_disk_that_is_gone_is_known_by_its_name_or_not_at_all),
        cmocka_unit_test(memory_recognises_what_it_saw),
        cmocka_unit_test(subvolumes_are_told_apart),
        cmocka_unit_test(a_bind_is_known_by_file_system_and_directory),
        cmocka_unit_test(names_are_compared_whole),
        cmocka_unit_test(missing_things_are_missing),
    };

    return cmocka_run_group_tests_name("mount spec", tests, NULL, NULL);
}
