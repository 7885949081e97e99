/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of file system types. */
#include "unit.h"

#include "base/fstype.h"

static void types_have_families(void **state)
{
    (void)state;
    assert_true(ra_fstype_matches("ext4", "ext4"));
    assert_true(ra_fstype_matches("ext4", ""));
    assert_true(ra_fstype_matches("ext4", NULL));
    assert_true(ra_fstype_matches("fuse.glusterfs", "glusterfs"));
    assert_true(ra_fstype_matches("nfs4", "nfs"));
    assert_true(ra_fstype_matches("nfs", "efs"));
    assert_true(ra_fstype_matches("nfs4", "aznfs"));
    assert_true(ra_fstype_matches("cifs", "smb3"));
    assert_true(ra_fstype_matches("overlay", "overlayfs"));
    assert_false(ra_fstype_matches("ext4", "ext3"));
    assert_false(ra_fstype_matches("nfs", "cifs"));
    assert_false(ra_fstype_matches("fuse.glusterfs2", "glusterfs"));
}

static void what_may_fall_silent_is_known(void **state)
{
    static const char *const remote[] = { "nfs",     "nfs4", "cifs",           "ceph",
                                          "lustre",  "9p",   "glusterfs",      "virtiofs",
                                          "fuseblk", "fuse", "fuse.glusterfs", "fuse.anything" };
    static const char *const local[] = { "ext4", "xfs", "tmpfs", "gfs2", "overlay", "", "unknown" };

    (void)state;
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
        assert_true(ra_fstype_is_remote(ra_fstype_find(remote[i])));
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        assert_false(ra_fstype_is_remote(ra_fstype_find(local[i])));
}

static void one_node_at_a_time_unless_the_type_says_otherwise(void **state)
{
    static const char *const sharing[] = { "gfs2", "ocfs2", "btrfs", "zfs", "iso9660", "squashfs" };
    static const char *const exclusive[] = { "ext4", "xfs", "vfat", "udf", "unknown", "", "auto" };

    (void)state;
    assert_true(ra_fstype_is_exclusive(ra_fstype_find(NULL)));
    for (size_t i = 0; i < sizeof(sharing) / sizeof(sharing[0]); i++)
        assert_false(ra_fstype_is_exclusive(ra_fstype_find(sharing[i])));
    for (size_t i = 0; i < sizeof(exclusive) / sizeof(exclusive[0]); i++)
        assert_true(ra_fstype_is_exclusive(ra_fstype_find(exclusive[i])));
}

/* A clone that mounts a local file system on two nodes destroys it. */
static void only_types_made_for_it_are_cloned(void **state)
{
    (void)state;
    assert_true(ra_fstype_find("glusterfs")->clone_safe);
    assert_true(ra_fstype_find("fuse.glusterfs")->clone_safe);
    assert_true(ra_fstype_find("nfs4")->clone_safe);
    assert_true(ra_fstype_find("none")->clone_safe);
    assert_false(ra_fstype_find("ext4")->clone_safe);
    assert_false(ra_fstype_find("btrfs")->clone_safe);
    assert_false(ra_fstype_find("")->clone_safe);
    assert_true(ra_fstype_find("ext4")->clone_hostile && ra_fstype_find("xfs")->clone_hostile);
    assert_false(ra_fstype_find("iso9660")->clone_hostile);
}

/* A subtype of FUSE has the name of a local type at most by chance. */
static void a_subtype_of_fuse_is_no_local_type(void **state)
{
    (void)state;
    assert_int_equal(ra_fstype_find("fuse.ext4")->kind, RA_FSTYPE_FUSE);
    assert_true(ra_fstype_find("fuse.ext4")->named);
    assert_int_equal(ra_fstype_find("fuse.")->kind, RA_FSTYPE_FUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_families),
        cmocka_unit_test(what_may_fall_silent_is_known),
        cmocka_unit_test(one_node_at_a_time_unless_the_type_says_otherwise),
        cmocka_unit_test(only_types_made_for_it_are_cloned),
        cmocka_unit_test(a_subtype_of_fuse_is_no_local_type),
    };

    return cmocka_run_group_tests_name("file system types", tests, NULL, NULL);
}
